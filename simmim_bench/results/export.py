"""Records in other formats: for pandas, for OpenMMLab's model indices, for papers' result lists."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import yaml

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path, atomic_write_text
from simmim_bench.results.aggregate import gpu_hours
from simmim_bench.results.evaluation_tables import NAMES, TASKS, evaluation_tables
from simmim_bench.results.manifest import Cost
from simmim_bench.results.record import Record
from simmim_bench.results.schema import ImageSize

COST = (
    "wall_seconds",
    "images_per_second",
    "energy_joules",
    "energy_source",
    "peak_memory_mb",
    "parameters",
    "flops",
)
COST_VALUES = itemgetter(*COST)
COST_COLUMNS = {
    prefix: tuple(f"{prefix}{name}" for name in (*COST, "gpu_hours", "device"))
    for prefix in ("", "pretraining_")
}
SUFFIXES = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".yml": "metafile",
    ".json": "results",
}


def form_of(path: Path) -> str:
    """Format that the suffix of ``path`` stands for.

    Raises:
        BenchError: If it stands for none.
    """
    if path.suffix not in SUFFIXES:
        known = ", ".join(f"{suffix} ({form})" for suffix, form in SUFFIXES.items())
        raise BenchError(f"{path} has none of the suffixes {known}; give one, or --format")
    return SUFFIXES[path.suffix]


def export(records: Iterable[Record], path: Path, *, form: str) -> int:
    """Write ``records`` to ``path``, atomically.

    Args:
        records: What to write.
        path: File.
        form: A key of ``FORMS``, or ``parquet``.

    Returns:
        How many records were given.

    Raises:
        BenchError: If there is no such format, it needs a package that is not installed, or
            ``path`` is a folder.
    """
    if path.is_dir():
        raise BenchError(f"{path} is a folder; name a file, for example {path / 'results.csv'}")
    known = list(records)
    if form == "parquet":
        _write_parquet(list(rows(known)), path)
    elif form in FORMS:
        atomic_write_text(path, FORMS[form](known))
    else:
        raise BenchError(f"unknown format {form!r}; known are: {', '.join([*FORMS, 'parquet'])}")
    return len(known)


def rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """One flat row for every metric of every record."""
    for record in records:
        for name, value in record.metrics.items():
            yield _row(record, name, value)


def _row(record: Record, metric: str, value: float) -> dict[str, Any]:
    origin, config, environment = record.pretraining, record.config, record.environment
    protocol = record.protocol
    return {
        "run_id": record.run_id,
        "kind": record.kind,
        "method": record.method,
        "backbone": record.backbone,
        "pretraining_dataset": origin.dataset if origin else None,
        "pretraining_epochs": float(origin.epochs) if origin and origin.epochs else None,
        "pretraining_image_size": _size(origin.image_size) if origin else None,
        "pretraining_seed": origin.seed if origin else None,
        "checkpoint_sha256": origin.checkpoint_sha256 if origin else None,
        "protocol": protocol.id,
        "protocol_version": protocol.version,
        "task": protocol.task,
        "dataset": protocol.dataset,
        "split": protocol.split,
        "image_size": _size(protocol.image_size),
        "seed": record.seed,
        "metric": metric,
        "value": value,
        "provenance": record.provenance.kind,
        "source": record.provenance.url,
        "deviations": "; ".join([*record.deviations, *record.pretraining_deviations]),
        **_costs(record.cost, ""),
        **_costs(record.pretraining_cost, "pretraining_"),
        "config": config.path if config else None,
        "config_sha256": config.sha256 if config else None,
        "git_commit": environment.git_commit if environment else None,
        "git_dirty": environment.git_dirty if environment else None,
        "torch": environment.torch if environment else None,
        "date": record.date.isoformat(),
    }


def _costs(cost: Cost | None, prefix: str) -> dict[str, Any]:
    columns = COST_COLUMNS[prefix]
    if cost is None:
        return dict.fromkeys(columns)
    device = f"{cost.device_count} x {cost.device}"
    values = (*COST_VALUES(cost.__dict__), gpu_hours(cost), device)
    return dict(zip(columns, values, strict=True))


@lru_cache  # a store has few different ones
def _size(size: ImageSize | None) -> str | None:
    """``HEIGHTxWIDTH``, so that a column has one type."""
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return f"{height}x{width}"


def _csv(records: list[Record]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(next(rows(records), []))
    writer.writerows(row.values() for row in rows(records))
    return stream.getvalue()


def _jsonl(records: list[Record]) -> str:
    return "".join(f"{json.dumps(record.as_json(), sort_keys=True)}\n" for record in records)


def _metafile(records: list[Record]) -> str:
    """OpenMMLab's ``metafile.yml``: a collection for each method, a model for each full run.

    A cited figure is no model of this project's: it has neither a config here nor weights.
    """
    full = [
        record
        for record in records
        if record.kind == "full" and record.provenance.kind == "measured"
    ]
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
        "Config": record.config.path if record.config else None,
        "Results": [
            {
                "Task": TASKS[record.protocol.task],
                "Dataset": record.protocol.dataset,
                "Metrics": {NAMES.get(key, key): value for key, value in record.metrics.items()},
            }
        ],
    }


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
    "results": evaluation_tables,
}
