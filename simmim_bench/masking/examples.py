"""Scenes of the embedded demo data, for maskings that look at the image to be measured on."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.data.demo.compose import Composer
from simmim_bench.data.demo.spec import DemoSpec, Split
from simmim_bench.masking.base import Grid, MaskStrategy

SCENES = "coco/val2017"
KEPT = 64  # scenes in memory: every masking of a survey is drawn on the same ones


@lru_cache(maxsize=KEPT)
def sample_of(index: int, image_size: Grid) -> dict[str, Any]:
    """Scene ``index`` as a pipeline has it: ``img`` (H, W, 3), RGB, and ``gt_seg_map`` (H, W)."""
    composer, split = _composer()
    scene = composer.compose(split, index)
    size = (image_size[1], image_size[0])
    image = Image.fromarray(scene.image).resize(size, Image.Resampling.BICUBIC)
    classes = Image.fromarray(scene.semantic_map()).resize(size, Image.Resampling.NEAREST)
    return {"img": np.asarray(image), "gt_seg_map": np.asarray(classes)}


def draw(strategy: MaskStrategy, image_size: Grid, *, seed: int, index: int) -> NDArray[np.bool_]:
    """Mask ``index``, Bool, (H / token, W / token), of scene ``index`` if the strategy reads it."""
    generator = np.random.default_rng([seed, index])
    if not strategy.reads:
        return strategy(image_size, generator)
    numbers = strategy.numbers(sample_of(index, image_size), generator)
    mask: NDArray[np.bool_] = strategy.masks(image_size, torch.from_numpy(numbers).unsqueeze(0))[
        0
    ].numpy()
    return mask


@cache
def _composer() -> tuple[Composer, Split]:
    spec = DemoSpec()
    split = next(split for split in spec.splits() if split.name == SCENES)
    return Composer(spec=spec, half=split.half), split
