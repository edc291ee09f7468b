"""Web page of the leaderboard: tables and charts in one file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from simmim_bench.leaderboard.aggregate import Table, aggregate
from simmim_bench.leaderboard.web.board import boards_of
from simmim_bench.leaderboard.web.charts import charts_of
from simmim_bench.leaderboard.web.drawing import Chart
from simmim_bench.leaderboard.web.layout import Board
from simmim_bench.records.pictures import HASH_DIGITS, as_data_url
from simmim_bench.records.record import Record

MAX_PICTURES = 20
MAX_CURVES = 200
"""Runs of which details show learning curves."""


def render_web(
    records: Sequence[Record],
    cited: Iterable[Record] = (),
    *,
    pictures: Path | None = None,
    tables: list[Table] | None = None,
) -> str:
    """HTML of a leaderboard; the same records always give the same text.

    All text of records is escaped (Jinja2's autoescape), and the page's policy runs no script but
    its own. Without JavaScript, the page shows everything; with it, tables can be sorted, filtered
    and copied.

    Args:
        records: Measured ones.
        cited: Results of others, in tables of their own.
        pictures: Folder of reconstructions by pretrained models, for the details of their rows.
        tables: ``aggregate(records)``, if it is known.
    """
    from jinja2 import Environment, StrictUndefined

    tables = aggregate(records) if tables is None else tables
    boards = boards_of(tables, aggregate(cited), curves=MAX_CURVES)
    charts = [chart for table in tables if table.kind == "full" for chart in charts_of(table)]
    folder = files("simmim_bench.leaderboard.web")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = (folder / "page.js").read_text("utf-8")
    template = environment.from_string((folder / "page.html").read_text("utf-8"))
    return template.render(
        boards=boards,
        charts=charts,
        kinds=_kinds(charts),
        choices=_choices(boards),
        reconstructions=_reconstructions(boards, pictures) if pictures else {},
        count=len(records),
        style=(folder / "page.css").read_text("utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )


def _kinds(charts: Sequence[Chart]) -> dict[str, list[tuple[int, Chart]]]:
    """The menu of charts: their numbers, from one, by the question they answer."""
    found: dict[str, list[tuple[int, Chart]]] = {}
    for number, chart in enumerate(charts, 1):
        found.setdefault(chart.kind, []).append((number, chart))
    return found


def _choices(boards: Sequence[Board]) -> dict[str, list[str]]:
    """Values of each filter; one that has no choice is left out."""
    heads = [head for board in boards for head in board.heads]
    groups = [group for board in boards for group in board.groups]
    lines = [line for group in groups for line in group.lines]
    found = {
        "task": dict.fromkeys(head.task for head in heads),
        "backbone": dict.fromkeys(sorted(line.backbone for line in lines)),
        "data": dict.fromkeys([*(head.data for head in heads), *(group.data for group in groups)]),
        "from": dict.fromkeys(line.provenance for line in lines),
    }
    known = {name: [value for value in values if value] for name, values in found.items()}
    return {name: values for name, values in known.items() if len(values) > 1}


def _reconstructions(boards: Iterable[Board], pictures: Path) -> dict[str, str]:
    """Data URLs of at most ``MAX_PICTURES`` pictures by the hash of the weights."""
    lines = [line for board in boards for group in board.groups for line in group.lines]
    weights = dict.fromkeys(line.weights for line in lines if line.weights)
    paths = {name: pictures / f"{name[:HASH_DIGITS]}.jpg" for name in weights}
    existing = [(name, path) for name, path in paths.items() if path.is_file()][:MAX_PICTURES]
    return {name: as_data_url(path.read_bytes()) for name, path in existing}
