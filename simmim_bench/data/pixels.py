"""Read an image of any supported kind as 8-bit RGB; every part of the package reads with it.

Images of 8 bits become RGB as Pillow's ``convert("RGB")`` does. Deeper ones are scaled:

- unsigned integers of n bits: round(value * 255 / (2 ** n - 1));
- floating point: round(value * 255), if all values are from 0 to 1;
- one band is repeated; an alpha band is dropped.

Everything else is refused: signed integers, other floating-point values, bands that are neither
colour nor alpha. The orientation tag of EXIF is not applied, as in the original SimMIM. That of
TIFF is, as it is part of the format: Pillow and OpenCV do so. Of several frames, the first is read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from simmim_bench.data import jpeg
from simmim_bench.data.image_files import open_regular, read_regular, shown
from simmim_bench.errors import BenchError

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
"""Formats of Pillow; of others, some start programs (EPS)."""

ORIENTATION = 0x0112  # tag of EXIF and TIFF
BITS, PHOTOMETRIC, SAMPLES, EXTRA, SAMPLE_FORMAT = 258, 262, 277, 338, 339  # tags of TIFF
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
MOST_COLOURS = 8  # L*a*b*; Pillow converts up to it
UNSIGNED, FLOATING = 1, 3
ALPHA = (2, 999)  # unassociated; 999 by Corel Draw
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Pixels = NDArray[np.uint8]


class UnreadableImageError(ValueError):
    """An image that is damaged, or of a kind for which there is no rule; says why."""


@dataclass(frozen=True)
class Header:
    """What the start of an image file says.

    Args:
        size: Width and height in pixels, as stored.
        orientation: EXIF's tag, which is not applied; 1: none.
        frames: Number of images in the file.
        scaled: Whether values are scaled to 8 bits.
    """

    size: tuple[int, int]
    orientation: int
    frames: int
    scaled: bool


def read_pixels(source: str | Path | bytes, *, upright: bool = False, order: str = "RGB") -> Pixels:
    """Read an image as (H, W, 3), uint8.

    Args:
        source: File, or its content.
        upright: Turn the image as its orientation tag says.
        order: Of the colours, ``"RGB"`` or ``"BGR"``.

    Raises:
        UnreadableImageError: If it is missing, damaged, not an image, or of a kind without a rule.
    """
    try:
        content = source if isinstance(source, bytes) else read_regular(source)
        pixels = None if upright else jpeg.decoded(content, order)
        if pixels is not None:
            return pixels
        pixels = _read_pixels(content, upright=upright)
        return pixels if order == "RGB" else _swapped(pixels)
    except Exception as error:
        raise explained(error) from error


def _read_pixels(content: bytes, *, upright: bool) -> Pixels:
    """Read any image by Pillow and OpenCV as (H, W, 3), uint8, RGB."""
    image = identified(io.BytesIO(content))
    if image is None:
        return _eight_bits(_floating_rgb(content), 1)
    with image:
        pixels = _scaled(image, content) if is_deep(image) else np.array(_rgb(image))
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1)) if upright else None
    return pixels if turn is None else np.asarray(Image.fromarray(pixels).transpose(turn))


def read_header(source: str | Path | bytes) -> Header:
    """Read the header of an image, and the pixels only if they are floating point.

    Raises:
        UnreadableImageError: If ``read_pixels`` would refuse the image for its kind.
    """
    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else open_regular(source)
        with stream, identified(stream) or nullcontext() as image:
            if image is None:
                stream.seek(0)
                height, width, _ = _eight_bits(_floating_rgb(stream.read()), 1).shape
                return Header((width, height), 1, 1, scaled=True)
            deep = is_deep(image)
            if image.mode == "F":
                _scaled(image, b"")
            turned = image.getexif().get(ORIENTATION, 1) if image.format != "TIFF" else 1
            return Header(image.size, turned, getattr(image, "n_frames", 1), scaled=deep)
    except Exception as error:
        raise explained(error) from error


def unusable(path: str | Path, error: Exception) -> BenchError:
    """Error for an image that cannot be read, with the remedy."""
    return BenchError(
        f"image {shown(path)} cannot be read ({error}); restore or remove it, and check all images "
        "with `simmim-bench data DATASET --verify`"
    )


def size_mistake(entry: Mapping[str, Any], path: str | Path, size: tuple[int, int]) -> str | None:
    """Sentence if an annotation states another size than the image has: boxes would be wrong.

    Args:
        entry: May have ``width`` and ``height``.
        path: Image, for the message.
        size: Width and height as stored.
    """
    stated = entry.get("width"), entry.get("height")
    if None in stated or stated == size:
        return None
    turned = stated == size[::-1]
    remedy = "turn the file upright and drop its orientation tag, which is not applied"
    return (
        f"image {shown(path)} is {size[0]} x {size[1]} pixels, its annotation says "
        f"{stated[0]} x {stated[1]}; {remedy if turned else 'correct one of them'}"
    )


def unusual_headers(headers: Sequence[Header]) -> str | None:
    """Sentence about orientation tags, frames and depth; None if there are none."""
    found = {
        "have an orientation tag, which is not applied": [h.orientation != 1 for h in headers],
        "have several frames, of which the first is read": [h.frames > 1 for h in headers],
        "have more than 8 bits and are scaled": [h.scaled for h in headers],
    }
    parts = [f"{sum(each)} {what}" for what, each in found.items() if any(each)]
    return f"of {len(headers)} images, {'; '.join(parts)}" if parts else None


def explained(error: Exception) -> UnreadableImageError:
    """An error of Pillow, which raises many kinds for damaged files, as one line."""
    if isinstance(error, UnreadableImageError):
        return error
    if isinstance(error, Image.DecompressionBombError):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        return UnreadableImageError(f"it has more than {most:.0f} million pixels; scale it down")
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UnreadableImageError(" ".join(text.split()) or type(error).__name__)


def identified(stream: IO[bytes]) -> Image.Image | None:
    """The opened image; None for a TIFF that Pillow does not know."""
    try:
        return Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError:
        stream.seek(0)
        start = stream.read(4)
        if start in TiffImagePlugin.PREFIXES:
            return None
        if not start:
            raise UnreadableImageError("the file is empty") from None
        raise UnreadableImageError(f"it is not one of {', '.join(FORMATS)}") from None


def _swapped(pixels: Pixels) -> Pixels:
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)  # type: ignore[return-value]


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def is_deep(image: Image.Image) -> bool:
    """Whether values have more than 8 bits.

    Raises:
        UnreadableImageError: If there is no rule for this kind of TIFF.
    """
    if image.format == "TIFF":
        return _check_tiff(image.tag_v2)  # type: ignore[attr-defined]
    if image.format == "PNG":  # Pillow drops the lower byte of colours, hence the raw mode
        return any("16" in str(tile.args) for tile in image.tile)  # type: ignore[attr-defined]
    if image.format == "PPM" and image.mode == "F":
        raise UnreadableImageError("it is a PFM, of floating point; save it as TIFF")
    return image.mode == "I"  # PGM


def _check_tiff(tags: Any) -> bool:
    """Whether a TIFF with these tags is deeper than 8 bits; raises if there is no rule for it."""
    bits, colour = max(tags.get(BITS, (1,))), tags.get(PHOTOMETRIC, BLACK_IS_ZERO)
    bands, extra = tags.get(SAMPLES, 1), tuple(tags.get(EXTRA, ()))
    kinds = set(tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
    if colour > MOST_COLOURS:
        raise UnreadableImageError(
            f"it is a TIFF of photometric kind {colour}, for which there is no rule; "
            "save it as PNG, or as TIFF in RGB"
        )
    colours = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3}.get(colour, bands - len(extra))
    if bands > colours and not (bands == colours + 1 == colours + len(extra) and extra[0] in ALPHA):
        raise UnreadableImageError(
            f"it has {bands} bands, and there is no rule for bands other than grey or RGB and one "
            "band that the file declares to be alpha; import the data (`"
            "simmim-bench data import`) to use all bands, or save those to be used as RGB"
        )
    if not kinds <= {UNSIGNED, FLOATING}:
        raise UnreadableImageError(
            f"it has signed values of {bits} bits, and there is no rule for which of them is black "
            "and which is white; save it with unsigned values"
        )
    if bits <= 8:
        return False
    if colour not in (BLACK_IS_ZERO, RGB):
        raise UnreadableImageError(
            f"it has {bits} bits, and there is a rule only for grey and RGB whose zero is black; "
            "save it as PNG"
        )
    return True


def _scaled(image: Image.Image, content: bytes) -> Pixels:
    """Values of a deep image, scaled to 8 bits: (H, W, 3)."""
    image.load()  # raises for a truncated file, for which OpenCV does not
    values = _values(image, content)
    if values.dtype.kind == "f":
        return _eight_bits(values, 1)
    bits = 8 * values.dtype.itemsize
    if image.format == "TIFF":
        bits = max(image.tag_v2[BITS])  # type: ignore[attr-defined]
    elif image.mode == "I":
        bits = 16  # Pillow scales PGM to that
    return _eight_bits(values, 2**bits - 1)


def _eight_bits(values: NDArray[Any], white: int) -> Pixels:
    """Scale ``values``, (H, W) or (H, W, 3), from 0 to ``white``: (H, W, 3)."""
    least, most = values.min(), values.max()
    if not (least >= 0 and most <= white):  # also for NaN
        found = "NaN" if np.isnan(least) else f"values from {least:g} to {most:g}"
        raise UnreadableImageError(
            f"it has {found}, and there is a rule only for values from 0 to {white}; scale them"
        )
    grey = np.rint(values.astype(np.float64) * (255 / white)).astype(np.uint8)
    return grey if grey.ndim == 3 else np.stack([grey] * 3, axis=2)


def _values(image: Image.Image, content: bytes) -> NDArray[Any]:
    """Values at full depth: (H, W) grey, or (H, W, 3) RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        unsigned = image.format == "TIFF" and image.mode == "I"
        return values.view(np.uint32) if unsigned else values
    values = decoded_by_opencv(content)
    if values.dtype != np.uint16 or not np.array_equal(values >> 8, np.asarray(_rgb(image))):
        raise UnreadableImageError(
            "Pillow and OpenCV do not agree on its 16 bits; save it as PNG of 16 bits"
        )
    return values


def _floating_rgb(content: bytes) -> NDArray[Any]:
    """Values of a TIFF in RGB and floating point, which Pillow cannot read: (H, W, 3)."""
    stream = io.BytesIO(content)
    tags = TiffImagePlugin.ImageFileDirectory_v2(stream.read(8))
    stream.seek(tags.next)
    tags.load(stream)
    _check_tiff(tags)
    kind = (tags.get(SAMPLES), set(tags.get(BITS, ())), set(tags.get(SAMPLE_FORMAT, ())))
    if kind != (3, {32}, {FLOATING}):
        raise UnreadableImageError(
            f"it is a TIFF with {kind[0] or 1} x {max(kind[1] or {1})} bits that Pillow cannot "
            "read; save it as PNG"
        )
    return decoded_by_opencv(content)


def decoded_by_opencv(content: bytes, *, alpha: bool = False) -> NDArray[Any]:
    """The image as OpenCV reads it, (H, W, 3) RGB; with ``alpha`` its fourth band too, if any."""
    import cv2

    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3:
        raise UnreadableImageError("OpenCV cannot read its depth; save it as PNG of 16 bits")
    return values[..., [2, 1, 0, 3][: values.shape[2]]] if alpha else values[..., 2::-1]
