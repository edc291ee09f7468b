"""Group records into rows and columns, and average over seeds.

A column is a version of a protocol on one set of data, a row a pretrained backbone from one origin.
Records that differ in kind, provenance, data, precision, deviations or tuning are never averaged.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from typing import TypeVar

from simmim_bench.leaderboard.columns import ColumnKey, columns_of, place_records, tell_apart
from simmim_bench.records import SCRATCH
from simmim_bench.records.manifest import CPU, Cost, DataIdentity, Kind, Precision, Pretraining
from simmim_bench.records.protocols import Protocol, is_own
from simmim_bench.records.record import Provenance, Record
from simmim_bench.records.tuning import Tuning

TIMES = "\N{MULTIPLICATION SIGN}"
KINDS: tuple[Kind, ...] = ("full", "smoke")
AVERAGED = ("seed", "checkpoint_sha256", "initial_sha256")
"""Fields in which pretrainings of a row may differ; initial weights only if own trainings made
them."""
STATED = itemgetter(*(name for name in Pretraining.model_fields if name not in AVERAGED))

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Stat:
    """Mean, sample standard deviation (n - 1; None for n = 1) and n."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True)
class MeanCost:
    """Means of costs; None if a run did not measure it. ``device`` names all devices.

    GPU hours are wall time times the number of GPUs, None on a CPU; energy is in watt-hours;
    FLOPs are of one forward pass of the backbone.
    """

    minutes: float
    gpu_hours: float | None
    energy_wh: float | None
    parameters: float | None
    flops: float | None
    images_per_second: float | None
    peak_memory_mb: float
    device: str


@dataclass(frozen=True)
class Cell:
    """Runs of one row under one protocol, one per seed, all of one config.

    Values that trials chose are in ``tuning``, neither in ``deviations`` nor in ``config_sha256``:
    rows of the same search are compared, whatever it chose for each.
    """

    metrics: dict[str, Stat]
    deviations: tuple[str, ...]
    precision: Precision | None
    cost: MeanCost | None
    config_sha256: str | None
    records: tuple[Record, ...]
    tuning: Tuning | None = None

    @property
    def conditions(self) -> tuple[tuple[str, ...], str, Precision | None]:
        """What must be equal for two cells of a column to be compared."""
        return self.deviations, self.tuning.key() if self.tuning else "", self.precision


@dataclass(frozen=True, eq=False)
class Row:
    """A pretrained backbone and its cells; a task that was not run has none.

    ``method`` is that of the tables, with what the pretraining started from (``Record.label``).
    Rows are compared by identity, so that they can be keys.
    """

    method: str
    backbone: str
    pretraining: Pretraining | None  # without seed and checkpoint: those are averaged over
    pretraining_data: DataIdentity | None
    pretraining_precision: Precision | None
    pretraining_deviations: tuple[str, ...]
    provenance: Provenance
    cells: dict[ColumnKey, Cell]
    pretraining_cost: MeanCost | None

    @property
    def is_mixed(self) -> bool:
        """Whether tasks started from pretrainings of different configs."""
        records = (record for cell in self.cells.values() for record in cell.records)
        return len({_recipe(record) for record in records} - {()}) > 1


@dataclass(frozen=True)
class Table:
    """Rows and columns of one kind of runs; ``superseded`` records are left out as outdated."""

    kind: Kind
    columns: dict[ColumnKey, Protocol]
    rows: list[Row]
    superseded: int

    def has_own_protocol(self, key: ColumnKey) -> bool:
        """Whether runs of a column have a protocol that no config of simmim_bench defines."""
        measured = (row for row in self.rows if row.provenance.kind == "measured")
        return is_own(self.columns[key]) and any(key in row.cells for row in measured)

    def tuning_of(self, key: ColumnKey) -> Tuning | None:
        """The search that all measured runs of a column share; None if they share none."""
        return self._tunings.get(key)

    @cached_property
    def _tunings(self) -> dict[ColumnKey, Tuning | None]:
        measured = [row for row in self.rows if row.provenance.kind == "measured"]
        found = {}
        for key in self.columns:
            tunings = [row.cells[key].tuning for row in measured if key in row.cells]
            if len({tuning.key() if tuning else "" for tuning in tunings}) == 1:
                found[key] = tunings[0]
        return found


def aggregate(records: Iterable[Record]) -> list[Table]:
    """Make one table for each kind of run that occurs, full runs first.

    Raises:
        BenchError: If records of one protocol version disagree about what the protocol is.
    """
    by_kind = _group(records, lambda record: record.kind)
    return [_table(kind, by_kind[kind]) for kind in KINDS if kind in by_kind]


