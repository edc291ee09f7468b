"""Load a whole model from the checkpoint of its own config, every key or none.

Keys and shapes are compared here and not by torch's ``strict``: some upstream classes drop
buffers while they load, since they compute them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from simmim_bench.backbones import BackboneAdapter, Resized, adapter_for
from simmim_bench.backbones.base import matches
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.records.manifest import Manifest
from simmim_bench.weights.files import (
    EXPORT_FIRST,
    PREFIX,
    check_finite,
    load_checkpoint,
    read_card,
)

SHOWN_KEYS = 3


def written_by(checkpoint: Path) -> Path:
    """The file itself, or of a finished run's folder the checkpoint that its manifest names."""
    if not checkpoint.is_dir():
        return checkpoint
    return checkpoint / Manifest.read(checkpoint / "manifest.json").outputs["checkpoint"].path


def difference(model: nn.Module, given: Mapping[str, Tensor]) -> str | None:
    """What of ``given`` does not fit ``model``, in words; None if all does."""
    own = model.state_dict()
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    if missing or unexpected:
        return f"{_count(missing, 'missing')}, {_count(unexpected, 'unexpected')} of {len(own)}"
    of_any_length = getattr(model, "of_any_length", ())
    for key, value in own.items():
        first = key in of_any_length
        if given[key].shape[first:] != value.shape[first:]:
            shapes = tuple(given[key].shape), tuple(value.shape)
            return f"{key} is {shapes[0]}, expected {shapes[1]}"
    return None


def load_whole(model: nn.Module, content: dict[str, Any], *, checkpoint: Path, config: str) -> None:
    """Load every key of ``model`` from the content of ``checkpoint``.

    Raises:
        BenchError: If a key is missing, unexpected, or of another shape.
    """
    given = content.get("state_dict", content)
    differing = difference(model, given)
    if differing:
        raise BenchError(
            f"{checkpoint} is not a checkpoint of {config}: {differing}; give an epoch_*.pth or "
            f"iter_*.pth that was trained with this config (and the same --num-classes)"
        )
    model.load_state_dict(given, strict=False)


def _count(keys: Sequence[str], what: str) -> str:
    if not keys:
        return f"0 keys {what}"
    more = ", ..." if len(keys) > SHOWN_KEYS else ""
    return f"{len(keys)} keys {what} ({', '.join(keys[:SHOWN_KEYS])}{more})"


# The one way from an exported backbone into a model, the same for every task.
#
# Nothing is skipped in silence: each key is matched, resized, or on a written list of the
# backbone's adapter; anything else stops the run.


SHOWN_KEYS_PRETRAINED = 3


