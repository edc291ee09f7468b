import torch

from simmim_bench.weights.convert.layouts import LAYOUTS
from simmim_bench.weights.convert.translate import read_layout, write_layout

ORIGINAL = LAYOUTS["simmim pretraining"]


def test_patch_merging_orders_its_four_neighbours_as_ours_does():
    """Both layouts applied to one 2 x 2 x C patch must give the same output."""
    channels = 3
    patch = torch.randn(channels, 2, 2)
    theirs = torch.cat([patch[:, r, c] for c in (0, 1) for r in (0, 1)])
    ours = torch.nn.functional.unfold(patch[None], kernel_size=2, stride=2).flatten()
    weight = torch.randn(5, 4 * channels)
    key = "encoder.layers.0.downsample.reduction.weight"
    converted = read_layout({key: weight}, ORIGINAL, "swin").state
    (found,) = converted.values()
    assert torch.allclose(found @ ours, weight @ theirs, atol=1e-6)
    assert torch.equal(write_layout(converted, ORIGINAL, "swin")[0][key], weight)


def test_a_key_of_another_layout():
    reading = read_layout({"module.x": torch.zeros(1)}, ORIGINAL, "swin")
    assert (reading.state, reading.unknown) == ({}, ("module.x",))
