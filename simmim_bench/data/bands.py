"""Read an image of 1 to 16 bands at its full depth, as float32.

- Values are mapped linearly, without clipping or rounding, so that the ends of a range become 0 and
  255. Without a stated range it is 0 to 2 ** n - 1 for unsigned integers of n bits and 0 to 1 for
  floating point; signed integers need one.
- Bands stay in the order of the file. One more band that the file declares to be alpha is dropped,
  and grey is repeated where three bands are expected.
- A TIFF has its bands interleaved, planar or one a page; a file of NumPy (.npy) last or first.
- Palettes, CMYK and whatever else Pillow reads as neither grey nor RGB become RGB.
- NaN, infinity and pixels that the file marks as missing (nodata) are refused.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.data import pixels, rasters
from simmim_bench.data.image_files import open_regular, read_regular
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.data.rasters import FLOAT, MOST_BANDS, SIGNED, UNSIGNED, BandHeader, Values

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NUMPY = b"\x93NUMPY"
JPEG2000 = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")  # boxes, or the code stream alone
BAND_SUFFIXES = (".npy", ".jp2")
"""Suffixes of images that only this file reads, besides ``image_files.SUFFIXES``."""

WHITE = 255  # on the scale of the result
COLOURS = 3

Range = tuple[float, float]


def read_bands(
    source: str | Path | bytes, *, channels: int, value_range: Range | None = None
) -> NDArray[np.float32]:
    """Read an image as (H, W, channels), float32; the ends of the range are 0 and 255.

    Args:
        source: File, or its content.
        channels: Expected number of bands.
        value_range: Values that become 0 and 255; None: by the kind of the values.

    Raises:
        UnreadableImageError: If it cannot be read, or has other bands or values than expected.
    """
    header, values = _read(source, channels)
    low, high = value_range or _usual_range(header, values)
    exact: Values = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    with np.errstate(over="ignore"):
        scaled = ((exact - low) * (WHITE / (high - low))).astype(np.float32)
    if not np.isfinite(scaled).all():
        raise UnreadableImageError(
            f"it has values from {values.min():g} to {values.max():g}, which are too large; set "
            "value_range, or scale them"
        )
    return np.ascontiguousarray(scaled)


def read_values(source: str | Path | bytes, *, channels: int | None = None) -> Values:
    """Read an image as (H, W, C) with the values of the file.

    Args:
        source: File, or its content.
        channels: Expected number of bands; None: all that it has.

    Raises:
        UnreadableImageError: As ``read_bands``.
    """
    return _read(source, channels)[1]


def read_band_header(source: str | Path | bytes) -> BandHeader:
    """Read size, bands and kind of the values of an image, without its pixels.

    Raises:
        UnreadableImageError: If it is not an image, or of a kind that ``read_bands`` refuses.
    """
    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else open_regular(source)
        with stream:
            return _header(stream)
    except Exception as error:
        raise pixels.explained(error) from error


def _read(source: str | Path | bytes, channels: int | None) -> tuple[BandHeader, Values]:
    try:
        content = source if isinstance(source, bytes) else read_regular(source)
        header = _header(io.BytesIO(content))
        if channels is None:
            channels = header.channels
        values = _values(content, header)
        if not (values.dtype.kind != "f" or np.isfinite(values).all()):
            count = int((~np.isfinite(values)).sum())
            raise UnreadableImageError(
                f"{count} of its values are NaN or infinite; fill them, for example with the "
                "values around them (gdal_fillnodata)"
            )
        return header, _expected(values, header, channels)
    except Exception as error:
        raise pixels.explained(error) from error


def _header(stream: IO[bytes]) -> BandHeader:
    start = stream.read(8)
    stream.seek(0)
    if start.startswith(TIFF):
        return rasters.tiff_header(stream)
    if start.startswith(NUMPY):
        return _array_header(stream)
    if start.startswith(JPEG2000):
        return rasters.raster_header(stream.read())
    with _opened(stream) as image:
        deep = pixels.is_deep(image)
        mode = _mode(image)
        return BandHeader(image.size, len(mode), 16 if deep else 8, UNSIGNED, mode.endswith("A"))


def _values(content: bytes, header: BandHeader) -> Values:
    """All bands of the file: (H, W, C)."""
    if content.startswith(TIFF):
        return rasters.tiff_values(content, header)
    if content.startswith(NUMPY):
        return _array(content)
    if content.startswith(JPEG2000):
        return rasters.raster_values(content)
    with _opened(io.BytesIO(content)) as image:
        mode = _mode(image)
        if header.bits == 8:
            values = np.asarray(image if image.mode == mode else image.convert(mode))
        else:
            image.load()  # raises for a truncated file, for which OpenCV does not
            values = _deep(image, content, mode)
    return values.reshape(*values.shape[:2], -1)


def _opened(stream: IO[bytes]) -> Image.Image:
    image = pixels.identified(stream)
    if image is None:
        raise UnreadableImageError("it is a damaged TIFF")
    return image


def _mode(image: Image.Image) -> str:
    """Mode of Pillow whose letters are the bands that are read."""
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        return image.mode
    return "L" if image.mode == "1" or image.mode.startswith("I") else "RGB"


def _deep(image: Image.Image, content: bytes, mode: str) -> Values:
    """Values of 16 bits of a PNG or PGM."""
    if mode == "L":
        return np.asarray(image).astype(np.uint16)
    values = pixels.decoded_by_opencv(content, alpha=True)
    if mode == "LA":
        values = values[..., ::3]
    if values.dtype != np.uint16 or values.shape[2] != len(mode):
        raise UnreadableImageError("OpenCV cannot read its 16 bits; save it as TIFF")
    return values


def _array_header(stream: IO[bytes]) -> BandHeader:
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    except Exception as error:  # it parses Python
        raise UnreadableImageError("it is a damaged file of NumPy") from error
    kind = {"u": UNSIGNED, "i": SIGNED, "f": FLOAT}.get(dtype.kind)
    if kind is None or len(shape) not in (2, 3):
        raise UnreadableImageError(
            f"it is an array of shape {shape} and type {dtype}, expected numbers of shape (height, "
            "width), (height, width, bands) or (bands, height, width)"
        )
    height, width, bands = _bands_last(np.broadcast_to(np.zeros((), dtype), shape)).shape
    return rasters.checked(BandHeader((width, height), bands, 8 * dtype.itemsize, kind, False))


def _array(content: bytes) -> Values:
    values = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return _bands_last(values.astype(values.dtype.newbyteorder("=")))


def _bands_last(values: Values) -> Values:
    """(H, W, C) of (H, W), (H, W, C) or (C, H, W)."""
    if values.ndim == 2:
        return values[..., None]
    if values.shape[2] > MOST_BANDS >= values.shape[0]:
        return np.moveaxis(values, 0, 2)
    return values


def check_bands(found: int, channels: int, *, alpha: bool) -> None:
    """Raise unless an image of ``found`` bands can be read as ``channels``.

    Raises:
        UnreadableImageError: Says both numbers.
    """
    grey_for_colours = channels == COLOURS and found - alpha == 1
    if found not in (channels, channels + alpha) and not grey_for_colours:
        raise UnreadableImageError(
            f"it has {rasters.bands(found)}, expected {channels}; set channels={found}, or save "
            "the bands to be used"
        )


def _expected(values: Values, header: BandHeader, channels: int) -> Values:
    """``values`` with the expected number of bands."""
    found = values.shape[2]
    check_bands(found, channels, alpha=header.alpha)
    if channels == COLOURS and found - header.alpha == 1:
        return np.repeat(values[..., :1], COLOURS, axis=2)
    return values[..., :channels]


def _usual_range(header: BandHeader, values: Values) -> Range:
    if header.kind == UNSIGNED:
        return 0, 2**header.bits - 1
    least, most = values.min(), values.max()
    if header.kind == FLOAT and least >= 0 and most <= 1:
        return 0, 1
    rule = "floating point is from 0 to 1" if header.kind == FLOAT else "integers are unsigned"
    raise UnreadableImageError(
        f"it has values from {least:g} to {most:g}, and without a stated range {rule}; set "
        "value_range to the lowest and highest value of the data set"
    )
