"""How images differ from what a run reads: in depth and bands. Some are refused, others scaled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simmim_bench.data.bands import COLOURS, WHITE, read_band_header
from simmim_bench.data.image_files import SHOWN
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.data.rasters import FLOAT, BandHeader, bands
from simmim_bench.data.reading import Reading

FAR, BRIGHT = 16, 2  # times below and above the end of a range
DEEP = "deeper than 8 bits, scaled as if their values used all bits"
ALPHA = "with an alpha band, which is dropped"
GREY = "grey, which is repeated as red, green and blue"


def header_of(path: str) -> BandHeader | None:
    """Bands and depth of an image; None if its start cannot be read."""
    try:
        return read_band_header(path)
    except UnreadableImageError:
        return None


def differences(header: BandHeader, peak: float, reading: Reading) -> Iterator[str]:
    """What a run makes of an image that it reads, although it was not trained with such.

    Args:
        header: Of the image.
        peak: Its highest value as read: 255 is the end of the run's range.
        reading: Of the run.
    """
    if header.alpha and header.channels == reading.channels + 1:
        yield ALPHA
    if reading.channels == COLOURS and header.channels - header.alpha == 1:
        yield GREY
    if reading.is_plain:
        if header.bits > 8:
            yield DEEP
    elif reading.value_range is not None:
        yield from _of_range(header, peak, *reading.value_range)


def _of_range(header: BandHeader, peak: float, low: float, high: float) -> Iterator[str]:
    expected = f"the run expects {low:g} to {high:g}"
    dark = peak < WHITE / FAR
    if header.kind != FLOAT:  # by what the file could hold: its content may be dark
        dark = FAR * (2**header.bits - 1) < high
    if dark:
        kind = "floating point" if header.kind == FLOAT else f"of {header.bits} bits"
        yield f"{kind}, too dark since {expected}"
    if peak > BRIGHT * WHITE:
        yield f"with values far above the range, too bright since {expected}"


def warning(found: Sequence[tuple[str, Sequence[str]]]) -> str | None:
    """A line that counts and names images that differ; None if none does.

    Args:
        found: Name of each image, and its ``differences``.
    """
    kinds = dict.fromkeys(kind for _, each in found for kind in each)
    if not kinds:
        return None
    parts = []
    for kind in kinds:
        names = [name for name, each in found if kind in each]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        parts.append(f"{len(names)} {kind}: {', '.join(names[:SHOWN])}{more}")
    count = sum(bool(each) for _, each in found)
    said = f"{count} of {len(found)} images differ from those that the run was trained for"
    return f"warning: {said}; {'; '.join(parts)}"


def misfit(header: BandHeader, reading: Reading) -> str | None:
    """What to say of an image whose number of bands the run cannot read; None if it can."""
    colours = reading.channels == COLOURS
    without_alpha = header.channels - header.alpha
    if reading.channels in (header.channels, without_alpha) or (colours and without_alpha == 1):
        return None
    expected = "RGB or grey" if colours else bands(reading.channels)
    more = without_alpha > reading.channels
    remedy = "save those that it should see as another file, or " if more else ""
    return (
        f"has {bands(header.channels)}, the run reads {expected}; {remedy}use a run that was "
        f"trained with {bands(header.channels)}"
    )
