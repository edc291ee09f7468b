"""A band that a file declares to be alpha: transparency, or what programs also declare so.

Programs that write red, green, blue and near infrared often declare the fourth band to be alpha. A
transparency is constant, or mostly 0 and its largest value; a measured band has many values.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from simmim_bench.data.rasters import Values

MOST_LEVELS = 16  # different values of a mask with a few levels
MOST_AT_ENDS = 0.5  # share of the pixels; the rest of a transparency is the rim of what is shown


def varies_like_an_image(band: Values) -> bool:
    """Whether a band, (H, W), has many values, of which most are not the smallest or largest."""
    if len(np.unique(band)) <= MOST_LEVELS:
        return False
    at_ends = (band == min(0, band.min())) | (band == band.max())
    return bool(at_ends.mean() < MOST_AT_ENDS)


def is_a_band(varies: Collection[bool]) -> bool:
    """Whether a data set keeps its declared alpha.

    Args:
        varies: Of each image, whether it has one that varies like an image.
    """
    return 2 * sum(varies) > len(varies)


def what_happens(*, kept: bool, channels: int) -> str:
    """What an import does with the band, and the option that does the other.

    Args:
        kept: Whether it is kept.
        channels: Bands without it.
    """
    if kept:
        return f"which is kept, as it varies like an image (--channels {channels} drops it)"
    return (
        f"which is dropped, as it is constant or like a mask (--channels {channels + 1} keeps it)"
    )
