"""What a measurement depends on: versions, commit, processor and load."""

from __future__ import annotations

import os
from typing import Any


def environment() -> dict[str, Any]:
    """Versions, commit, processor and load."""
    import torch

    from simmim_bench.records.environment import PACKAGES, collect_environment, cpu_name

    peers = ("timm", "transformers", "pycocotools", "faster-coco-eval", "hotcoco", "pillow")
    found = collect_environment((*PACKAGES, *peers))
    return {
        **found.model_dump(mode="json"),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "load": os.getloadavg()[0],
    }
