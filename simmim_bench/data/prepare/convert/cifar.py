"""CIFAR-10 and CIFAR-100: from pickled batches to one PNG per image in a folder per class.

Format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simmim_bench.data.prepare.convert.safe_pickle import load_pickle
from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

CIFAR10 = "cifar-10-batches-py"
CIFAR100 = "cifar-100-python"

SIDE = 32  # px
_PIXELS = 3 * SIDE * SIDE


def write_cifar(source: Path, folder: Path) -> None:
    """Write ``train/<class>/*.png`` and ``val/<class>/*.png``; the test set becomes ``val``.

    Args:
        source: Unpacked archive, with ``batches.meta`` (CIFAR-10) or ``meta`` (CIFAR-100).
        folder: Exists.

    Raises:
        BenchError: If a file is missing, damaged, or not what the format says.
    """
    ten = (source / "batches.meta").is_file()
    meta = load_pickle(source / ("batches.meta" if ten else "meta"))
    names = _class_names(meta.get("label_names" if ten else "fine_label_names"), source)
    batches = sorted(source.glob("data_batch_*")) if ten else [source / "train"]
    if not batches:
        raise BenchError(f"{source} holds no data_batch_1; get the archive again")
    test = source / ("test_batch" if ten else "test")
    for split, files in (("train", batches), ("val", [test])):
        for name in names:
            (folder / split / name).mkdir(parents=True)
        count = 0
        with progress_bar(f"writing {split}", None) as advance:
            for path in files:
                images, labels = _read(path, "labels" if ten else "fine_labels", len(names))
                _write(images, [folder / split / names[label] for label in labels], count, advance)
                count += len(labels)


def _class_names(names: Any, source: Path) -> list[str]:
    usable = isinstance(names, list) and all(
        isinstance(name, str) and re.fullmatch(r"\w+", name) for name in names
    )
    if not usable or not names or len(set(names)) != len(names):
        raise BenchError(f"{source} has the class names {names!r}; get the archive again")
    return names


def _read(path: Path, key: str, classes: int) -> tuple[np.ndarray, list[int]]:
    """Images (N, 32, 32, 3), uint8, RGB, and their labels."""
    batch = load_pickle(path)
    data, labels = batch.get("data"), batch.get(key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2:
        raise BenchError(f"{path} has no array of bytes under 'data'; get the archive again")
    if not isinstance(labels, list) or data.shape != (len(labels), _PIXELS):
        count = len(labels) if isinstance(labels, list) else "no"
        raise BenchError(
            f"{path} has data of shape {data.shape} and {count} labels, expected {_PIXELS} bytes "
            "for each label; get the archive again"
        )
    if any(type(label) is not int or not 0 <= label < classes for label in labels):
        raise BenchError(
            f"{path} has labels that are not 0 to {classes - 1}; get the archive again"
        )
    return data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels


def _write(images: np.ndarray, folders: list[Path], start: int, advance: Advance) -> None:
    for number, (image, folder) in enumerate(zip(images, folders, strict=True), start):
        Image.fromarray(np.ascontiguousarray(image)).save(folder / f"{number:05d}.png")
        advance(1)
