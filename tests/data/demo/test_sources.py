"""Photographs and digits: what is used, and that train and val share nothing."""

import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits

from simmim_bench.data.demo import sources
from simmim_bench.data.demo.sources import Pose, half_indices, load_digits, stroke


def test_photographs_are_installed_and_split():
    halves = {
        half: {p.path() for p in sources.PHOTOS if p.half == half} for half in ("train", "val")
    }
    assert len(halves["train"]) >= 10
    assert len(halves["val"]) >= 5
    contents = [path.read_bytes() for paths in halves.values() for path in paths]
    assert len(set(contents)) == len(sources.PHOTOS)
    names = " ".join(p.name for p in sources.PHOTOS)
    assert names.count("motorcycle") == 1  # the stereo pair is one scene


def test_missing_photograph_is_named(monkeypatch):
    gone = sources.Photo("data/gone.png", "train", "", "")
    with pytest.raises(sources.BenchError, match=r"gone\.png is missing"):
        gone.path()


def test_val_begins_with_a_writer_and_has_every_class():
    _, labels = sklearn_digits(return_X_y=True)
    train, val = half_indices("train"), half_indices("val")
    assert set(train).isdisjoint(val)
    assert len(train) + len(val) == len(labels)
    # each writer begins with 0 to 9 three times
    assert labels[val[0] : val[0] + 30].tolist() == list(range(10)) * 3
    assert np.bincount(labels[list(val)], minlength=10).min() >= 40


@pytest.mark.parametrize("half", ["train", "val"])
def test_digits_keep_their_labels(half):
    raw, labels = sklearn_digits(return_X_y=True)
    digits = load_digits(half)
    assert np.array_equal(labels[digits.indices], digits.labels)
    # the middle of each cell of the field is dark where the 8x8 digit has no ink, and vice versa
    cells = digits.fields[:, 12:-8:8, 12:-8:8].reshape(len(digits.labels), 64).astype(float)
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(cells, raw[digits.indices], strict=True)]
    assert min(correlation) > 0.9


def test_stroke_is_smooth_and_where_the_pose_says():
    field = load_digits("train").fields[0]
    opacity = stroke(field, 96, Pose(side=40, centre=(30, 60), angle=0))
    rows, columns = np.nonzero(opacity >= 128)
    assert 10 <= columns.min() < columns.max() <= 50
    assert 40 <= rows.min() < rows.max() <= 80
    assert abs(rows.mean() - 60) < 4
    soft = ((opacity > 16) & (opacity < 239)).sum()
    assert 0.1 < soft / (opacity >= 128).sum() < 0.8  # an edge of grey levels, and a full inside
    assert opacity.max() == 255


def test_stroke_turns_clockwise():
    bar = np.zeros((80, 80), np.uint8)
    bar[38:42, 10:70] = 255
    rows, columns = np.nonzero(stroke(bar, 64, Pose(60, (32, 32), angle=10)) >= 128)
    slope = np.polyfit(columns, rows, 1)[0]
    assert slope == pytest.approx(np.tan(np.radians(10)), abs=0.03)


def test_colour_cast_keeps_the_grey_levels(monkeypatch):
    grass = next(k for k, p in enumerate(_half("train")) if p.name == "grass")
    pyramid = sources.load_photos("train")[grass]
    cast = pyramid.crop(64, np.random.default_rng(3))
    monkeypatch.setattr(sources, "COLOUR_CAST", 0.0)
    plain = pyramid.crop(64, np.random.default_rng(3))
    assert np.ptp(plain, axis=-1).max() == 0  # a grey photograph
    assert np.ptp(cast, axis=-1).min() > 5
    assert np.allclose((cast - plain) @ [0.299, 0.587, 0.114], 0)


def test_crop_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="300 pixels does not fit"):
        sources.load_photos("val")[0].crop(300, np.random.default_rng(0))


def _half(half):
    return [photo for photo in sources.PHOTOS if photo.half == half]
