"""Pictures of images of any bands, for people: three bands as red, green and blue, or one as grey.

8-bit grey and RGB are shown as they are. Of other images each shown band is stretched: its 1st
percentile is black, its 99th white, over all images of a picture. So 12 bits in files of 16 are not
black, and a prediction is stretched as its image.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simmim_bench.data.bands import read_band_header, read_values
from simmim_bench.data.pixels import Pixels, UnreadableImageError, read_pixels
from simmim_bench.data.rasters import UNSIGNED, BandHeader
from simmim_bench.errors import BenchError

KEY = "picture_bands"
"""Key of a config: the shown bands, from 1, as (4, 3, 2), or one."""
COLOURS = 3
CUT = 1  # percent of the values at each end


def chosen_bands(channels: int, bands: Sequence[int] | int | None = None) -> tuple[int, ...]:
    """Indices, from 0, of the bands shown as red, green and blue.

    Args:
        channels: Of the images.
        bands: Three bands, or one, from 1; None: the first three, or the first if there are fewer.

    Raises:
        BenchError: If there are no such bands.
    """
    if bands is None:
        return (0, 1, 2) if channels >= COLOURS else (0, 0, 0)
    given = (bands,) if isinstance(bands, int) else tuple(bands)
    inside = all(type(band) is int and 1 <= band <= channels for band in given)
    if len(given) not in (1, COLOURS) or not inside:
        raise BenchError(
            f"{KEY} must be three bands, or one, from 1 to {channels}, got {bands!r}; give for "
            f"example {min(3, channels)}"
        )
    return tuple(band - 1 for band in given * (COLOURS // len(given)))


@dataclass(frozen=True)
class Stretch:
    """Which bands are shown, and what of each is black and white.

    Args:
        chosen: Indices of three bands.
        low: Value of each that is black.
        high: Value of each that is white.
    """

    chosen: tuple[int, ...]
    low: NDArray[Any]
    high: NDArray[Any]

    @classmethod
    def of(cls, images: NDArray[Any], chosen: tuple[int, ...]) -> Stretch:
        """Stretch of ``images``, (..., C), from percentile to percentile of each band."""
        values = images[..., list(chosen)].reshape(-1, COLOURS)
        low, high = np.percentile(values, (CUT, 100 - CUT), axis=0)
        return cls(chosen, low, np.where(high > low, high, low + 1))

    def apply(self, images: NDArray[Any]) -> Pixels:
        """Show images, (..., C): (..., 3), uint8."""
        values = images[..., list(self.chosen)].astype(np.float64)
        scaled = (values - self.low) / (self.high - self.low)
        return np.rint(scaled.clip(0, 1) * 255).astype(np.uint8)


def read_picture(source: str | Path | bytes, bands: Sequence[int] | int | None = None) -> Pixels:
    """Read an image to be looked at: (H, W, 3), uint8, RGB.

    Args:
        source: File, or its content.
        bands: See ``chosen_bands``.

    Raises:
        UnreadableImageError: If it cannot be read.
        BenchError: If it has no such bands.
    """
    header = read_band_header(source)
    if bands is None and _is_plain(header):
        with suppress(UnreadableImageError):  # three bands that the file does not call colours
            return read_pixels(source)
    values = read_values(source)
    return Stretch.of(values, chosen_bands(header.channels, bands)).apply(values)


def _is_plain(header: BandHeader) -> bool:
    """Whether it is grey or RGB of 8 bits, with or without alpha."""
    colours = header.channels - header.alpha
    return header.bits == 8 and header.kind == UNSIGNED and colours in (1, COLOURS)
