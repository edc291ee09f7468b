import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmim_bench.masking.random_patch import RandomPatchMask

tokens = st.sampled_from([1, 2, 4, 8, 16])
scales = st.integers(1, 4)
sides = st.integers(1, 8)
ratios = st.floats(0.01, 0.99)


def draw(token, scale, rows, columns, ratio, seed):
    patch = token * scale
    masks = RandomPatchMask(mask_patch_size=patch, mask_ratio=ratio, token_size=token)
    return masks((rows * patch, columns * patch), np.random.default_rng(seed))


@given(tokens, scales, sides, sides, ratios, st.integers(0, 100))
def test_whole_patches_are_masked_and_their_count_is_rounded_up(
    token, scale, rows, columns, ratio, seed
):
    mask = draw(token, scale, rows, columns, ratio, seed)
    assert mask.dtype == np.bool_
    assert mask.shape == (rows * scale, columns * scale)
    patches = mask.reshape(rows, scale, columns, scale)
    assert (patches.any(axis=(1, 3)) == patches.all(axis=(1, 3))).all()
    masked = int(patches.all(axis=(1, 3)).sum())
    assert masked == math.ceil(rows * columns * ratio)


def test_the_papers_count():
    mask = draw(token=4, scale=8, rows=6, columns=6, ratio=0.6, seed=0)
    assert mask.shape == (48, 48)
    assert mask.sum() == 22 * 64  # ceil(0.6 * 36) = 22 patches of 8 x 8 tokens


def test_every_patch_is_masked_equally_often():
    masks = RandomPatchMask(mask_patch_size=16, mask_ratio=0.5, token_size=16)
    generator = np.random.default_rng(0)
    share = np.mean([masks((48, 64), generator) for _ in range(2000)], axis=0)
    assert share.shape == (3, 4)
    assert np.abs(share - 0.5).max() < 0.05  # 4.5 standard deviations


def test_the_generator_alone_decides():
    state = np.random.get_state()[1].copy()
    first, again, other = (draw(4, 2, 6, 6, 0.6, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ((200, 192), "image size 200 is not divisible by mask patch size 32; use 192 or 224"),
        ((192, 20), "image size 20 is not divisible by mask patch size 32; use 32"),
    ],
)
def test_an_image_that_the_patch_does_not_divide(size, sentence):
    masks = RandomPatchMask(mask_patch_size=32, mask_ratio=0.6, token_size=4)
    with pytest.raises(ValueError, match=sentence):
        masks(size, np.random.default_rng(0))


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, float("nan")])
def test_a_ratio_outside_the_open_interval(ratio):
    with pytest.raises(ValueError, match=f"mask ratio {ratio} is not between 0 and 1"):
        RandomPatchMask(mask_patch_size=32, mask_ratio=ratio, token_size=4)


@pytest.mark.parametrize(("patch", "token"), [(32, 5), (4, 8), (0, 4), (32, 0)])
def test_a_patch_that_is_no_multiple_of_the_token(patch, token):
    with pytest.raises(ValueError, match=f"multiple of token_size {token}, got {patch}"):
        RandomPatchMask(mask_patch_size=patch, mask_ratio=0.6, token_size=token)
