"""Read what stages leave in their folders; a value of another kind than ours counts as absent.

A machine that stops, a full disk or an editor may damage any of these files. A stage with a damaged
file runs again; it never stops the suite.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from simmim_bench.io import read_json

BENCHMARK = "benchmark.json"
PROGRESS = "progress.json"
COST = {"wall_seconds", "peak_memory_mb"}


def read_benchmark(folder: Path) -> dict[str, float]:
    """Cost of a stage: ``wall_seconds`` and ``peak_memory_mb``, as far as known."""
    return _numbers(read_json(folder / BENCHMARK))


def read_attempts(folder: Path) -> list[dict[str, Any]]:
    """Attempts at a stage, the last one last."""
    attempts = (read_json(folder / BENCHMARK) or {}).get("attempts")
    return [each for each in (attempts if isinstance(attempts, list) else []) if _is_attempt(each)]


def read_progress(folder: Path) -> dict[str, Any]:
    """What ``ProgressHook`` writes about a running stage, as far as known."""
    stated = read_json(folder / PROGRESS) or {}
    return {**_numbers(stated), "metric": _numbers(stated.get("metric"))}


def read_metrics(result: Path) -> dict[str, float]:
    """Metrics in a manifest."""
    return _numbers((read_json(result) or {}).get("metrics"))


def read_outputs(result: Path) -> dict[str, tuple[Path, str]] | None:
    """Name to file and hash of the outputs in a manifest; None if one is not well formed."""
    outputs = (read_json(result) or {}).get("outputs", {})
    if not isinstance(outputs, dict) or not all(map(_is_output, outputs.values())):
        return None
    return {name: (result.parent / one["path"], one["sha256"]) for name, one in outputs.items()}


def read_config_hash(result: Path) -> str | None:
    """Hash of the config in a manifest."""
    config = (read_json(result) or {}).get("config")
    stated = config.get("sha256") if isinstance(config, dict) else None
    return stated if isinstance(stated, str) else None


def read_data_hash(result: Path) -> str | None:
    """Fingerprint of the data in a manifest; manifests of earlier versions have none."""
    data = (read_json(result) or {}).get("data")
    stated = data.get("sha256") if isinstance(data, dict) else None
    return stated if isinstance(stated, str) else None


def read_inputs(path: Path) -> dict[str, Any] | None:
    """Content of ``stage.json``: ``inputs`` and, of a finished stage, stamps of its ``files``."""
    trace = read_json(path) or {}
    inputs, files = trace.get("inputs"), trace.get("files", {})
    if not isinstance(inputs, dict) or not isinstance(files, dict):
        return None
    return trace if all(isinstance(value, str) for value in inputs.values()) else None


def _numbers(value: Any) -> dict[str, float]:
    """Entries that are finite numbers."""
    return {
        key: number
        for key, number in (value if isinstance(value, dict) else {}).items()
        if isinstance(number, int | float)
        and not isinstance(number, bool)
        and math.isfinite(number)
    }


def _is_output(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    path, sha256 = value.get("path"), value.get("sha256")
    return isinstance(path, str) and path.isprintable() and isinstance(sha256, str)


def _is_attempt(value: Any) -> bool:
    if not isinstance(value, dict) or len(_numbers(value).keys() & COST) < len(COST):
        return False
    return value.get("exit_code") is None or isinstance(value["exit_code"], int)