def check_protocols(records: Iterable[Record]) -> None:
    """Raise if records disagree about what their protocol version is.

    Raises:
        BenchError: Names two of them and what differs.
    """
    for members in _group(records, lambda record: record.kind).values():
        columns_of(members, place_records(members))


def summarise(values: Sequence[float]) -> Stat:
    """Mean and sample standard deviation of one or more values."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Stat(mean, None, len(values))
    # statistics.stdev is slow with many records: it calculates with fractions
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Stat(mean, math.sqrt(squares / (len(values) - 1)), len(values))


def comparable_cells(ours: Row, theirs: Row) -> dict[ColumnKey, tuple[Cell, Cell]]:
    """Pairs of cells of the same backbone, provenance, column, config and conditions."""
    return {
        key: (cell, theirs.cells[key])
        for key, cell in ours.cells.items()
        if are_comparable(ours, theirs, key)
    }


def are_comparable(ours: Row, theirs: Row, key: ColumnKey) -> bool:
    """Whether both rows have a cell in a column, of the same backbone, config and conditions."""
    if key not in ours.cells or key not in theirs.cells:
        return False
    if (ours.backbone, ours.provenance) != (theirs.backbone, theirs.provenance):
        return False
    one, other = ours.cells[key], theirs.cells[key]
    return (one.config_sha256, one.conditions) == (other.config_sha256, other.conditions)


def _table(kind: Kind, records: list[Record]) -> Table:
    place = place_records(records)
    columns = columns_of(records, place)
    rows: list[Row] = []
    kept = 0
    for members in _group(records, _row_key).values():
        made, used = _rows(members, place)
        rows += made
        kept += used
    return Table(kind, columns, sorted(_named(rows), key=_row_order), len(records) - kept)


def _named(rows: list[Row]) -> list[Row]:
    """Rows whose pretrainings name their data so that different ones have different names."""
    known = {
        (row.pretraining.dataset, row.pretraining_data and row.pretraining_data.sha256)
        for row in rows
        if row.pretraining and row.provenance.kind == "measured"
    }
    names = [name for name, _ in known]
    if len(names) == len(set(names)):
        return rows
    return [_with_named_data(row, names) for row in rows]


def _with_named_data(row: Row, names: Sequence[str]) -> Row:
    if row.pretraining is None or row.provenance.kind != "measured":
        return row
    name = tell_apart(row.pretraining.dataset, row.pretraining_data, names)
    return replace(row, pretraining=row.pretraining.model_copy(update={"dataset": name}))


def _rows(records: list[Record], place: Callable[[Record], ColumnKey]) -> tuple[list[Row], int]:
    """Rows of one origin, and the number of records in them.

    A cell holds runs of the same deviations, search and precision. So a protocol that was run with
    several sets of deviations fills several rows: the first one with the runs without deviations,
    if there are any, then one for each set in alphabetical order, runs without a search first.
    """
    first = records[0]
    runs_of_rows: list[dict[ColumnKey, list[Record]]] = []
    for key, members in _group(records, place).items():
        variants = _group(members, _conditions)
        for number, conditions in enumerate(sorted(variants)):  # () comes first
            if number == len(runs_of_rows):
                runs_of_rows.append({})
            runs_of_rows[number][key] = _current(variants[conditions])
    rows = [
        Row(
            method=first.label,
            backbone=first.backbone,
            pretraining=_origin(first.pretraining),
            pretraining_data=first.pretraining_data,
            pretraining_precision=first.pretraining_precision,
            pretraining_deviations=tuple(first.pretraining_deviations),
            provenance=first.provenance,
            cells={key: _cell(members) for key, members in runs.items()},
            pretraining_cost=_pretraining_cost(runs),
        )
        for runs in runs_of_rows
    ]
    return rows, sum(len(members) for runs in runs_of_rows for members in runs.values())


def _conditions(run: Record) -> tuple[tuple[str, ...], str, str]:
    tuning = run.tuning.key() if run.tuning else ""
    return tuple(run.untuned_deviations), tuning, run.precision or ""


def _current(records: list[Record]) -> list[Record]:
    """Records of the configs with most seeds (the newest such configs); the newest of each seed.

    A changed config, of the pretraining or the task, thus replaces the earlier one as soon as it
    has as many seeds. Records that do not state the pretraining's belong to the only one that
    others state.
    """
    recipes = {_recipe(record) for record in records} - {()}
    known = next(iter(recipes)) if len(recipes) == 1 else ()
    by_config: dict[Hashable, dict[tuple[int, int], Record]] = {}
    for record in sorted(records, key=lambda record: (record.date, record.run_id)):
        config = record.config and record.config.sha256, _recipe(record) or known
        by_seed = by_config.pop(config, {})  # the newest comes last
        by_seed[_seeds(record)] = record
        by_config[config] = by_seed
    most = max(len(by_seed) for by_seed in by_config.values())
    *_, current = (by_seed for by_seed in by_config.values() if len(by_seed) == most)
    return [current[seed] for seed in sorted(current)]


def _cell(records: list[Record]) -> Cell:
    names = [name for name in records[0].protocol.metrics if name in records[0].metrics]
    return Cell(
        metrics={
            name: summarise([record.metrics[name] for record in records if name in record.metrics])
            for name in names
        },
        deviations=tuple(records[0].untuned_deviations),
        precision=records[0].precision,
        cost=_mean_cost([record.cost for record in records]),
        config_sha256=records[0].recipe_sha256,
        records=tuple(records),
        tuning=records[0].tuning,
    )


def _pretraining_cost(runs: dict[ColumnKey, list[Record]]) -> MeanCost | None:
    """Mean over distinct pretrainings; tasks that share one count it once."""
    costs: dict[str | None, Cost | None] = {}
    for record in (record for members in runs.values() for record in members):
        if record.pretraining:
            weights = record.pretraining.checkpoint_sha256
            costs[weights] = record.pretraining_cost or costs.get(weights)
    return _mean_cost(list(costs.values()))


def _mean_cost(given: list[Cost | None]) -> MeanCost | None:
    costs = [cost for cost in given if cost is not None]
    if not costs or len(costs) < len(given):
        return None
    devices = {
        cost.device if cost.device_count == 1 else f"{cost.device_count} {TIMES} {cost.device}"
        for cost in costs
    }
    return MeanCost(
        minutes=statistics.fmean(cost.wall_seconds for cost in costs) / 60,
        gpu_hours=_mean([gpu_hours(cost) for cost in costs]),
        energy_wh=_mean(
            [None if cost.energy_joules is None else cost.energy_joules / 3600 for cost in costs]
        ),
        parameters=_mean([cost.parameters for cost in costs]),
        flops=_mean([cost.flops for cost in costs]),
        images_per_second=_mean([cost.images_per_second for cost in costs]),
        peak_memory_mb=statistics.fmean(cost.peak_memory_mb for cost in costs),
        device="; ".join(sorted(devices)),
    )


def gpu_hours(cost: Cost) -> float | None:
    """Wall time times number of GPUs; None on a CPU."""
    return None if cost.device.startswith(CPU) else cost.device_count * cost.wall_seconds / 3600


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def _origin(pretraining: Pretraining | None) -> Pretraining | None:
    if pretraining is None:
        return None
    return pretraining.model_copy(update=dict.fromkeys(AVERAGED))


def _row_key(record: Record) -> Hashable:
    """Everything that distinguishes a row from others."""
    origin = record.pretraining
    return (
        record.method,
        record.backbone,
        origin and STATED(origin.__dict__),
        origin and not record.own_initial and origin.initial_sha256,
        record.pretraining_data and record.pretraining_data.sha256,
        record.pretraining_precision,
        tuple(record.pretraining_deviations),
        record.provenance,
    )


def _row_order(row: Row) -> tuple[str, bool, bool, str, str]:
    """Backbones together; within one: from scratch, then measured, then cited."""
    cited = row.provenance.kind != "measured"
    return row.backbone, cited, row.method != SCRATCH, row.method, repr(row.pretraining)


def _recipe(record: Record) -> tuple[str, ...]:
    """Hashes of the configs of the pretraining; empty if they are unknown.

    A config with an override that names a checkpoint differs between seeds, so it is left out;
    ``pretraining_deviations`` tell such pretrainings apart.
    """
    return tuple(
        config.sha256
        for config in record.pretraining_configs
        if not any(override.endswith(".pth") for override in config.overrides)
    )


def _seeds(record: Record) -> tuple[int, int]:
    """Seeds of the pretraining and of the task; -1 if there is none."""
    pretraining = record.pretraining.seed if record.pretraining else None
    first, last = (-1 if seed is None else seed for seed in (pretraining, record.seed))
    return first, last


def _group(records: Iterable[Record], key: Callable[[Record], Key]) -> dict[Key, list[Record]]:
    groups: dict[Key, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return dict(groups)
