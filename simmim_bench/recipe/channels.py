"""Images of 1 to 16 channels, in every part of a recipe that knows of channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.recipe.band_steps import use_band_steps

COLOURS = 3
LEFT_OUT = "left_out"
"""Key of a config: steps of the recipe that such images do not allow, each as a sentence."""
PREPROCESSORS = {
    "SelfSupDataPreprocessor": "simmim_bench.SelfSupBandPreprocessor",
    "DetDataPreprocessor": "simmim_bench.DetBandPreprocessor",
    "SegDataPreProcessor": "simmim_bench.SegBandPreprocessor",
}
"""Preprocessors that take 1 or 3 channels, and ours that take any number."""

NEEDS_COLOURS = {
    "ColourClusters": "its palette has red, green and blue; use target=simmim_bench.NormalisedRGB",
    "TeacherFeatures": "its teacher sees red, green and blue; use another target",
    "FrozenFeatures": (
        "its network sees red, green and blue; use simmim_bench.OwnFeatures, as "
        "configs/variants/cosine_swin-demo.py"
    ),
    "BEiT": "its tokenizer sees red, green and blue; use a SimMIM config",
    "painting": "it compares pictures in red, green and blue; use another protocol",
}
"""Parts that have no meaning for other channels: why, and what to use instead."""


def set_channels(
    cfg: Any,
    *,
    channels: int,
    value_range: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
) -> None:
    """Let a recipe read, normalise, encode and predict images of these channels, in place.

    Args:
        cfg: Config of any training.
        channels: Channels of the images.
        value_range: Values of the files that become 0 and 255; values between are not rounded.
        mean: Mean of each channel on the scale from 0 to 255. Three channels are red, green, blue.
        std: Standard deviation, same.

    Raises:
        BenchError: If a part of the recipe needs three channels and there are others.
    """
    if channels != COLOURS:
        _refuse_colours(cfg, channels)
    scale = {"mean": list(mean), "std": list(std)}
    loaded = slice(None, None, -1) if channels == COLOURS else slice(None)  # OpenCV's BGR
    for part in parts(cfg):
        kind = kind_of(part)
        if kind == "LoadImage":
            part.update(channels=channels, value_range=list(value_range))
        elif kind == "RandomErasing":
            part.update(fill_color=scale["mean"][loaded], fill_std=scale["std"][loaded])
        elif kind == "MAEPretrainDecoder":
            part["in_chans"] = channels
        elif kind == "MAEPretrainHead":
            part["in_channels"] = channels
        elif kind.lower().endswith("preprocessor"):
            part.update(scale)
            if channels != COLOURS:
                _keep_order(part)
    cfg[LEFT_OUT] = use_band_steps(
        ((kind_of(part), part) for part in parts(cfg)), scale["mean"][loaded]
    )
    _set_backbone((cfg.get("model") or {}).get("backbone"), channels)


def _keep_order(preprocessor: Any) -> None:
    """Take any number of channels, in the order of the images."""
    preprocessor["type"] = PREPROCESSORS.get(kind_of(preprocessor), preprocessor["type"])
    preprocessor.update({key: False for key in ("to_rgb", "bgr_to_rgb") if key in preprocessor})


def _set_backbone(backbone: Any, channels: int) -> None:
    if backbone is None:
        return
    if kind_of(backbone) == "MAEViT":  # has no such argument, but passes this one on
        backbone["patch_cfg"] = {**(backbone.get("patch_cfg") or {}), "in_channels": channels}
    else:
        backbone["in_channels"] = channels


def kind_of(part: Any) -> str:
    """Name of a part's class, without the library."""
    kind = part.get("type", "")
    return (kind if isinstance(kind, str) else getattr(kind, "__name__", "")).rpartition(".")[2]


def parts(node: Any) -> Iterator[Any]:
    """Every dict with a ``type`` below a config; a dict before those in it."""
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from parts(child)
    elif hasattr(node, "items"):
        if "type" in node:
            yield node
        for child in list(node.values()):
            yield from parts(child)


def _refuse_colours(cfg: Any, channels: int) -> None:
    found = [kind_of(part) for part in parts(cfg.get("model") or {})]
    found += ["painting"] if cfg.get("painting") is not None else []
    for kind in found:
        if kind in NEEDS_COLOURS:
            raise BenchError(
                f"the recipe has {kind} and the images have {channels} "
                f"{'channel' if channels == 1 else 'channels'}; {NEEDS_COLOURS[kind]}"
            )
