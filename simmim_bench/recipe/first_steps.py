"""The commands that train on own data, as the ends of ``inspect`` and of an import show them."""

from __future__ import annotations

import shlex
from typing import Any

from simmim_bench.data.expected import Expected
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.recipe.dataset import BOXES_ALONE, FITTING


def first_steps(data: Expected) -> list[str]:
    """Commands from the data to a comparison, small enough for a CPU, in their order.

    They import the data (if that is still to be done), pretrain on them, export the backbone, train
    the task of the data with it if they have one, and compare it with random weights.
    """
    out = f"work_dirs/{data.name}-pretraining"
    weights = f"{out}/export/backbone.pth"
    pretrain = [*_train(FITTING["unlabelled"], data), "--work-dir", out]
    steps = [
        [*pretrain, *_for_few_images(FITTING["unlabelled"], data)],
        ["simmim-bench", "export", out, "--out", f"{out}/export"],
    ]
    compare = ["simmim-bench", "evaluate", weights]
    if data.task != "unlabelled" and data.val:
        config = BOXES_ALONE if data.has_masks is False else FITTING[data.task]
        train = [*_train(config, data), "--pretrained", weights]
        steps.append([*train, *_for_few_images(config, data)])
        compare += ["--data", data.given]
    steps.append([*compare, "--against", "scratch"])
    return [*([data.bring] if data.bring else []), *map(shlex.join, steps)]


def fitting_batch(cfg: Any, images: int) -> int:
    """The largest batch of at most ``images`` of which the batch of the recipe is a multiple."""
    recipe = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")  # reached by accumulation
    if type(recipe) is not int or recipe < 1:
        return max(1, images)
    return next(size for size in range(max(1, images), 0, -1) if recipe % size == 0)


def _train(config: str, data: Expected) -> list[str]:
    return ["simmim-bench", "train", config, "--data", data.given]


def _for_few_images(config: str, data: Expected) -> list[str]:
    cfg = load_recipe(config, Changes())
    loader = cfg.train_dataloader
    if not loader.get("drop_last") or loader.batch_size <= data.train:
        return []
    return ["--cfg-options", f"train_dataloader.batch_size={fitting_batch(cfg, data.train)}"]