@dataclass(frozen=True)
class LoadReport:
    """What happened to each key.

    Args:
        checkpoint: File that was loaded.
        sha256: Its hash.
        matched: Keys loaded, resized ones among them.
        missing: Keys of the model that the checkpoint lacks and the adapter allows.
        unexpected: Keys of the checkpoint that the model lacks and the adapter allows.
        resized: Position parameters that were fitted to another window or image.
        recomputed: Buffers that follow from sizes and are always the model's own.
    """

    checkpoint: str
    sha256: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    resized: tuple[Resized, ...]
    recomputed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; counts where all is well, names where it matters."""
        return {
            "checkpoint": self.checkpoint,
            "sha256": self.sha256,
            "matched": len(self.matched),
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
            "resized": [
                {"key": item.key, "from": list(item.old), "to": list(item.new)}
                for item in self.resized
            ],
            "recomputed": len(self.recomputed),
        }

    def summary(self) -> str:
        """One line for the log."""
        parts = [f"loaded {self.checkpoint}: {len(self.matched)} tensors matched"]
        if self.resized:
            first = self.resized[0]
            parts.append(f"{len(self.resized)} resized (first {first.old} -> {first.new})")
        parts += [f"missing as expected: {', '.join(self.missing)}"] if self.missing else []
        parts += [f"dropped: {', '.join(self.unexpected)}"] if self.unexpected else []
        return "; ".join(parts)


def load_pretrained(backbone: nn.Module, path: Path) -> LoadReport:
    """Load an exported backbone into ``backbone``, every key or not at all.

    Args:
        backbone: Backbone of a downstream model; changed in place.
        path: ``backbone.pth`` with its ``backbone.json`` beside it.

    Raises:
        BenchError: If the file is no exported backbone, is damaged, belongs to another
            architecture, misses or has keys that no list allows, or holds NaN.
    """
    adapter = adapter_for(backbone)
    content = load_checkpoint(path)
    _check_exported(content, path)
    card = read_card(path)
    _check_architecture(adapter, card, path)
    kept = {k: v for k, v in content.items() if not matches(k, adapter.recomputed)}
    state, resized = adapter.resize(kept, card["sizes"])
    missing, unexpected = _compare(adapter, state, path)
    check_finite(state, path)
    sha256 = _check_hash(card, path)
    own = backbone.state_dict()
    loaded = {key: value for key, value in state.items() if key not in unexpected}
    backbone.load_state_dict({**own, **loaded}, strict=False)  # compared key by key above
    return LoadReport(
        checkpoint=path.name,
        sha256=sha256,
        matched=tuple(loaded),
        missing=missing,
        unexpected=unexpected,
        resized=tuple(resized),
        recomputed=tuple(key for key in own if matches(key, adapter.recomputed)),
    )


def _check_exported(content: dict[str, Any], path: Path) -> None:
    if "state_dict" in content or "model" in content:
        raise BenchError(f"{path} is a whole checkpoint, not an exported backbone; {EXPORT_FIRST}")
    if not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise BenchError(f"{path} is not a backbone's state dict; {EXPORT_FIRST}")
    if all(key.startswith(PREFIX) for key in content):
        raise BenchError(f"{path} has keys that start with {PREFIX!r}; {EXPORT_FIRST}")


def _check_architecture(adapter: BackboneAdapter, card: dict[str, Any], path: Path) -> None:
    own, theirs = adapter.architecture(), card["architecture"]
    if card["adapter"] != adapter.name:
        raise BenchError(
            f"{path} is a {card['adapter']} backbone, the config's backbone is {adapter.name}; "
            f"use a checkpoint and a config of the same backbone"
        )
    differing = [name for name in own if own[name] != theirs.get(name)]
    if differing:
        given = ", ".join(f"{name} {theirs.get(name)}" for name in differing)
        wanted = ", ".join(f"{name} {own[name]}" for name in differing)
        raise BenchError(
            f"{path} is {adapter.name} with {given}, the config's backbone has {wanted}; use a "
            f"checkpoint and a config of the same architecture"
        )


def _compare(
    adapter: BackboneAdapter, state: dict[str, Tensor], path: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Missing and unexpected keys, all of them allowed."""
    own = {
        key: value
        for key, value in adapter.backbone.state_dict().items()
        if not matches(key, adapter.recomputed)
    }
    missing = tuple(key for key in own if key not in state)
    unexpected = tuple(key for key in state if key not in own)
    wrong_missing = [key for key in missing if not matches(key, adapter.may_be_missing())]
    wrong_extra = [key for key in unexpected if not matches(key, adapter.may_be_unexpected())]
    if wrong_missing or wrong_extra:
        raise BenchError(
            f"{path} does not fit the {adapter.name} backbone: "
            f"{_count_of_pretrained(wrong_missing, 'missing')}, "
            f"{_count_of_pretrained(wrong_extra, 'unexpected')}, of "
            f"{len(own)} expected; if keys were renamed, export the backbone again from its "
            f"pretraining checkpoint"
        )
    wrong_shape = [key for key in state if key in own and own[key].shape != state[key].shape]
    if wrong_shape:
        key = wrong_shape[0]
        raise BenchError(
            f"{path} has {len(wrong_shape)} tensors of another shape, the first is {key}: "
            f"{tuple(state[key].shape)}, expected {tuple(own[key].shape)}; use a checkpoint of "
            f"the same architecture"
        )
    return missing, unexpected


def _count_of_pretrained(keys: Sequence[str], what: str) -> str:
    if not keys:
        return f"0 keys {what}"
    more = ", ..." if len(keys) > SHOWN_KEYS_PRETRAINED else ""
    return f"{len(keys)} keys {what} ({', '.join(keys[:SHOWN_KEYS_PRETRAINED])}{more})"


def _check_hash(card: dict[str, Any], path: Path) -> str:
    found: str = sha256_file(path)
    if found != card["sha256"]:
        raise BenchError(
            f"{path} has sha256 {found[:12]}..., but {path.with_suffix('.json').name} says "
            f"{card['sha256'][:12]}...; the weights were changed after the export, export again"
        )
    return found
