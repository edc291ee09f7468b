import numpy as np
import pytest
import torch

from simmim_bench.backbones.resize import resize_bias_table, resize_position_embedding


def table_of(window, values):
    """Table of one head per function of the offsets (dy, dx)."""
    rows, columns = (torch.arange(1 - side, side).double() for side in window)
    dy, dx = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([value(dy, dx).flatten() for value in values], dim=1)


@pytest.mark.parametrize(("source", "target"), [(4, 7), (6, 7), (7, 12), (7, 4), (2, 3), (3, 8)])
def test_symmetry_and_constants_survive(source, target):
    values = [lambda y, x: 0 * (y + x) + 3, lambda y, x: y**2 + x**2, lambda y, x: y - x]
    window = (source, source)
    table = table_of(window, values)
    resized = resize_bias_table(table, source=window, target=(target, target))
    side = 2 * target - 1
    assert resized.shape == (side * side, 3)
    constant, even, odd = resized.T.reshape(3, side, side)
    assert torch.allclose(constant, torch.full_like(constant, 3), atol=1e-5)
    assert torch.allclose(even, even.flip(0, 1), atol=1e-4)
    assert torch.allclose(odd, -odd.flip(0, 1), atol=1e-4)


def test_the_edge_keeps_its_value_when_the_window_grows():
    table = torch.randn(49, 2)
    resized = resize_bias_table(table, source=(4, 4), target=(7, 7))
    old, new = table.reshape(7, 7, 2), resized.reshape(13, 13, 2)
    for edge in (0, -1):
        assert torch.allclose(new[edge, edge], old[edge, edge], atol=1e-3)
    assert torch.allclose(new[6, 6], old[3, 3], atol=1e-5)


def test_rectangular_windows_are_resized_axis_by_axis():
    window, target = (2, 6), (4, 6)
    table = table_of(window, [lambda y, x: 0 * y + x])
    resized = resize_bias_table(table, source=window, target=target).reshape(7, 11)
    assert np.ptp(resized.numpy(), axis=0).max() < 1e-5
    assert (resized.diff(dim=1) > 0).all()


def test_extra_rows_are_kept():
    table = torch.randn(9 + 3, 2)
    resized = resize_bias_table(table, source=(2, 2), target=(3, 3), extra_rows=3)
    assert resized.shape == (25 + 3, 2)
    assert torch.equal(resized[-3:], table[-3:])


def test_a_table_of_another_window():
    with pytest.raises(ValueError, match="must have 49 rows, got 48"):
        resize_bias_table(torch.zeros(48, 1), source=(4, 4), target=(7, 7))


def test_a_window_of_one_token():
    with pytest.raises(ValueError, match=r"at least 2 to be interpolated, got \(1, 1\)"):
        resize_bias_table(torch.zeros(1, 1), source=(1, 1), target=(7, 7))


def test_position_embeddings_follow_the_grid():
    ramp = torch.linspace(0, 1, 4).expand(2, 4)  # rises along columns
    embedding = torch.cat([torch.full((1, 1, 1), 9.0), ramp.reshape(1, 8, 1)], dim=1)
    resized = resize_position_embedding(embedding, source=(2, 4), target=(3, 8), extra_tokens=1)
    assert resized.shape == (1, 25, 1)
    assert resized[0, 0, 0] == 9
    grid = resized[0, 1:, 0].reshape(3, 8)
    assert (grid.diff(dim=1) > 0).all()
    assert torch.allclose(grid[0], grid[2])
