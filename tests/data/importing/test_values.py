"""Bands and range of own data are those of their images, unless others are wished."""

import numpy as np
import pytest

from simmim_bench.data.alpha import is_a_band, varies_like_an_image
from simmim_bench.data.importing.bring_in import Wishes, bring_in
from simmim_bench.errors import BenchError
from tests.data.inspect import sets


def imported(source, root, name="mine", **wishes):
    return bring_in(name, source, root, Wishes(**wishes))


def test_floats_have_the_range_of_all_images(tmp_path):
    import tifffile

    (tmp_path / "s").mkdir()
    for number, low in enumerate((-3.0, 0.0)):
        ramp = np.linspace(low, 5, 60, dtype=np.float32).reshape(5, 4, 3)
        tifffile.imwrite(tmp_path / "s" / f"{number}.tif", ramp, photometric="rgb")
    dataset = imported(tmp_path / "s", tmp_path / "data").dataset
    assert (dataset.kind, dataset.range) == ("float", (-3.0, 5.0))


def test_grey_becomes_three_channels_unless_one_is_wished(tmp_path):
    for number in range(3):
        sets.save(tmp_path / "s" / f"{number}.png", number, mode="L")
    assert imported(tmp_path / "s", tmp_path / "data").dataset.channels == 3
    one = imported(tmp_path / "s", tmp_path / "data", name="one", channels=1).dataset
    assert (one.channels, len(one.mean)) == (1, 1)


def test_a_band_that_is_declared_to_be_alpha_is_kept_if_it_varies_like_an_image(tmp_path):
    """Programs that write four bands often declare near infrared to be alpha."""
    import tifffile

    values = np.random.default_rng(0).integers(0, 60000, (3, 20, 30, 4), dtype=np.uint16)
    (tmp_path / "s").mkdir()
    for number, image in enumerate(values):
        tifffile.imwrite(tmp_path / "s" / f"{number}.tif", image, photometric="rgb")
    report = imported(tmp_path / "s", tmp_path / "data")
    told = "3 of 3 images with a band declared as alpha, which is kept, as it varies like an image"
    assert any(text.startswith(told) for text in report.notes)
    four = report.dataset
    assert four.channels == 4
    three = imported(tmp_path / "s", tmp_path / "data", name="three", channels=3)
    assert three.dataset.channels == 3
    np.testing.assert_allclose(three.dataset.mean, four.mean[:3], atol=1e-3)
    expected = values.reshape(-1, 4).mean(axis=0) * 255 / 65535
    np.testing.assert_allclose(four.mean, expected, atol=1e-3)
    with pytest.raises(BenchError, match=r"--channels 5: no image has 5 bands .found: 4.; give"):
        imported(tmp_path / "s", tmp_path / "data", name="five", channels=5)
    assert not (tmp_path / "data" / "five").exists()


def test_the_rim_of_a_transparency_is_no_band():
    """Pictures of objects without background are transparent or not, but for their rims."""
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    alpha[9, 10:30] = np.arange(20) * 10 + 5
    assert not varies_like_an_image(alpha)
    ramp = np.arange(1600).reshape(40, 40) % 200
    assert varies_like_an_image(ramp)
    assert not varies_like_an_image(ramp // 20)  # a mask of ten levels
    assert is_a_band([True, True, False])
    assert not is_a_band([True, False])
    assert not is_a_band([])
