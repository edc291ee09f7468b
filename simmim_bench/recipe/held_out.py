"""``--held-out``: score a downstream config on a part of its training data.

The other part is trained on. The config then names the evaluation set nowhere.
"""

from __future__ import annotations

import copy
from typing import Any

from simmim_bench.config import datasets
from simmim_bench.errors import BenchError

LARGEST_SHARE = 0.5
TYPES = (
    *("CustomDataset", "ImageFolder", "FewShotDataset"),
    *("CocoLayoutDataset", "CocoDataset", "SegLayoutDataset"),
)
"""Data sets of which a part can be held out by image."""
DECAY = "optim_wrapper.paramwise_cfg.layer_decay"
CONSTRUCTOR = "LayerDecayOptimWrapperConstructor"


def check_share(share: float, given: str) -> None:
    """Raise unless a share of the training data can be held out.

    Raises:
        BenchError: If it is not above 0 and at most 0.5.
    """
    if not 0 < share <= LARGEST_SHARE:
        raise BenchError(
            f"{given} must be a share of the training data above 0 and at most {LARGEST_SHARE}, "
            f"got {share:g}; 0.2 holds out a fifth"
        )


def hold_out(cfg: Any, share: float, seed: int, path: str) -> None:
    """Split the training data of a config: train on the kept part, evaluate on the other.

    The held-out images get the pipeline of the validation; evaluators stay.

    Args:
        cfg: Config of a downstream task; changed in place.
        share: Share of the training images that are held out.
        seed: Each number gives another choice of images.
        path: Path of the config, for errors.

    Raises:
        BenchError: If it is a pretraining, has no training or validation data, or data of another
            kind than class folders, COCO's and ADE20K's layout.
    """
    check_share(share, "--held-out")
    loaders = dict(datasets(cfg))
    if "protocol" not in cfg or not {"train_dataloader", "val_dataloader"} <= loaders.keys():
        raise BenchError(
            f"{path} has no training and validation data of a downstream task, of which a part "
            f"could be held out; leave out --held-out, or give a downstream config"
        )
    training = loaders["train_dataloader"]
    kind = str(training.get("type")).rpartition(".")[2]
    if kind not in TYPES:
        raise BenchError(
            f"{path} trains on {kind}, of which no part can be held out; supported: class folders, "
            f"COCO's layout, ADE20K's layout"
        )

    def part(name: str, dataset: Any) -> dict[str, Any]:
        chosen = {"share": share, "seed": seed, "part": name}
        return {"type": "simmim_bench.HeldOut", **chosen, "dataset": copy.deepcopy(dataset)}

    scored = {**training, "pipeline": loaders["val_dataloader"].pipeline}
    cfg.val_dataloader.dataset = part("held_out", scored)
    if "test_dataloader" in cfg:
        cfg.test_dataloader = copy.deepcopy(cfg.val_dataloader)
    holder = cfg.train_dataloader
    while "dataset" in holder.dataset:
        holder = holder.dataset
    holder.dataset = part("kept", training)
    _follow_annotations(cfg, training)


def _follow_annotations(cfg: Any, training: Any) -> None:
    """Let evaluators that name an annotation file read that of the training data."""
    file = f"{str(training.get('data_root') or '.').rstrip('/')}/{training.get('ann_file')}"
    for key in ("val_evaluator", "test_evaluator"):
        given = cfg.get(key)
        for each in given if isinstance(given, (list, tuple)) else [given]:
            if hasattr(each, "get") and each.get("ann_file"):
                each["ann_file"] = file


def take_layer_decay(cfg: Any, overrides: tuple[str, ...], path: str) -> None:
    """Let overrides set the layer decay of a config that has the constructor but states none.

    Args:
        cfg: Config before its overrides; changed in place.
        overrides: ``KEY=VALUE``.
        path: Path of the config, for errors.

    Raises:
        BenchError: If the config does not decay the learning rate by layer.
    """
    wrapper = cfg.get("optim_wrapper")
    if wrapper is None or not any(item.startswith(f"{DECAY}=") for item in overrides):
        return
    constructor = str(wrapper.get("constructor")).rpartition(".")[2]
    if constructor != CONSTRUCTOR:
        raise BenchError(
            f"{path} has no layer decay: its optim_wrapper.constructor is {constructor}, only "
            f"simmim_bench.{CONSTRUCTOR} has one; leave {DECAY} out"
        )
    if not wrapper.get("paramwise_cfg"):
        wrapper["paramwise_cfg"] = {"layer_decay": 1.0}  # the constructor's default
