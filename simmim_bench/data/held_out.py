"""A part of a data set for trials: the images that are held out, or the others."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Hashable, Mapping
from pathlib import PurePath
from typing import Any, Literal

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS


@DATASETS.register_module()
def HeldOut(  # noqa: N802  (configs name it as they name classes)
    *, dataset: dict[str, Any], share: float, seed: int, part: Literal["kept", "held_out"]
) -> Any:
    """Build a data set and keep one of its two parts.

    The choice depends only on the path of each image below the data root and the seed, so it is the
    same on any machine and for every run. Of each class of a classification the same share is held
    out, rounded; all entries of an image are in one part. ``indices`` and filters of the data set
    act before: images that a training would not use are in neither part.

    Args:
        dataset: Config of a data set of mmengine.
        share: Share of the images that are held out.
        seed: Each number gives another choice.
        part: ``held_out`` for an evaluation, ``kept`` for a training.

    Returns:
        The data set, with fewer entries.

    Raises:
        BenchError: If one of the parts has no image.
    """
    built = DATASETS.build(dataset)
    root = PurePath(built.data_root or "")
    entries = [built.get_data_info(index) for index in range(len(built))]
    names = [_below(entry["img_path"], root) for entry in entries]
    labels = {
        name: label if isinstance(label := entry.get("gt_label"), int) else None
        for name, entry in zip(names, entries, strict=True)
    }
    held_out = held_out_images(labels, share=share, seed=seed)
    if not 0 < len(held_out) < len(labels):
        raise BenchError(
            f"{len(labels)} training images are too few to hold {100 * share:g} % of them out; use "
            f"more images, or a larger share"
        )
    evaluated = part == "held_out"
    built.get_subset_([i for i, name in enumerate(names) if (name in held_out) == evaluated])
    built.test_mode = evaluated
    return built


def held_out_images(labels: Mapping[str, Hashable], *, share: float, seed: int) -> set[str]:
    """Images that are held out.

    Args:
        labels: Class of each image by its name; None if images have no single class.
        share: Share of the images of each class, rounded half up.
        seed: Each number gives another choice.
    """
    classes: dict[Hashable, list[str]] = defaultdict(list)
    for name, label in labels.items():
        classes[label].append(name)
    chosen = set[str]()
    for names in classes.values():
        names.sort(key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).hexdigest())
        chosen.update(names[: math.floor(share * len(names) + 0.5)])
    return chosen


def _below(path: str, root: PurePath) -> str:
    place = PurePath(path)
    return (place.relative_to(root) if place.is_relative_to(root) else place).as_posix()
