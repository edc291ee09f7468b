"""Strict loading: a checkpoint gives a model every weight, or it is refused.

Nothing is skipped silently. Each key is matched, resized, or on a written list of the backbone's
adapter; anything else raises ``BenchError`` and leaves the model as it was. Keys and shapes are
compared here, not by torch's ``strict``: some upstream classes drop buffers while they load, since
they compute them again.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from simmim_bench.backbones import BackboneAdapter, Resized, adapter_for
from simmim_bench.backbones.base import matches
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.weights.card import EXPORT_FIRST, is_sealed, read_card
from simmim_bench.weights.files import PREFIX, backbone_state, check_finite, load_checkpoint
from simmim_bench.weights.safe_config import build_from_file
from simmim_bench.weights.tensors import DIVERGED, check_tensors, check_values, not_finite

SHOWN_KEYS = 3
UNSEALED = (
    "its card is not sealed (an earlier version wrote it), so that method, epochs and kind could "
    "have been edited; export again to seal it"
)
RENAMED = 0.5  # least similarity of two keys to ask whether one is the other renamed
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """Where a state dict does not fit a model; ``str`` gives the part of an error message.

    Args:
        expected: Number of keys that were expected.
        missing: Keys of the model that the state dict lacks.
        unexpected: Keys of the state dict that the model lacks.
        wrong_shape: Keys with the shape that was given and the shape that was expected.
    """

    expected: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    wrong_shape: tuple[tuple[str, Shape, Shape], ...]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.missing or self.unexpected or self.wrong_shape)

    def __str__(self) -> str:
        """Keys first; shapes only if all keys agree."""
        if self.missing or self.unexpected:
            return (
                f"{len(self.missing)} of {self.expected} keys missing{_shown(self.missing)}, "
                f"{len(self.unexpected)} unexpected{_shown(self.unexpected)}{self._renamed()}"
            )
        key, given, expected = self.wrong_shape[0]
        return (
            f"{len(self.wrong_shape)} of {self.expected} tensors have another shape, the first is "
            f"{key}: {given}, expected {expected}"
        )

    def _renamed(self) -> str:
        for key in self.missing:
            for near in difflib.get_close_matches(key, self.unexpected, n=1, cutoff=RENAMED):
                return f"; perhaps {key} was renamed to {near}"
        return ""


def _shown(keys: Sequence[str]) -> str:
    if not keys:
        return ""
    more = ", ..." if len(keys) > SHOWN_KEYS else ""
    return f" ({', '.join(keys[:SHOWN_KEYS])}{more})"


def compare_states(
    expected: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    *,
    may_be_missing: Sequence[str] = (),
    may_be_unexpected: Sequence[str] = (),
    any_length: Sequence[str] = (),
) -> Difference:
    """Compare keys and shapes of two state dicts.

    Args:
        expected: State dict of the model.
        given: State dict to load.
        may_be_missing: Patterns (``matches``) of keys that ``given`` need not have.
        may_be_unexpected: Patterns of keys that ``given`` may have in addition.
        any_length: Keys whose first dimension may differ.
    """
    shapes = []
    for key, value in expected.items():
        first = int(key in any_length)
        if key in given and given[key].shape[first:] != value.shape[first:]:
            shapes.append((key, tuple(given[key].shape), tuple(value.shape)))
    return Difference(
        len(expected),
        tuple(k for k in expected if k not in given and not matches(k, may_be_missing)),
        tuple(k for k in given if k not in expected and not matches(k, may_be_unexpected)),
        tuple(shapes),
    )


def compare_with_model(
    model: nn.Module, given: Mapping[str, Tensor], *, may_be_unexpected: Sequence[str] = ()
) -> Difference:
    """Compare keys and shapes of ``given`` with those of ``model``.

    A model may name keys whose first dimension depends on the data in ``of_any_length``.
    """
    any_length = tuple(getattr(model, "of_any_length", ()))
    return compare_states(
        model.state_dict(), given, may_be_unexpected=may_be_unexpected, any_length=any_length
    )


def load_strict(
    model: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    remedy: str,
    may_be_unexpected: Sequence[str] = (),
) -> None:
    """Load every key of ``state`` into ``model``.

    Args:
        model: Changed in place, or not at all.
        state: Weights under the model's keys.
        source: What is loaded and into what, to start the message: ``FILE does not fit MODEL``.
        remedy: What the user can do, to end it.
        may_be_unexpected: Patterns of keys that are dropped if the model lacks them.

    Raises:
        BenchError: If a key is missing, unexpected, or of another shape, or a value is refused
            (``check_tensors``, ``check_values``) or is NaN or infinite.
    """
    check_fits(model, state, source=source, remedy=remedy, may_be_unexpected=may_be_unexpected)
    own = model.state_dict()
    model.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)


def check_fits(
    model: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    remedy: str,
    may_be_unexpected: Sequence[str] = (),
) -> None:
    """Check that ``state`` can be loaded into ``model``; arguments as in ``load_strict``.

    A buffer may hold infinity where that of the model does, such as a mask of attention.

    Raises:
        BenchError: As ``load_strict``.
    """
    if not isinstance(state, Mapping):
        raise BenchError(f"{source}: it holds no state dict, but {state!r:.80}; {remedy}")
    check_tensors(state, source)
    differing = compare_with_model(model, state, may_be_unexpected=may_be_unexpected)
    if differing:
        raise BenchError(f"{source}: {differing}; {remedy}")
    own = model.state_dict()
    check_values(own, state, source)
    exempt = set(not_finite(dict(model.named_buffers())))
    broken = not_finite({k: v for k, v in state.items() if k in own and k not in exempt})
    if broken:
        raise BenchError(
            f"{source}: NaN or infinity in {len(broken)} of {len(state)} tensors, the first is "
            f"{broken[0]}; {DIVERGED}"
        )


def load_whole(model: nn.Module, content: dict[str, Any], *, checkpoint: Path, config: str) -> None:
    """Load every key of ``model`` from the content of ``checkpoint``.

    Raises:
        BenchError: As ``load_strict``.
    """
    load_strict(
        model,
        content.get("state_dict", content),
        source=f"{checkpoint} does not fit {config}",
        remedy="give an epoch_*.pth or iter_*.pth that was trained with this config (and the "
        "same --num-classes)",
    )


def load_trained_backbone(content: dict[str, Any], config: dict[str, Any], path: Path) -> nn.Module:
    """Build the backbone of a training's config and load it from a checkpoint of that training.

    Args:
        content: Of the checkpoint.
        config: ``stored_config`` of it.
        path: Of the checkpoint, for errors.

    Raises:
        BenchError: If the weights hold NaN or infinity, or do not fit, or the config is refused
            (``check_config``).
    """
    state = backbone_state(content)
    source = f"the backbone's weights in {path} do not fit the config inside it"
    check_tensors(state, source)
    check_finite(state, path)
    backbone: nn.Module = build_from_file(
        config["model"]["backbone"],
        source=path,
        entry="model.backbone",
        scope=config.get("default_scope", "mmpretrain"),
    )
    load_strict(
        backbone,
        state,
        source=source,
        remedy="the file was changed after training, use the original",
    )
    return backbone


@dataclass(frozen=True)
class LoadReport:
    """What happened to each key of an exported backbone.

    Args:
        checkpoint: File that was loaded.
        sha256: Its hash.
        matched: Keys that were loaded, including resized ones.
        missing: Keys of the model that the checkpoint lacks and the adapter allows.
        unexpected: Keys of the checkpoint that the model lacks and the adapter allows.
        resized: Position parameters that were fitted to another window or image.
        recomputed: Buffers that follow from sizes and are always the model's own.
        sealed: Whether the card is sealed; cards of earlier versions are not.
    """

    checkpoint: str
    sha256: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    resized: tuple[Resized, ...]
    recomputed: tuple[str, ...]
    sealed: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON types only: counts of what was loaded, names of everything else."""
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
        parts += [] if self.sealed else [UNSEALED]
        return "; ".join(parts)


