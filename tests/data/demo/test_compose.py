"""Composed images: contrast, visibility, labels, and the same ones for the same seed."""

import hashlib

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from simmim_bench.data.demo import compose as module
from simmim_bench.data.demo.compose import Composer
from simmim_bench.data.demo.sources import Pyramid, half_indices
from simmim_bench.data.demo.spec import DemoSpec

SPEC = DemoSpec()
SPLITS = {split.name: split for split in SPEC.splits()}
# Content of the first images of each split. A change of the generator raises spec.VERSION.
CONTENT = "984b51194f62d1d1802ccc634cab7fe7033bc872c5c6dab6cbf9c2b474410bb7"


@pytest.fixture(scope="module")
def composers():
    return {half: Composer(spec=SPEC, half=half) for half in ("train", "val")}


@pytest.fixture(scope="module")
def first(composers):
    """The first 40 images of each split."""
    return {
        name: [composers[split.half].compose(split, index) for index in range(40)]
        for name, split in SPLITS.items()
    }


def luma(image):
    return image @ np.array([0.299, 0.587, 0.114])


def surroundings(mask, rim=6):
    rows, columns = np.nonzero(mask)
    box = np.zeros_like(mask)
    box[max(rows.min() - rim, 0) : rows.max() + rim + 1,
        max(columns.min() - rim, 0) : columns.max() + rim + 1] = True  # fmt: skip
    return box & ~mask


def test_content_is_the_one_of_this_version(first):
    digest = hashlib.sha256()
    for name in SPLITS:
        for composed in first[name][:8]:
            digest.update(composed.digest())
    assert digest.hexdigest() == CONTENT


def test_an_image_depends_on_seed_split_and_index_alone(composers, first):
    split = SPLITS["coco/train2017"]
    again = Composer(spec=SPEC, half="train").compose(split, 7)
    assert again.digest() == first["coco/train2017"][7].digest()
    other = Composer(spec=DemoSpec(seed=1), half="train").compose(split, 7)
    assert other.digest() != again.digest()
    digests = {composed.digest() for images in first.values() for composed in images}
    assert len(digests) == 40 * len(SPLITS)


@pytest.mark.parametrize("name", ["imagenet/train", "imagenet/val"])
def test_objects_have_the_class_size_and_contrast(first, name):
    for index, composed in enumerate(first[name]):
        assert composed.image.shape == (64, 64, 3)
        (digit,) = composed.instances
        assert digit.label == index % 10
        levels = luma(composed.image)
        difference = levels[digit.mask].mean() - levels[surroundings(digit.mask)].mean()
        assert 80 <= abs(difference) <= 130
        rows = np.nonzero(digit.mask.any(axis=1))[0]
        assert rows[-1] - rows[0] >= 40


def test_scene_with_one_digit_has_contrast(first):
    single = [
        composed
        for name in ("coco/train2017", "coco/val2017")
        for composed in first[name]
        if len(composed.instances) == 1
    ]
    assert len(single) >= 8
    for composed in single:
        assert 80 <= abs(module.contrast(composed.image, composed.instances[0].mask)) <= 130


@pytest.mark.parametrize("name", ["coco/train2017", "coco/val2017"])
def test_scenes_overlap_and_every_digit_stays_visible(first, name):
    counts = [len(composed.instances) for composed in first[name]]
    assert set(counts) == {1, 2, 3, 4}
    touching = 0
    for composed in first[name]:
        assert composed.image.shape == (96, 96, 3)
        masks = [instance.mask for instance in composed.instances]
        assert np.sum(masks, axis=0).max() == 1  # visible pixels belong to one digit
        assert min(mask.sum() for mask in masks) >= 60
        grown = [surroundings(mask, rim=0) | mask for mask in masks]
        touching += np.sum(grown, axis=0).max() > 1
    assert touching >= 10


def test_overlapped_pixels_belong_to_the_digit_on_top(composers, monkeypatch):
    """With flat textures a digit has one grey level, so a mask with two is a wrong one."""
    monkeypatch.setattr(Pyramid, "crop", lambda _, size, __: np.full((size, size, 3), 128.0))
    looked_at = 0
    for index in range(40):
        composed = composers["train"].compose(SPLITS["coco/train2017"], index)
        for instance in composed.instances:
            inner = binary_erosion(instance.mask, iterations=2)
            if inner.any():
                looked_at += 1
                levels = luma(composed.image)[inner]
                assert (abs(levels - np.median(levels)) > 20).mean() < 0.08
    assert looked_at > 60


def test_semantic_map_says_what_the_instances_say(first):
    for composed in first["coco/val2017"]:
        values = composed.semantic_map()
        for instance in composed.instances:
            assert (values[instance.mask] == 2 + instance.label).all()
        covered = np.any([instance.mask for instance in composed.instances], axis=0)
        assert (values[~covered] == 1).all()


def test_unlabelled_images_are_of_both_kinds(first):
    sizes = [composed.image.shape[0] for composed in first["unlabelled"]]
    assert sizes.count(96) == 13
    assert sizes.count(64) == 27


def test_each_half_uses_its_own_digits(first):
    for name, split in SPLITS.items():
        used = {each.digit for composed in first[name] for each in composed.instances}
        assert len(used) > 20
        assert used <= set(half_indices(split.half))


def test_paint_without_room_is_refused(monkeypatch):
    canvas = np.full((32, 32, 3), 128, np.uint8)
    opacity = np.zeros((32, 32), np.uint8)
    opacity[8:24, 8:24] = 255
    monkeypatch.setattr(module, "STROKE_MEAN", (100.0, 150.0))
    with pytest.raises(ValueError, match="does not fit"):
        module.draw_digit(canvas, opacity, canvas.astype(float), strength=0.5, brighter=True)


@pytest.mark.parametrize("grey", [40, 128, 220])
@pytest.mark.parametrize("brighter", [True, False])
def test_paint_changes_only_the_stroke(grey, brighter):
    canvas = np.full((32, 32, 3), grey, np.uint8)
    opacity = np.zeros((32, 32), np.uint8)
    opacity[8:24, 8:24] = 255
    texture = np.random.default_rng(0).uniform(0, 255, (32, 32, 3))
    painted = module.draw_digit(canvas, opacity, texture, strength=0.0, brighter=brighter)
    assert (painted[opacity == 0] == grey).all()
    difference = luma(painted)[opacity > 0].mean() - grey
    assert abs(difference) == pytest.approx(module.CONTRAST[0], abs=3)
    assert (difference > 0) == (brighter if grey == 128 else grey == 40)
