"""Are the data there? Asked before anything heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simmim_bench.config import datasets
from simmim_bench.data import layouts
from simmim_bench.errors import BenchError

FILES = ("ann_file", "question_file", "image_file")


def check_data(cfg: Any) -> None:
    """Check that every folder and annotation file that ``cfg`` reads exists.

    Raises:
        BenchError: Naming the first path that is missing and the command that prepares it.
    """
    for _, sentence in missing_data(cfg):
        raise BenchError(sentence)


def missing_data(cfg: Any) -> Iterator[tuple[Path, str]]:
    """Every path that ``cfg`` reads and that is not there, with the sentence about it."""
    for loader, dataset in datasets(cfg):
        for path in expected_paths(dataset):
            if not path.exists():
                yield path, _sentence(loader, path, dataset)


def expected_paths(dataset: Any) -> list[Path]:
    """Paths that a dataset dict names: its root, its prefixes, its annotation files."""
    root = Path(dataset.get("data_root") or ".")
    prefix = dataset.get("data_prefix") or {}
    parts = [prefix] if isinstance(prefix, str) else list(prefix.values())
    parts += [dataset.get(key) or "" for key in FILES]
    return [root, *(root / part for part in parts if part)]


def _sentence(loader: str, path: Path, dataset: Any) -> str:
    name = layouts.dataset_of(str(dataset.get("data_root", "")))
    command = layouts.prepare_command(name) if name else None
    remedy = f"prepare it with `{command}`, or " if command else ""
    current = os.environ.get("SIMMIM_BENCH_DATA")
    said = f" (SIMMIM_BENCH_DATA is {current})" if current else ""
    return (
        f"{loader}: no data at {path.absolute()}{said}; {remedy}point SIMMIM_BENCH_DATA at the "
        "folder that holds your datasets, or --data-root at this dataset"
    )
