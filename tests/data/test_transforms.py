"""Images are read as the original reads them."""

import numpy as np
import pytest
from PIL import Image

from simmim_bench.data.transforms import LoadImage
from simmim_bench.errors import BenchError


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_pixels_stay_where_they_are_stored(tmp_path, orientation):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path, exif=exif)
    assert (LoadImage()({"img_path": str(path)})["img"][..., ::-1] == pixels).all()  # BGR


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_other_modes_become_three_channels(tmp_path, mode):
    path = tmp_path / "image.png"
    Image.new(mode, (5, 4)).save(path)
    assert LoadImage()({"img_path": str(path)})["img"].shape == (4, 5, 3)


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no image")
    with pytest.raises(BenchError, match=r"broken.jpg cannot be read"):
        LoadImage()({"img_path": str(path)})
