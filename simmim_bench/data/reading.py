"""How the images of a config are read: as RGB of 8 bits, or in their bands at full depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from simmim_bench.data.bands import COLOURS, check_bands, read_band_header, read_bands
from simmim_bench.data.pixels import Header, read_header, read_pixels
from simmim_bench.data.rasters import MOST_BANDS
from simmim_bench.errors import BenchError


@dataclass(frozen=True)
class Reading:
    """What ``simmim_bench.LoadImage`` is told.

    Args:
        channels: Expected number of bands.
        value_range: Values that become 0 and 255; None: by the kind of the values.
    """

    channels: int = COLOURS
    value_range: tuple[float, float] | None = None

    @classmethod
    def checked(cls, channels: Any, value_range: Sequence[float] | None) -> Reading:
        """A reading.

        Raises:
            BenchError: If an argument is not valid.
        """
        if type(channels) is not int or not 1 <= channels <= MOST_BANDS:
            raise BenchError(
                f"LoadImage: channels must be an integer from 1 to {MOST_BANDS}, got {channels!r}"
            )
        if value_range is None:
            return cls(channels)
        try:
            low, high = map(float, value_range)
        except (TypeError, ValueError):
            low = high = math.nan
        if not -math.inf < low < high < math.inf:
            raise BenchError(
                "LoadImage: value_range must be two finite numbers, the lower one first, got "
                f"{value_range!r}"
            )
        return cls(channels, (low, high))

    @property
    def is_plain(self) -> bool:
        """Whether images become RGB of 8 bits."""
        return self == PLAIN

    def pixels(self, source: str | Path | bytes, *, order: str = "RGB") -> NDArray[Any]:
        """Read an image: (H, W, 3), uint8; else (H, W, channels), float32.

        Args:
            source: File, or its content.
            order: ``"RGB"`` or ``"BGR"`` for three channels; other numbers are as in the file.

        Raises:
            UnreadableImageError: If it cannot be read so.
        """
        if self.is_plain:
            return read_pixels(source, order=order)
        values = read_bands(source, channels=self.channels, value_range=self.value_range)
        return values[..., ::-1] if order == "BGR" and values.shape[2] == COLOURS else values

    def header(self, source: str | Path | bytes) -> Header:
        """Read the header of an image.

        Raises:
            UnreadableImageError: If ``pixels`` would refuse the image for its kind.
        """
        if self.is_plain:
            return read_header(source)
        header = read_band_header(source)
        check_bands(header.channels, self.channels, alpha=header.alpha)
        return Header(header.size, orientation=1, frames=1, scaled=False)


PLAIN = Reading()


def reading_of(pipeline: Any) -> Reading:
    """How a pipeline of a config reads images.

    Raises:
        BenchError: If an argument of its ``LoadImage`` is not valid.
    """
    for step in pipeline or ():
        if hasattr(step, "get") and str(step.get("type")).endswith("LoadImage"):
            return Reading.checked(step.get("channels", COLOURS), step.get("value_range"))
    return PLAIN
