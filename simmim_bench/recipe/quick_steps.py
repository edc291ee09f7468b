"""Steps of the training images for which there are quicker ones of the same name.

``RandomResizedCrop`` with Pillow's filters differs from Pillow's result by one level of 255 in 3 of
1000 values (``data/quick_steps.py: resized``); the others do not differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

FILTERS = ("bilinear", "bicubic")
KINDS: dict[str, Callable[[Any], bool]] = {
    "RandomResizedCrop": lambda step: (
        step.get("backend") == "pillow" and step.get("interpolation", "bilinear") in FILTERS
    ),
    "RandomFlip": lambda step: (
        isinstance(step.get("prob"), float)
        and isinstance(step.get("direction", ""), str)
        and set(step) <= {"type", "prob", "direction"}
    ),
    "RandomErasing": lambda step: step.get("mode") == "rand" and step.get("fill_std") is not None,
    "PackInputs": lambda step: True,  # noqa: ARG005
}
"""Kinds, and for which arguments there is a quicker step."""


def use_quick_steps(steps: Iterable[tuple[str, Any]]) -> None:
    """Replace mmpretrain's steps by ours of the same name, in place.

    Args:
        steps: Kind and dict of each part of a config whose default scope is mmpretrain.
    """
    for kind, step in steps:
        if kind in KINDS and step["type"] in (kind, f"mmpretrain.{kind}") and KINDS[kind](step):
            step["type"] = f"simmim_bench.{kind}"
