"""``--data``: a config on data of one's own, whatever data it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from simmim_bench import shipped
from simmim_bench.config import ZERO, datasets, set_everywhere
from simmim_bench.data.content import needs_masks
from simmim_bench.data.own import TRAIN, VAL, OwnDataset, annotations_of, labels_of
from simmim_bench.errors import BenchError
from simmim_bench.recipe.channels import set_channels

FITTING = {
    "unlabelled": "configs/small/simmim_swin-demo.py",
    "classification": "configs/small/cifar10_swin-demo.py",
    "detection": "configs/small/mask-rcnn_swin-demo_fpn.py",
    "segmentation": "configs/small/upernet_swin-demo.py",
}
"""A config that reads data of each task."""
BOXES_ALONE = "configs/small/faster-rcnn_swin-demo_fpn.py"
NEEDED = {
    "classification": "class folders",
    "detection": "boxes",
    "segmentation": "label maps",
}
"""What a config of each task reads besides images."""
FOLDERS = ("CustomDataset", "ImageFolder", "FewShotDataset")
READ = {
    "classification": FOLDERS,
    "detection": ("CocoLayoutDataset", "CocoDataset"),
    "segmentation": ("SegLayoutDataset",),
    "generation": ("None",),
}
"""Types of data sets in the configs of each task."""
UNLABELLED = (*FOLDERS, "UnlabelledShards", "UnlabelledLMDB")
WHOLE_SHARE = 1.0
"""Of the pixels may be ignored: the import has said which label is."""


def use_dataset(cfg: Any, dataset: OwnDataset, config: str = "the config") -> None:
    """Let a config read ``dataset``: folder, files, classes, ignored label, channels.

    Args:
        cfg: Config of a pretraining, a downstream task or a painting protocol; changed in place.
        dataset: From ``read_dataset``.
        config: Path of the config, for errors.

    Raises:
        BenchError: If the config needs labels that the data do not have, or other data than
            images, boxes and label maps; names a config that fits.
    """
    if "pretraining" in cfg:
        labelled = dataset.task == "segmentation"
        _check_types(cfg, (*UNLABELLED, "SegLayoutDataset" * labelled), config, dataset)
        _place(cfg, dataset, _for_pretraining)
        return
    task = (cfg.get("protocol") or {}).get("task")
    if task not in READ:
        raise BenchError(
            f"{config} is of the task {task!r}, which reads no data of one's own; "
            f"{_fitting(dataset)}"
        )
    if task in NEEDED and task != dataset.task:
        raise BenchError(
            f"{config} needs {NEEDED[task]} ({task}), --data {dataset.name} is {dataset.task}; "
            f"{_fitting(dataset)}"
        )
    _check_types(cfg, READ[task], config, dataset)
    if not dataset.images.val and task != "generation":
        raise BenchError(
            f"--data {dataset.name} has no validation images, which {config} needs; import the "
            "data again with --split 0.8"
        )
    if dataset.has_masks is False:
        _check_masks(cfg, dataset, config)
    _place(cfg, dataset, PLACES[task])
    if dataset.classes:
        set_everywhere(cfg, "num_classes", len(dataset.classes))
    if task == "classification":
        _count_few_classes(cfg, len(dataset.classes))
    if task == "segmentation":
        cfg[ZERO], cfg["ignored_share"] = dataset.reduce_zero_label, WHOLE_SHARE
        set_everywhere(cfg.model, "class_weight", None)  # were chosen for other classes


def _place(cfg: Any, dataset: OwnDataset, place: Callable[[Any, OwnDataset, str], None]) -> None:
    """Point every dataloader at the folder of the data, and read its channels."""
    for loader, part in datasets(cfg):
        split = TRAIN if loader == "train_dataloader" or not dataset.images.val else VAL
        part["data_root"] = str(dataset.folder)
        place(part, dataset, split)
    if not dataset.is_usual:
        set_channels(
            cfg,
            channels=dataset.channels,
            value_range=dataset.range,
            mean=dataset.mean,
            std=dataset.std,
        )


def _count_few_classes(cfg: Any, classes: int) -> None:
    """Let top-5 be measured of fewer than five classes, of which mmpretrain raises."""
    for key in ("val_evaluator", "test_evaluator"):
        given = cfg.get(key)
        for each in given if isinstance(given, (list, tuple)) else [given]:
            topk = each.get("topk", 1) if hasattr(each, "items") else 1
            most = max(topk) if isinstance(topk, (list, tuple)) else topk
            if _kind(each) == "Accuracy" and most > classes:
                each["type"] = "simmim_bench.Accuracy"


def _for_pretraining(part: Any, dataset: OwnDataset, split: str) -> None:
    """Images alone; or with label maps, where masks follow objects."""
    if _kind(part) == "SegLayoutDataset":
        part["num_classes"] = len(dataset.classes)
        _as_label_maps(part, dataset, split)
        return
    if _kind(part) not in FOLDERS:
        part["type"] = "CustomDataset"
    part.pop("ann_file", None)
    part["data_prefix"], part["with_label"] = split, False


def _as_classes(part: Any, dataset: OwnDataset, split: str) -> None:
    part.pop("ann_file", None)
    part["data_prefix"], part["metainfo"] = split, {"classes": dataset.classes}


def _as_coco(part: Any, dataset: OwnDataset, split: str) -> None:  # noqa: ARG001
    part["ann_file"], part["data_prefix"] = annotations_of(split), {"img": split}
    part.pop("metainfo", None)  # the file names the classes


def _as_label_maps(part: Any, dataset: OwnDataset, split: str) -> None:
    part.pop("ann_file", None)
    part["data_prefix"] = {"img_path": split, "seg_map_path": labels_of(split)}
    part["seg_map_suffix"] = ".png"
    part["metainfo"] = {"classes": dataset.classes}


def _as_images(part: Any, dataset: OwnDataset, split: str) -> None:  # noqa: ARG001
    part["data_prefix"] = split


PLACES = {
    "classification": _as_classes,
    "detection": _as_coco,
    "segmentation": _as_label_maps,
    "generation": _as_images,
}


def _check_types(cfg: Any, types: tuple[str, ...], config: str, dataset: OwnDataset) -> None:
    for loader, part in datasets(cfg):
        if _kind(part) not in types:
            raise BenchError(
                f"{loader} of {config} reads {_kind(part)}, for which own data have no files; "
                f"{_fitting(dataset)}"
            )


def _check_masks(cfg: Any, dataset: OwnDataset, config: str) -> None:
    if any(needs_masks(cfg, loader, part) for loader, part in datasets(cfg)):
        raise BenchError(
            f"{config} needs a mask of each object, --data {dataset.name} has boxes alone; use "
            f"{boxes_alone(config)}"
        )


def boxes_alone(config: str) -> str:
    """The config with Faster R-CNN in the place of Mask R-CNN, else one that exists."""
    path = PurePath(config)
    name = path.name.replace("cascade-mask-rcnn", "mask-rcnn").replace("mask-rcnn", "faster-rcnn")
    beside = path.with_name(name)
    exists = shipped.find(str(beside)).is_file()
    return str(beside) if exists and beside != path else BOXES_ALONE


def _fitting(dataset: OwnDataset) -> str:
    config = BOXES_ALONE if dataset.has_masks is False else FITTING[dataset.task]
    fits = f"a config that fits these data is {config}"
    images = f", and {FITTING['unlabelled']} pretrains on their images"
    return fits if dataset.task == "unlabelled" else fits + images


def _kind(part: Any) -> str:
    return str(part.get("type")).rpartition(".")[2] if hasattr(part, "get") else ""
