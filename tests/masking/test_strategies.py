"""What every strategy promises, and what is each one's own; formulas are written anew here."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmim_bench.masking.base import draw_batch
from simmim_bench.masking.strategies import build_strategy, strategies

BLIND = sorted(name for name, kind in strategies().items() if not kind.reads)  # of the image
EXACT = [name for name in BLIND if name != "square"]  # whose count is the nearest square
names = st.sampled_from(BLIND)
patches = st.sampled_from([4, 8, 16, 32, 64])
sides = st.integers(1, 12)
ratios = st.floats(0.02, 0.98)
seeds = st.integers(0, 1000)


def build(name, patch=16, ratio=0.6, token=4, **options):
    return build_strategy(
        name, mask_patch_size=patch, mask_ratio=ratio, token_size=token, **options
    )


def keys(count, seed=0):
    return [(seed, 0, index) for index in range(count)]


def in_patches(mask, scale):
    """(B, rows, columns) in patches, after a check that no patch is split."""
    batch, height, width = mask.shape
    split = mask.reshape(batch, height // scale, scale, width // scale, scale)
    assert torch.equal(split.any(4).any(2), split.all(4).all(2))
    return split.all(4).all(2)


@settings(deadline=None)
@given(names, patches, sides, sides, ratios, seeds)
def test_masks_are_whole_patches_and_a_batch_is_its_samples(
    name, patch, rows, columns, ratio, seed
):
    strategy = build(name, patch, ratio)
    size = (rows * patch, columns * patch)
    together = draw_batch(strategy, size, keys(3, seed))
    assert together.dtype == torch.bool
    assert together.shape == (3, size[0] // 4, size[1] // 4)
    in_patches(together, patch // 4)
    for words, mask in zip(keys(3, seed), together, strict=True):
        assert (strategy(size, np.random.default_rng(list(words))) == mask.numpy()).all()


@pytest.mark.parametrize("ratio", [0.6, (0.3, 0.7)])
@pytest.mark.parametrize("name", BLIND)
def test_masks_are_made_where_their_numbers_are(name, ratio):
    """As on a GPU: no tensor is made on the default device, none is read element by element."""
    strategy = build(name, 16, ratio)
    rows = [strategy.noise((64, 96), np.random.default_rng(list(words))) for words in keys(3)]
    noise = torch.from_numpy(np.stack(rows))
    with torch.device("meta"):
        masks = strategy.masks((64, 96), noise)
    assert torch.equal(masks, draw_batch(strategy, (64, 96), keys(3)))


@settings(deadline=None)
@given(st.sampled_from(EXACT), sides, sides, ratios, seeds)
def test_the_count_is_the_ceiling_of_the_ratio(name, rows, columns, ratio, seed):
    masks = draw_batch(build(name, 4, ratio), (4 * rows, 4 * columns), keys(4, seed))
    assert masks.sum(dim=(1, 2)).tolist() == [math.ceil(rows * columns * ratio)] * 4


@settings(deadline=None)
@given(names, st.integers(3, 12), st.integers(3, 12), seeds)
def test_each_sample_draws_its_own_ratio_from_a_range(name, rows, columns, seed):
    masks = draw_batch(build(name, 4, (0.3, 0.7)), (4 * rows, 4 * columns), keys(8, seed))
    share = masks.float().mean(dim=(1, 2))
    rounding = 1 / min(rows, columns) if name == "square" else 1 / (rows * columns)
    assert ((share > 0.3 - rounding) & (share < 0.7 + rounding)).all()


def test_a_range_is_drawn_uniformly():
    masks = draw_batch(build("random", 4, (0.2, 0.8)), (64, 64), keys(4000))
    share = masks.float().mean(dim=(1, 2)) - 0.5 / 256  # the ceiling adds half a patch
    found, _ = np.histogram(share.numpy(), bins=6, range=(0.2, 0.8))
    assert np.abs(found / 4000 - 1 / 6).max() < 0.03  # five standard deviations


def test_random_masks_are_uniform():
    """Chi-square of the cells, and of pairs of cells, against independent expectations."""
    masks = draw_batch(build("random", 16, 0.5), (64, 64), keys(6000)).flatten(1)[:, :256]
    cells = masks.reshape(6000, 4, 4, 4, 4)[:, :, 0, :, 0].flatten(1).double()  # (6000, 16)
    assert ((cells.mean(0) - 0.5).abs() < 5 * math.sqrt(0.25 / 6000)).all()
    both = cells.T @ cells / 6000  # 8 of 16: a pair is masked together 8/16 * 7/15 of the time
    pairs = both[~torch.eye(16, dtype=torch.bool)]
    assert ((pairs - 8 / 16 * 7 / 15).abs() < 5 * math.sqrt(0.25 / 6000)).all()


@settings(deadline=None)
@given(sides, sides, ratios, seeds)
def test_random_masks_are_the_first_of_a_permutation(rows, columns, ratio, seed):
    """Masks of earlier runs stay what they were."""
    mask = build("random", 4, ratio)((4 * rows, 4 * columns), np.random.default_rng(seed))
    order = np.random.default_rng(seed).permutation(rows * columns)
    expected = np.zeros(rows * columns, dtype=bool)
    expected[order[: math.ceil(rows * columns * ratio)]] = True
    assert (mask.ravel() == expected).all()


def blocks_one_by_one(rows, columns, wanted, smallest, draws):
    """BEiT's loop with our two changes, in plain Python on one mask."""
    mask = np.zeros((rows, columns), dtype=bool)
    areas = []
    for first, second, third, fourth in draws:
        left = wanted - mask.sum()
        if left == 0:
            break
        low = min(smallest, left)
        area = low + first * (left - low)
        aspect = math.exp((2 * second - 1) * math.log(1 / 0.3))
        height = min(max(round(math.sqrt(area * aspect)), 1), rows)
        width = min(max(round(math.sqrt(area / aspect)), 1), columns)
        top, start = int(third * (rows - height + 1)), int(fourth * (columns - width + 1))
        areas.append((height, width))
        for row in range(top, top + height):
            for column in range(start, start + width):
                if mask.sum() < wanted:
                    mask[row, column] = True
    for row, column in np.ndindex(rows, columns):  # what is left when the draws are used up
        if mask.sum() < wanted:
            mask[row, column] = True
    return mask, areas


