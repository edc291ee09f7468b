"""Tell the architecture of ResNet and ConvNeXt from the shapes of their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError

# What reading an architecture from shapes returns, and what every such reading needs.


DEFAULT_IMAGE = 224
State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Architecture:
    """Config that builds a backbone, and what had to be assumed for it."""

    adapter: str
    config: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def image_size(self) -> int:
        """Side of the image, in pixels; convolutional backbones have none of their own."""
        return int(self.config.get("img_size", DEFAULT_IMAGE))


def need(state: State, key: str) -> Tensor:
    """A tensor that tells a size.

    Raises:
        BenchError: If it is missing.
    """
    if key not in state:
        raise BenchError(f"{key} is missing, which tells the backbone's size; use a whole file")
    return state[key]


def count(state: State, pattern: str) -> int:
    """How many blocks or stages there are: one more than the largest number in ``pattern``."""
    found = (re.fullmatch(pattern, key) for key in state)
    return 1 + max((int(match.group(1)) for match in found if match), default=-1)


RESNET_BLOCKS = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
}
"""Whether blocks are bottlenecks, and their number in each stage: He et al., table 1."""

STAGES = 4
IMAGE_NOTE = f"image size is not in the weights: {DEFAULT_IMAGE} assumed"


def resnet(state: State) -> Architecture:
    """ResNet of a published depth (https://arxiv.org/abs/1512.03385, table 1).

    Raises:
        BenchError: If a tensor that tells a size is missing, or no such depth has these blocks.
    """
    stem, first = need(state, "conv1.weight"), need(state, "layer1.0.conv1.weight")
    blocks = tuple(count(state, rf"layer{i + 1}\.(\d+)\..*") for i in range(STAGES))
    bottleneck = any(key.startswith("layer1.") and ".conv3." in key for key in state)
    depth = next((n for n, known in RESNET_BLOCKS.items() if known == (bottleneck, blocks)), None)
    if depth is None:
        kind = "bottleneck" if bottleneck else "basic"
        known = ", ".join(map(str, RESNET_BLOCKS))
        raise BenchError(
            f"ResNet has {blocks} {kind} blocks in its stages, which no depth of {known} has"
        )
    return Architecture(
        "resnet",
        {
            "type": "mmpretrain.ResNet",
            "depth": depth,
            "in_channels": stem.shape[1],
            "stem_channels": stem.shape[0],
            "base_channels": first.shape[0],
            "out_indices": (STAGES - 1,),
        },
        ("the 3 x 3 convolution of a block has its stride (style pytorch)", IMAGE_NOTE),
    )


def convnext(state: State) -> Architecture:
    """ConvNeXt (https://arxiv.org/abs/2201.03545) and V2 (https://arxiv.org/abs/2301.00808).

    Raises:
        BenchError: If a tensor that tells a size is missing.
    """
    stem = need(state, "downsample_layers.0.0.weight")
    stages = range(STAGES)
    norms = [need(state, f"stages.{stage}.0.norm.weight") for stage in stages]
    outputs = [stage for stage in stages if f"norm{stage}.weight" in state]
    return Architecture(
        "convnext",
        {
            "type": "mmpretrain.ConvNeXt",
            "arch": {
                "depths": [count(state, rf"stages\.{stage}\.(\d+)\..*") for stage in stages],
                "channels": [norm.shape[0] for norm in norms],
            },
            "in_channels": stem.shape[1],
            "stem_patch_size": stem.shape[2],
            "linear_pw_conv": need(state, "stages.0.0.pointwise_conv1.weight").ndim == 2,
            "use_grn": "stages.0.0.grn.gamma" in state,
            "layer_scale_init_value": 1e-6 if "stages.0.0.gamma" in state else 0.0,
            "out_indices": sorted({*outputs, STAGES - 1}),
            "gap_before_final_norm": False,
        },
        (IMAGE_NOTE,),
    )
