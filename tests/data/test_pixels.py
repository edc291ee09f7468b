"""Every kind of image is read by its rule or refused with the rule that is missing."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from simmim_bench.data import pixels as module
from simmim_bench.data.pixels import UnreadableImageError, read_header, read_pixels

RGB8 = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
RGB16 = RGB8.astype(np.uint16) * 257
GREY8 = np.repeat(RGB8[..., :1], 3, axis=2)


def pillow(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opencv(values, suffix):
    """Encode RGB, RGBA or grey values."""
    if values.ndim == 3:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    return cv2.imencode(suffix, values)[1].tobytes()


def tiff(values, *, photometric=None, extra=(), kind=None, bits=None, order="<"):
    """Write an uncompressed TIFF of any kind by the specification, without a library."""
    values = values if values.ndim == 3 else values[..., None]
    height, width, bands = values.shape
    photometric = photometric if photometric is not None else (1 if bands < 3 else 2)
    kind = kind or {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    tags = {
        256: (4, [width]), 257: (4, [height]),
        258: (3, [bits or 8 * values.dtype.itemsize] * bands), 259: (3, [1]),
        262: (3, [photometric]), 273: (4, [8]), 277: (3, [bands]), 278: (4, [height]),
        279: (4, [len(data)]),
        339: (3, [kind] * bands),
    }  # fmt: skip
    if extra:
        tags[338] = (3, list(extra))
    body, offset = b"", 8 + len(data)
    entries = b""
    for tag, (code, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{'HI'[code == 4]}", *numbers)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", offset + len(body))
            body += packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, code, len(numbers)) + place
    start = offset + len(body)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + data + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


DEEP = {
    "png rgb": (opencv(RGB16, ".png"), RGB8),
    "png grey": (opencv(RGB16[..., 0], ".png"), GREY8),
    "png rgba": (opencv(np.dstack([RGB16, RGB16[..., 1]]), ".png"), RGB8),
    "tiff rgb, compressed": (opencv(RGB16, ".tiff"), RGB8),
    "tiff rgb": (tiff(RGB16), RGB8),
    "tiff rgb, big endian": (tiff(RGB16, order=">"), RGB8),
    "tiff rgba": (tiff(np.dstack([RGB16, RGB16[..., 1]]), extra=[2]), RGB8),
    "tiff grey": (tiff(RGB16[..., 0]), GREY8),
    "tiff grey, big endian": (tiff(RGB16[..., 0], order=">"), GREY8),
    "tiff grey, 32 bits": (tiff(RGB8[..., 0].astype(np.uint32) * 16843009), GREY8),
    "tiff grey, float": (tiff((RGB8[..., 0] / 255).astype(np.float32)), GREY8),
    "tiff rgb, float": (tiff((RGB8 / 255).astype(np.float32)), RGB8),
    "pgm": (b"P5 9 6 65535\n" + RGB16[..., 0].astype(">u2").tobytes(), GREY8),
    "ppm": (b"P6 9 6 65535\n" + RGB16.astype(">u2").tobytes(), RGB8),
}


@pytest.mark.parametrize("name", DEEP)
def test_a_deep_copy_gives_the_pixels_of_the_original_of_8_bits(name):
    content, expected = DEEP[name]
    found = read_pixels(content)
    assert found.dtype == np.uint8
    assert (found == expected).all()
    assert read_header(content).size == (9, 6)
    assert read_header(content).scaled or name == "ppm"  # Pillow scales it


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_are_rounded_not_cut(suffix):
    """Pillow drops the lower byte of RGB, and clips grey: 300 would be 255."""
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = np.rint(values / 257)[..., None]
    assert (read_pixels(opencv(values, suffix)) == expected).all()
    assert (read_pixels(opencv(np.dstack([values] * 3), suffix)) == expected).all()


def test_twelve_bits_have_their_own_white():
    content = tiff(np.array([[0xFF, 0xF0, 0x00]], np.uint8), bits=12)
    width = "<HHII", 256, 4, 1  # three bytes hold two pixels
    content = content.replace(struct.pack(*width, 3), struct.pack(*width, 2))
    assert read_pixels(content)[0, :, 0].tolist() == [255, 0]


FLOAT = (RGB8 / 255).astype(np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-3, 1.001, 255])
@pytest.mark.parametrize("bands", [1, 3])
def test_floating_point_values_outside_0_to_1_are_refused_also_before_a_training(value, bands):
    values = FLOAT[..., :bands].copy()
    values[2, 3, 0] = value
    for read in (read_pixels, read_header):
        with pytest.raises(UnreadableImageError, match="rule only for values from 0 to 1; scale"):
            read(tiff(values))


FOUR = np.dstack([RGB8, RGB8[..., 0]])
REFUSED = {
    "near infrared": (tiff(FOUR, extra=[0]), "4 bands, and there is no rule"),
    "fourth band of unknown meaning": (tiff(FOUR), "4 bands, and there is no rule"),
    "premultiplied alpha": (tiff(FOUR, extra=[1]), "4 bands, and there is no rule"),
    "two greys": (tiff(RGB8[..., :2], extra=[0]), "2 bands, and there is no rule"),
    "five": (tiff(np.dstack([RGB8, RGB8[..., :2]]), extra=[0, 0]), "5 bands"),
    "thirteen": (tiff(np.zeros((4, 4, 13), np.uint16), photometric=1, extra=[0] * 12), "13 bands"),
    "signed 8": (tiff(RGB8[..., 0].astype(np.int8)), "signed values of 8 bits"),
    "signed 16": (tiff(RGB8[..., 0].astype(np.int16)), "signed values of 16 bits"),
    "signed 32": (tiff(RGB8[..., 0].astype(np.int32)), "signed values of 32 bits"),
    "LogLuv": (tiff(RGB16.astype(np.int16), photometric=32845), "photometric kind 32845"),
    "inverted": (tiff(RGB16[..., 0], photometric=0), "zero is black"),
    "deep cmyk": (tiff(np.dstack([RGB16] * 2)[..., :4], photometric=5), "zero is black"),
    "float of 64 bits": (tiff(FLOAT.astype(np.float64)), "3 x 64 bits that Pillow cannot read"),
    "empty": (b"", "the file is empty"),
    "text": (b"no image", "not one of JPEG, PNG"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "not one of JPEG, PNG"),
    "cut jpeg": (pillow(Image.fromarray(RGB8), "JPEG")[:-20], "truncated"),
    "cut deep png": (opencv(RGB16, ".png")[:-60], "truncated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_kind_without_a_rule_is_refused_and_never_guessed(name):
    content, said = REFUSED[name]
    with pytest.raises(UnreadableImageError, match=said):
        read_pixels(content)


MODES = {
    "JPEG": ["1", "L", "RGB", "CMYK", "YCbCr"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"],
    "GIF": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "WEBP": ["L", "LA", "P", "RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "PPM": ["1", "L", "RGB"],
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in MODES for mode in MODES[kind]])
def test_eight_bits_are_what_pillow_converts_to(kind, mode):
    content = pillow(Image.fromarray(RGB8).convert(mode), kind)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert (read_pixels(content) == expected).all()


def test_a_transparent_palette_is_what_pillow_converts_to():
    image = Image.fromarray(RGB8).quantize(8)
    content = pillow(image, "PNG", transparency=3)
    assert (read_pixels(content) == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_tag_of_exif_turns_an_image_only_where_it_is_asked_for(orientation, kind):
    tag = Image.Exif()
    tag[0x0112] = orientation
    content = pillow(Image.fromarray(RGB8), kind, exif=tag)
    stored = Image.open(io.BytesIO(content))
    assert (read_pixels(content) == np.asarray(stored)).all()
    turned = np.asarray(ImageOps.exif_transpose(stored))
    assert (read_pixels(content, upright=True) == turned).all()
    assert read_header(content).orientation == orientation


def test_the_first_of_several_frames_is_read():
    frames = [Image.fromarray(RGB8[..., band]) for band in range(3)]
    for kind in ("GIF", "TIFF"):
        content = pillow(frames[0], kind, save_all=True, append_images=frames[1:])
        assert (read_pixels(content) == GREY8).all()
        assert read_header(content).frames == 3


def test_an_image_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(UnreadableImageError, match="more than 0 million pixels; scale it down"):
        read_pixels(pillow(Image.fromarray(RGB8), "PNG"))


def test_when_the_libraries_do_not_agree_nothing_is_read(monkeypatch):
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *args: decode(*args)[..., ::-1])
    with pytest.raises(UnreadableImageError, match="do not agree on its 16 bits"):
        read_pixels(opencv(RGB16, ".png"))


def test_a_file_is_read_as_its_content_says_whatever_its_suffix_is(tmp_path):
    path = tmp_path / "n01.JPEG"
    path.write_bytes(pillow(Image.fromarray(RGB8), "PNG"))
    assert (read_pixels(path) == RGB8).all()


def test_formats_are_those_that_pillow_has():
    Image.init()
    assert set(module.FORMATS) <= set(Image.OPEN)
