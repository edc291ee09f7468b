"""Read TIFF and JPEG 2000 of any number of bands: tifffile first, else Pillow, else rasterio.

tifffile needs no other package for files without compression and for Deflate, LZMA and PackBits.
Pillow reads other compressions of grey and of RGB of 8 bits; rasterio, which is optional, the rest.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from simmim_bench.data import pixels
from simmim_bench.data.pixels import UnreadableImageError

UNSIGNED, SIGNED, FLOAT = "unsigned", "signed", "float"
KINDS = {1: UNSIGNED, 2: SIGNED, 3: FLOAT}  # of TIFF's tag SampleFormat
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
ALPHA = (1, 2, 999)  # of TIFF's tag ExtraSamples; 999 by Corel Draw
ORIENTATION, NODATA = 274, 42113  # tags of TIFF
TIFFFILE = (1, 8, 32773, 32946, 34925)
"""Compressions that tifffile reads alone: none, Deflate, PackBits, old Deflate, LZMA."""
DEPTHS = (8, 16, 32, 64)
DRIVERS = ["GTiff", "JP2OpenJPEG"]  # of GDAL; others follow names in a file
MOST_BANDS = 16

Values = NDArray[Any]


@dataclass(frozen=True)
class BandHeader:
    """What the start of an image file says.

    Args:
        size: Width and height in pixels, as read.
        channels: Bands.
        bits: Of one value; 12 for a TIFF that says so.
        kind: ``unsigned``, ``signed`` or ``float``.
        alpha: Whether the last band is declared to be alpha.
    """

    size: tuple[int, int]
    channels: int
    bits: int
    kind: str
    alpha: bool


def bands(count: int) -> str:
    """``1 band``, ``4 bands``."""
    return f"{count} band{'s' * (count != 1)}"


def checked(header: BandHeader) -> BandHeader:
    """``header``.

    Raises:
        UnreadableImageError: If the image has too many pixels or bands.
    """
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    if header.size[0] * header.size[1] > most:
        raise UnreadableImageError(
            f"it has more than {most / 1e6:.0f} million pixels; scale it down"
        )
    if min(header.size) < 1 or not 1 <= header.channels <= MOST_BANDS:
        width, height = header.size
        raise UnreadableImageError(
            f"it has {width} x {height} pixels and {bands(header.channels)}, expected 1 to "
            f"{MOST_BANDS} bands; save those to be used"
        )
    return header


def tiff_header(stream: IO[bytes]) -> BandHeader:
    """Header of a TIFF.

    Raises:
        UnreadableImageError: If there is no rule for its kind.
    """
    with _opened(stream) as file:
        page = file.pages[0]
        _check(page)
        if _is_for_pillow(page):
            with _pillow(stream) as image:
                mode = "L" if image.mode in ("1", "L") else "RGB"
                return checked(BandHeader(image.size, len(mode), 8, UNSIGNED, False))
        height, width, count = _shape(file)
        if page.tags.valueof(ORIENTATION, 1) > 4:
            height, width = width, height
        extra = page.extrasamples
        alpha = bool(extra) and int(extra[-1]) in ALPHA
        kind = KINDS[int(page.sampleformat or 1)]
        return checked(BandHeader((width, height), count, page.bitspersample, kind, alpha))


def tiff_values(content: bytes, header: BandHeader) -> Values:
    """All bands of a TIFF: (H, W, C).

    Args:
        content: Of the file.
        header: Of ``tiff_header``.

    Raises:
        UnreadableImageError: If it is damaged, needs a package that is not installed, or has pixels
            that it marks as missing.
    """
    with _opened(io.BytesIO(content)) as file:
        page = file.pages[0]
        if _is_for_pillow(page):
            with _pillow(io.BytesIO(content)) as image:
                values = np.asarray(image.convert("L" if header.channels == 1 else "RGB"))
                return values.reshape(*values.shape[:2], -1)
        values = _decoded(file, content)
        if values.shape != (*header.size[::-1], header.channels):
            raise UnreadableImageError(f"it has values of shape {values.shape}, not as it says")
        _check_missing(values, page.tags.valueof(NODATA))
    return values


def raster_header(content: bytes) -> BandHeader:
    """Header of a JPEG 2000, by rasterio.

    Raises:
        UnreadableImageError: If rasterio is not installed or cannot read the file.
    """
    with _raster(content, "it is a JPEG 2000") as raster:
        dtype = np.dtype(raster.dtypes[0])
        kind = {"u": UNSIGNED, "i": SIGNED}[dtype.kind]
        bits = int(raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8 * dtype.itemsize))
        alpha = raster.colorinterp[-1].name == "alpha"
        return checked(BandHeader((raster.width, raster.height), raster.count, bits, kind, alpha))


def raster_values(content: bytes, what: str = "it is a JPEG 2000") -> Values:
    """All bands of a TIFF or JPEG 2000, (H, W, C), by rasterio.

    Args:
        content: Of the file.
        what: Begins the sentence if rasterio is not installed.

    Raises:
        UnreadableImageError: As ``raster_header``, or if pixels are marked as missing.
    """
    with _raster(content, what) as raster:
        values = np.moveaxis(raster.read(), 0, 2)
        _check_missing(values, raster.nodata)
        return values


@contextmanager
def _raster(content: bytes, what: str) -> Iterator[Any]:
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    except ImportError as error:
        raise UnreadableImageError(
            f"{what}, which needs the package rasterio; run `pip install 'simmim_bench[bands]'`, "
            "or save it as TIFF with Deflate compression"
        ) from error
    # no look for other files beside it
    quiet = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
    try:
        with (
            warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
            rasterio.Env(**quiet),
            rasterio.MemoryFile(content) as memory,
            memory.open(driver=DRIVERS) as raster,
        ):
            yield raster
    except RasterioError as error:
        raise UnreadableImageError(f"rasterio: {error}") from error


@contextmanager
def _opened(stream: IO[bytes]) -> Iterator[Any]:
    from tifffile import TiffFile

    try:
        with TiffFile(stream, name="image", is_ome=False) as file:  # OME names other files
            yield file
    except UnreadableImageError:
        raise
    except Exception as error:  # many kinds
        raise UnreadableImageError(
            f"it is a damaged TIFF: {' '.join(str(error).split())}"
        ) from error


def _check(page: Any) -> None:
    """Raise if there is no rule for this kind of TIFF."""
    colour, bits = int(page.photometric), page.bitspersample
    if colour > pixels.MOST_COLOURS:
        raise UnreadableImageError(
            f"it is a TIFF of photometric kind {colour}, for which there is no rule; save it as "
            "grey or RGB"
        )
    if isinstance(bits, tuple) or page.imagedepth != 1:
        raise UnreadableImageError(
            f"its bands have {bits} bits and it has {page.imagedepth} layers, expected bands of "
            "the same kind; save it so"
        )
    if int(page.sampleformat or 1) not in KINDS:
        raise UnreadableImageError(
            f"it has values of kind {page.sampleformat}, expected integers or floating point"
        )
    if bits > 8 and colour not in (BLACK_IS_ZERO, RGB):
        raise UnreadableImageError(
            f"it has {bits} bits, and there is a rule only for bands whose zero is black; save "
            "it so"
        )


def _pillow(stream: IO[bytes]) -> Image.Image:
    try:
        return Image.open(stream, formats=["TIFF"])
    except UnidentifiedImageError:
        raise UnreadableImageError(
            "it is a TIFF that is neither grey nor RGB, of a kind that Pillow cannot read; save it "
            "as PNG"
        ) from None


def _is_for_pillow(page: Any) -> bool:
    """Whether its colours are converted to grey or RGB of 8 bits."""
    return page.bitspersample < 8 or int(page.photometric) not in (BLACK_IS_ZERO, RGB)


def _stack(file: Any) -> list[Any]:
    """Pages of one kind and size with one band each; else the first page."""
    first = file.pages[0]
    alone = first.samplesperpixel > 1 or len(file.pages) == 1
    kinds = set() if alone else {(page.shape, page.dtype, page.subfiletype) for page in file.pages}
    return list(file.pages) if len(kinds) == 1 else [first]


def _shape(file: Any) -> tuple[int, int, int]:
    """Height, width and bands as stored."""
    first, count = file.pages[0], len(_stack(file))
    height, width = first.imagelength, first.imagewidth
    if count == 1:
        return height, width, first.samplesperpixel
    if count <= MOST_BANDS:
        return height, width, count
    # tifffile writes an array (H, W, C) as H pages of (W, C)
    return (count, height, width) if width <= MOST_BANDS else (height, width, 1)


def _decoded(file: Any, content: bytes) -> Values:
    """Values as stored, (H, W, C)."""
    from tifffile import TIFF

    page, turn = file.pages[0], file.pages[0].tags.valueof(ORIENTATION, 1)
    known = int(page.compression) in TIFFFILE and page.predictor in TIFF.UNPREDICTORS
    shape = _shape(file)
    if known and page.bitspersample in DEPTHS:
        if page.samplesperpixel > 1 or shape[2] == 1:
            stored = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # (C or 1, H, W, 1 or C)
            return _upright(np.moveaxis(stored, 0, 2).reshape(shape), turn)
        stack = np.stack([each.asarray(maxworkers=1) for each in _stack(file)])
        return _upright(stack if stack.shape == shape else np.moveaxis(stack, 0, 2), turn)
    name = getattr(page.compression, "name", page.compression)
    if len(_stack(file)) == 1 and (values := _decoded_by_pillow(page, content)) is not None:
        return values
    what = f"it has {page.bitspersample} bits and the compression {name}"
    return _upright(raster_values(content, what), turn)


def _decoded_by_pillow(page: Any, content: bytes) -> Values | None:
    """Values of one band, or of RGB of 8 bits, upright; None if Pillow cannot read the file."""
    plain = page.samplesperpixel == 3 and page.bitspersample == 8
    if not (page.samplesperpixel == 1 or plain):
        return None
    try:
        image = Image.open(io.BytesIO(content), formats=["TIFF"])
    except UnidentifiedImageError:
        return None
    with image:
        values = np.asarray(image)
    unsigned = KINDS[int(page.sampleformat or 1)] == UNSIGNED
    if values.dtype == np.int32 and unsigned:
        values = values.view(np.uint32)
    return values.reshape(*values.shape[:2], -1)


def _upright(values: Values, orientation: int) -> Values:
    """Turn ``values`` as TIFF's tag Orientation says."""
    if orientation > 4:
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _check_missing(values: Values, stated: Any) -> None:
    """Raise if pixels have the value ``stated``, which marks those that are missing."""
    try:
        missing = float(str(stated).strip("\0 "))
    except ValueError:  # none is stated
        return
    if count := int((values == missing).sum()):
        raise UnreadableImageError(
            f"{count} of its values are {missing:g}, which it declares to be missing (nodata); "
            "fill them (gdal_fillnodata), or remove the declaration if they are valid "
            "(gdal_edit -unsetnodata)"
        )
