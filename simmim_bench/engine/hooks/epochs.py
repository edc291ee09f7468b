"""Random numbers that depend on (seed, epoch), so that a resumed run repeats a whole one."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed every generator at the start of each epoch from (seed, epoch, rank).

    Transforms that have ``set_epoch`` (mask generation) are told the epoch as well, also in
    persistent data workers. The other transforms of such workers draw from generators of their
    own, which a resumed run starts anew: with ``num_workers=0`` it repeats a whole run to the
    last digit, with workers it sees the same images and masks under other augmentations.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Any) -> None:
        """Seed, and tell the pipeline the epoch that begins."""
        sequence = np.random.SeedSequence([runner.seed or 0, runner.epoch, get_rank()])
        python_seed, numpy_seed, torch_seed = (int(word) for word in sequence.generate_state(3))
        random.seed(python_seed)
        np.random.seed(numpy_seed)  # upstream transforms draw from the global one
        torch.manual_seed(torch_seed)
        for transform in pipeline_of(runner.train_dataloader.dataset):
            if hasattr(transform, "set_epoch"):
                transform.set_epoch(runner.epoch)


def pipeline_of(dataset: Any) -> list[Any]:
    """Transforms of the innermost dataset."""
    while hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return list(getattr(getattr(dataset, "pipeline", None), "transforms", []))
