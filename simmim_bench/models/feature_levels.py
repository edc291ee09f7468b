"""Open a network whose feature maps of several levels are wanted, with all of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.models.frozen import TIMM, build_teacher, require_file, teacher_weights
from simmim_bench.registry import MODELS
from simmim_bench.weights.files import read_card
from simmim_bench.weights.strict import load_pretrained

VGG = "torchvision.vgg16"
VGG_LEVELS = (3, 8, 15, 22)  # relu1_2, 2_2, 3_3, 4_3: https://arxiv.org/abs/1603.08155, section 4
VGG_WEIGHTS = "https://download.pytorch.org/models/vgg16-397923af.pth"


class VGG16Levels(nn.Module):
    """Convolutions of torchvision's VGG-16, under its keys.

    Args:
        levels: Indices into ``features``, rising.

    Raises:
        BenchError: If the levels are refused by ``check_levels``.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        self.features = make_layers(cfgs["D"])
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # else it overwrites the map of the level before it
        check_levels(levels, len(self.features), VGG)
        self.levels = tuple(levels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps (B, C, h, w) after each of the levels."""
        found, maps = images, []
        for number, layer in enumerate(self.features[: max(self.levels) + 1]):
            found = layer(found)
            if number in self.levels:
                maps.append(found)
        return maps


class TimmLevels(nn.Module):
    """Intermediate maps of a timm model.

    Args:
        model: It.
        levels: Their indices in timm's ``feature_info``, rising; None: all.

    Raises:
        BenchError: If the levels are refused by ``check_levels``.
    """

    def __init__(self, model: Any, levels: Sequence[int] | None) -> None:
        super().__init__()
        if levels is not None:
            check_levels(levels, len(model.feature_info), f"{TIMM}{type(model).__name__}")
        self.model = model
        self.levels = None if levels is None else list(levels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps (B, C, h, w)."""
        maps: list[Tensor] = self.model.forward_intermediates(
            images, indices=self.levels, output_fmt="NCHW", intermediates_only=True
        )
        return maps


def open_network(
    checkpoint: Path, model: dict[str, Any] | None, levels: Sequence[int] | None
) -> nn.Module:
    """Build a network and load every weight of it.

    Args:
        checkpoint: Exported ``backbone.pth`` with its card, or a file of weights.
        model: Config; ``type`` is ``timm.NAME``, ``torchvision.vgg16`` or a registered backbone.
            None: what the card says, and without a card VGG-16.
        levels: Which maps, by rising numbers from 0, since maps come in the network's order;
            None: VGG-16's four, else all that the model gives.

    Returns:
        Module that gives a sequence of maps (B, C, h, w) for images (B, 3, H, W).

    Raises:
        BenchError: If the file is missing, damaged, or does not hold exactly the weights; if the
            levels are refused by ``check_levels``.
    """
    remedy = f"give the path of weights; those of VGG-16 are at {VGG_WEIGHTS}"
    require_file(checkpoint, "checkpoint of the frozen network", remedy)
    if checkpoint.with_suffix(".json").is_file():
        config = model or {"_scope_": "mmpretrain", **read_card(checkpoint)["backbone_config"]}
        network = build_network(config, levels)
        report = load_pretrained(network, checkpoint)
        MMLogger.get_current_instance().info(f"frozen network: {report.summary()}")
        return network
    network = build_network(model, levels)
    teacher_weights(checkpoint).load_into(getattr(network, "model", network))
    return network


def build_network(model: dict[str, Any] | None, levels: Sequence[int] | None) -> nn.Module:
    """Build with random weights; see ``open_network``.

    Raises:
        BenchError: If timm does not know the name, or the levels are refused by ``check_levels``.
    """
    config = dict(model or {"type": VGG})
    if config["type"] == VGG:
        return VGG16Levels(VGG_LEVELS if levels is None else levels)
    if config["type"].startswith(TIMM):
        return TimmLevels(build_teacher(config), levels)
    if levels is None:
        return cast(nn.Module, MODELS.build(config))
    with torch.random.fork_rng():  # random weights do not depend on this check
        check_levels(levels, level_count(MODELS.build(config)), config["type"])
    return cast(nn.Module, MODELS.build({**config, "out_indices": tuple(levels)}))


def check_levels(levels: Sequence[int], count: int, network: str) -> None:
    """Refuse levels that the network would leave out, repeat or return in another order.

    Args:
        levels: Which maps.
        count: How many the network can give.
        network: Its name.

    Raises:
        BenchError: Unless there are one or more, each from 0 to ``count - 1``, rising.
    """
    known = all(level in range(count) for level in levels)
    if not levels or not known or list(levels) != sorted(set(levels)):
        raise BenchError(
            f"levels {list(levels)} of the frozen network {network}: give one or more of 0 to "
            f"{count - 1}, each once, in rising order"
        )


def level_count(backbone: nn.Module) -> int:
    """Maps that a registered backbone can give by ``out_indices``.

    Raises:
        BenchError: If that is not known of such a backbone.
    """
    if hasattr(backbone, "timm_model"):  # mmpretrain.TIMMBackbone
        return len(backbone.timm_model.feature_info.info)
    for parts in ("stages", "res_layers", "layers"):  # Swin, ConvNeXt and CNN; ResNet; ViT
        if hasattr(backbone, parts):
            return len(getattr(backbone, parts))
    raise BenchError(
        f"the levels of a {type(backbone).__name__} are not known; set out_indices in the frozen "
        "network's model, without levels"
    )


def maps_of(network: nn.Module, images: Tensor) -> Sequence[Tensor]:
    """Feature maps of images (B, 3, H, W).

    Raises:
        BenchError: If the network returns something else.
    """
    outputs = network(images)
    maps = outputs if isinstance(outputs, list | tuple) else [outputs]
    for found in maps:
        if not isinstance(found, torch.Tensor) or found.ndim != 4:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise BenchError(
                f"frozen network {type(network).__name__} returns {shape}, not feature maps "
                "(B, C, h, w); give a ViT out_type='featmap'"
            )
    return maps
