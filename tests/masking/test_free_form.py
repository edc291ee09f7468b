"""Free-form masks against a drawing of the same shapes, patch by patch in plain Python."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from simmim_bench.masking.strategies import build_strategy

STROKE, BLOB = 13, 7  # random numbers of a shape


def build(ratio, patch=4, token=4, **options):
    return build_strategy(
        "free_form", mask_patch_size=patch, mask_ratio=ratio, token_size=token, **options
    )


def between(limits, share):
    return limits[0] + (limits[1] - limits[0]) * share


def mirrored(position, side, margin):
    position = (position + margin) % (2 * (side + 2 * margin))
    return min(position, 2 * (side + 2 * margin) - position) - margin


def within(share, side, margin):
    return share * (side + 2 * margin) - margin


def stroke(numbers, point, extent, strategy):
    """When the brush covers a point, if ever, and how far the point is from the stroke."""
    y, x, direction, width, length, *turns = numbers
    heading = 2 * math.pi * direction
    radius = between(strategy.width, width) / 2
    walk = (within(y, extent[0], radius), within(x, extent[1], radius))
    step = between(strategy.length, length) / len(turns)
    times, gaps, here = [math.inf], [], walk
    for index, turn in enumerate(turns):
        heading += (2 * turn - 1) * strategy.angle
        walk = (walk[0] + step * math.sin(heading), walk[1] + step * math.cos(heading))
        there = (mirrored(walk[0], extent[0], radius), mirrored(walk[1], extent[1], radius))
        way = (there[0] - here[0], there[1] - here[1])
        to_point = (point[0] - here[0], point[1] - here[1])
        along = (to_point[0] * way[0] + to_point[1] * way[1]) / (way[0] ** 2 + way[1] ** 2)
        along = min(max(along, 0), 1)
        distance = math.dist(to_point, (along * way[0], along * way[1]))
        gaps.append(distance - radius)
        if distance <= radius:
            times.append((index + along) / len(turns))
        here = there
    return min(times), min(gaps)


def blob(numbers, point, extent, strategy):
    y, x, size, aspect, rotation, two, three = numbers
    radius = between(strategy.blob_size, size) / 2
    down, across = point[0] - within(y, extent[0], radius), point[1] - within(x, extent[1], radius)
    stretch = math.sqrt(between((0.4, 1.0), aspect))
    turned = math.pi * rotation
    first = (down * math.sin(turned) + across * math.cos(turned)) * stretch
    second = (down * math.cos(turned) - across * math.sin(turned)) / stretch
    bearing = math.atan2(second, first)
    waves = math.cos(2 * bearing + 2 * math.pi * two) + math.cos(3 * bearing + 2 * math.pi * three)
    outline = radius * (1 + 0.15 * waves)
    distance = math.hypot(first, second)
    return distance / outline if distance <= outline else math.inf, distance - outline


def drawn(strategy, kinds, numbers, rows, columns, wanted):
    """The mask: patches in the order in which shapes cover them, then by their distance."""
    side = min(rows, columns)
    extent, order = (rows / side, columns / side), []
    for row, column in np.ndindex(rows, columns):
        point, rest, found = ((row + 0.5) / side, (column + 0.5) / side), numbers, []
        for index, (kind, count) in enumerate(kinds):
            time, gap = kind(rest[:count], point, extent, strategy)
            found.append((2 * index + time, gap))
            rest = rest[count:]
        first = min(time for time, _ in found)
        growth = 2 * len(kinds) + min(gap for _, gap in found)
        order.append((first if math.isfinite(first) else growth, row, column))
    mask = np.zeros((rows, columns), bool)
    for _, row, column in sorted(order)[:wanted]:
        mask[row, column] = True
    return mask


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.05, 0.95), st.integers(0, 1000))
@example(8, 10, 0.234375, 185)  # a stroke begins in the moment in which the one before ends
def test_masks_are_those_drawn_patch_by_patch(rows, columns, ratio, seed):
    strategy = build(ratio, strokes=4, blobs=2, width=(0.1, 0.3), angle=90)
    kinds = [(stroke, STROKE)] * 4
    kinds.insert(1, (blob, BLOB))  # at 1/4 and 3/4 of the way
    kinds.insert(4, (blob, BLOB))
    size = (4 * rows, 4 * columns)
    numbers = strategy.noise(size, np.random.default_rng(seed))
    mask = strategy.masks(size, torch.from_numpy(numbers)[None])[0].numpy()
    wanted = math.ceil(rows * columns * ratio)
    assert (mask == drawn(strategy, kinds, numbers.tolist(), rows, columns, wanted)).all()


@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(("strokes", "blobs"), [(24, 8), (1, 0), (0, 1)])
def test_the_share_is_exact_however_few_shapes_there_are(ratio, strokes, blobs):
    strategy = build(ratio, 1, 1, strokes=strokes, blobs=blobs)
    for seed in range(5):
        mask = strategy((48, 64), np.random.default_rng(seed))
        assert mask.sum() == math.ceil(48 * 64 * ratio)


def test_a_larger_ratio_adds_to_the_mask_of_the_same_key():
    masks = [build(ratio)((192, 192), np.random.default_rng(3)) for ratio in (0.2, 0.5, 0.8)]
    assert (masks[0] <= masks[1]).all()
    assert (masks[1] <= masks[2]).all()


def test_the_drawing_does_not_depend_on_the_resolution():
    """Tokens of 4 px and single pixels differ only near the outline of the shapes."""
    coarse = build(0.5, 4, 1)((192, 192), np.random.default_rng(1))
    fine = build(0.5, 1, 1)((192, 192), np.random.default_rng(1))
    assert (coarse == fine).mean() > 0.93


@pytest.mark.parametrize("options", [{"strokes": 1, "blobs": 0}, {"strokes": 0, "blobs": 1}])
def test_a_trimmed_shape_is_in_one_piece(options):
    """Two at most, where it leaves the image and comes back."""
    pieces = []
    for seed in range(40):
        strategy = build(0.02, 1, 1, width=(0.2, 0.2), blob_size=(0.4, 0.6), **options)
        mask = strategy((96, 96), np.random.default_rng(seed))
        pieces.append(label(mask, np.ones((3, 3)))[1])
    assert np.mean(pieces) < 1.2


def test_every_part_of_the_image_is_masked_about_as_often():
    """Borders act as mirrors, so strokes do not pile up there as they would if clipped."""
    strategy = build(0.5, 8, 8)
    masks = [strategy((64, 64), np.random.default_rng([9, index])) for index in range(600)]
    assert np.abs(np.mean(masks, axis=0) - 0.5).max() < 5 * math.sqrt(0.25 / 600)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strokes": 0, "blobs": 0}, "strokes and blobs must be >= 0 and not both 0"),
        ({"strokes": -1}, "got strokes=-1, blobs=8"),
        ({"width": (0.2, 0.1)}, r"width must be a range .* got \(0.2, 0.1\)"),
        ({"length": (0, 1)}, r"length must be a range .* got \(0, 1\)"),
        ({"blob_size": (0.1, math.inf)}, "blob_size must be a range"),
        ({"angle": 200}, r"angle must be in \[0, 180\] degrees, got 200"),
        ({"colour": 1}, "masking strategy 'free_form'.*colour"),
    ],
)
def test_values_out_of_range(options, said):
    with pytest.raises(ValueError, match=said):
        build(0.5, **options)