@settings(deadline=None)
@given(st.integers(4, 14), st.integers(4, 14), st.floats(0.1, 0.8), seeds)
def test_blocks_are_those_of_a_loop_over_rectangles(rows, columns, ratio, seed):
    strategy = build("blockwise", 4, ratio, min_block=8)
    noise = strategy.noise((4 * rows, 4 * columns), np.random.default_rng(seed))
    wanted = math.ceil(rows * columns * ratio)
    expected, areas = blocks_one_by_one(rows, columns, wanted, 8, noise.reshape(-1, 4))
    mask = strategy.masks((4 * rows, 4 * columns), torch.from_numpy(noise)[None])[0]
    assert (mask.numpy() == expected).all()
    for height, width in areas:
        if height < rows and width < columns:
            assert (height + 0.5) / max(width - 0.5, 0.5) >= 0.3
            assert (width + 0.5) / max(height - 0.5, 0.5) >= 0.3


def test_what_all_blocks_leave_is_taken_row_by_row():
    strategy = build("blockwise", 4, 0.75, min_block=4)
    same = torch.tensor([[0.0, 0.5, 0.99, 0.99]]).repeat(1, 64).double()  # always bottom right
    mask = strategy.masks((32, 32), same)[0]
    assert mask.sum() == 48
    assert mask[:5].all()
    assert mask[-2:, -2:].all()


def test_blocks_hang_together_where_random_patches_do_not():
    """Share of masked patches whose right neighbour is masked too."""
    share = {}
    for name in ("random", "blockwise", "square"):
        masks = draw_batch(build(name, 4, 0.4), (56, 56), keys(200)).float()
        share[name] = float((masks[:, :, 1:] * masks[:, :, :-1]).sum() / masks[:, :, :-1].sum())
    assert abs(share["random"] - 0.4) < 0.02
    assert share["random"] + 0.3 < share["blockwise"] < share["square"]


@settings(deadline=None)
@given(st.integers(2, 14), st.integers(2, 14), st.floats(0.05, 0.95), seeds)
def test_a_square_is_one_rectangle_of_the_nearest_area(rows, columns, ratio, seed):
    mask = build("square", 4, ratio)((4 * rows, 4 * columns), np.random.default_rng(seed))
    height, width = mask.any(1).sum(), mask.any(0).sum()
    assert mask.sum() == height * width  # filled, in one piece
    side = min(range(1, 20), key=lambda side: abs(side**2 - ratio * rows * columns))
    if side <= min(rows, columns):
        assert height == width == side
    else:
        assert min(height / rows, width / columns) <= 1
        assert abs(mask.sum() - ratio * rows * columns) <= max(rows, columns) / 2 + 1


def test_squares_are_everywhere():
    masks = draw_batch(build("square", 16, 0.25), (64, 64), keys(900)).float()
    corners = masks[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(0)
    assert (corners - 1 / 9).abs().max() < 0.06  # 3 x 3 places of a 2 x 2 square


@pytest.mark.parametrize(("ratio", "kept"), [(0.75, 1), (0.5, 2)])
def test_a_grid_keeps_as_many_of_every_four_patches(ratio, kept):
    """MAE's grid-wise sampling at 0.75, a checkerboard at 0.5."""
    masks = draw_batch(build("grid", 4, ratio), (64, 96), keys(5))
    fours = masks.unfold(1, 2, 2).unfold(2, 2, 2).flatten(3)  # (5, 8, 12, 4)
    assert ((~fours).sum(-1) == kept).all()
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) > 1  # the grid is shifted


@pytest.mark.parametrize("name", BLIND)
def test_the_generator_alone_decides(name):
    strategy = build(name)
    first, again, other = (strategy((64, 96), np.random.default_rng(s)) for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("randon", {}, "unknown masking strategy 'randon'; did you mean random"),
        ("random", {"ratio": (0.8, 0.4)}, r"a pair \(low, high\) .* got \(0.8, 0.4\)"),
        (
            "random",
            {"ratio": (0.4, 1.0)},
            "mask ratio 1.0 is not between 0 and 1",
        ),
        ("random", {"ratio": (0.1, 0.2, 0.3)}, r"got \(0.1, 0.2, 0.3\)"),
        ("blockwise", {"min_block": 0}, "min_block must be >= 1 patch, got 0; BEiT uses 16"),
        ("blockwise", {"min_aspect": 2}, r"min_aspect must be in \(0, 1\], got 2; BEiT uses 0.3"),
        ("square", {"min_block": 4}, "masking strategy 'square'.*min_block"),
    ],
)
def test_refused_values(name, options, said):
    with pytest.raises(ValueError, match=said):
        build(name, **options)
