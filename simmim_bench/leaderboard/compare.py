"""Comparison of two methods by protocol and metric, with the uncertainty of the difference.

Records that are not compared are counted, each with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import Row, Stat, Table, aggregate, comparable_cells
from simmim_bench.leaderboard.columns import SHORT, label_of
from simmim_bench.leaderboard.grid import (
    Entry,
    Grid,
    Note,
    Page,
    Section,
    show_gain,
    show_origin,
    show_stat,
)
from simmim_bench.leaderboard.metrics import METRICS, decimals_of
from simmim_bench.leaderboard.noise import SIGNIFICANCE, Difference, holm
from simmim_bench.leaderboard.statistics import noise_of
from simmim_bench.records.record import Record

LEGEND = (
    "Difference in points (errors of depth: in their unit); interval: 95 %, by Student's t with "
    "the noise between seeds of all rows of the column; p: the same test, corrected for the number "
    "of rows by Holm. A single seed has neither."
)


@dataclass(frozen=True)
class _Line:
    backbone: str
    protocol: str
    metric: str
    ours: str
    theirs: str
    found: Difference
    used: tuple[Record, ...]
    decimals: int
    origin: str


MUST_AGREE: tuple[tuple[Callable[[Record], object], Callable[[Record], str]], ...] = (
    (lambda run: run.backbone, lambda run: f"on {run.backbone}"),
    (lambda run: run.provenance, lambda run: f"that is {run.provenance.kind}"),
    (lambda run: run.protocol.id, lambda run: f"under {run.protocol.id}"),
    (
        lambda run: run.protocol.version,
        lambda run: f"under version {run.protocol.version} of {run.protocol.id}",
    ),
    (lambda run: run.data and run.data.sha256, lambda run: f"on the same data ({_data(run)})"),
    (
        lambda run: run.untuned_deviations,
        lambda run: f"with the same deviations ({'; '.join(run.untuned_deviations) or 'none'})",
    ),
    (
        lambda run: run.tuning and run.tuning.key(),
        lambda run: f"with the same search ({run.tuning.described() if run.tuning else 'none'})",
    ),
    (
        lambda run: run.precision,
        lambda run: f"in the same precision ({run.precision or 'not stated'})",
    ),
    (
        lambda run: run.recipe_sha256,
        lambda run: f"of the same config ({_config(run)})",
    ),
)
"""What two runs must share to be compared, and how a reason says it; from coarse to fine."""


def compare(records: Iterable[Record], ours: str, theirs: str) -> Page:
    """Compare the full runs of two methods wherever both ran.

    Only cells of the same backbone, protocol, config, deviations and search are compared. Notes
    of the page say how many records are left out and why.

    Raises:
        BenchError: If a method has no full run, both are the same, or they have nothing in common.
    """
    if ours == theirs:
        raise BenchError(f"both methods are {ours!r}; name two to compare")
    known = list(records)
    methods = sorted({record.label for record in known if record.kind == "full"})
    for method in (ours, theirs):
        if method not in methods:
            smoke = sum(record.label == method for record in known)
            if smoke:
                raise BenchError(
                    f"method {method!r} has smoke runs alone ({smoke}), which are not compared; "
                    f"set `kind: full` in the suite (or pass --kind full) and run it again"
                )
            known_names = "; ".join(methods) or "none, the folder has no full runs"
            raise BenchError(f"no records of method {method!r}; methods are: {known_names}")
    both = [record for record in known if record.label in (ours, theirs)]
    full = [record for record in both if record.kind == "full"]
    runs = [record for record in known if record.kind == "full"]  # of all methods: noise
    lines = [line for table in aggregate(runs) for line in _lines(table, ours, theirs)]
    left_out = list(_left_out(both, {run.run_id for line in lines for run in line.used}))
    if not lines:
        raise BenchError(
            f"{ours} and {theirs} have no runs of the same backbone, protocol and config; run both "
            f"in one suite. " + "; ".join(left_out)
        )
    used = [run for line in lines for run in line.used]
    shared = dict.fromkeys("; ".join(run.untuned_deviations) for run in used)
    deviations = [f"both deviate from their protocol: {text}" for text in shared if text]
    tuned = {run.tuning.described(): run.tuning for run in used if run.tuning}
    searches = [f"both {text} ({tuning.explained()})" for text, tuning in tuned.items()]
    notes = [Note("", text) for text in [*deviations, *searches, *left_out]]
    section = Section(f"{ours} and {theirs}", None, [_grid(lines, ours, theirs)], notes)
    return Page("Comparison", LEGEND, [section], len(full))


def _left_out(both: list[Record], used: set[str]) -> Iterator[str]:
    """A sentence for each method and reason: how many records were not compared."""
    full = [record for record in both if record.kind == "full"]
    reasons = Counter(
        (record.label, _reason(record, [run for run in full if run.label != record.label]))
        for record in both
        if record.run_id not in used
    )
    for (method, reason), number in sorted(reasons.items()):
        yield f"left out: {number} of {method}, {reason}"


def _reason(record: Record, others: list[Record]) -> str:
    """Why a record was not compared with the full runs of the other method."""
    if record.kind == "smoke":
        return "smoke runs, whose results are not meaningful"
    other = others[0].label
    for value_of, describe in MUST_AGREE:
        others = [run for run in others if value_of(run) == value_of(record)]
        if not others:
            return f"{other} has no run {describe(record)}"
    return (
        "replaced by a newer run of the same seed, or of a config that has fewer seeds than another"
    )


def _data(record: Record) -> str:
    return f"{record.data.name}, {record.data.sha256[:SHORT]}" if record.data else "not stated"


def _config(record: Record) -> str:
    return f"{record.config.path}, {record.config.sha256[:SHORT]}" if record.config else "none"


def _lines(table: Table, ours: str, theirs: str) -> list[_Line]:
    pairs = [
        (row, other)
        for row in table.rows
        for other in table.rows
        if (row.method, other.method) == (ours, theirs)
    ]
    found = []
    for row, other in pairs:
        cells = comparable_cells(row, other)
        for key, protocol in table.columns.items():
            if key not in cells:
                continue
            mine, its = cells[key]
            where = label_of(key, table.columns)
            for name in protocol.metrics:
                if name in mine.metrics and name in its.metrics:
                    pair = mine.metrics[name], its.metrics[name]
                    decimals = decimals_of(protocol, name)
                    shown = (
                        show_stat(pair[0], decimals=decimals),
                        show_stat(pair[1], decimals=decimals),
                    )
                    label = METRICS.get(name, name)
                    used = (*mine.records, *its.records)
                    noise = noise_of(table, key, name)
                    gap = noise.difference(*pair) if noise else _unknown(*pair)
                    origin = _origin(row, other)
                    found.append(
                        _Line(row.backbone, where, label, *shown, gap, used, decimals, origin)
                    )
    return found


def _origin(*rows: Row) -> str:
    """Pretraining of two rows."""
    origins = dict.fromkeys(show_origin(row.pretraining) for row in rows if row.pretraining)
    return " and ".join(origins) or "none"


def _unknown(ours: Stat, theirs: Stat) -> Difference:
    """Difference of single runs, of which nobody knows the noise."""
    return Difference(ours.mean - theirs.mean, None, None)


def _grid(lines: list[_Line], ours: str, theirs: str) -> Grid:
    corrected = iter(holm([line.found.p for line in lines if line.found.p is not None]))
    several = len({line.origin for line in lines}) > 1
    rows = []
    for line in lines:
        p = next(corrected) if line.found.p is not None else None
        ends = [show_gain(end, line.decimals) for end in line.found.interval or ()]
        gain = show_gain(line.found.points, line.decimals)
        texts = [line.backbone, line.protocol, line.metric]
        rows.append(
            [
                *map(Entry, [*texts, line.origin] if several else texts),
                Entry(line.ours),
                Entry(line.theirs),
                Entry(gain, bold=p is not None and p < SIGNIFICANCE),
                Entry(" to ".join(ends)),
                Entry("" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"),
            ]
        )
    texts = ["backbone", "protocol", "metric", *(["pretraining"] if several else [])]
    names = [*texts, ours, theirs, "difference", "interval", "p"]
    return Grid("Differences", [*map(Entry, names)], rows, frozenset(range(len(texts))))
