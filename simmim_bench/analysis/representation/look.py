"""One pass of a model over the images: features of all layers, attention distance of all heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from simmim_bench.analysis.images import Pictures, as_seen, normalised
from simmim_bench.analysis.models import Subject
from simmim_bench.analysis.representation.attention import (
    Attention,
    captured,
    grid_distances,
    has_attention,
    summed_distance,
)
from simmim_bench.analysis.representation.layers import watched
from simmim_bench.backbones.outputs import extra_tokens, pooled

Array = np.ndarray[Any, np.dtype[Any]]
BATCH = 16
NEGLIGIBLE = 1e-20  # attention weight of a key that a window mask hides


@dataclass(frozen=True)
class Reach:
    """Attention distance of the heads of a layer, in pixels.

    Args:
        heads: Mean distance of each head.
        uniform: Distance if a head attended equally to all keys that it may see.
    """

    heads: tuple[float, ...]
    uniform: float


@dataclass(frozen=True)
class Look:
    """What one model computed for the images.

    Args:
        subject: The model.
        features: By layer, (images, channels) averages over positions, float32.
        reach: One per attention layer, in order; empty without attention.
    """

    subject: Subject
    features: dict[str, Array]
    reach: tuple[Reach, ...]


@torch.no_grad()
def look(subject: Subject, pictures: Pictures, advance: Callable[[int], None]) -> Look:
    """Run one model on all images.

    Args:
        subject: The model.
        pictures: Images.
        advance: Called with the number of images seen since the last call.
    """
    features: dict[str, list[Array]] = defaultdict(list)
    sums: dict[str, list[tuple[Array, float, int]]] = defaultdict(list)
    attentive, extra = has_attention(subject.backbone), extra_tokens(subject.backbone)
    for start in range(0, len(pictures.paths), BATCH):
        paths = pictures.paths[start : start + BATCH]
        images = normalised(as_seen(paths, subject.image_size), subject)
        with ExitStack() as stack:
            outputs = stack.enter_context(watched(subject.backbone))
            attention = stack.enter_context(captured(subject.backbone)) if attentive else []
            subject.backbone(images)
        for name, output in outputs.items():
            features[name].append(pooled(output, extra=extra).numpy())
        for layer in attention:
            sums[layer.layer].append(_summed(layer))
        advance(len(paths))
    return Look(
        subject,
        {name: np.concatenate(parts) for name, parts in features.items()},
        tuple(_mean(parts) for parts in sums.values()),
    )


def _summed(layer: Attention) -> tuple[Array, float, int]:
    """Distance of each head and of uniform attention, summed over queries, and their number."""
    distances = grid_distances(layer.rows, layer.columns, layer.pixels)
    weights, real = layer.weights.numpy(), layer.real.numpy()
    heads, count = summed_distance(weights, distances, real)
    # a window mask lowers logits by 100; keys with weight in any head are visible
    seen = (weights > NEGLIGIBLE).any(axis=1, keepdims=True)
    [alike], _ = summed_distance(seen, distances, real)
    return heads, float(alike), count


def _mean(parts: list[tuple[Array, float, int]]) -> Reach:
    count = sum(number for _, _, number in parts)
    heads = np.sum([part for part, _, _ in parts], axis=0) / count
    return Reach(tuple(heads.tolist()), sum(part for _, part, _ in parts) / count)
