"""Build a teacher from timm or from the registry, and load all of its weights."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS, unknown_name
from simmim_bench.weights.files import load_checkpoint

TIMM = "timm."
PROBE_SIZE = 224
PREFIX = "backbone."
HEADS = ("head", "fc", "classifier", "head_dist")
"""Modules that classify; their weights are not needed for features."""


@dataclass(frozen=True)
class Weights:
    """A teacher's weights and the file they are from."""

    state: dict[str, Tensor]
    path: Path

    def load_into(self, teacher: nn.Module) -> None:
        """Load every weight of ``teacher``.

        Raises:
            BenchError: If one is missing, has another shape, or the file has one too many;
                names the key and the nearest key of the file.
        """
        own = teacher.state_dict()
        classifier = _heads(teacher)
        found = {
            key: value
            for key, value in self.state.items()
            if key in own or not key.startswith(classifier)
        }
        missing = [key for key in own if key not in found]
        extra = [key for key in found if key not in own]
        if missing or extra:
            raise BenchError(
                f"teacher checkpoint {self.path} does not fully match its model: {len(missing)} of "
                f"{len(own)} keys missing, {len(extra)} unexpected{_example(missing, extra)}; give "
                f"the checkpoint and the config of the same model"
            )
        wrong = [key for key in own if own[key].shape != found[key].shape]
        if wrong:
            key = wrong[0]
            raise BenchError(
                f"teacher checkpoint {self.path} has {len(wrong)} tensors of another shape, the "
                f"first is {key}: {tuple(found[key].shape)}, the model has "
                f"{tuple(own[key].shape)}; give the checkpoint and the config of the same model"
            )
        teacher.load_state_dict(found, strict=True)


def teacher_weights(path: Path) -> Weights:
    """Read a checkpoint: a bare state dict, or one under ``state_dict`` or ``model``.

    Of a whole mmpretrain model only what is under ``backbone.`` is kept.

    Raises:
        BenchError: If the file is missing, damaged, or holds no weights.
    """
    require_file(path, "teacher checkpoint", "give the path of a .pth or .safetensors file")
    content: Any = _read_safetensors(path) if path.suffix == ".safetensors" else None
    content = load_checkpoint(path) if content is None else content
    for key in ("state_dict", "model"):
        content = content[key] if isinstance(content.get(key), dict) else content
    state = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if any(key.startswith(PREFIX) for key in state):
        state = {
            key.removeprefix(PREFIX): value
            for key, value in state.items()
            if key.startswith(PREFIX)
        }
    if not state:
        raise BenchError(f"teacher checkpoint {path} holds no weights; give a state dict")
    return Weights(state, path)


def build_teacher(config: dict[str, Any]) -> nn.Module:
    """Build ``timm.NAME`` by timm, anything else by the registry; without pretrained weights.

    Raises:
        BenchError: If timm is not installed or does not know the name; lists near names.
    """
    arguments = dict(config)
    kind = str(arguments.get("type", ""))
    if not kind.startswith(TIMM):
        return MODELS.build(arguments)
    del arguments["type"]
    try:
        import timm
    except ImportError as error:
        raise BenchError("a timm teacher needs timm; install it with `pip install timm`") from error
    name = kind.removeprefix(TIMM)
    if not timm.is_model(name):
        raise BenchError(_unknown_timm(name, timm.list_models()))
    return timm.create_model(name, **{"pretrained": False, "num_classes": 0, **arguments})


def feature_map(teacher: nn.Module, images: Tensor) -> Tensor:
    """Last feature map (B, C, h, w) of normalised images (B, 3, H, W).

    Raises:
        BenchError: If the teacher returns something else.
    """
    if hasattr(teacher, "forward_intermediates"):  # timm; it hides what models do differently
        outputs = teacher.forward_intermediates(
            images, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
        )
    else:
        outputs = teacher(images)
    last = outputs[-1] if isinstance(outputs, list | tuple) else outputs
    if not isinstance(last, Tensor) or last.ndim != 4:
        shape = tuple(last.shape) if isinstance(last, Tensor) else type(last).__name__
        raise BenchError(
            f"teacher {type(teacher).__name__} returns {shape}, not a feature map (B, C, h, w); "
            f"use a model with feature maps, in mmpretrain with out_type='featmap'"
        )
    return last


@torch.no_grad()
def probe(teacher: nn.Module, config: dict[str, Any]) -> tuple[int, int]:
    """Channels and stride of the teacher's last feature map, from one empty image."""
    preset = getattr(teacher, "pretrained_cfg", None) or {}
    size = config.get("img_size") or preset.get("input_size", (PROBE_SIZE,))[-1]
    side = size if isinstance(size, int) else size[0]
    width = size if isinstance(size, int) else size[-1]
    features = feature_map(teacher, torch.zeros(1, 3, side, width))
    return features.shape[1], side // features.shape[2]


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise BenchError(
            f"{path} needs safetensors; install it with `pip install safetensors`"
        ) from error
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise BenchError(f"{path} is damaged ({error}); download it again") from error


def _heads(teacher: nn.Module) -> tuple[str, ...]:
    """Prefixes of weights that may be in the file without being in the model."""
    named = (getattr(teacher, "pretrained_cfg", None) or {}).get("classifier") or ()
    names = (named,) if isinstance(named, str) else tuple(named)
    return tuple(f"{name}." for name in (*names, *HEADS))


def _example(missing: list[str], extra: list[str]) -> str:
    if not missing:
        return f" (the first is {extra[0]})"
    near = difflib.get_close_matches(missing[0], extra, n=1, cutoff=0.5)
    hint = f", the nearest unexpected one is {near[0]}" if near else ""
    return f" (the first missing is {missing[0]}{hint})"


def _unknown_timm(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return unknown_name(name, known, "timm model")
    return f"unknown timm model {name!r}; timm.list_models() lists all {len(known)}"


# A file that a target needs and that is not there.


def require_file(path: Path, what: str, remedy: str) -> None:
    """Check that ``path`` is a file.

    Raises:
        BenchError: If not; names files of the same folder that are spelt alike, else the remedy.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise BenchError(f"{what} {path} is a folder; give a file in it")
    beside = sorted(item.name for item in path.parent.iterdir()) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(str(path.parent / name) for name in near)}?"
    raise BenchError(f"{what} {path} does not exist; {hint if near else remedy}")
