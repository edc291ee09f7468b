"""Records in other formats: flat tables for pandas, JSON lines, OpenMMLab's model index."""

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
from simmim_bench.leaderboard.aggregate import gpu_hours
from simmim_bench.records.manifest import Cost, Pretraining
from simmim_bench.records.record import Record
from simmim_bench.records.schema import ImageSize

TASKS = {
    "classification": "Image Classification",
    "detection": "Object Detection",
    "segmentation": "Semantic Segmentation",
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
COST_COLUMNS = (*COST, "gpu_hours", "device")
NOTHING = (None,) * len(COST_COLUMNS)
WHO = itemgetter("run_id", "kind", "method", "backbone")
PROTOCOL_VALUES = itemgetter("id", "version", "task", "dataset", "split")
ENVIRONMENT_VALUES = itemgetter("git_commit", "git_dirty", "torch")
COLUMNS = (
    *("run_id", "kind", "method", "backbone"),
    *("pretraining_dataset", "pretraining_epochs", "pretraining_image_size", "pretraining_seed"),
    "checkpoint_sha256",
    *("protocol", "protocol_version", "task", "dataset", "split", "image_size"),
    *("seed", "metric", "value", "provenance", "source", "deviations"),
    *COST_COLUMNS,
    *(f"pretraining_{name}" for name in COST_COLUMNS),
    *("config", "config_sha256", "git_commit", "git_dirty", "torch", "date"),
)
"""Of a flat row, in the order of ``_values``."""
SUFFIXES = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".yml": "metafile",
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
    return (dict(zip(COLUMNS, values, strict=True)) for values in _values(records))


def _values(records: Iterable[Record]) -> Iterator[tuple[Any, ...]]:
    """The same without the names; tuples, for the sake of stores with many records."""
    for record in records:
        fields, protocol = record.__dict__, record.protocol.__dict__
        config, environment = record.config, record.environment
        texts = (*record.deviations, *record.pretraining_deviations)
        before = (
            *WHO(fields),
            *_origin(record.pretraining),
            *PROTOCOL_VALUES(protocol),
            _size(record.protocol.image_size),
            record.seed,
        )
        after = (
            record.provenance.kind,
            record.provenance.url,
            "; ".join(texts) if texts else "",
            *_cost(record.cost),
            *_cost(record.pretraining_cost),
            *((config.path, config.sha256) if config else NOTHING[:2]),
            *(ENVIRONMENT_VALUES(environment.__dict__) if environment else NOTHING[:3]),
            record.date.isoformat(),
        )
        for name, value in record.metrics.items():
            yield *before, name, value, *after


def _origin(origin: Pretraining | None) -> tuple[Any, ...]:
    if origin is None:
        return NOTHING[:5]
    epochs = float(origin.epochs) if origin.epochs else None
    return origin.dataset, epochs, _size(origin.image_size), origin.seed, origin.checkpoint_sha256


def _cost(cost: Cost | None) -> tuple[Any, ...]:
    if cost is None:
        return NOTHING
    return *COST_VALUES(cost.__dict__), gpu_hours(cost), f"{cost.device_count} x {cost.device}"


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
    writer.writerow(COLUMNS)
    writer.writerows(_values(records))
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
            f"Parquet needs pyarrow, which is missing ({error}); `pip install pyarrow`, or export "
            "CSV"
        ) from error
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(table), temporary)


FORMS: dict[str, Callable[[list[Record]], str]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "metafile": _metafile,
}
