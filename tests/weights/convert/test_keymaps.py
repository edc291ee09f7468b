import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.keymaps import pretraining_map
from simmim_bench.weights.convert.translate import to_ours, to_theirs


def test_patch_merging_orders_its_four_neighbours_as_ours_does():
    """Both layouts applied to one 2 x 2 x C patch must give the same output."""
    channels = 3
    patch = torch.randn(channels, 2, 2)
    theirs = torch.cat([patch[:, r, c] for c in (0, 1) for r in (0, 1)])
    ours = torch.nn.functional.unfold(patch[None], kernel_size=2, stride=2).flatten()
    weight = torch.randn(5, 4 * channels)
    key = "encoder.layers.0.downsample.reduction.weight"
    converted = to_ours({key: weight}, pretraining_map("swin"))
    (found,) = converted.values()
    assert torch.allclose(found @ ours, weight @ theirs, atol=1e-6)
    assert torch.equal(to_theirs(converted, pretraining_map("swin"))[key], weight)


def test_a_key_of_another_layout():
    with pytest.raises(BenchError, match=r"1 keys have no counterpart, for example module\.x"):
        to_ours({"module.x": torch.zeros(1)}, pretraining_map("swin"))
