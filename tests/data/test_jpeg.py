"""JPEGs decoded by simplejpeg have Pillow's pixels; what is not sound is left to Pillow."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from simmim_bench.data import jpeg, pixels
from simmim_bench.data.pixels import UnreadableImageError, read_pixels
from simmim_bench.data.transforms import LoadImage

PHOTO = Image.fromarray(data.astronaut()).resize((151, 97))


def encoded(image=PHOTO, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def by_pillow(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def turned():
    tag = Image.Exif()
    tag[0x0112] = 6
    return tag


SOUND = {
    **{
        f"{sampling}, {'progressive' if progressive else 'baseline'}, quality {quality}": encoded(
            subsampling=sampling, progressive=progressive, quality=quality
        )
        for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1")
        for progressive in (False, True)
        for quality in (10, 75, 100)
    },
    "grey": encoded(PHOTO.convert("L")),
    "grey, progressive": encoded(PHOTO.convert("L"), progressive=True),
    "restart markers": encoded(restart_marker_blocks=3),
    "orientation, profile and comment": encoded(exif=turned(), icc_profile=b"x", comment=b"y"),
    **{f"{w} x {h}": encoded(PHOTO.resize((w, h))) for w, h in [(1, 1), (1, 9), (17, 2), (16, 33)]},
    "something after the end": encoded() + b"more",
}


@pytest.mark.parametrize("name", SOUND)
def test_pixels_are_those_of_pillow(name):
    expected = by_pillow(SOUND[name])
    for order, wanted in (("RGB", expected), ("BGR", expected[..., ::-1])):
        found = jpeg.decoded(SOUND[name], order)
        assert found.dtype == np.uint8
        assert found.flags.c_contiguous
        assert found.flags.writeable
        assert np.array_equal(found, wanted)
        assert np.array_equal(read_pixels(SOUND[name], order=order), wanted)


LEFT = {
    "CMYK": encoded(PHOTO.convert("CMYK")),
    "RGB as such": encoded(keep_rgb=True),
    "PNG": b"\x89PNG\r\n\x1a\n",
    "nothing": b"",
    "start alone": jpeg.START,
    "without its end": encoded()[:-2],
}


@pytest.mark.parametrize("name", LEFT)
def test_others_are_left_to_pillow(name):
    assert jpeg.decoded(LEFT[name], "RGB") is None


@pytest.mark.parametrize("name", ["CMYK", "RGB as such"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_others_are_read_as_before(name, order):
    found = read_pixels(LEFT[name], order=order)
    assert np.array_equal(found if order == "RGB" else found[..., ::-1], by_pillow(LEFT[name]))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kept", [0.1, 0.3, 0.5, 0.8, 0.95, 0.999])
def test_a_truncated_file_is_refused(progressive, kept):
    content = encoded(progressive=progressive)
    content = content[: int(kept * len(content))]
    assert jpeg.decoded(content, "RGB") is None
    with pytest.raises(UnreadableImageError, match=r"(?i)truncated|not one of"):
        read_pixels(content)


def test_whatever_is_decoded_of_damaged_files_pillow_decodes_too():
    random = np.random.default_rng(0)
    sound = [encoded(PHOTO.resize((40, 31)), subsampling=s, quality=50) for s in (0, 1, 2)]
    decoded = 0
    for number in range(600):
        content = bytearray(sound[number % 3])
        for place in random.integers(len(content), size=2):
            content[place] = random.integers(256)
        found = jpeg.decoded(bytes(content), "RGB")
        if found is not None:
            decoded += 1
            assert np.array_equal(found, by_pillow(bytes(content)))
    assert 50 < decoded < 550


def test_an_image_beyond_the_limit_of_pillow_is_left_to_it(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 151 * 97)
    assert jpeg.decoded(encoded(), "RGB") is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 151 * 97 // 3)
    assert jpeg.decoded(encoded(), "RGB") is None
    with pytest.raises(UnreadableImageError, match="million pixels; scale it down"):
        read_pixels(encoded())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert jpeg.decoded(encoded(), "RGB") is not None


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_loaded_image_is_contiguous_bgr(tmp_path, kind):
    path = tmp_path / "photo"
    PHOTO.save(path, kind)
    image = LoadImage()({"img_path": str(path)})["img"]
    assert image.flags.c_contiguous
    assert np.array_equal(image[..., ::-1], by_pillow(path.read_bytes()))


def test_pillow_is_not_asked_for_a_sound_jpeg(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels, "identified", lambda _: pytest.fail("Pillow was asked"))
    path = tmp_path / "photo.jpg"
    PHOTO.save(path)
    assert LoadImage()({"img_path": str(path)})["img"].shape == (97, 151, 3)
