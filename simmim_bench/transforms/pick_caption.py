"""One of an image's captions for a training step."""

from __future__ import annotations

import random
from typing import Any

from mmcv.transforms import BaseTransform

from simmim_bench.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PickCaption(BaseTransform):
    """Keep one of ``captions``, drawn anew in every epoch (seeded by ``SeedSample``)."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` with a list of one caption."""
        return {**results, "captions": [random.choice(results["captions"])]}
