"""CIFAR-10 and CIFAR-100: from pickled batches to one PNG per image in a folder per class.

Format: https://www.cs.toronto.edu/~kriz/cifar.html

Unpickling can call any function, so ``load_pickle`` allows only those that arrays need.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

CIFAR10 = "cifar-10-batches-py"
CIFAR100 = "cifar-100-python"

SIDE = 32  # px
_PIXELS = 3 * SIDE * SIDE

_RECONSTRUCT = np.empty(0, np.uint8).__reduce__()[0]


def write_cifar(source: Path, folder: Path) -> None:
    """Write ``train/<class>/*.png`` and ``val/<class>/*.png``; the test set becomes ``val``.

    Args:
        source: Unpacked archive, with ``batches.meta`` (CIFAR-10) or ``meta`` (CIFAR-100).
        folder: Existing folder.

    Raises:
        BenchError: If a file is missing, damaged, or has another format.
    """
    ten = (source / "batches.meta").is_file()
    meta = load_pickle(source / ("batches.meta" if ten else "meta"))
    names = _class_names(meta.get("label_names" if ten else "fine_label_names"), source)
    batches = sorted(source.glob("data_batch_*")) if ten else [source / "train"]
    if not batches:
        raise BenchError(f"{source} has no data_batch_1; download the archive again")
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
        raise BenchError(f"{source} has the class names {names!r}; download the archive again")
    return names


def _read(path: Path, key: str, classes: int) -> tuple[np.ndarray, list[int]]:
    """Images (N, 32, 32, 3), uint8, RGB, and their labels."""
    batch = load_pickle(path)
    data, labels = batch.get("data"), batch.get(key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2:
        raise BenchError(f"{path} has no array of bytes under 'data'; download the archive again")
    if not isinstance(labels, list) or data.shape != (len(labels), _PIXELS):
        count = len(labels) if isinstance(labels, list) else "no"
        raise BenchError(
            f"{path} has data of shape {data.shape} and {count} labels, expected {_PIXELS} bytes "
            "for each label; download the archive again"
        )
    if any(type(label) is not int or not 0 <= label < classes for label in labels):
        raise BenchError(
            f"{path} has labels that are not 0 to {classes - 1}; download the archive again"
        )
    return data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels


def _write(images: np.ndarray, folders: list[Path], start: int, advance: Advance) -> None:
    for number, (image, folder) in enumerate(zip(images, folders, strict=True), start):
        Image.fromarray(np.ascontiguousarray(image)).save(folder / f"{number:05d}.png")
        advance(1)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Replaces ``codecs.encode``, with which Python 3 writes bytes in old protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in {encoding}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it calls {module_name}.{global_name}, which no array needs"
            ) from None


def load_pickle(path: Path) -> dict[str, Any]:
    """Read the dictionary in ``path``, written by Python 2 or 3; keys become text.

    Raises:
        BenchError: If the file is missing or damaged, calls a function, or has no dictionary.
    """
    try:
        with path.open("rb") as stream:
            content = _Unpickler(stream, encoding="latin1").load()
    except FileNotFoundError as error:
        raise BenchError(f"{path.name} is missing ({path}); download the archive again") from error
    except Exception as error:  # a damaged pickle may raise any exception
        raise BenchError(
            f"{path} cannot be read ({error}); get the archive from its official source"
        ) from error
    if not isinstance(content, dict):
        raise BenchError(
            f"{path} has a {type(content).__name__}, expected a dictionary; download it again"
        )
    return {
        key.decode("latin1") if isinstance(key, bytes) else key: content[key] for key in content
    }
