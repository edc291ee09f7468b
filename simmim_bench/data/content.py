"""Check what the files that a config reads contain, before its first iteration."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from simmim_bench.config import datasets, stated
from simmim_bench.data.annotations import Report, check_annotations
from simmim_bench.data.image_files import required_images
from simmim_bench.data.labels import SAMPLE, label_mistakes, spread
from simmim_bench.data.pixels import UnreadableImageError, size_mistake, unusable
from simmim_bench.data.reading import reading_of
from simmim_bench.errors import BenchError

Notes = list[str]
FOLDER_TYPES = ("CustomDataset", "ImageFolder", "FewShotDataset")
"""Datasets that take all images of a folder."""
BOXES_CONFIG = "configs/coco/faster-rcnn_swin-b_fpn_1x.py"
"""Named to those whose own config has masks."""


def check_content(cfg: Any) -> Notes:
    """Raise for the first mistake in the label maps and COCO annotations that ``cfg`` reads.

    In a run of several processes, the first one of each machine checks.

    Returns:
        What is odd but usable, for the log.

    Raises:
        BenchError: Names the file and the remedy.
    """
    if (os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0") != "0":
        return []
    notes: Notes = []
    for message in content_mistakes(cfg, notes):
        raise BenchError(message)
    return notes


def content_mistakes(
    cfg: Any, notes: Notes, sample: int | None = SAMPLE, seen: set[Any] | None = None
) -> Iterator[str]:
    """Yield a message about each mistake in the label maps and COCO annotations.

    Args:
        cfg: Config; its folders and files exist.
        notes: What is odd but usable is appended.
        sample: Number of images and label maps to open of each set; None: all.
        seen: Data that were checked before; what is checked now is added.
    """
    seen = set() if seen is None else seen
    yield from label_mistakes(cfg, sample, seen)
    yield from folder_mistakes(cfg, sample, seen)
    for loader, dataset in datasets(cfg):
        kind = str(dataset.get("type")).rpartition(".")[2]
        if kind not in ("CocoLayoutDataset", "CocoDataset") or not dataset.get("ann_file"):
            continue
        path = Path(dataset.get("data_root") or ".") / dataset["ann_file"]
        masks = needs_masks(cfg, loader, dataset)
        if (path, masks) in seen:
            continue
        seen.add((path, masks))
        try:
            report = check_annotations(path)
            if masks:
                _check_masks(path, report, loader, boxes_config(cfg))
            _check_categories(path, report, dataset)
            root = Path(dataset.get("data_root") or ".")
            _check_images(path, root, dataset, report.listed, sample)
        except BenchError as error:
            yield str(error)
            continue
        notes += [f"{path}: {text}" for text in report.warnings]
        if report.skipped:
            notes.append(f"{path}: {report.skipped} objects are smaller than 1 px and are skipped")


def folder_mistakes(cfg: Any, sample: int | None, seen: set[Any]) -> Iterator[str]:
    """Yield a message about the first mistake in each folder of images.

    Args:
        cfg: Config; its folders exist.
        sample: Number of images to open of each folder; None: all.
        seen: Folders that were checked before; those that are checked now are added.
    """
    for _, dataset in datasets(cfg):
        kind = str(dataset.get("type")).rpartition(".")[2]
        prefix = dataset.get("data_prefix") or ""
        prefix = prefix if isinstance(prefix, str) else prefix.get("img_path", "")
        folder = Path(dataset.get("data_root") or ".") / prefix
        if kind not in FOLDER_TYPES or dataset.get("ann_file") or folder in seen:
            continue
        seen.add(folder)
        try:
            paths, reading = required_images(folder), reading_of(dataset.get("pipeline"))
            for path in paths if sample is None else spread(paths, sample):
                reading.header(path)
        except UnreadableImageError as error:
            yield str(unusable(path, error))
        except BenchError as error:
            yield str(error)


def needs_masks(cfg: Any, loader: str, dataset: Any) -> bool:
    """Whether the masks of a detection data set are trained or evaluated."""
    if any(value for _, value in stated(dataset.get("pipeline"), "with_mask")):
        return True
    evaluators = cfg.get(f"{loader.partition('_')[0]}_evaluator") or []
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    return any("segm" in (each.get("metric") or ()) for each in evaluators)


def boxes_config(cfg: Any) -> str:
    """Path of the config that trains the same detector on boxes alone; of another if none does."""
    given = Path(getattr(cfg, "filename", None) or BOXES_CONFIG)
    path = given.with_name(re.sub(r"^.*mask-rcnn", "faster-rcnn", given.name))
    if path == given or not path.is_file():
        return BOXES_CONFIG
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _check_masks(path: Path, report: Report, loader: str, config: str) -> None:
    if report.no_mask:
        count, first = report.no_mask
        raise BenchError(
            f"{path}: {first} ({count} of {report.annotations} objects have none), but {loader} "
            f"needs masks; train boxes alone with {config}, or add a 'segmentation' to each object"
        )


def _check_categories(path: Path, report: Report, dataset: Any) -> None:
    classes = (dataset.get("metainfo") or {}).get("classes")
    expected = dataset.get("num_classes")
    if classes is None and expected not in (None, len(report.categories)):
        raise BenchError(
            f"{path} has {len(report.categories)} categories, the config has num_classes="
            f"{expected}; pass --num-classes {len(report.categories)}"
        )


def _check_images(
    path: Path, root: Path, dataset: Any, listed: list[Any], sample: int | None
) -> None:
    """Compare the listed images with the folder, and sizes of some with their files."""
    folder = root / (dataset.get("data_prefix") or {}).get("img", "")
    present = {place: _names(folder / place) for place in {_place(each[1]) for each in listed}}
    absent = [each[1] for each in listed if PurePath(each[1]).name not in present[_place(each[1])]]
    reading = reading_of(dataset.get("pipeline"))
    if absent:
        raise BenchError(
            f"{path} lists {len(absent)} images that {folder} does not have, the first is "
            f"{absent[0]}; restore them, or remove them from the file"
        )
    for number, name, width, height in listed if sample is None else spread(listed, sample):
        try:
            size = reading.header(folder / name).size
        except UnreadableImageError as error:
            raise unusable(folder / name, error) from error
        stated = {"width": width, "height": height}
        if mistake := size_mistake(stated, folder / name, size):
            raise BenchError(f"{path}, image {number}: {mistake}")


def _place(name: str) -> PurePath:
    return PurePath(name).parent


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set()
