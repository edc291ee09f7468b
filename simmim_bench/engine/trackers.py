"""Send scalars and pictures of a run to a tracker as well, through mmengine's back ends."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from simmim_bench.errors import BenchError

TRACKERS = {
    "tensorboard": "mmengine.TensorboardVisBackend",
    "wandb": "mmengine.WandbVisBackend",
    "mlflow": "mmengine.MLflowVisBackend",
}
"""Back ends by the name of the package that each needs."""


def log_to(cfg: Any, names: Sequence[str]) -> None:
    """Add the back ends ``names`` to the visualizer of ``cfg``.

    Raises:
        BenchError: If a package is not installed.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise BenchError(
                f"--log-to {name} needs the package {name}; install it with `pip install {name}`"
            )
        cfg.visualizer.vis_backends.append({"type": TRACKERS[name]})


def has_tracker(cfg: Any) -> bool:
    """Whether anything but files in the work dir receives the scalars and pictures."""
    backends = cfg.visualizer.get("vis_backends") or []
    return any(not backend["type"].endswith("LocalVisBackend") for backend in backends)
