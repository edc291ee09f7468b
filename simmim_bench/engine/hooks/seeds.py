"""Random numbers that depend on how far a run is, so that a resumed run repeats a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook

from simmim_bench.data.transforms import seed_all
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class SeedHook(Hook):
    """Seed what the model draws by (seed, iteration, rank), and what a sample draws by epoch.

    Transforms that have ``set_epoch`` (``SeedSample``, mask generation) are told the epoch, also
    in persistent data workers. So a resumed run repeats a whole one with any number of workers.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Any) -> None:
        """Tell the pipelines the epoch that begins; a loop over iterations has one epoch, 0."""
        for transform in transforms_of(runner.train_dataloader.dataset):
            if hasattr(transform, "set_epoch"):
                transform.set_epoch(runner.epoch)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the model's draws (drop path, dropout, sampling of regions, mixing of images)."""
        seed_all([runner.seed or 0, runner.iter, get_rank()])


def transforms_of(dataset: Any) -> Iterator[Any]:
    """Transforms of a dataset and of those that it wraps."""
    yield from getattr(getattr(dataset, "pipeline", None), "transforms", [])
    wrapped = [dataset.dataset] if hasattr(dataset, "dataset") else getattr(dataset, "datasets", [])
    for inner in wrapped:
        yield from transforms_of(inner)
