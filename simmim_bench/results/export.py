"""Records in other formats: for pandas, for OpenMMLab's model indices, for papers' result lists."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path, atomic_write_text
from simmim_bench.results.record import Record

TASKS = {
    "classification": "Image Classification",
    "detection": "Object Detection",
    "segmentation": "Semantic Segmentation",
    "retrieval": "Image-Text Retrieval",
    "vqa": "Visual Question Answering",
    "generation": "Image Generation",
}
NAMES = {  # as OpenMMLab's model indices and result lists spell them
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


def export(records: Iterable[Record], path: Path, *, form: str) -> int:
    """Write ``records`` to ``path``, atomically.

    Args:
        records: What to write.
        path: File.
        form: A key of ``FORMS``, or ``parquet``.

    Returns:
        How many records were written.

    Raises:
        BenchError: If there is no such format, or it needs a package that is not installed.
    """
    known = list(records)
    if form == "parquet":
        _write_parquet(rows(known), path)
    elif form in FORMS:
        atomic_write_text(path, FORMS[form](known))
    else:
        raise BenchError(f"unknown format {form!r}; known are: {', '.join([*FORMS, 'parquet'])}")
    return len(known)


def rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """One flat row for every metric of every record."""
    return [
        _row(record, name, value) for record in records for name, value in record.metrics.items()
    ]


def _row(record: Record, metric: str, value: float) -> dict[str, Any]:
    origin, cost, config = record.pretraining, record.cost, record.config
    return {
        "run_id": record.run_id,
        "kind": record.kind,
        "method": record.method,
        "backbone": record.backbone,
        "pretraining_dataset": origin.dataset if origin else None,
        "pretraining_epochs": float(origin.epochs) if origin and origin.epochs else None,
        "pretraining_seed": origin.seed if origin else None,
        "checkpoint_sha256": origin.checkpoint_sha256 if origin else None,
        "protocol": record.protocol.id,
        "protocol_version": record.protocol.version,
        "task": record.protocol.task,
        "dataset": record.protocol.dataset,
        "seed": record.seed,
        "metric": metric,
        "value": value,
        "provenance": record.provenance.kind,
        "source": record.provenance.url,
        "deviations": "; ".join([*record.deviations, *record.pretraining_deviations]),
        "wall_seconds": cost.wall_seconds if cost else None,
        "images_per_second": cost.images_per_second if cost else None,
        "energy_joules": cost.energy_joules if cost else None,
        "peak_memory_mb": cost.peak_memory_mb if cost else None,
        "parameters": cost.parameters if cost else None,
        "flops": cost.flops if cost else None,
        "device": f"{cost.device_count} x {cost.device}" if cost else None,
        "config": config.path if config else None,
        "config_sha256": config.sha256 if config else None,
        "date": record.date.isoformat(),
    }


def _csv(records: list[Record]) -> str:
    table = rows(records)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table[0] if table else [])
    writer.writerows(row.values() for row in table)
    return stream.getvalue()


def _jsonl(records: list[Record]) -> str:
    return "".join(f"{json.dumps(record.as_json(), sort_keys=True)}\n" for record in records)


def _metafile(records: list[Record]) -> str:
    """OpenMMLab's ``metafile.yml``: a collection for each method, a model for each full run."""
    full = [record for record in records if record.kind == "full"]
    methods = sorted({record.method for record in full})
    content = {
        "Collections": [{"Name": method} for method in methods],
        "Models": [_model(record) for record in full],
    }
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return text


def _model(record: Record) -> dict[str, Any]:
    cost = record.cost
    metadata = {
        "Training Data": record.protocol.dataset,
        "Epochs": record.protocol.epochs,
        "Iterations": record.protocol.iterations,
        "Parameters": cost.parameters if cost else None,
        "FLOPs": cost.flops if cost else None,
    }
    return {
        "Name": f"{record.method}_{record.backbone}_{record.run_id}",
        "In Collection": record.method,
        "Metadata": {key: value for key, value in metadata.items() if value is not None},
        "Config": record.config.path if record.config else record.provenance.url,
        "Results": [
            {
                "Task": TASKS[record.protocol.task],
                "Dataset": record.protocol.dataset,
                "Metrics": {NAMES.get(key, key): value for key, value in record.metrics.items()},
            }
        ],
    }


def _result_list(records: list[Record]) -> str:
    """Rows of task, dataset, model and metrics, as sites that collect papers' results take them."""
    table = [
        {
            "task": TASKS[record.protocol.task],
            "dataset": record.protocol.dataset,
            "model": f"{record.method} ({record.backbone})",
            "metrics": {
                NAMES.get(key, key): f"{value:.2f}" for key, value in record.metrics.items()
            },
            "paper_url": record.provenance.url,
            "uses_additional_data": bool(
                record.pretraining and record.pretraining.dataset != record.protocol.dataset
            ),
            "evaluated_on": record.date.date().isoformat(),
        }
        for record in records
        if record.kind == "full"
    ]
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def _write_parquet(table: list[dict[str, Any]], path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise BenchError(
            f"Parquet needs pyarrow, which is missing ({error}); `pip install pyarrow`, or export "
            "CSV"
        ) from error
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(table), temporary)


FORMS: dict[str, Callable[[list[Record]], str]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "metafile": _metafile,
    "results": _result_list,
}
