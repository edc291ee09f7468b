"""Measures of features while a pretraining runs."""

import numpy as np
import pytest
import torch
from mmpretrain.models.utils import TwoNormDataPreprocessor
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.training import probing


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_rankme_is_that_of_the_formula(rng):
    features = rng.normal(size=(50, 8)) * [9, 5, 3, 1, 1, 0.1, 0.1, 0.01]
    values = np.sqrt(np.linalg.eigvalsh(features.T @ features))
    shares = values / values.sum() + 1e-7
    assert probing.rankme(features) == pytest.approx(np.prod(shares**-shares), rel=1e-9)


def test_features_that_are_alike_have_rank_one(rng):
    alike = np.ones((50, 1)) * rng.normal(size=8) + 1e-6 * rng.normal(size=(50, 8))
    assert probing.rankme(alike) < 1.01
    assert probing.rankme(np.zeros((50, 8))) == 0
    assert probing.rankme(np.linalg.qr(rng.normal(size=(50, 8)))[0]) == pytest.approx(8, rel=1e-3)


def test_lidar_counts_what_tells_images_apart_and_not_views(rng):
    """Images differ in three directions, views of an image in all others."""
    images, views, channels = 40, 8, 12
    objects = np.zeros((images, 1, channels))
    objects[..., :3] = np.linalg.qr(rng.normal(size=(images, 3)) - 0)[0][:, None]
    noise = rng.normal(size=(images, views, channels)) * [1e-3] * 3 * 1
    noise[..., :3] *= 1e-3
    found = probing.lidar(objects * 10 + noise * 1e-2)
    assert 2.5 < found < 3.1
    same = probing.lidar(np.repeat(rng.normal(size=(images, 1, channels)), views, axis=1))
    assert same > 8  # views that are equal leave every direction to the images


def test_neighbours_vote_by_similarity(rng):
    train, val = rng.normal(size=(60, 5)), rng.normal(size=(30, 5))
    labels, asked = rng.integers(0, 3, 60), rng.integers(0, 3, 30)
    other = KNeighborsClassifier(
        20, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07)
    ).fit(train, labels)
    assert probing.knn_accuracy(train, labels, val, asked) == pytest.approx(
        100 * other.score(val, asked)
    )


def test_a_linear_boundary_is_found(rng):
    train, val = rng.normal(size=(200, 6)), rng.normal(size=(100, 6))
    found = probing.linear_accuracy(
        train, (train[:, 0] > 0).astype(int), val, (val[:, 0] > 0).astype(int)
    )
    assert found > 93
    assert (
        probing.linear_accuracy(train, rng.integers(0, 2, 200), val, rng.integers(0, 2, 100)) < 70
    )


@pytest.fixture
def labelled(tmp_path, rng):
    """Function that makes a folder with images of some classes."""

    def make(*classes, count=3):
        for part in probing.PARTS:
            for number, name in enumerate(classes):
                folder = tmp_path / "labelled data" / part / name
                folder.mkdir(parents=True)
                for index in range(count):
                    pixels = rng.integers(0, 60, (70, 90, 3), dtype=np.uint8) + 60 * number
                    Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
        return tmp_path / "labelled data"

    return make


def test_classes_are_those_of_both_parts(labelled, tmp_path):
    folder = labelled("b", "a", "c")
    (folder / "val" / "c").rename(tmp_path / "gone")
    assert probing.class_folders(folder) == ["a", "b"]
    (folder / "val" / "b").rename(tmp_path / "gone too")
    with pytest.raises(BenchError, match=r"labelled data has 1 classes in both .*val, expected 2"):
        probing.class_folders(folder)
    with pytest.raises(BenchError, match="has 0 classes"):
        probing.class_folders(tmp_path / "nowhere")


def test_a_second_scale_for_a_teacher_is_not_probed():
    """As BEiT's preprocessor makes, which takes two views."""
    scales = {"mean": [0.0] * 3, "std": [1.0] * 3}
    seconds = {"second_mean": [9.0] * 3, "second_std": [3.0] * 3}
    model = nn.Module()
    model.backbone = nn.Conv2d(3, 4, 1)
    model.data_preprocessor = TwoNormDataPreprocessor(**scales, **seconds)
    images = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4)
    found = probing.features_of(model, images)
    expected = model.backbone(images.float()).mean((2, 3)).double().detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
