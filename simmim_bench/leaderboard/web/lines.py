"""Lines of the web page's table: one method under one protocol.

To add a column, add a field to ``Line``, its value in ``_line``, and an entry to ``COLUMNS``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from simmim_bench.leaderboard.aggregate import Cell, Row, Table
from simmim_bench.leaderboard.columns import ColumnKey, label_of
from simmim_bench.leaderboard.costs import MEMORY, PARAMETERS, describe_cost
from simmim_bench.leaderboard.grid import describe_protocol, show_minutes, show_origin, show_stat
from simmim_bench.leaderboard.noise import Noise
from simmim_bench.leaderboard.page import DETAILS, METRICS, with_unit
from simmim_bench.leaderboard.statistics import Standing, noise_of, standing
from simmim_bench.records.manifest import DataIdentity, Environment
from simmim_bench.records.record import Record

UNSEALED = "its card has no seal, so what it says of the weights was not checked"
MAX_OTHERS = 2
"""Metrics in the table besides the primary one; the details show all."""


@dataclass(frozen=True)
class Column:
    """A column of the table: header, field of ``Line``, and how the page treats it.

    ``style`` is a list of CSS classes: ``number`` for numbers, ``roomy`` and ``cost`` for columns
    that narrow windows hide, ``unsorted`` for columns that cannot be sorted. ``sort`` is the label
    in the sort menu and ``descending`` its direction; ``title`` is the tooltip of the header.
    """

    header: str
    field: str
    style: str = ""
    sort: str = ""
    descending: bool = False
    title: str = ""


COLUMNS = (
    Column("group", "group"),  # page.js filters by the first two
    Column("protocol", "protocol"),
    Column("method", "method", sort="by method"),
    Column("backbone", "backbone"),
    Column("pretraining", "pretraining"),
    Column("metric", "metric"),
    Column("value", "value", "number", sort="by value", descending=True),
    Column("others", "others", "roomy unsorted"),
    Column("pretrain (min)", "pretraining_minutes", "number roomy", "by pretraining minutes"),
    Column("fine-tune (min)", "minutes", "number cost", "by fine-tuning minutes"),
    Column("params (M)", "parameters", "number roomy", "by parameters", title="fine-tuned model"),
    Column("memory (MiB)", "memory", "number roomy", "by memory", title="of fine-tuning, peak"),
)


@dataclass(frozen=True)
class Line:
    """One line of the table.

    ``order`` is the number by which ``value`` is sorted; ``emphasis`` are CSS classes, ``best``,
    ``top``, ``near`` as in ``Standing``. ``minutes``, ``parameters`` (millions) and ``memory``
    (MiB) are of the fine-tuning. ``weights`` is the hash of the weights that the first run started
    from. ``facts`` are labels and texts of the details, ``first`` is the record of the first run.
    """

    group: str
    protocol: str
    protocol_text: str
    task: str
    method: str
    backbone: str
    pretraining: str
    metric: str
    value: str
    order: float
    emphasis: str
    others: str
    pretraining_minutes: str
    minutes: str
    parameters: str
    memory: str
    provenance: str
    url: str | None
    weights: str | None
    facts: tuple[tuple[str, str], ...]
    first: Record


def lines_of(tables: Iterable[Table]) -> list[Line]:
    """Lines of some tables, in the order of the tables."""
    return [line for table in tables for line in _lines(table)]


def _lines(table: Table) -> Iterator[Line]:
    for key, protocol in table.columns.items():
        place = Standing() if table.kind == "smoke" else standing(table, key, protocol.primary)
        noise = noise_of(table, key, protocol.primary)
        for row in table.rows:
            cell = row.cells.get(key)
            if cell and protocol.primary in cell.metrics:
                marks = {"best": place.best, "top": place.top, "near": place.near}
                emphasis = " ".join(mark for mark, rows in marks.items() if row in rows)
                yield _line(table, key, row, noise, emphasis)


def _line(table: Table, key: ColumnKey, row: Row, noise: Noise | None, emphasis: str) -> Line:
    protocol, cell = table.columns[key], row.cells[key]
    cited = row.provenance.kind != "measured"
    stat = cell.metrics[protocol.primary]
    before, cost = row.pretraining_cost, cell.cost
    others = {
        name: f"{METRICS.get(name, name)} {show_stat(value, cited=cited)}"
        for name, value in cell.metrics.items()
        if name != protocol.primary
    }
    shown = [text for name, text in others.items() if name not in DETAILS][:MAX_OTHERS]
    return Line(
        group="smoke" if table.kind == "smoke" else "cited" if cited else "measured",
        protocol=label_of(key, table.columns),
        protocol_text=describe_protocol(protocol, own=table.has_own_protocol(key)),
        task=protocol.task,
        method=row.method,
        backbone=row.backbone,
        pretraining=show_origin(row.pretraining),
        metric=f"{protocol.task} {with_unit(protocol.primary)}",
        value=show_stat(stat, cited=cited),
        order=stat.mean,
        emphasis=emphasis,
        others="; ".join(shown),
        pretraining_minutes=show_minutes(before.minutes) if before else "",
        minutes=show_minutes(cost.minutes) if cost else "",
        parameters=PARAMETERS.show(cost) if cost else "",
        memory=MEMORY.show(cost) if cost else "",
        provenance=row.provenance.kind,
        url=row.provenance.url,
        weights=_weights(cell),
        facts=tuple(_facts(row, cell, protocol.primary, noise, list(others.values()))),
        first=cell.records[0],
    )


def _weights(cell: Cell) -> str | None:
    origin = cell.records[0].pretraining
    return origin.checkpoint_sha256 if origin else None


def _facts(
    row: Row, cell: Cell, primary: str, noise: Noise | None, others: Sequence[str]
) -> Iterator[tuple[str, str]]:
    stat, records = cell.metrics[primary], cell.records
    half = noise.half_width(stat) if noise else None
    if half is not None:
        yield "95 % interval", f"{stat.mean - half:.2f} to {stat.mean + half:.2f}"
    values = [
        f"{record.metrics[primary]:.2f}" + ("" if record.seed is None else f" (seed {record.seed})")
        for record in records
        if primary in record.metrics
    ]
    yield "runs", ", ".join(values)
    if others:
        yield "other metrics", "; ".join(others)
    if row.provenance.table:
        yield "source", row.provenance.table
    for label, texts in (
        ("deviations", cell.deviations),
        ("pretraining deviates", row.pretraining_deviations),
    ):
        if texts:
            yield label, "; ".join(texts)
    yield from _measured(row, cell)


def _measured(row: Row, cell: Cell) -> Iterator[tuple[str, str]]:
    """Facts that only measured runs have."""
    first = cell.records[0]
    if first.data:
        yield "data", describe_data(first.data)
    if first.pretraining_data:
        yield "pretraining data", describe_data(first.pretraining_data)
    if first.leaks:
        yield "seen in pretraining", "; ".join(first.leaks)
    precisions = {"pretraining": first.pretraining_precision, "fine-tuning": first.precision}
    if any(precisions.values()):
        known = [f"{value} ({stage})" for stage, value in precisions.items() if value]
        yield "precision", ", ".join(known)
    if any(record.card_sealed is False for record in cell.records):
        yield "backbone", UNSEALED
    if first.config:
        yield "config", f"{first.config.path} ({first.config.sha256[:12]})"
    if cell.cost:
        yield "fine-tuning", describe_cost(cell.cost)
        yield "device", cell.cost.device
    if row.pretraining_cost:
        yield "pretraining", describe_cost(row.pretraining_cost)
    if first.environment:
        yield "environment", describe_environments(cell.records)
    yield "records", ", ".join(record.run_id for record in cell.records)


def describe_data(data: DataIdentity) -> str:
    """``Flowers, 1200 images, fingerprint 3fa2c1d0e4b5``."""
    images = f", {data.images} images" if data.images else ""
    return f"{data.name}{images}, fingerprint {data.sha256[:12]}"


def describe_environment(where: Environment, packages: Collection[str] = ()) -> str:
    """``Python 3.11.7, torch 2.14.1, Linux, commit 0123456789ab, with uncommitted changes``.

    Args:
        where: Environment of a run.
        packages: Other packages whose versions are shown.
    """
    parts = [f"Python {where.python}"]
    if where.torch:
        parts.append(f"torch {where.torch}")
    parts += [f"{name} {where.versions.get(name, 'absent')}" for name in packages]
    parts.append(where.platform)
    if where.git_commit:
        parts.append(f"commit {where.git_commit[:12]}")
    if where.git_dirty:
        parts.append("with uncommitted changes")
    return ", ".join(parts)


def describe_environments(records: Iterable[Record]) -> str:
    """Environments of some runs; if they differ, each with its seeds and the differing packages."""
    known = [(record.seed, record.environment) for record in records if record.environment]
    if all(where.__dict__ == known[0][1].__dict__ for _, where in known):  # the usual case
        return describe_environment(known[0][1]) if known else ""
    packages = _differing([where.versions for _, where in known])
    seeds: dict[str, list[str]] = {}
    for seed, where in known:
        seeds.setdefault(describe_environment(where, packages), []).append(str(seed))
    if len(seeds) < 2:
        return "".join(seeds)
    return "; ".join(f"seed {', '.join(some)}: {text}" for text, some in seeds.items())


def _differing(versions: list[dict[str, str]]) -> list[str]:
    """Packages whose versions differ."""
    names = sorted({name for some in versions for name in some} - {"torch"})
    return [name for name in names if len({some.get(name) for some in versions}) > 1]
