"""Results as the evaluation tables of Papers with Code: tasks, their datasets, ranked models.

The shape is that of https://github.com/paperswithcode/sota-extractor, whose reader refuses keys
that it does not know: what else there is to say stands in names and descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from simmim_bench.results.aggregate import Cell, ColumnKey, Row, Table, aggregate
from simmim_bench.results.grid import describe
from simmim_bench.results.manifest import Protocol
from simmim_bench.results.page import show_origin
from simmim_bench.results.record import Record

TASKS = {
    "classification": "Image Classification",
    "detection": "Object Detection",
    "segmentation": "Semantic Segmentation",
    "retrieval": "Image-Text Retrieval",
    "vqa": "Visual Question Answering",
    "generation": "Image Generation",
}
NAMES = {  # of metrics, as OpenMMLab's model indices and result lists spell them
    "top1": "Top 1 Accuracy",
    "top5": "Top 5 Accuracy",
    **{
        f"{kind}_ap{part}": f"{kind} AP{part.upper()}"
        for kind in ("box", "mask")
        for part in ("", "50", "75", "s", "m", "l")
    },
    "miou": "mIoU",
    "macc": "mAcc",
    "aacc": "aAcc",
}


def evaluation_tables(records: Iterable[Record]) -> str:
    """JSON list of tasks; each protocol is a dataset, each line of the leaderboard a row.

    Figures are means over seeds, of full runs alone.
    """
    tasks: dict[str, list[dict[str, Any]]] = {}
    for table in aggregate(record for record in records if record.kind == "full"):
        for key, protocol in table.columns.items():
            tasks.setdefault(protocol.task, []).append(_dataset(key, protocol, table))
    listed = [
        {
            "task": TASKS[task],
            "description": "",
            "categories": ["Computer Vision"],
            "datasets": datasets,
            "subtasks": [],
            "synonyms": [],
            "source_link": None,
        }
        for task, datasets in tasks.items()
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def _dataset(key: ColumnKey, protocol: Protocol, table: Table) -> dict[str, Any]:
    metrics = sorted(protocol.metrics, key=lambda name: name != protocol.primary)
    cells = [(row, row.cells[key]) for row in table.rows if key in row.cells]
    return {
        "dataset": f"{protocol.dataset} ({protocol.id}@{protocol.version})",
        "description": f"{describe(protocol)}; means over seeds",
        "sota": {
            "metrics": [NAMES.get(name, name) for name in metrics],
            "rows": [_row(row, cell, protocol) for row, cell in cells],
        },
        "subdatasets": [],
        "dataset_links": [],
        "dataset_citations": [],
    }


def _row(row: Row, cell: Cell, protocol: Protocol) -> dict[str, Any]:
    """A figure of ours has no paper: its date is that of its newest run."""
    measured = row.provenance.kind == "measured"
    newest = max(record.date for record in cell.records)
    return {
        "model_name": _model(row, cell),
        "paper_title": row.provenance.table or "",
        "paper_url": row.provenance.url or "",
        "paper_date": newest.date().isoformat() if measured else None,
        "code_links": [],
        "model_links": [],
        "metrics": {NAMES.get(name, name): f"{s.mean:.2f}" for name, s in cell.metrics.items()},
        "uses_additional_data": bool(
            row.pretraining and row.pretraining.dataset != protocol.dataset
        ),
    }


def _model(row: Row, cell: Cell) -> str:
    """Everything that tells it from another line."""
    parts = [row.backbone]
    if row.pretraining:
        parts.append(show_origin(row.pretraining))
    parts += [*row.pretraining_deviations, *cell.deviations]
    return f"{row.method} ({', '.join(parts)})"
