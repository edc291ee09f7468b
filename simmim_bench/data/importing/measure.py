"""What the images of a data set have in common: bands, depth, range and statistics."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simmim_bench.data.alpha import is_a_band, varies_like_an_image, what_happens
from simmim_bench.data.bands import read_band_header, read_bands, read_values
from simmim_bench.data.image_files import read_regular
from simmim_bench.data.importing.samples import Sample, Skipped
from simmim_bench.data.inspect.found import counted
from simmim_bench.data.labels import spread
from simmim_bench.data.own import EIGHT_BITS, TRAIN, VAL
from simmim_bench.data.pixels import UnreadableImageError, read_pixels
from simmim_bench.data.prepare.parallel import Advance, in_parallel
from simmim_bench.data.rasters import UNSIGNED
from simmim_bench.errors import BenchError

COLOURS = 3
MOST_READ = 1000
"""Training images that the statistics are of."""

EIGHT, TWELVE, SIXTEEN = 8, 12, 16  # bits; sensors of 12 write files of 16


@dataclass(frozen=True)
class Look:
    """What one image file is.

    Attributes:
        sha256: Of its bytes.
        size: Width and height.
        channels: Bands without alpha.
        bits: Of one value.
        kind: ``unsigned``, ``signed`` or ``float``.
        low: Smallest value, if it is not unsigned of 8 bits.
        high: Largest value, same.
        alpha: Whether there is another band, which the file declares to be alpha.
        varies: Whether that band varies like an image.
        problem: Why it cannot be used; empty if it can.
    """

    sha256: str = ""
    size: tuple[int, int] = (0, 0)
    channels: int = 0
    bits: int = 0
    kind: str = ""
    low: float = 0.0
    high: float = 0.0
    alpha: bool = False
    varies: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Values:
    """What all images have in common; fields of ``OwnDataset``."""

    channels: int
    bits: int
    kind: Literal["unsigned", "signed", "float"]
    range: tuple[float, float]

    @property
    def is_usual(self) -> bool:
        """Whether they are read as three channels of 8 bits."""
        return (self.channels, self.bits, self.range) == (COLOURS, 8, EIGHT_BITS)


def look_at(samples: Sequence[Sample], advance: Advance) -> dict[Sample, Look]:
    """Read every image once."""
    looks = in_parallel(_look, [sample.path for sample in samples], advance)
    return dict(zip(samples, looks, strict=True))


def _look(path: Path) -> Look:
    try:
        content = read_regular(path)
        header = read_band_header(content)
        low, high, varies = 0.0, 0.0, False
        if header.kind != UNSIGNED or header.bits > EIGHT or header.alpha:
            values = read_values(content)
            low, high = float(values.min()), float(values.max())
            varies = header.alpha and varies_like_an_image(values[..., -1])
    except (UnreadableImageError, OSError) as error:
        return Look(problem=str(error) or type(error).__name__)
    channels = header.channels - header.alpha
    sha256 = hashlib.sha256(content).hexdigest()
    return Look(
        sha256,
        header.size,
        channels,
        header.bits,
        header.kind,
        low,
        high,
        alpha=header.alpha,
        varies=varies,
    )


def common_values(
    looks: Mapping[Sample, Look], *, wanted: int | None, skipped: Skipped
) -> tuple[Values, list[Sample], list[str]]:
    """What the images have in common, those that have it, and sentences about it.

    Args:
        looks: From ``look_at``.
        wanted: Number of channels; None: as the most have, grey is repeated to three, and a
            declared alpha band is dropped unless it varies like an image.
        skipped: Images that cannot be read or have other bands than the most are added.

    Raises:
        BenchError: If no image can be read.
    """
    usable = {}
    for sample, look in looks.items():
        if look.problem:
            skipped.add(f"images cannot be used ({look.problem[:120]})", sample.name)
        else:
            usable[sample] = look
    if not usable:
        first = next(iter(skipped.sentences()), "nothing was found")
        raise BenchError(f"no image can be used: {first}; restore or convert the files")
    keep_alpha = wanted is None and is_a_band([look.varies for look in usable.values()])
    counts = Counter(_channels(look, wanted, keep_alpha=keep_alpha) for look in usable.values())
    channels = max(counts, key=lambda number: (counts[number], number == COLOURS, -number))
    if wanted is not None and wanted not in counts:
        found = ", ".join(
            map(str, sorted({look.channels + look.alpha for look in usable.values()}))
        )
        raise BenchError(
            f"--channels {wanted}: no image has {wanted} bands (found: {found}); give one of them"
        )
    channels = wanted or channels
    kept = {}
    for sample, look in usable.items():
        if _channels(look, wanted, keep_alpha=keep_alpha) == channels:
            kept[sample] = look
        else:
            skipped.add(f"images have not {channels} channels as the others", sample.name)
    values, notes = _values(kept.values(), channels)
    if wanted is None:
        notes += _about_bands(kept.values(), channels, keep_alpha=keep_alpha)
    return values, list(kept), notes


def _channels(look: Look, wanted: int | None, *, keep_alpha: bool) -> int:
    if keep_alpha and look.alpha:
        return look.channels + 1
    if wanted == look.channels + look.alpha:
        return wanted
    return COLOURS if look.channels == 1 and wanted in (None, COLOURS) else look.channels


def _about_bands(looks: Collection[Look], channels: int, *, keep_alpha: bool) -> list[str]:
    alpha = sum(look.alpha for look in looks)
    if channels == COLOURS and all(look.channels == 1 for look in looks):
        return ["grey images are repeated to three channels (--channels 1 keeps one)"]
    if alpha:
        what = what_happens(kept=keep_alpha, channels=channels - keep_alpha)
        return [f"{alpha} of {counted(len(looks), 'image')} with a band declared as alpha, {what}"]
    return []


def _values(looks: Any, channels: int) -> tuple[Values, list[str]]:
    kinds = {look.kind for look in looks}
    bits = Counter(look.bits for look in looks)
    if kinds == {UNSIGNED} and len(bits) == 1:
        only, notes = next(iter(bits)), []
        if only == SIXTEEN and max(look.high for look in looks) < 2**TWELVE:
            only = TWELVE
            notes = ["all values of 16 bits are below 4096: 12 bits, with the range 0 to 4095"]
        top = 2**only - 1
        if only > SIXTEEN:  # counts, of which none is near the largest number of the type
            top = max(1, 2 ** int(max(look.high for look in looks)).bit_length() - 1)
            notes = [f"values of {only} bits are at most {top}: the range is 0 to {top}"]
        return Values(channels, only, "unsigned", (0.0, float(top))), notes
    if channels == COLOURS and kinds <= {UNSIGNED, "float"} and _fits_eight_bits(looks):
        deep = sum(look.bits > 8 for look in looks)
        if deep < len(looks):
            note = f"{deep} of {len(looks)} images have more than 8 bits and are scaled to 8"
            return Values(COLOURS, 8, "unsigned", EIGHT_BITS), [note]
    if len(kinds) > 1 or (kinds == {UNSIGNED} and len(bits) > 1):
        found = ", ".join(sorted({f"{look.bits} bits {look.kind}" for look in looks}))
        raise BenchError(
            f"the images have values of different kinds ({found}), which share no range; convert "
            "them to one kind, or import them apart"
        )
    low, high = min(look.low for look in looks), max(look.high for look in looks)
    if kinds == {"float"} and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    if low == high:
        raise BenchError(f"all values of all images are {low:g}; give images with a content")
    kind: Any = kinds.pop()
    return Values(channels, max(bits), kind, (low, high)), []


def _fits_eight_bits(looks: Any) -> bool:
    """Whether the reader of 8 bits has a rule for each image."""
    return all(look.kind == UNSIGNED or 0 <= look.low <= look.high <= 1 for look in looks)


def statistics(
    parts: dict[Sample, str], values: Values, skipped: Skipped, advance: Advance
) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation of each channel on the scale from 0 to 255, and of how many.

    Args:
        parts: Part of each image; at most ``MOST_READ`` of each part are read, at equal distances,
            those of the training are counted, and those that are damaged are taken out.
        values: What they have in common.
        skipped: Damaged images are added.
        advance: Called with 1 after each image.

    Raises:
        BenchError: If every training image is damaged.
    """
    chosen = [
        sample
        for part in (TRAIN, VAL)
        for sample in spread([each for each in parts if parts[each] == part], MOST_READ)
    ]
    sums = in_parallel(_sums, [(sample.path, values) for sample in chosen], advance)
    counted = []
    for sample, found in zip(chosen, sums, strict=True):
        if isinstance(found, str):
            skipped.add(f"images are damaged ({found[:80]})", sample.name)
            del parts[sample]
        elif parts[sample] == TRAIN:
            counted.append(found)
    if not counted:
        raise BenchError(f"no training image can be read: {next(skipped.sentences())}")
    count, first, second = (np.sum([each[i] for each in counted], axis=0) for i in range(3))
    mean = first / count
    std = np.sqrt(np.maximum(second / count - mean**2, 0))
    constant = std <= 1e-6 * np.maximum(np.abs(mean), 1.0)
    std = np.where(constant, 1.0, std)  # not divided by nothing
    return _rounded(mean), _rounded(std), len(counted)


def _sums(given: tuple[Path, Values]) -> Any:
    path, values = given
    try:
        pixels: NDArray[Any] = (
            read_pixels(path)
            if values.is_usual
            else read_bands(path, channels=values.channels, value_range=values.range)
        )
    except (UnreadableImageError, OSError) as error:
        return str(error)
    flat = pixels.reshape(-1, pixels.shape[-1]).astype(np.float64)
    return len(flat), flat.sum(axis=0), (flat**2).sum(axis=0)


def _rounded(numbers: Any) -> tuple[float, ...]:
    return tuple(round(float(number), 4) for number in numbers)
