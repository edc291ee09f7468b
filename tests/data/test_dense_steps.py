"""Copies of images, and the replacement of steps of a pipeline."""

import numpy as np
import pytest
from mmcv import transforms
from mmengine.dataset import Compose

from simmim_bench.data.dense_steps import contiguous, planar, speed_up


def image(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_flipped_image_is_copied_as_numpy_does(axes, dtype):
    flipped = np.flip(image(5, 8, 3, dtype=dtype), axes)
    copied = contiguous(flipped)
    assert copied.flags.c_contiguous
    np.testing.assert_array_equal(copied, flipped)


@pytest.mark.parametrize("shape", [(5, 8, 3), (5, 8, 1), (5, 8), (5, 8, 13)])
def test_other_images_are_as_they_were(shape):
    for one in (image(*shape), image(*shape).astype(np.float64)):
        np.testing.assert_array_equal(contiguous(one), one)
        np.testing.assert_array_equal(contiguous(one[:, ::-1]), one[:, ::-1])
        np.testing.assert_array_equal(planar(one), one)


@pytest.mark.parametrize("view", [np.s_[:], np.s_[2:, 1:4], np.s_[:, ::-1], np.s_[..., ::-1]])
def test_planes_are_those_of_the_image(view):
    viewed = image(7, 5, 3)[view]
    planes = planar(viewed)
    assert planes.transpose(2, 0, 1).flags.c_contiguous
    np.testing.assert_array_equal(planes, viewed)


class Faster(transforms.Resize):
    """Another class."""


class Own(transforms.Resize):
    """A user's, which is not replaced."""


def test_steps_within_steps_are_replaced_and_keep_what_they_were_told():
    resize = {"type": "mmcv.Resize", "scale": (4, 6)}
    several = {"type": "mmcv.RandomChoice", "transforms": [[resize], [resize]]}
    sized = {"type": "mmcv.RandomChoiceResize", "scales": [(4, 6)], "resize_type": "mmcv.Resize"}
    own = Own(scale=(1, 2))
    pipeline = Compose([several, sized, {"type": "mmcv.Pad", "size": (8, 8)}, own])
    speed_up(pipeline, {transforms.Resize: Faster})
    choice, random, pad, _ = pipeline.transforms
    inner = [steps.transforms[0] for steps in choice.transforms]
    assert [type(step) for step in (*inner, random.resize)] == [Faster] * 3
    assert all(step.scale == (4, 6) for step in inner)
    assert type(pad) is transforms.Pad
    assert type(own) is Own
