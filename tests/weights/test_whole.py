"""A whole model takes its own checkpoint and no other."""

import pytest
import torch
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.weights.strict import load_whole


def model():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def load(content):
    target = model()
    load_whole(target, content, checkpoint="epoch_1.pth", config="some.py")
    return target


def test_every_key_is_loaded():
    source = model()
    loaded = load({"state_dict": source.state_dict()}).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in source.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("0.weight"), r"1 of 7 keys missing \(0.weight\), 0 unexpected"),
        (lambda s: s.update(more=torch.ones(1)), r"0 of 7 keys missing, 1 unexpected \(more\)"),
        (
            lambda s: s.update({"0.bias": torch.ones(4)}),
            r"first is 0.bias: \(4,\), expected \(3,\)",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(change, said):
    state = model().state_dict()
    change(state)
    with pytest.raises(BenchError, match=f"epoch_1.pth does not fit some.py: .*{said}"):
        load(state)
