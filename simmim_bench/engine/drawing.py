"""Save every test image with its predictions, by the drawing hook of its library."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw_predictions(cfg: Any, folder: Path) -> None:
    """Let a test with ``cfg`` write one picture per image into ``folder``.

    Args:
        cfg: Config of a downstream run; changed in place.
        folder: Where the pictures go.
    """
    where = str(folder.absolute())  # mmdet puts a relative folder below the run's own
    backend = {"type": "LocalVisBackend", "save_dir": where, "img_save_dir": "."}
    hook, visualizer = {
        "mmpretrain": (
            {"type": "VisualizationHook", "enable": True, "interval": 1, "out_dir": where},
            "UniversalVisualizer",
        ),
        "mmdet": (
            {"type": "DetVisualizationHook", "draw": True, "test_out_dir": where},
            "DetLocalVisualizer",
        ),
        "mmseg": (
            {"type": "SegVisualizationHook", "draw": True, "interval": 1},
            "SegLocalVisualizer",
        ),
    }[cfg.default_scope]
    cfg.default_hooks.visualization = hook
    cfg.visualizer = {"type": visualizer, "vis_backends": [backend], "name": "visualizer"}
