"""Label maps of any file type as PNG of 8 bits, and what their numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.data.image_files import open_regular, shown
from simmim_bench.data.importing.measure import Look
from simmim_bench.data.importing.samples import Sample, Skipped
from simmim_bench.data.labels import BITS, BROKEN
from simmim_bench.data.prepare.parallel import Advance, in_parallel
from simmim_bench.errors import BenchError

IGNORED = 255
LOSSY = ("JPEG", "WEBP")
LABELS = 256
USUAL = 0.5
"""Of the pixels may be ignored without a word."""


@dataclass(frozen=True)
class Meaning:
    """What the numbers of the label maps mean.

    Attributes:
        classes: Names, in the order of labels.
        reduced: Whether label 0 is ignored and label 1 the first class.
        binary: Whether 255 is written as 1: the maps hold 0 and 255 alone.
        notes: Sentences about it.
    """

    classes: tuple[str, ...]
    reduced: bool
    binary: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Map:
    counts: tuple[int, ...] = ()
    problem: str = ""
    fatal: str = ""


def understand(
    samples: Sequence[Sample],
    looks: Mapping[Sample, Look],
    names: Sequence[str],
    *,
    zero: bool | None,
    skipped: Skipped,
    advance: Advance,
) -> tuple[Meaning, list[Sample]]:
    """Read every label map; the meaning of their numbers, and the images whose map can be used.

    Args:
        samples: Images with label maps.
        looks: Their sizes.
        names: Of the classes, if the data state them.
        zero: Whether label 0 is a class; None: decided by the names, else by what occurs.
        skipped: Images whose map cannot be used are added.
        advance: Called with 1 after each map.

    Raises:
        BenchError: If maps are in colours or of a lossy format, or the names do not fit.
    """
    given = [(sample.label_file or sample.path, looks[sample].size) for sample in samples]
    maps = in_parallel(_look, given, advance)
    kept, total = [], np.zeros(LABELS, np.int64)
    for sample, found in zip(samples, maps, strict=True):
        if found.fatal:
            raise BenchError(f"label map {shown(sample.label_file or '')} {found.fatal}")
        if found.problem:
            skipped.add(f"images whose label map {found.problem}", sample.name)
        else:
            kept.append(sample)
            total += found.counts
    if not kept:
        first = next(iter(skipped.sentences()), "there are none")
        raise BenchError(f"no label map can be used: {first}; correct the files")
    return _meaning(total, tuple(names), zero), kept


def write_map(source: Path, target: Path, *, binary: bool) -> bool:
    """Write a label map as PNG of 8 bits unless it is one; returns whether it was written."""
    with open_regular(source) as stream, Image.open(stream) as opened:
        is_png = opened.format == "PNG" and opened.mode in BITS
        if is_png and not binary:
            return False
        labels = _labels(opened)
    if binary:
        labels = (labels == IGNORED).astype(np.uint8)
    Image.fromarray(labels.astype(np.uint8)).save(target, format="PNG")
    return True


def _look(given: tuple[Path, tuple[int, int]]) -> _Map:
    path, size = given
    try:
        with open_regular(path) as stream, Image.open(stream) as opened:
            if opened.format in LOSSY:
                return _Map(
                    fatal=f"is {opened.format}, which changes the numbers of classes; save label "
                    "maps as PNG"
                )
            mode, labels = opened.mode, _labels(opened)
    except BROKEN as error:
        return _Map(problem=f"cannot be read ({' '.join(str(error).split())[:80]})")
    if labels.ndim > 2:
        return _Map(
            fatal=f"is in colours ({mode}); a label map has one channel, which holds the number of "
            "the class: replace each colour of your palette by its number, with 255 for what is to "
            "be ignored"
        )
    if labels.shape[::-1] != size:
        return _Map(problem="has another size than the image")
    if labels.size and not 0 <= labels.min() <= labels.max() < LABELS:
        return _Map(
            fatal=f"has labels up to {labels.max()}; at most 255 classes (0 to 254) are supported, "
            "and 255 is ignored: renumber them"
        )
    return _Map(tuple(np.bincount(labels.ravel().astype(np.int64), minlength=LABELS).tolist()))


def _labels(opened: Image.Image) -> NDArray[Any]:
    """Numbers (H, W) of a label map; (H, W, bands) if it is in colours."""
    labels = np.asarray(opened)
    if opened.mode == "1":
        return labels.astype(np.uint8)
    if labels.ndim == 3:
        colours = labels[..., : 1 if opened.mode == "LA" else 3]
        if (colours == colours[..., :1]).all():  # grey, saved as colours
            return colours[..., 0]
    return labels


def _meaning(counts: NDArray[np.int64], names: tuple[str, ...], zero: bool | None) -> Meaning:
    present = [int(label) for label in np.flatnonzero(counts)]
    if present == [0, IGNORED] and len(names) in (0, 2) and zero is not False:
        note = "the label maps hold 0 and 255 alone: 255 is written as 1, the second class"
        return Meaning(names or ("background", "object"), False, True, (note,))
    labels = [label for label in present if label != IGNORED]
    if not labels:
        raise BenchError("all pixels of all label maps are 255, which is ignored; correct them")
    most = max(labels)
    reduced = _is_reduced(labels, names, zero)
    classes = names or tuple(f"class {label}" for label in range(int(reduced), most + 1))
    if most >= len(classes) + reduced:
        raise BenchError(
            f"the label maps have the label {most}, but classes.txt names {len(classes)} classes "
            f"({int(reduced)} to {len(classes) - 1 + reduced}); add names, one a line in the order "
            "of labels"
        )
    if not classes:
        raise BenchError(
            "the label maps hold no label but 0, which is ignored; correct them, or pass --zero "
            "class"
        )
    share = counts[IGNORED] / counts.sum()
    zeros = counts[0] / counts.sum()
    notes = [
        f"label 0 is ignored ({zeros:.1%} of the pixels), label 1 is the first class (--zero class "
        "makes 0 a class)"
        if reduced
        else "label 0 is the first class (--zero ignored ignores it)"
    ]
    if counts[IGNORED]:
        notes.append(f"label 255 is ignored ({share:.1%} of the pixels)")
    if share + zeros * reduced > USUAL:
        notes.append("more than half of the pixels are ignored; check that this is meant")
    return Meaning(classes, reduced, False, tuple(notes))


def _is_reduced(labels: list[int], names: tuple[str, ...], zero: bool | None) -> bool:
    if zero is not None:
        return not zero
    if names:
        return max(labels) == len(names)  # 1 to the number of names; 0 has none
    return 0 not in labels
