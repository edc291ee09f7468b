"""Find mistakes in a config before its first iteration; imports no torch.

``config_mistakes`` compares the values of a config with each other, ``data_mistakes`` with the
image folders that it reads. Suites ask both for their ``--dry-run``.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from simmim_bench.config import DATALOADERS, datasets, stated
from simmim_bench.data.image_files import SUFFIXES
from simmim_bench.errors import BenchError
from simmim_bench.recipe.first_steps import fitting_batch
from simmim_bench.recipe.image_size import patch_size

Size = tuple[int, int]
PARTS = ("model", "train_dataloader", "train_cfg", "optim_wrapper")

LEAST = {
    **{f"{loader}.batch_size": 1 for loader in DATALOADERS},
    **{f"{loader}.num_workers": 0 for loader in DATALOADERS},
    "train_cfg.max_epochs": 1,
    "train_cfg.max_iters": 1,
    "train_cfg.val_interval": 1,
    "optim_wrapper.accumulative_counts": 1,
    "auto_scale_lr.base_batch_size": 1,
}
"""Integers and their least values."""
RATES = ("optim_wrapper.optimizer.lr", "optim_wrapper.optimizer.weight_decay")

CROPS = {
    "RandomResizedCrop": "scale",
    "RandomResizedCropAndInterpolationWithTwoPic": "size",
    "CenterCrop": "crop_size",
    "RandomCrop": "crop_size",
}
"""Transforms whose output has the size in this argument, (height, width) or one side."""
UNKNOWN = ("ResizeEdge", "RandomResize", "RandomChoice", "RandomChoiceResize", "TestTimeAug", "Pad")
"""Transforms after which the size depends on the image, or on chance."""

FOLDERS = ("CustomDataset", "ImageFolder", "FewShotDataset")
"""Data sets of one folder per class."""

METRICS: dict[str, str] = {
    "Accuracy": r"accuracy/top(?P<topk>\d+)",
    "IoUMetric": r"aAcc|m(IoU|Acc|Dice|Fscore|Precision|Recall)",
    "CocoMetric": r"coco/(?P<metric>bbox|segm)_(mAP(_(50|75|s|m|l))?|AR@(1|10|100)|AR_[sml]@100)",
    "DepthMetric": r"d[123]|abs_rel|sq_rel|rmse|rmse_log|log10|silog",
    "KNNAccuracy": r"knn/top1_k(?P<neighbours>\d+)",
    "RetrievalRecall": r"retrieval/(mean_recall|(i2t|t2i)_r(?P<ranks>\d+))",
}
"""What each evaluator measures; a named part must be among the values of that argument."""
DEFAULTS = {"topk": (1,), "metric": "bbox", "neighbours": (10, 20, 100, 200), "ranks": (1, 5, 10)}


def check_mistakes(cfg: Any, name: str, *, data: bool = True) -> None:
    """Raise for the first mistake.

    Args:
        cfg: Config of a run; its folders exist.
        name: Name of the config, for the error.
        data: Whether to compare it with its folders of images.

    Raises:
        BenchError: What was given, what was expected, and the remedy.
    """
    lacking = [key for key in PARTS if cfg.get(key) is None] if "painting" not in cfg else []
    missing = [f"{key} must be a dict, got None" for key in lacking]
    for message in (*missing, *config_mistakes(cfg), *(data_mistakes(cfg) if data else ())):
        raise BenchError(f"{name}: {message}")


def config_mistakes(cfg: Any) -> Iterator[str]:
    """Yield a message about each value that cannot work, or does not fit another one."""
    for key in PARTS:
        if cfg.get(key) is not None and not hasattr(cfg[key], "items"):
            yield f"{key} must be a dict, got {cfg[key]!r:.80}"
            return
    yield from _number_mistakes(cfg)
    yield from _schedule_mistakes(cfg)
    yield from metric_mistakes(cfg)
    yield from _size_mistakes(cfg)
    yield from _neighbour_mistakes(cfg)


def _number_mistakes(cfg: Any) -> Iterator[str]:
    for key, least in LEAST.items():
        value = _at(cfg, key)
        if value is not None and (type(value) is not int or value < least):
            yield f"{key} must be an integer >= {least}, got {value!r:.80}"
    for key in RATES:
        value = _at(cfg, key)
        if value is not None and not (_is_number(value) and 0 <= value < math.inf):
            yield f"{key} must be a finite number >= 0, got {value!r:.80}"
    one_is_right = _at(cfg, "protocol.task") in ("classification", "segmentation")
    least = 2 if one_is_right else 1
    for key, value in stated(cfg, "num_classes"):
        if value is not None and (type(value) is not int or value < least):
            yield f"{key} must be an integer >= {least}, got {value!r:.80}; pass --num-classes N"
    for loader, dataset in datasets(cfg):
        if dataset.get("indices") in (0, [], ()):
            yield f"{loader}.dataset.indices={dataset.indices} leaves no image; remove it"


def _schedule_mistakes(cfg: Any) -> Iterator[str]:
    for part in ("optim_wrapper", "param_scheduler"):
        for key, value in _leaves(cfg.get(part), part):
            if isinstance(value, float) and not math.isfinite(value) and key not in RATES:
                yield f"{key} must be finite, got {value}"
    begin = _at(cfg, "train_cfg.val_begin")
    length = _at(cfg, "train_cfg.max_epochs") or _at(cfg, "train_cfg.max_iters")
    if _is_number(begin) and _is_number(length) and begin > length:
        yield (
            f"train_cfg.val_begin={begin} is after the end of the training, {length}, so nothing "
            "would be measured; lower it"
        )


def metric_mistakes(cfg: Any) -> Iterator[str]:
    """Yield a message about each metric that the evaluator of the config does not measure."""
    wanted = {f"protocol.metrics.{n}": v for n, v in (_at(cfg, "protocol.metrics") or {}).items()}
    best = _at(cfg, "default_hooks.checkpoint.save_best") or []
    best = [best] if isinstance(best, str) else best
    wanted |= {f"default_hooks.checkpoint.save_best ({k})": k for k in best if k != "auto"}
    for name in ("val_evaluator", "test_evaluator"):
        given = cfg.get(name) or []
        evaluators = list(given) if isinstance(given, (list, tuple)) else [given]
        kinds = [_kind(each) for each in evaluators]
        loader = name.replace("evaluator", "dataloader")
        if wanted and not evaluators and cfg.get(loader) and "painting" not in cfg:
            yield f"{name} is empty, so that {next(iter(wanted))} is not measured; state one"
        if not evaluators or any(kind not in METRICS or each.get("prefix") for kind, each in
                                 zip(kinds, evaluators, strict=True)):  # fmt: skip
            continue
        for place, key in wanted.items():
            if not any(_measures(each, str(key)) for each in evaluators):
                what = ", ".join(_described(each) for each in evaluators)
                yield (
                    f"{place} asks for {key!r}, which {name} does not measure ({what}); correct "
                    "the name, or the arguments of the evaluator"
                )


def _measures(evaluator: Any, key: str) -> bool:
    found = re.fullmatch(METRICS[_kind(evaluator)], key)
    if found is None:
        return False
    for argument, value in found.groupdict().items():
        chosen = evaluator.get(argument, DEFAULTS[argument])
        chosen = chosen if isinstance(chosen, (list, tuple)) else [chosen]
        if value is not None and value not in map(str, chosen):
            return False
    if _kind(evaluator) == "IoUMetric":
        chosen = evaluator.get("iou_metrics", ["mIoU"])
        by = {"mPrecision": "mFscore", "mRecall": "mFscore"}
        return key in ("aAcc", "mAcc") or by.get(key, key) in chosen
    return True


def _described(evaluator: Any) -> str:
    arguments = [f"{k}={v!r:.60}" for k, v in evaluator.items() if k not in ("type", "_delete_")]
    return f"{_kind(evaluator)}({', '.join(arguments)})"


def _size_mistakes(cfg: Any) -> Iterator[str]:
    pipelines = {name: dataset.get("pipeline") or [] for name, dataset in datasets(cfg)}
    size = output_size(pipelines.get("train_dataloader", []))
    if "painting" in cfg:
        return
    if size is None:
        yield from _padding_mistakes(cfg)
        return
    yield from _patch_mistakes(pipelines["train_dataloader"], size)
    yield from _window_mistakes(cfg.get("model") or {}, size)
    for key, loader in (("pretraining", "train_dataloader"), ("protocol", "val_dataloader")):
        made = output_size(pipelines.get(loader, []))
        given = _sides(_at(cfg, f"{key}.image_size"))
        if given and made and given != made:
            yield (
                f"{key}.image_size is {_times(given)}, but the pipeline of {loader} makes images "
                f"of {_times(made)} (height x width); give both the same size"
            )


def _padding_mistakes(cfg: Any) -> Iterator[str]:
    """Images that are padded to the image size, which the patches do not fill."""
    divisor = _at(cfg, "model.data_preprocessor.pad_size_divisor")
    patch = patch_size(_at(cfg, "model.backbone") or {})
    stated_size = _sides(_at(cfg, "protocol.image_size"))
    if type(patch) is int and patch > 0 and stated_size and set(stated_size) == {divisor}:
        yield from _indivisible(stated_size, patch, "patch size")


def _patch_mistakes(pipeline: Any, size: Size) -> Iterator[str]:
    """As ``masking.base.MaskStrategy`` raises for the first image."""
    for step in pipeline:
        patch, token = step.get("mask_patch_size"), step.get("token_size")
        if type(patch) is not int or type(token) is not int:
            continue
        if token < 1 or patch < 1 or patch % token:
            yield f"mask_patch_size must be a positive multiple of token_size {token}, got {patch}"
        else:
            yield from _indivisible(size, patch, "mask patch size")


def _indivisible(size: Size, patch: int, what: str) -> Iterator[str]:
    for side in size:
        if side % patch:
            below = side // patch * patch
            near = f"{below} or {below + patch}" if below else f"{patch}"
            flag = "--image-size " if side == min(size) else ""
            yield f"image size {side} is not divisible by {what} {patch}; use {flag}{near}"
            return


def _window_mistakes(model: Any, size: Size) -> Iterator[str]:
    """Windows of a Swin that are larger than a stage, and patches that do not fill the image."""
    backbone = model.get("backbone") or {}
    patch, kind = patch_size(backbone), _kind(backbone)
    if type(patch) is int and patch > 0:
        yield from _indivisible(size, patch, "patch size")
    window = backbone.get("window_size", 7)
    if not kind.startswith("SwinTransformer") or backbone.get("pad_small_map"):
        return
    if "stage_cfgs" in backbone:
        return
    for stage, side in enumerate([window] * 4 if type(window) is int else window):
        rows, columns = (math.ceil(edge / (4 * 2**stage)) for edge in size)
        if type(side) is int and min(rows, columns) < side:
            yield (
                f"window_size {side} does not fit a stage of {rows} x {columns} tokens; give that "
                f"stage a window of at most {min(rows, columns)} in stage_cfgs, or set "
                "pad_small_map=True"
            )
            return


def output_size(pipeline: Any) -> Size | None:
    """Height and width of the images that a pipeline makes; None if they are not fixed."""
    size: Size | None = None
    for step in pipeline:
        kind = _kind(step)
        if kind in CROPS:
            size = _sides(step.get(CROPS[kind]))
        elif kind == "Resize":
            given = step.get("scale")
            fixed = given is not None and not step.get("keep_ratio", False)
            sides = _sides(given) if fixed else None
            size = sides and (sides[1], sides[0])  # width, height
        elif kind in UNKNOWN:
            size = None
        elif kind == "MultiView":
            inner = {output_size(view) for view in step.get("transforms") or []} - {None}
            size = inner.pop() if len(inner) == 1 else size
    return size


def _neighbour_mistakes(cfg: Any) -> Iterator[str]:
    neighbours = _at(cfg, "model.neighbours")
    for name in ("val_evaluator", "test_evaluator"):
        voted = _at(cfg, f"{name}.neighbours")
        if neighbours is not None and voted is not None and list(voted) != list(neighbours):
            yield (
                f"model.neighbours is {list(neighbours)}, {name}.neighbours {list(voted)}; give "
                "both the same numbers"
            )


def data_mistakes(cfg: Any) -> Iterator[str]:
    """Yield a message about each folder of images that does not fit the config.

    Only the names of files are read, and no more than are needed.
    """
    loaders = {name: dataset for name, dataset in datasets(cfg) if _is_folder(dataset)}
    for name, dataset in loaders.items():
        classes = _class_folders(dataset)
        if dataset.get("with_label", True) and classes:
            yield from _class_mistakes(cfg, name, classes)
            yield from _shot_mistakes(name, dataset, classes)
    training = loaders.get("train_dataloader")
    if training is None or _kind(training) == "FewShotDataset" or training.get("indices"):
        return
    batch, drops = _at(cfg, "train_dataloader.batch_size"), cfg.train_dataloader.get("drop_last")
    needed = batch if drops and type(batch) is int else 1
    found = sum(1 for _ in islice(_images(_folder(training)), needed))
    if found and found < needed:
        yield (
            f"{_folder(training)} has {found} images, fewer than train_dataloader.batch_size="
            f"{batch}, so that an epoch has no iteration (drop_last=True); lower it with "
            f"--cfg-options train_dataloader.batch_size={fitting_batch(cfg, found)}"
        )


def training_images(cfg: Any, most: int) -> int | None:
    """Number of training images, at most ``most``; None if they are not in folders of classes."""
    training = dict(datasets(cfg)).get("train_dataloader")
    if training is None or not _is_folder(training):
        return None
    found = sum(1 for _ in islice(_images(_folder(training)), most))
    chosen = training.get("indices")
    if _kind(training) == "FewShotDataset":
        if type(training.get("shots")) is not int:  # a share or a list: known when it is read
            return None
        chosen = training.shots * len(_class_folders(training))
    return min(found, chosen) if type(chosen) is int and chosen > 0 else found


def _class_mistakes(cfg: Any, name: str, classes: list[Path]) -> Iterator[str]:
    for place in ("model.head.num_classes", "model.num_classes"):
        expected = _at(cfg, place)
        if type(expected) is int and expected != len(classes):
            yield (
                f"{name} has {len(classes)} classes (folders of {classes[0].parent}), {place} is "
                f"{expected}; pass --num-classes {len(classes)}"
            )


def _shot_mistakes(name: str, dataset: Any, classes: list[Path]) -> Iterator[str]:
    shots = dataset.get("shots")
    for folder in classes if type(shots) is int and shots > 0 else ():
        found = sum(1 for _ in islice(_images(folder), shots))
        if found < shots:
            yield (
                f"{name}: class {folder.name} has {found} images, fewer than shots={shots}; set "
                "fewer shots"
            )
            return


def _is_folder(dataset: Any) -> bool:
    prefix = dataset.get("data_prefix") or ""
    return _kind(dataset) in FOLDERS and isinstance(prefix, str) and not dataset.get("ann_file")


def _folder(dataset: Any) -> Path:
    return Path(dataset.get("data_root") or ".") / (dataset.get("data_prefix") or "")


def _class_folders(dataset: Any) -> list[Path]:
    places = _folder(dataset).glob("*")
    return sorted(path for path in places if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> Iterator[Path]:
    """Images anywhere below a folder, without reading all of it first."""
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(place, name)


def _at(cfg: Any, key: str) -> Any:
    """Value at a dotted key; None if there is none."""
    for step in key.split("."):
        cfg = cfg.get(step) if hasattr(cfg, "get") else None
    return cfg


def _leaves(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, (list, tuple)):
        node = dict(enumerate(node))
    if hasattr(node, "items"):
        for name, child in node.items():
            yield from _leaves(child, f"{place}.{name}")
    else:
        yield place, node


def _kind(part: Any) -> str:
    """Name of the class of a part, without its library."""
    return str(part.get("type")).rpartition(".")[2] if hasattr(part, "get") else ""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _sides(given: Any) -> Size | None:
    sides = [given, given] if type(given) is int else given
    if isinstance(sides, (list, tuple)) and len(sides) == 2 and all(map(_is_number, sides)):
        return int(sides[0]), int(sides[1])
    return None


def _times(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
