"""Steps of pipelines that take other images than RGB of 8 bits, and what they leave out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

PILLOW = ("RandomResizedCrop", "ResizeEdge")
"""Steps that resize 8 bits alone if their back end is Pillow."""

COLOUR_STEPS = {
    "ColorJitter": ("saturation", "hue"),
    "PhotoMetricDistortion": ("saturation", "hue"),
    "RandAugment": ("Color",),
    "RandomGrayscale": (),
    "GaussianBlur": (),
    "RandomErasing": (),
}
"""Steps for RGB of 8 bits, and what ours of the same name leave out, as it has no meaning."""


def use_band_steps(steps: Iterable[tuple[str, Any]], mean: Sequence[float]) -> list[str]:
    """Replace steps of the libraries by ours of the same name, in place.

    Args:
        steps: Kind and dict of each part of a config.
        mean: Mean of each channel in the order of the loaded image, from 0 to 255.

    Returns:
        What is left out of the recipe, a sentence per step.
    """
    said = []
    for kind, step in steps:
        if kind in COLOUR_STEPS or (kind in PILLOW and step.get("backend") == "pillow"):
            step["type"] = f"simmim_bench.{kind}"
        if kind == "RandAugment":
            step["bands"] = list(mean)
        if without := COLOUR_STEPS.get(kind):
            said.append(f"{kind} without {' and '.join(without)}, which need 8-bit RGB")
    return list(dict.fromkeys(said))
