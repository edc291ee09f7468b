"""Cost columns of the web page: one number for each row, over its pretraining and all tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simmim_bench.leaderboard.aggregate import MeanCost, Row, Table
from simmim_bench.leaderboard.grid import show_minutes


def fine_tunings(row: Row) -> list[MeanCost | None]:
    """Costs of the tasks of a row."""
    return [cell.cost for cell in row.cells.values()]


def _pretraining(value: Callable[[MeanCost], float | None], row: Row, _: Table) -> float | None:
    return value(row.pretraining_cost) if row.pretraining_cost else None


def _all_tasks(value: Callable[[MeanCost], float | None], row: Row, table: Table) -> float | None:
    """Sum over all tasks of the table; None if one is unknown."""
    found = [
        value(cell.cost) if (cell := row.cells.get(key)) and cell.cost else None
        for key in table.columns
    ]
    known = [each for each in found if each is not None]
    return sum(known) if len(known) == len(found) else None


def _largest(value: Callable[[MeanCost], float | None], row: Row, _: Table) -> float | None:
    found = [value(cost) for cost in [*fine_tunings(row), row.pretraining_cost] if cost]
    return max((each for each in found if each is not None), default=None)


def _energy(row: Row, table: Table) -> float | None:
    tuned = _all_tasks(lambda cost: cost.energy_wh, row, table)
    before = _pretraining(lambda cost: cost.energy_wh, row, table) if row.pretraining else 0.0
    return None if tuned is None or before is None else tuned + before


Value = Callable[[Row, Table], float | None]
Show = Callable[[float], str]
COSTS: tuple[tuple[str, str, str, Value, Show], ...] = (
    ("pretrain", "(GPU h)", "pretraining, wall time times GPUs",
     partial(_pretraining, lambda cost: cost.gpu_hours), "{:.2f}".format),
    ("pretrain", "(min)", "pretraining, wall time",
     partial(_pretraining, lambda cost: cost.minutes), show_minutes),
    ("fine-tune", "(min)", "fine-tuning, wall time, all tasks",
     partial(_all_tasks, lambda cost: cost.minutes), show_minutes),
    ("params", "(M)", "largest model of the row",
     partial(_largest, lambda cost: cost.parameters and cost.parameters / 1e6), "{:.1f}".format),
    ("pretrain", "(images/s)", "training images per second of the pretraining",
     partial(_pretraining, lambda cost: cost.images_per_second), "{:.0f}".format),
    ("memory", "(MiB)", "largest peak of one process",
     partial(_largest, lambda cost: cost.peak_memory_mb), "{:.0f}".format),
    ("energy", "(Wh)", "pretraining and all tasks", _energy, "{:.0f}".format),
)  # fmt: skip
