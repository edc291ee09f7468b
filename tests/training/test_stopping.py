"""When the processes of a run ask one another whether they should leave."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict

from simmim_bench.training import stopping
from simmim_bench.training.stopping import PreemptionHook


@pytest.mark.parametrize(
    ("accumulated", "asked_after"),
    [(1, [10, 20, 30]), (3, [9, 18, 27]), (8, [8, 16, 24]), (16, [16])],
)
def test_they_ask_after_optimiser_steps(monkeypatch, accumulated, asked_after):
    """Asking every 10 iterations, of which each 8th is a step, would be asking every 40."""
    asked = []
    monkeypatch.setattr(stopping, "get_world_size", lambda: 2)
    monkeypatch.setattr(stopping, "all_reduce", lambda _: asked.append(runner.iter + 1))
    runner = SimpleNamespace(
        iter=0,
        max_iters=100,
        epoch=0,
        cfg=ConfigDict(optim_wrapper={"accumulative_counts": accumulated}),
        model=torch.nn.Linear(1, 1),
        train_loop=None,
        train_dataloader=range(100),
    )
    runner.optim_wrapper = SimpleNamespace(
        should_update=lambda: (runner.iter + 1) % accumulated == 0
    )
    hook = PreemptionHook()
    for runner.iter in range(31):
        hook.after_train_iter(runner, runner.iter)
    assert asked == asked_after
