"""Energy of a run, summed over its processes and kept over a resume."""

from __future__ import annotations

import os
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook

from simmim_bench.engine.energy import find_counter
from simmim_bench.registry import HOOKS

INFO = "energy_joules"
SOURCE = "energy_source"


@HOOKS.register_module()
class EnergyHook(Hook):
    """Hold the joules of a run in the message hub, of its training and validations.

    GPUs are summed over processes, CPU packages over machines (their first process reads them).
    If one process finds no counter, the run has no figure. A run that is killed loses what was
    spent since its last reading.

    Args:
        interval: Iterations between readings; all processes meet at each.
    """

    priority = "ABOVE_NORMAL"  # before checkpoints are saved

    def __init__(self, *, interval: int = 50) -> None:
        self.interval = interval

    def before_train(self, runner: Any) -> None:
        """Look for a counter, and go on from what a resumed run has spent."""
        self.counter = find_counter()
        self.earlier = float(runner.message_hub.get_info(INFO, default=0.0))

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Read it now and then."""
        if self.every_n_train_iters(runner, self.interval):
            self._read(runner)

    def after_train_epoch(self, runner: Any) -> None:
        """Read it before the epoch's checkpoint is written."""
        self._read(runner)

    def after_train(self, runner: Any) -> None:
        """Read it for the last time."""
        self._read(runner)

    def _read(self, runner: Any) -> None:
        found = self.counter
        ours = found is not None and (found.source == "GPU" or _first_of_its_machine())
        spent = found.joules() if found and ours else 0.0
        total = torch.tensor([spent, float(found is None)], dtype=torch.float64)
        all_reduce(total)
        if found and not total[1]:
            runner.message_hub.update_info(INFO, self.earlier + total[0].item())
            runner.message_hub.update_info(SOURCE, found.source)


def energy_of(runner: Any) -> dict[str, Any]:
    """Fields of a cost: joules and their source, both None where nothing was counted."""
    hub = runner.message_hub
    return {name: hub.get_info(name, default=None) for name in (INFO, SOURCE)}


def _first_of_its_machine() -> bool:
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))) == 0
