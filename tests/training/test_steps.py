"""Weights that are not finite are found in all processes."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from simmim_bench.training.hooks import steps
from simmim_bench.training.hooks.steps import DivergedError, FiniteLossHook


def runner(tmp_path, value):
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.bias[0] = value
    optim = SimpleNamespace(get_lr=lambda: {"lr": [0.1]})
    return SimpleNamespace(model=model, optim_wrapper=optim, work_dir=str(tmp_path), iter=7)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_stop_the_run(tmp_path, value):
    with pytest.raises(DivergedError, match=r"NaN or infinity \(first in bias\) at iteration 7"):
        FiniteLossHook().check_weights(runner(tmp_path, value))


def test_all_processes_stop_where_one_has_such_weights(tmp_path, monkeypatch):
    hook = FiniteLossHook()
    hook.check_weights(runner(tmp_path, 1.0))
    monkeypatch.setattr(steps, "all_reduce", lambda found, **_: found.fill_(1))
    with pytest.raises(DivergedError, match=r"NaN or infinity \(in another process\)"):
        hook.check_weights(runner(tmp_path, 1.0))
