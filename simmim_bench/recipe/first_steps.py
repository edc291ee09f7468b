"""The commands that train on own data, as the end of an import shows them."""

from __future__ import annotations

import shlex

from simmim_bench.data.layouts import data_root
from simmim_bench.data.own import OwnDataset
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.recipe.dataset import BOXES_ALONE, FITTING

FORMS = {"classification": ("configs/small/cifar10-knn_swin-demo.py",)}
"""More configs that read data of a task."""


def first_steps(dataset: OwnDataset) -> list[str]:
    """Commands that pretrain on the data and train their task, small enough for a CPU.

    Args:
        dataset: Imported data at their place.
    """
    configs = [FITTING["unlabelled"]]
    if dataset.task != "unlabelled" and dataset.images.val:
        fitting = BOXES_ALONE if dataset.has_masks is False else FITTING[dataset.task]
        configs += [fitting, *FORMS.get(dataset.task, ())]
    return [_command(config, dataset) for config in configs]


def _command(config: str, dataset: OwnDataset) -> str:
    known = dataset.folder.resolve() == (data_root() / dataset.name).resolve()
    given = dataset.name if known else str(dataset.folder)
    cfg = load_recipe(config, Changes(data=str(dataset.folder)))
    words = ["python", "tools/train.py", config, "--data", given]
    words += [] if "pretraining" in cfg else ["--from-scratch"]
    loader, changes = cfg.train_dataloader, []
    if loader.get("drop_last") and loader.batch_size > dataset.images.train:
        recipe = cfg.auto_scale_lr.base_batch_size  # is reached by accumulation
        fits = (size for size in range(dataset.images.train, 0, -1) if recipe % size == 0)
        changes.append(f"train_dataloader.batch_size={next(fits)}")
    if max(cfg.model.get("neighbours") or [0]) > dataset.images.train:
        parts = ("model", "val_evaluator", "test_evaluator")
        changes += [f"{part}.neighbours=[{max(1, dataset.images.train // 2)}]" for part in parts]
    return shlex.join([*words, *(["--cfg-options", *changes] if changes else [])])
