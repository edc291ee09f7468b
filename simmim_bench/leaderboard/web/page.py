"""Web page of the leaderboard: table, charts and library in one file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from simmim_bench.leaderboard.aggregate import Table, aggregate
from simmim_bench.leaderboard.page import LEGEND
from simmim_bench.leaderboard.web.charts import charts_of
from simmim_bench.leaderboard.web.curves import sparklines
from simmim_bench.leaderboard.web.lines import COLUMNS, Line, lines_of
from simmim_bench.records.pictures import HASH_DIGITS, as_data_url
from simmim_bench.records.record import Record

MAX_PICTURES = 20
MAX_CURVES = 200
"""Lines that show learning curves."""


def render_web(
    records: Sequence[Record],
    cited: Iterable[Record] = (),
    *,
    pictures: Path | None = None,
    tables: list[Table] | None = None,
) -> str:
    """HTML of a leaderboard; the same records always give the same text.

    All text of records is escaped (Jinja2's autoescape). The table is plain HTML; with JavaScript,
    DataTables (as packed by itables) makes it sortable and searchable.

    Args:
        records: Measured ones.
        cited: Results of others, in lines of their own.
        pictures: Folder of reconstructions by pretrained models, for the details of their lines.
        tables: ``aggregate(records)``, if it is known.
    """
    from jinja2 import Environment, StrictUndefined

    tables = aggregate(records) if tables is None else tables
    lines = lines_of([*tables, *aggregate(cited)])
    charts = [chart for table in tables if table.kind == "full" for chart in charts_of(table)]
    folder = files("simmim_bench.leaderboard.web")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((folder / "page.html").read_text("utf-8"))
    return template.render(
        columns=COLUMNS,
        lines=lines,
        reconstructions=_reconstructions(lines, pictures) if pictures else {},
        curves={n: tuple(sparklines(line.first)) for n, line in enumerate(lines[:MAX_CURVES])},
        protocols=_protocols(lines),
        charts=charts,
        legend=LEGEND,
        count=len(records),
        style=(folder / "page.css").read_text("utf-8"),
        script=(folder / "page.js").read_text("utf-8"),
        **_datatables(),
    )


def _reconstructions(lines: Iterable[Line], pictures: Path) -> dict[str, str]:
    """Data URLs of at most ``MAX_PICTURES`` pictures by the hash of the weights."""
    weights = dict.fromkeys(line.weights for line in lines if line.weights)
    paths = {name: pictures / f"{name[:HASH_DIGITS]}.jpg" for name in weights}
    existing = [(name, path) for name, path in paths.items() if path.is_file()][:MAX_PICTURES]
    return {name: as_data_url(path.read_bytes()) for name, path in existing}


def _protocols(lines: Iterable[Line]) -> dict[str, str]:
    """Descriptions of protocols, in the order of the lines."""
    return {line.protocol: f"{line.task}: {line.protocol_text}" for line in lines}


def _datatables() -> dict[str, Any]:
    """Script and style of the library as base64, in which no ``</script>`` can occur."""
    bundle = files("itables") / "html"
    return {
        name: base64.b64encode((bundle / file).read_bytes()).decode("ascii")
        for name, file in (("library", "dt_bundle.js"), ("library_style", "dt_bundle.css"))
    }
