"""Images of any bands and depth are read as what was written, scaled linearly, or refused."""

import io
import sys

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from simmim_bench.data.bands import read_band_header, read_bands, read_values
from simmim_bench.data.pixels import UnreadableImageError, read_pixels

SIZE = (24, 40)  # height, width
TYPES = (np.uint8, np.uint16, np.uint32, np.int16, np.float16, np.float32, np.float64)
CODES = {"u": "unsigned", "i": "signed", "f": "float"}


def image(dtype, bands, seed=0):
    """Random values of the whole range of a type; floats are in [0, 1]."""
    generator = np.random.default_rng(seed)
    shape = (*SIZE, bands)
    if np.dtype(dtype).kind == "f":
        return generator.random(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def tiff(values, **options):
    """Encode (H, W, C) with tifffile, interleaved unless options say otherwise."""
    file = io.BytesIO()
    count = values.shape[2]
    if options.pop("planar", False) and count > 1:
        values, options["planarconfig"] = np.moveaxis(values, 2, 0), "separate"
    elif count > 1:
        options.setdefault("planarconfig", "contig")
    else:
        values = values[..., 0]
    options.setdefault("photometric", "minisblack")
    if count > 1:
        options.setdefault("extrasamples", ["unspecified"] * (count - 1))
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def raster(values, driver="GTiff", **options):
    """Encode (H, W, C) with GDAL."""
    rasterio = pytest.importorskip("rasterio")
    height, width, count = values.shape
    kind = {"driver": driver, "height": height, "width": width, "count": count}
    with rasterio.MemoryFile() as memory:
        with memory.open(dtype=values.dtype, **kind, **options) as file:
            file.write(np.moveaxis(values, 2, 0))
        return memory.read()


def numpy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def check(content, values):
    """Header and values of ``content`` are those of ``values``."""
    header = read_band_header(content)
    height, width, bands = values.shape
    assert (header.size, header.channels) == ((width, height), bands)
    assert (header.bits, header.kind) == (8 * values.itemsize, CODES[values.dtype.kind])
    found = read_values(content, channels=bands)
    assert found.dtype == values.dtype
    assert (found == values).all()


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"planar": True},
        {"tile": (16, 32)},
        {"planar": True, "tile": (16, 16), "compression": "zlib", "predictor": True},
        {"compression": "zlib", "rowsperstrip": 7},
        {"compression": "lzma"},
        {"byteorder": ">", "bigtiff": True},
    ],
    ids=str,
)
def test_a_tiff_gives_the_values_that_were_written(dtype, bands, options):
    if options.get("predictor") and np.dtype(dtype) == np.float64:
        pytest.skip("tifffile writes no predictor for it")
    values = image(dtype, bands)
    if options.get("predictor") and values.dtype.kind == "f":
        options = {**options, "predictor": False}
    check(tiff(values, **options), values)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("compress", ["lzw", "packbits", "deflate", "zstd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_a_geotiff_of_any_compression(dtype, bands, compress, interleave):
    values = image(dtype, bands)
    check(raster(values, compress=compress, interleave=interleave, tiled=True, blockxsize=16,
                 blockysize=16), values)  # fmt: skip


@pytest.mark.parametrize("order", ["last", "first"])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bands", [1, 4, 16])
def test_a_numpy_file_has_its_bands_last_or_first(dtype, bands, order):
    values = image(dtype, bands)
    check(numpy(values if order == "last" else np.moveaxis(values, 2, 0)), values)


def test_a_numpy_file_of_one_band_needs_no_axis_for_it():
    values = image(np.uint16, 1)
    check(numpy(values[..., 0].astype(">u2")), values)


@pytest.mark.parametrize("bands", [1, 4])
def test_a_jpeg_2000(bands):
    values = image(np.uint16, bands)
    check(raster(values, "JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES"), values)


@pytest.mark.parametrize("bands", [2, 4, 12])
def test_pages_of_one_band_are_bands(bands):
    """How tifffile writes an array (bands, H, W), and microscopes their channels."""
    values, file = image(np.uint16, bands), io.BytesIO()
    tifffile.imwrite(file, np.moveaxis(values, 2, 0), photometric="minisblack")
    check(file.getvalue(), values)


def test_an_array_that_tifffile_wrote_as_one_page_a_row():
    """``tifffile.imwrite(file, array)`` of (H, W, 6) gives H pages of W x 6 pixels."""
    values, file = image(np.uint16, 6), io.BytesIO()
    tifffile.imwrite(file, values, photometric="minisblack")
    file.seek(0)
    assert len(tifffile.TiffFile(file).pages) == SIZE[0]
    check(file.getvalue(), values)


def test_pages_that_differ_are_no_bands():
    values, file = image(np.uint16, 1), io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(values[..., 0])
        writer.write(values[::2, ::2, 0])
    check(file.getvalue(), values)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_is_dropped_or_read_as_the_number_of_bands_says(mode, kind):
    values, file = image(np.uint8, len(mode)), io.BytesIO()
    Image.fromarray(values if len(mode) > 1 else values[..., 0]).save(file, kind)
    content = file.getvalue()
    check(content, values)
    if mode.endswith("A"):
        assert (read_values(content, channels=len(mode) - 1) == values[..., :-1]).all()
    assert (read_bands(content, channels=3) == read_pixels(content)).all()


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_written_by_opencv(bands, suffix):
    values = image(np.uint16, bands)
    content = cv2.imencode(suffix, values[..., [2, 1, 0, 3][:bands]] if bands > 1 else values)[1]
    check(content.tobytes(), values)


@pytest.mark.parametrize("mode", ["P", "CMYK", "1", "YCbCr", "LAB"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_other_modes_of_pillow_are_read_as_ever(mode, kind):
    file = io.BytesIO()
    try:
        Image.fromarray(image(np.uint8, 3)).convert("RGB").convert(mode).save(file, kind)
    except (OSError, ValueError):
        pytest.skip(f"{kind} has no {mode}")
    content = file.getvalue()
    if (kind, mode) == ("TIFF", "YCbCr"):
        pytest.skip("Pillow cannot read what it writes")
    assert (read_bands(content, channels=3) == read_pixels(content)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_the_orientation_of_a_tiff_is_applied_as_by_pillow(orientation, bands):
    values = image(np.uint8, bands)
    tag = [(274, 3, 1, orientation, True)]
    content = tiff(values, extratags=tag)
    found = read_values(content)
    with Image.open(io.BytesIO(tiff(values[..., :1], extratags=tag))) as opened:
        assert (found[..., 0] == np.asarray(opened)).all()
    assert read_band_header(content).size == found.shape[1::-1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_without_a_range_the_whole_range_of_the_type_is_0_to_255(dtype):
    values = image(dtype, 4)
    values[0, 0], values[0, 1] = 0, np.iinfo(dtype).max
    found = read_bands(tiff(values), channels=4)
    assert found.dtype == np.float32
    assert (found[0, 0] == 0).all()
    assert (found[0, 1] == 255).all()
    expected = values.astype(np.float64) * 255 / np.iinfo(dtype).max
    assert np.abs(found - expected).max() < 1e-4


def test_a_range_is_mapped_without_clipping_or_rounding():
    values = np.zeros((32, 32, 4), np.int16)
    values[0, :4, 0] = -100, 0, 4095, 5000
    found = read_bands(tiff(values), channels=4, value_range=(0, 4095))
    expected = np.array([-100, 0, 4095, 5000]) * 255 / 4095
    assert np.allclose(found[0, :4, 0], expected, rtol=1e-6)


def test_twelve_bits_say_so():
    content = raster(image(np.uint16, 4) >> 4, NBITS=12)
    assert read_band_header(content).bits == 12
    values = (image(np.uint16, 4) >> 4).astype(np.float64)
    assert np.allclose(read_bands(content, channels=4), values * 255 / 4095, rtol=1e-6)


def test_grey_is_repeated_only_for_three_bands():
    content = tiff(image(np.uint16, 1))
    found = read_bands(content, channels=3)
    assert (found == found[..., :1]).all()
    with pytest.raises(UnreadableImageError, match="it has 1 band, expected 4; set channels=1"):
        read_bands(content, channels=4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    values = image(np.float32, 4)
    values[3, 4, 1] = value
    for content in (tiff(values), numpy(values)):
        with pytest.raises(UnreadableImageError, match="1 of its values are NaN or infinite; fill"):
            read_bands(content, channels=4, value_range=(0, 1))


@pytest.mark.parametrize("compress", ["none", "lzw"])
def test_pixels_that_are_marked_as_missing_are_refused(compress):
    values = np.maximum(image(np.uint16, 4), 1)
    content = raster(values, nodata=0, compress=compress)
    assert (read_values(content) == values).all()  # there are none
    values[5, 6, 2] = 0
    with pytest.raises(UnreadableImageError, match="1 of its values are 0, which it declares"):
        read_values(raster(values, nodata=0, compress=compress))


def test_a_value_for_missing_pixels_that_the_type_cannot_hold():
    values = image(np.uint8, 4)
    content = tiff(values, extratags=[(42113, "s", 0, "-9999", True)])
    assert (read_values(content) == values).all()


REFUSED = {
    "signed integers": (tiff(image(np.int16, 4)), "without a stated range integers are unsigned"),
    "floats": (tiff(image(np.float32, 4) * 2), "floating point is from 0 to 1; set value_range"),
    "17 bands": (tiff(image(np.uint8, 17)), "17 bands, expected 1 to 16 bands"),
    "complex": (tiff(image(np.float32, 4).astype(np.complex64)), "expected integers or floating"),
    "raw sensor": (tiff(image(np.uint16, 1), photometric="cfa"), "photometric kind 32803"),
    "white is zero": (tiff(image(np.uint16, 1), photometric="miniswhite"), "zero is black"),
    "words": (numpy(np.array([["a"]])), "expected numbers of shape"),
    "four axes": (numpy(np.zeros((2, 3, 4, 5))), "expected numbers of shape"),
    "named fields": (numpy(np.zeros((20, 20), [("a", "u1")])), "expected numbers of shape"),
    "too large": (numpy(np.full((20, 20, 4), 1e300)), "without a stated range"),
    "damaged tags": (
        tiff(image(np.uint8, 4)).replace(b"\x02\x01\x03\0\x04", b"\x02\x01\x03\0\0"),
        "it is a damaged TIFF",
    ),
    "damaged numpy": (b"\x93NUMPY\x01\x00\x05\x00{'a'(", "it is a damaged file of NumPy"),
    "text": (b"no image", "not one of JPEG"),
    "nothing": (b"", "empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused(name):
    content, message = REFUSED[name]
    with pytest.raises(UnreadableImageError, match=message):
        read_bands(content, channels=4)


def test_values_that_float32_cannot_hold_are_refused():
    with pytest.raises(UnreadableImageError, match=r"from 1e\+300 to 1e\+300, which are too large"):
        read_bands(numpy(np.full((20, 20, 4), 1e300)), channels=4, value_range=(0, 1))


def test_no_pickle_is_opened():
    values = np.empty((20, 20), object)
    with pytest.raises(UnreadableImageError, match="expected numbers"):
        read_values(numpy(values))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"planar": True}], ids=str)
def test_a_truncated_file_is_refused(share, options):
    content = tiff(image(np.uint16, 4), **options)
    with pytest.raises(UnreadableImageError):
        read_values(content[: int(share * len(content))])


def test_an_image_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SIZE[0] * SIZE[1] // 2 - 1)
    for content in (tiff(image(np.uint8, 5)), numpy(image(np.uint8, 5))):
        for read in (read_values, read_band_header):
            with pytest.raises(UnreadableImageError, match="million pixels"):
                read(content)


def test_without_rasterio_the_remedy_is_said(monkeypatch):
    content = raster(image(np.uint16, 4), compress="lzw")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(UnreadableImageError, match=r"compression LZW, .* 'simmim_bench\[bands\]'"):
        read_values(content)
    with pytest.raises(UnreadableImageError, match="JPEG 2000, which needs the package rasterio"):
        read_values(b"\x00\x00\x00\x0cjP  \r\n\x87\n")


def test_without_rasterio_pillow_reads_grey_and_rgb(monkeypatch):
    contents = {
        (dtype, bands): raster(image(dtype, bands), compress="lzw")
        for dtype, bands in [(np.uint8, 1), (np.uint16, 1), (np.float32, 1), (np.uint8, 3)]
    }
    monkeypatch.setitem(sys.modules, "rasterio", None)
    for (dtype, bands), content in contents.items():
        check(content, image(dtype, bands))


def test_a_file_and_its_content_are_read_alike(tmp_path):
    values = image(np.float32, 5)
    path = tmp_path / "image.tif"
    path.write_bytes(tiff(values))
    assert (read_values(path) == values).all()
    assert read_band_header(path) == read_band_header(path.read_bytes())
    with pytest.raises(UnreadableImageError, match="No such file"):
        read_values(tmp_path / "missing.tif")
