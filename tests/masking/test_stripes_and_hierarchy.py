"""Stripes and hierarchical masks: what is each one's own, by formulas of their own."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmim_bench.masking.strategies import build_strategy

sides = st.integers(1, 12)
ratios = st.floats(0.1, 0.9)
seeds = st.integers(0, 1000)


def draw(name, rows, columns, ratio, seed, **options):
    strategy = build_strategy(name, mask_patch_size=4, mask_ratio=ratio, token_size=4, **options)
    return strategy((4 * rows, 4 * columns), np.random.default_rng(seed))


@settings(deadline=None)
@given(sides, sides, ratios, seeds, st.sampled_from(["horizontal", "vertical"]))
def test_stripes_are_whole_lines_and_one_piece(rows, columns, ratio, seed, direction):
    mask = draw("stripes", rows, columns, ratio, seed, direction=direction)
    lines = mask if direction == "horizontal" else mask.T
    full, part = divmod(math.ceil(rows * columns * ratio), lines.shape[1])
    counts = lines.sum(1)
    assert (counts == lines.shape[1]).sum() == full
    assert sorted(counts[(counts > 0) & (counts < lines.shape[1])]) == ([part] if part else [])
    for line in lines:
        hidden = np.flatnonzero(line)
        assert len(hidden) == 0 or np.ptp(hidden) + 1 == len(hidden)


def test_either_direction_is_drawn_evenly_and_every_line_is_hidden_alike():
    masks = np.stack([draw("stripes", 8, 8, 0.5, seed) for seed in range(1000)])
    lying = masks.all(2).any(1)
    assert abs(lying.mean() - 0.5) < 5 * math.sqrt(0.25 / 1000)
    assert np.abs(masks.mean(0) - 0.5).max() < 5 * math.sqrt(0.25 / 1000)


@settings(deadline=None)
@given(sides, sides, ratios, seeds, st.integers(2, 4), st.floats(0, 1))
def test_large_squares_hide_their_share(rows, columns, ratio, seed, scale, share):
    mask = draw("hierarchical", rows, columns, ratio, seed, scale=scale, large_share=share)
    wanted = math.ceil(rows * columns * ratio)
    down, across = rows // scale, columns // scale
    cells = mask[: down * scale, : across * scale].reshape(down, scale, across, scale)
    expected = min(int(share * wanted) // scale**2, down * across)
    assert cells.all(axis=(1, 3)).sum() >= expected
    assert mask.sum() == wanted


def test_without_single_patches_all_is_large():
    mask = draw("hierarchical", 8, 8, 0.5, 3, scale=4, large_share=1.0)
    cells = mask.reshape(2, 4, 2, 4)
    assert (cells.all(axis=(1, 3)) == cells.any(axis=(1, 3))).all()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (
            "stripes",
            {"direction": "slanted"},
            "direction must be one of .*either, got 'slanted'",
        ),
        ("hierarchical", {"scale": 1}, "scale must be >= 2 patches, got 1"),
        ("hierarchical", {"large_share": 1.5}, r"large_share must be in \[0, 1\], got 1.5"),
    ],
)
def test_refused_options(name, options, said):
    with pytest.raises(ValueError, match=said):
        draw(name, 4, 4, 0.5, 0, **options)
