"""Compare the label maps that a config reads with its classes, before training.

A sample of the maps is read, spread over each set. ``ignored_share`` in a config confirms how many
pixels may be ignored: label 0 if ``reduce_zero_label``, and the ignore index.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.config import ZERO, datasets, has_label_maps
from simmim_bench.data.image_files import image_files
from simmim_bench.data.pixels import UnreadableImageError, unusable
from simmim_bench.data.reading import PLAIN, Reading, reading_of
from simmim_bench.errors import BenchError

SAMPLE = 64  # label maps of each set
USUAL = 0.5  # of the pixels may be ignored by the ignore index without a confirmation
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""Raised by Pillow for broken files."""
BITS = {"1": 1, "L": 8, "P": 8}
"""Pillow's modes of label maps; RGB holds colours, and the loader keeps 8 of 16 bits."""


def label_mistakes(cfg: Any, sample: int | None, seen: set[Any]) -> Iterator[str]:
    """Yield a message about the first mistake in the label maps of each set.

    Args:
        cfg: Config; its folders exist.
        sample: Number of label maps to read of each set; None: all.
        seen: Sets that were checked before; those that are checked now are added.
    """
    share = cfg.get("ignored_share")
    if share is not None and not (type(share) in (int, float) and 0 <= share <= 1):
        yield f"ignored_share must be a number from 0 to 1, got {share!r}"
        return
    for _, dataset in datasets(cfg):
        if not has_label_maps(dataset):
            continue
        images, maps = folders_of(dataset)
        how: dict[str, Any] = {
            "classes": dataset["num_classes"],
            "reduced": bool(dataset.get(ZERO)),
            "ignored": dataset.get("ignore_index", 255),
            "share": share,
            "reading": reading_of(dataset.get("pipeline")),
        }
        if (maps, *how.values()) in seen:
            continue
        seen.add((maps, *how.values()))
        try:
            check_label_maps(list(_pairs(dataset, images, maps)), maps, **how, sample=sample)
        except BenchError as error:
            yield str(error)


def folders_of(dataset: Any) -> tuple[Path, Path]:
    """Folders of the images and of the label maps of a dataset dict."""
    root, prefix = Path(dataset.get("data_root") or "."), dataset["data_prefix"]
    return root / prefix["img_path"], root / prefix["seg_map_path"]


def _pairs(dataset: Any, images: Path, maps: Path) -> Iterator[tuple[Path, Path]]:
    """Images and their label maps, as mmseg pairs them."""
    suffix = dataset.get("seg_map_suffix", ".png")
    for image in image_files(images):
        yield image, maps / f"{image.relative_to(images).with_suffix('')}{suffix}"


def check_label_maps(
    pairs: list[tuple[Path, Path]],
    folder: Path,
    *,
    classes: int,
    reduced: bool,
    ignored: int,
    share: float | None = None,
    sample: int | None = SAMPLE,
    reading: Reading = PLAIN,
) -> None:
    """Check a sample of label maps.

    Args:
        pairs: Images and their label maps.
        folder: Of the label maps, for messages.
        classes: Number of classes of the model.
        reduced: Whether label 0 is ignored and label 1 is the first class.
        ignored: Label of ignored pixels.
        share: Largest share of the pixels that may be ignored, as the config confirms it.
        sample: Number of label maps to read; None: all.
        reading: How the images are read.

    Raises:
        BenchError: If a map is missing, unreadable, in colours or of 16 bits, has another size than
            its image or a label that is no class, or too many pixels are ignored.
    """
    chosen = pairs if sample is None else spread(pairs, sample)
    counts = np.zeros(256, np.int64)
    for image, path in chosen:
        labels = read_labels(path)
        check_size(image, path, labels, reading)
        found = np.bincount(labels.ravel(), minlength=256)
        check_range(np.flatnonzero(found), path, classes, reduced=reduced, ignored=ignored)
        counts += found
    read = f"{len(chosen)} of {len(pairs)} label maps read"
    _check_ignored(counts, folder, read, classes, reduced=reduced, ignored=ignored, share=share)


