"""Records in other formats: flat tables for pandas, JSON lines, OpenMMLab's model index."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path, atomic_write_text, csv_text
from simmim_bench.leaderboard.aggregate import gpu_hours
from simmim_bench.records.manifest import Cost
from simmim_bench.records.record import Record
from simmim_bench.records.schema import ImageSize

SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".yml": "metafile"}
COSTS = (
    "wall_seconds", "images_per_second", "energy_joules", "energy_source", "peak_memory_mb",
    "parameters", "flops",
)  # fmt: skip
"""Fields of a cost that are columns of a flat row."""
# tasks and metrics as OpenMMLab's model indices name them; others keep their own names
TASKS = {
    "classification": "Image Classification",
    "detection": "Object Detection",
    "segmentation": "Semantic Segmentation",
    "depth": "Depth Estimation",
    "retrieval": "Image-Text Retrieval",
    "vqa": "Visual Question Answering",
    "generation": "Image Generation",
}
METRICS = {
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


def form_of(path: Path) -> str:
    """Format for the suffix of ``path``.

    Raises:
        BenchError: If the suffix is unknown.
    """
    if path.suffix not in SUFFIXES:
        known = ", ".join(f"{suffix} ({form})" for suffix, form in SUFFIXES.items())
        raise BenchError(f"{path} has none of the suffixes {known}; use one of them, or --format")
    return SUFFIXES[path.suffix]


def export(records: Iterable[Record], path: Path, *, form: str) -> None:
    """Write ``records`` to ``path``, atomically.

    Args:
        records: What to write.
        path: File.
        form: A key of ``FORMS``, or ``parquet``.

    Raises:
        BenchError: If the format is unknown or needs a package that is not installed, or ``path``
            is a folder.
    """
    if path.is_dir():
        raise BenchError(f"{path} is a folder; give a file, for example {path / 'results.csv'}")
    if form == "parquet":
        _write_parquet(list(rows(records)), path)
    elif form in FORMS:
        atomic_write_text(path, FORMS[form](list(records)))
    else:
        raise BenchError(f"unknown format {form!r}; supported: {', '.join([*FORMS, 'parquet'])}")


def rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """One flat row for each metric of each record."""
    for record in records:
        columns = _columns(record)
        for name, value in record.metrics.items():
            yield {**columns, "metric": name, "value": value}


def _columns(record: Record) -> dict[str, Any]:
    """Columns of a flat row from left to right; to add one, add it here."""
    origin, protocol, config = record.pretraining, record.protocol, record.config
    environment = record.environment
    return {
        "run_id": record.run_id,
        "kind": record.kind,
        "method": record.label,
        "backbone": record.backbone,
        "pretraining_dataset": origin and origin.dataset,
        "pretraining_epochs": float(origin.epochs) if origin and origin.epochs else None,
        "pretraining_image_size": _size(origin.image_size) if origin else None,
        "pretraining_data_sha256": record.pretraining_data and record.pretraining_data.sha256,
        "pretraining_precision": record.pretraining_precision,
        "pretraining_seed": origin and origin.seed,
        "pretraining_initial": origin and origin.initial,
        "pretraining_initial_sha256": origin and origin.initial_sha256,
        "checkpoint_sha256": origin and origin.checkpoint_sha256,
        "card_sealed": record.card_sealed,
        "protocol": protocol.id,
        "protocol_version": protocol.version,
        "task": protocol.task,
        "dataset": _dataset(record),
        "data_sha256": record.data and record.data.sha256,
        "data_images": record.data and record.data.images,
        "split": protocol.split,
        "image_size": _size(protocol.image_size),
        "precision": record.precision,
        "seed": record.seed,
        "metric": None,
        "value": None,
        "provenance": record.provenance.kind,
        "source": record.provenance.url,
        "deviations": "; ".join([*record.deviations, *record.pretraining_deviations]),
        "tuning_trials": record.tuning and len(record.tuning.trials),
        "tuning_hours": record.tuning and record.tuning.hours,
        **_cost(record.cost, ""),
        **_cost(record.pretraining_cost, "pretraining_"),
        "config": config and config.path,
        "config_sha256": config and config.sha256,
        "git_commit": environment and environment.git_commit,
        "git_dirty": environment and environment.git_dirty,
        "torch": environment and environment.torch,
        "date": record.date.isoformat(),
    }


def _dataset(record: Record) -> str:
    """Name of the data that a record was measured on."""
    return record.data.name if record.data else record.protocol.dataset


def _cost(cost: Cost | None, prefix: str) -> dict[str, Any]:
    columns = {name: getattr(cost, name, None) for name in COSTS}
    columns["gpu_hours"] = gpu_hours(cost) if cost else None
    columns["device"] = f"{cost.device_count} x {cost.device}" if cost else None
    return {f"{prefix}{name}": value for name, value in columns.items()}


def _size(size: ImageSize | None) -> str | None:
    """``HEIGHTxWIDTH``, so that a column has one type."""
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return f"{height}x{width}"


def _csv(records: list[Record]) -> str:
    table = list(rows(records))
    return csv_text([list(table[0]) if table else [], *(row.values() for row in table)])


def _jsonl(records: list[Record]) -> str:
    return "".join(f"{json.dumps(record.as_json())}\n" for record in records)


def _metafile(records: list[Record]) -> str:
    """OpenMMLab's ``metafile.yml``: a collection for each method, a model for each full run.

    Cited results are left out: they have neither config nor weights in this project.
    """
    full = [
        record
        for record in records
        if record.kind == "full" and record.provenance.kind == "measured"
    ]
    methods = sorted({record.label for record in full})
    content = {
        "Collections": [{"Name": method} for method in methods],
        "Models": [_model(record) for record in full],
    }
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return text


def _model(record: Record) -> dict[str, Any]:
    cost = record.cost
    metadata = {
        "Training Data": _dataset(record),
        "Epochs": record.protocol.epochs,
        "Iterations": record.protocol.iterations,
        "Parameters": cost.parameters if cost else None,
        "FLOPs": cost.flops if cost else None,
    }
    return {
        "Name": f"{record.label}_{record.backbone}_{record.run_id}",
        "In Collection": record.label,
        "Metadata": {key: value for key, value in metadata.items() if value is not None},
        "Config": record.config.path if record.config else None,
        "Results": [
            {
                "Task": TASKS.get(record.protocol.task, record.protocol.task),
                "Dataset": _dataset(record),
                "Metrics": {METRICS.get(key, key): value for key, value in record.metrics.items()},
            }
        ],
    }


def _write_parquet(table: list[dict[str, Any]], path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise BenchError(
            f"Parquet needs pyarrow ({error}); run `pip install pyarrow`, or export CSV"
        ) from error
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(table), temporary)


FORMS: dict[str, Callable[[list[Record]], str]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "metafile": _metafile,
}
