"""Frozen networks: build one, load every weight of it, and take its feature maps.

A teacher (``targets/teacher.py``), a perceptual loss (``features.py``) and the reference network of
a painting protocol are such networks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from simmim_bench.backbones.timm import check_timm_name
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.card import read_card
from simmim_bench.weights.files import PREFIX, load_checkpoint, require_file
from simmim_bench.weights.pretrained import load_pretrained
from simmim_bench.weights.safe_config import check_config
from simmim_bench.weights.strict import load_strict

TIMM = "timm."
VGG = "torchvision.vgg16"
VGG_LEVELS = (3, 8, 15, 22)  # relu1_2, 2_2, 3_3, 4_3: https://arxiv.org/abs/1603.08155, section 4
VGG_WEIGHTS = "https://download.pytorch.org/models/vgg16-397923af.pth"
PROBE_SIZE = 224
HEADS = ("head", "fc", "classifier", "head_dist")
"""Modules that classify; their weights are not needed for features."""

Levels = Sequence[int] | Literal["last"] | None
"""Indices of maps in ascending order; ``"last"``: the deepest map, normalised as a head sees it;
None: VGG-16's four, else all maps that the network returns."""


class HoldsFrozenNetwork(nn.Module):
    """Base of modules that use a network which does not learn.

    The network is not a submodule: it is not in the state dict, has no trainable parameter, is
    never initialised again and stays in evaluation mode. It follows the module to its device.
    """

    network: nn.Module

    def hold(self, network: nn.Module) -> None:
        """Freeze ``network`` and keep it."""
        network.eval()  # mmpretrain's return nothing, so calls cannot be chained
        network.requires_grad_(False)
        object.__setattr__(self, "network", network)  # not registered, see above

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> HoldsFrozenNetwork:
        """Take the network along to another device or dtype."""
        super()._apply(fn, recurse)
        self.network._apply(fn, recurse)
        return self


def open_network(
    checkpoint: Path, model: dict[str, Any] | None, levels: Levels = None
) -> nn.Module:
    """Build a network and load every weight of it.

    Args:
        checkpoint: Exported ``backbone.pth`` with its card, or a ``.pth`` or ``.safetensors`` file
            of weights.
        model: Config; ``type`` is ``timm.NAME``, ``torchvision.vgg16`` or a registered backbone.
            None: what the card says, and without a card VGG-16.
        levels: See ``Levels``.

    Returns:
        Module that returns a sequence of maps (B, C, h, w) for images (B, 3, H, W); ``maps_of``
        checks it.

    Raises:
        BenchError: If the file is missing, damaged, or does not hold exactly the weights; if the
            model or the levels do not exist.
    """
    remedy = f"give the path of a .pth or .safetensors file (VGG-16: {VGG_WEIGHTS})"
    require_file(checkpoint, "checkpoint of the frozen network", remedy)
    if checkpoint.with_suffix(".json").is_file():
        config = model or _config_of_card(checkpoint)
        network = build_network(config, levels)
        report = load_pretrained(network, checkpoint)
        MMLogger.get_current_instance().info(f"frozen network: {report.summary()}")
        return network
    state = read_weights(checkpoint)
    network = build_network(model, levels)
    load_weights(getattr(network, "model", network), state, checkpoint)
    return network


def _config_of_card(checkpoint: Path) -> dict[str, Any]:
    config = check_config(
        read_card(checkpoint)["backbone_config"],
        source=checkpoint.with_suffix(".json"),
        entry="backbone_config",
        scope="mmpretrain",
    )
    return {"_scope_": "mmpretrain", **config}


def build_network(model: dict[str, Any] | None, levels: Levels = None) -> nn.Module:
    """Build with random weights; see ``open_network``.

    Raises:
        BenchError: If timm does not know the name, or the levels do not exist.
    """
    config = dict(model or {"type": VGG})
    kind = str(config.get("type", ""))
    if kind == VGG:
        chosen = VGG_LEVELS if levels is None else levels
        return VGG16Levels(VGG_LEVELS[-1:] if chosen == "last" else chosen)
    if kind.startswith(TIMM):
        return TimmLevels(_build_timm(config), levels)
    if levels is None or levels == "last":
        return MODELS.build(config)
    with torch.random.fork_rng():  # this check does not change the random weights
        check_levels(levels, level_count(MODELS.build(config)), kind)
    return MODELS.build({**config, "out_indices": tuple(levels)})


