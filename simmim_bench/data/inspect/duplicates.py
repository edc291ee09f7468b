"""Near-duplicates between two sets of images, by perceptual hash.

An image is scaled to 32 x 32 grey pixels; the 8 x 8 lowest frequencies of its cosine transform,
each above or below their median, are 64 bits (pHash, package ImageHash). Two images whose bits
differ in few places look alike: the same picture at another size, quality or brightness. A crop, a
mirror image or a turned one is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.data.bands import read_values
from simmim_bench.data.image_files import open_regular
from simmim_bench.data.inspect.found import Found
from simmim_bench.data.inspect.samples import Sample, pick
from simmim_bench.data.inspect.sheet import visible
from simmim_bench.data.pixels import FORMATS, UnreadableImageError
from simmim_bench.data.prepare.parallel import Advance, in_parallel

METHOD = "pHash, 64 bits"
THRESHOLD = 6
"""Bits that may differ."""
SIDE = 256  # px; a larger JPEG is decoded at half, a quarter or an eighth of its size
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
FLAT = 2.0  # standard deviation of grey values, of 255, below which an image shows nothing
ALL = 1 << 40
BATCH = 2048  # packed images in memory
BLOCK = 1 << 24  # comparisons at once

Bits = NDArray[np.uint64]


@dataclass(frozen=True)
class Hashed:
    """Images of a set with their hashes.

    Attributes:
        samples: Images; those of packed sets without their content.
        bits: Hash of each, (N,) uint64.
        unreadable: Number of images that cannot be read, and are left out.
        flat: Number of images of one colour, and left out: they would all be alike.
    """

    samples: list[Sample]
    bits: Bits
    unreadable: int
    flat: int

    def part(self, split: str) -> Hashed:
        """Images of one split."""
        chosen = [i for i, sample in enumerate(self.samples) if sample.split == split]
        return Hashed([self.samples[i] for i in chosen], self.bits[chosen], 0, 0)

    @property
    def parts(self) -> list[str]:
        """Names of the splits."""
        return list(dict.fromkeys(sample.split for sample in self.samples))


@dataclass(frozen=True)
class Pair:
    """An image, its nearest in the other set, and the bits that differ."""

    image: Sample
    other: Sample
    distance: int


def hash_images(found: Found, advance: Advance) -> Hashed:
    """Hash every image of a set.

    Args:
        found: From ``recognise``.
        advance: Called with the number of images hashed since the last call.
    """
    samples: list[Sample] = []
    bits: list[int] = []
    unreadable = flat = 0
    given = pick(found, ALL)
    while batch := list(islice(given, BATCH if found.is_packed else None)):
        for sample, value in zip(batch, in_parallel(hash_of, batch, advance), strict=True):
            if value is None:
                flat += 1
            elif value < 0:
                unreadable += 1
            else:
                samples.append(_without_content(sample))
                bits.append(value)
    return Hashed(samples, np.array(bits, np.uint64), unreadable, flat)


def hash_of(sample: Sample) -> int | None:
    """Hash of an image as an integer of 64 bits; None if it shows nothing, -1 if unreadable."""
    try:
        image = _small(sample.source)
    except UnreadableImageError:
        return -1
    if np.asarray(image.convert("L"), np.float32).std() < FLAT:
        return None
    return int(str(imagehash.phash(image)), 16)


def nearest_pairs(
    one: Hashed,
    other: Hashed,
    *,
    threshold: int = THRESHOLD,
    same: bool = False,
    advance: Advance = lambda _: None,
) -> list[Pair]:
    """For each image of ``one`` that has a near-duplicate in ``other`` the nearest, nearest first.

    Args:
        one: Images.
        other: Images to compare with.
        threshold: Largest number of bits that differ.
        same: Whether both are the same set: an image is not compared with itself.
        advance: Called with the number of images compared since the last call.
    """
    pairs = []
    step = max(1, BLOCK // max(1, len(other.bits)))
    for start in range(0, len(one.bits) if len(other.bits) else 0, step):
        block = one.bits[start : start + step]
        distances = _popcount(block[:, None] ^ other.bits[None, :])
        if same:
            own = np.arange(len(block))
            distances[own, own + start] = 255
        nearest = distances.argmin(axis=1)
        least = distances[np.arange(len(block)), nearest]
        for place in np.flatnonzero(least <= threshold):
            image, partner = one.samples[start + place], other.samples[nearest[place]]
            pairs.append(Pair(image, partner, int(least[place])))
        advance(len(block))
    return sorted(pairs, key=lambda pair: (pair.distance, pair.image.name))


def _small(source: Path | bytes) -> Image.Image:
    """An image for its hash, RGB; a large JPEG is decoded at a part of its size."""
    if isinstance(source, Path):
        try:
            with open_regular(source) as stream, Image.open(stream, formats=FORMATS[:1]) as image:
                image.draft("RGB", (SIDE, SIDE))
                return image.convert("RGB")
        except BROKEN:  # no JPEG, or a damaged one, of which the next reader tells more
            pass
    return Image.fromarray(visible(read_values(source)))


def _without_content(sample: Sample) -> Sample:
    if isinstance(sample.source, Path):
        return sample
    return Sample(sample.name, sample.split, b"", sample.label)


def _table_popcount(values: Bits) -> NDArray[np.uint8]:
    """Bits that are set, by a table; for NumPy 1."""
    table = np.array([bin(i).count("1") for i in range(1 << 16)], np.uint8)
    parts = table[values.view(np.uint16).reshape(*values.shape, 4)]
    return parts.sum(axis=-1, dtype=np.uint8)


_popcount: Callable[[Bits], NDArray[np.uint8]] = getattr(np, "bitwise_count", _table_popcount)