def spread(items: list[Any], number: int) -> list[Any]:
    """At most ``number`` items at equal distances, with the first and the last."""
    if len(items) <= number:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, number).round().astype(int)]


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Labels (H, W) of a label map.

    Raises:
        BenchError: If it cannot be read, is in colours, or has more than 8 bits.
    """
    if not path.is_file():
        raise BenchError(f"label map {path} does not exist; add it, or remove its image")
    try:
        with Image.open(path) as opened:
            mode = opened.mode
            labels = np.asarray(opened)
    except BROKEN as error:
        raise BenchError(
            f"label map {path} cannot be read ({error}); restore it, or remove its image"
        ) from error
    if mode in BITS:
        return labels.astype(np.uint8)
    if labels.ndim > 2:
        raise BenchError(
            f"label map {path} has {labels.shape[2]} channels ({mode}); a label map has one, which "
            "holds the number of the class: replace each colour by its number"
        )
    raise BenchError(
        f"label map {path} has the 16- or 32-bit format {mode}, of which 8 bits would be used; "
        "save it with 8 bits (labels 0 to 255)"
    )


def check_size(
    image: Path, path: Path, labels: NDArray[np.uint8], reading: Reading = PLAIN
) -> None:
    """Compare the size of a label map with that of its image.

    Raises:
        BenchError: If they differ, or the image cannot be used.
    """
    try:
        size = reading.header(image).size
    except UnreadableImageError as error:
        raise unusable(image, error) from error
    if size != labels.shape[::-1]:
        raise BenchError(
            f"label map {path} is {labels.shape[1]} x {labels.shape[0]}, its image {size[0]} x "
            f"{size[1]}; save them with the same size"
        )


def check_range(found: Any, path: Path | str, classes: int, *, reduced: bool, ignored: int) -> None:
    """Check that labels are classes or ignored.

    Args:
        found: Labels that occur, as in the file.
        path: Label map, for the message.
        classes: Number of classes.
        reduced: Whether label 0 is ignored and label 1 is the first class.
        ignored: Label of ignored pixels.

    Raises:
        BenchError: If there is another label.
    """
    unknown = [int(label) for label in found if label >= classes + reduced and label != ignored]
    if unknown:
        raise BenchError(
            f"label map {path} has label {unknown[0]}, but there are {classes} classes, "
            f"{int(reduced)} to {classes - 1 + reduced} ({'0 and ' if reduced else ''}{ignored} "
            f"ignored); set --num-classes, or `--cfg-options {ZERO}={not reduced}`"
        )


def _check_ignored(
    counts: NDArray[np.int64],
    folder: Path,
    read: str,
    classes: int,
    *,
    reduced: bool,
    ignored: int,
    share: float | None,
) -> None:
    total = counts.sum()
    if not total:
        return
    zero = counts[0] / total if reduced else 0.0
    other = counts[ignored] / total if 0 <= ignored < len(counts) else 0.0
    confirm = f"`--cfg-options ignored_share={np.ceil(100 * (zero + other)) / 100:g}`"
    present = np.flatnonzero(counts)
    if zero > (share or 0.0):
        raise BenchError(
            f"label 0 occurs in {_percent(zero)} of the pixels of {folder} ({read}) but is ignored "
            f"by this config, whose {classes} classes have the labels 1 to {classes} (found: "
            f"{present.min()} to {present[present != ignored].max()}); if 0 is a class, pass "
            f"`--cfg-options {ZERO}=False` and --num-classes; if it is not, confirm that with "
            f"{confirm} or in the config"
        )
    if zero + other > max(share or 0.0, USUAL):
        raise BenchError(
            f"{_percent(zero + other)} of the pixels of {folder} ({read}) are ignored, most have "
            f"label {ignored if other > zero else 0}; if that is a class, give it a label below "
            f"{classes + reduced}; if it is not, confirm that with {confirm} or in the config"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.99 else f"{100 * share:.4g} %"
