"""Export as a stage: the backbone's files, then the manifest that says they are complete."""

from __future__ import annotations

import json
import platform
import resource
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from simmim_bench.checkpoint.export import export_backbone
from simmim_bench.checkpoint.whole import written_by
from simmim_bench.io import sha256_file
from simmim_bench.records.environment import collect_environment
from simmim_bench.records.manifest import Cost, FileRef, Manifest

PACKAGES = ("torch", "numpy", "onedl-mmengine", "onedl-mmpretrain", "simmim_bench")


def run_export(checkpoint: Path, out: Path) -> Path:
    """Export ``checkpoint`` into ``out`` and write ``out/manifest.json`` last.

    Args:
        checkpoint: ``epoch_N.pth``, or the folder of a finished run, whose manifest names it.
        out: Folder for the exported files.

    Returns:
        Path of ``backbone.pth``.

    Raises:
        BenchError: As ``export_backbone``.
    """
    started, begin = datetime.now(timezone.utc), time.monotonic()
    checkpoint = written_by(checkpoint)
    files = export_backbone(checkpoint, out)
    card = json.loads(files.card.read_text("utf-8"))
    pretraining = card["pretraining"]
    planned = card["epochs_planned"]
    unfinished = pretraining["epochs"] != planned
    Manifest.model_validate(
        {
            "stage": "export",
            "status": "complete",
            "kind": card["kind"],
            "method": card["method"],
            "backbone": pretraining["backbone"],
            "seed": pretraining["seed"],
            "pretraining": {**pretraining, "checkpoint_sha256": card["sha256"]},
            "inputs": {
                "checkpoint": FileRef(path=str(checkpoint), sha256=card["source"]["sha256"])
            },
            "outputs": {
                "backbone": FileRef(path=files.weights.name, sha256=card["sha256"]),
                "card": FileRef(path=files.card.name, sha256=sha256_file(files.card)),
            },
            "cost": _cost(card, time.monotonic() - begin),
            "environment": collect_environment(PACKAGES),
            "deviations": [f"{pretraining['epochs']} of {planned} epochs"] if unfinished else [],
            "started": started,
            "finished": datetime.now(timezone.utc),
        }
    ).write(out / "manifest.json")
    return files.weights


def _cost(card: dict[str, Any], seconds: float) -> Cost:
    return Cost(
        device=f"CPU {platform.machine()}",
        device_count=1,
        wall_seconds=seconds,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        images_per_second=None,
        parameters=card["parameters"],
        flops=None,
    )