def load_pretrained(backbone: nn.Module, path: Path) -> LoadReport:
    """Load an exported backbone into ``backbone``; all tasks start here.

    Args:
        backbone: Backbone of a downstream model; changed in place, or not at all.
        path: ``backbone.pth`` with its ``backbone.json`` beside it.

    Raises:
        BenchError: If the file is not an exported backbone, is damaged, belongs to another
            architecture, lacks or has keys that no list allows, or holds NaN.
    """
    adapter = adapter_for(backbone)
    content = load_checkpoint(path)
    _check_exported(content, path)
    source = f"{path} does not fit the {adapter.name} backbone"
    check_tensors(content, source)
    card = read_card(path)
    _check_architecture(adapter, card, path)
    own = backbone.state_dict()
    kept = {k: v for k, v in content.items() if not matches(k, adapter.recomputed)}
    check_values(own, kept, source)
    try:
        state, resized = adapter.resize(kept, card["sizes"])
    except KeyError as error:
        name = error.args[0]
        if name not in adapter.sizes():
            raise
        raise BenchError(
            f"sizes.{name} in {path.with_suffix('.json')} is missing; export the backbone again"
        ) from error
    recomputed = tuple(key for key in own if matches(key, adapter.recomputed))
    expected = {key: value for key, value in own.items() if key not in recomputed}
    differing = compare_states(
        expected,
        state,
        may_be_missing=adapter.may_be_missing(),
        may_be_unexpected=adapter.may_be_unexpected(),
    )
    if differing:
        raise BenchError(
            f"{source}: {differing}; export it again from "
            f"its pretraining checkpoint, or use a config of the same backbone"
        )
    check_finite(state, path)
    sha256 = _check_hash(card, path)
    loaded = {key: value for key, value in state.items() if key in expected}
    backbone.load_state_dict({**own, **loaded}, strict=False)  # compared key by key above
    return LoadReport(
        checkpoint=path.name,
        sha256=sha256,
        matched=tuple(loaded),
        missing=tuple(key for key in expected if key not in state),
        unexpected=tuple(key for key in state if key not in expected),
        resized=tuple(resized),
        recomputed=recomputed,
        sealed=is_sealed(card),
    )


def _check_exported(content: dict[str, Any], path: Path) -> None:
    if "state_dict" in content or "model" in content:
        raise BenchError(f"{path} is a whole checkpoint, not an exported backbone; {EXPORT_FIRST}")
    if not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise BenchError(f"{path} is not the state dict of a backbone; {EXPORT_FIRST}")
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
        expected = ", ".join(f"{name} {own[name]}" for name in differing)
        raise BenchError(
            f"{path} is {adapter.name} with {given}, the config's backbone has {expected}; use a "
            f"checkpoint and a config of the same architecture"
        )


def _check_hash(card: dict[str, Any], path: Path) -> str:
    found: str = sha256_file(path)
    if found != card["sha256"]:
        raise BenchError(
            f"{path} has sha256 {found[:12]}..., but {path.with_suffix('.json').name} says "
            f"{card['sha256'][:12]}...; the weights were changed after the export, export again"
        )
    return found