def _build_timm(config: dict[str, Any]) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise BenchError("a timm network needs timm; install it with `pip install timm`") from error
    name = config.pop("type").removeprefix(TIMM)
    check_timm_name(name)
    return timm.create_model(name, **{"pretrained": False, "num_classes": 0, **config})


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a bare state dict, or one under ``state_dict`` or ``model``.

    Of a whole mmpretrain model only the keys under ``backbone.`` are kept.

    Raises:
        BenchError: If the file is missing, damaged, or holds no weights.
    """
    content: Any = load_checkpoint(path)
    for key in ("state_dict", "model"):
        content = content[key] if isinstance(content.get(key), dict) else content
    state = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    inside = {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}
    if not state:
        raise BenchError(f"{path} holds no weights; give a file with a state dict")
    return inside or state


def load_weights(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load every weight of ``network``; the weights of a classifier may be left over.

    Raises:
        BenchError: If one is missing, has another shape, or the file has one too many.
    """
    named = (getattr(network, "pretrained_cfg", None) or {}).get("classifier") or ()
    heads = ((named,) if isinstance(named, str) else tuple(named)) + HEADS
    load_strict(
        network,
        state,
        source=f"{path} does not fully match its model",
        remedy="give the checkpoint and the config of the same model",
        may_be_unexpected=[rf"{re.escape(head)}\..*" for head in heads],
    )


class VGG16Levels(nn.Module):
    """Convolutions of torchvision's VGG-16, under its keys.

    Args:
        levels: Indices into ``features``, in ascending order.

    Raises:
        BenchError: See ``check_levels``.
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
        model: The model.
        levels: Indices in timm's ``feature_info``; see ``Levels``.

    Raises:
        BenchError: See ``check_levels``.
    """

    def __init__(self, model: Any, levels: Levels) -> None:
        super().__init__()
        self.model = model
        self.last = levels == "last"
        self.levels: int | list[int] | None = 1 if self.last else None  # 1: one map, the last
        if levels is not None and levels != "last":
            check_levels(levels, len(model.feature_info), f"{TIMM}{type(model).__name__}")
            self.levels = list(levels)

    def forward(self, images: Tensor) -> Any:
        """Maps (B, C, h, w); whatever the model returns if timm cannot give maps of it."""
        if self.last and not hasattr(self.model, "forward_intermediates"):
            return self.model(images)
        return self.model.forward_intermediates(
            images, indices=self.levels, norm=self.last, output_fmt="NCHW", intermediates_only=True
        )


def check_levels(levels: Sequence[int], count: int, network: str) -> None:
    """Check that a network returns exactly these levels in this order.

    Args:
        levels: Indices of the maps.
        count: Number of maps that the network can return.
        network: Its name.

    Raises:
        BenchError: If there are none, one is outside 0 to ``count - 1``, or they do not ascend.
    """
    known = all(level in range(count) for level in levels)
    if not levels or not known or list(levels) != sorted(set(levels)):
        raise BenchError(
            f"levels {list(levels)} of the frozen network {network} are not valid; give one or "
            f"more of 0 to {count - 1}, each once, in ascending order"
        )


def level_count(backbone: nn.Module) -> int:
    """Number of maps that a registered backbone can return with ``out_indices``.

    Raises:
        BenchError: If it is not known.
    """
    if hasattr(backbone, "timm_model"):  # mmpretrain.TIMMBackbone
        return len(backbone.timm_model.feature_info.info)
    for parts in ("stages", "res_layers", "layers"):  # Swin, ConvNeXt and CNN; ResNet; ViT
        if hasattr(backbone, parts):
            return len(getattr(backbone, parts))
    raise BenchError(
        f"cannot tell how many levels a {type(backbone).__name__} has; set out_indices in the "
        f"frozen network's model instead of levels"
    )


def maps_of(network: nn.Module, images: Tensor) -> Sequence[Tensor]:
    """Feature maps (B, C, h, w) of normalised images (B, 3, H, W).

    Raises:
        BenchError: If the network returns something else.
    """
    outputs = network(images)
    maps = outputs if isinstance(outputs, list | tuple) else [outputs]
    for found in maps:
        if not isinstance(found, Tensor) or found.ndim != 4:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            name = type(getattr(network, "model", network)).__name__
            raise BenchError(
                f"frozen network {name} returns {shape}, not feature maps (B, C, h, w); use a "
                f"model that returns feature maps; for a ViT of mmpretrain set out_type='featmap'"
            )
    return maps


@torch.no_grad()
def last_channels_and_stride(network: nn.Module, config: dict[str, Any]) -> tuple[int, int]:
    """Channels and stride of the last feature map, from one empty image of the network's size."""
    preset = getattr(getattr(network, "model", network), "pretrained_cfg", None) or {}
    size = config.get("img_size") or preset.get("input_size", (PROBE_SIZE,))[-1]
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    features = maps_of(network, torch.zeros(1, 3, height, width))[-1]
    return features.shape[1], height // features.shape[2]
