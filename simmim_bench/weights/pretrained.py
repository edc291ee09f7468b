"""Load a backbone of a file into a model, completely or not at all, and report each key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from simmim_bench.backbones import BackboneAdapter, Resized, adapter_for
from simmim_bench.backbones.base import matches
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.weights.card import EXPORT_FIRST, is_sealed, read_card
from simmim_bench.weights.files import PREFIX, check_finite, load_checkpoint
from simmim_bench.weights.strict import compare_states
from simmim_bench.weights.tensors import check_tensors, check_values
from simmim_bench.weights.widen import say_widened

UNSEALED = (
    "its card is not sealed (an earlier version wrote it), so that method, epochs and kind could "
    "have been edited; export again to seal it"
)
SAME_BACKBONE = (
    "export it again from its pretraining checkpoint, or use a config of the same backbone"
)
READING = ("read", "assumed", "dropped")
"""What the ``source`` of a card says on how the file of another library was read."""
ANY = ", or one of configs/any, which take any backbone"
EVERY_KEY = (
    "a pretraining starts from weights of the same backbone, with every key; use a config of the "
    "weights' backbone, or other weights"
)


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
        sealed: Whether the card is sealed; cards of earlier versions are not. None: no card.
        widened: What the card says of a first layer that was made for other channels.
        origin: Where the card says that converted weights come from.
        reading: How a file of another library was read (``ConversionReport.reading``).
    """

    checkpoint: str
    sha256: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    resized: tuple[Resized, ...]
    recomputed: tuple[str, ...]
    sealed: bool | None
    widened: Mapping[str, Any] | None = None
    origin: str | None = None
    reading: Mapping[str, str] = field(default_factory=dict)

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
            **({"widened": dict(self.widened)} if self.widened else {}),
            **({"origin": self.origin} if self.origin else {}),
            **({"reading": dict(self.reading)} if self.reading else {}),
        }

    def read_as(self) -> list[str]:
        """Lines for the log on how a file of another library was read."""
        return [f"{name}: {line}" for name, line in self.reading.items()]

    def summary(self) -> str:
        """One line for the log."""
        origin = f" ({self.origin})" if self.origin else ""
        parts = [f"loaded {self.checkpoint}{origin}: {len(self.matched)} tensors matched"]
        if self.resized:
            first = self.resized[0]
            parts.append(f"{len(self.resized)} resized (first {first.old} -> {first.new})")
        parts += [f"missing as expected: {', '.join(self.missing)}"] if self.missing else []
        parts += [f"dropped: {', '.join(self.unexpected)}"] if self.unexpected else []
        parts += [say_widened(self.widened)] if self.widened else []
        parts += [UNSEALED] if self.sealed is False else []
        return "; ".join(parts)


def load_pretrained(
    backbone: nn.Module, path: Path, *, whole: bool = False, given: str | None = None
) -> LoadReport:
    """Load an exported backbone into ``backbone``; all tasks start here.

    Args:
        backbone: Backbone of a downstream model; changed in place, or not at all.
        path: ``backbone.pth`` with its ``backbone.json`` beside it.
        whole: Whether the file must have every weight but the mask token, also those that tasks
            add.
        given: What the command line names, for errors; the file by default.

    Raises:
        BenchError: If the file is not an exported backbone, is damaged, belongs to another
            architecture, lacks or has keys that no list allows, or holds NaN.
    """
    content = load_checkpoint(path)
    _check_exported(content, path)
    named = given or str(path)
    check_tensors(content, f"{named} does not fit the {adapter_for(backbone).name} backbone")
    card = read_card(path)
    fitted = Fitted.of(backbone, content, card, path, whole=whole, given=named)
    sha256 = _check_hash(card, path)
    report = fitted.load(path, sha256, sealed=is_sealed(card))
    source = card.get("source") or {}
    reading = {name: source[name] for name in READING if name in source}
    return replace(
        report, widened=card.get("widened"), origin=source.get("origin"), reading=reading
    )


@dataclass(frozen=True)
class Fitted:
    """Weights of a file, resized and compared with a backbone, not yet loaded.

    Args:
        backbone: To load them into.
        state: All of them.
        resized: See ``LoadReport``.
        recomputed: Same.
    """

    backbone: nn.Module
    state: dict[str, Tensor]
    resized: tuple[Resized, ...]
    recomputed: tuple[str, ...]

    @classmethod
    def of(
        cls,
        backbone: nn.Module,
        content: Mapping[str, Tensor],
        card: Mapping[str, Any],
        path: Path,
        *,
        whole: bool,
        given: str,
    ) -> Fitted:
        """Resize and compare; arguments as in ``load_pretrained``.

        Args:
            backbone: To load the weights into; not changed.
            content: Weights under the backbone's keys (``check_tensors``).
            card: Its ``adapter``, ``architecture`` and ``sizes`` are those of the weights.
            path: The file, for errors.
            whole: Whether only the mask token may be missing.
            given: What the command line names, for errors.

        Raises:
            BenchError: As ``load_pretrained``.
        """
        adapter = adapter_for(backbone)
        source = f"{given} does not fit the {adapter.name} backbone"
        _check_architecture(adapter, card, given, whole=whole)
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
        except (TypeError, ValueError, IndexError, RuntimeError, OverflowError) as error:
            raise BenchError(
                f"{source}: its position parameters are not those of the sizes in "
                f"{path.with_suffix('.json')}, {card['sizes']!r:.100} ({error!s:.200}); export the "
                f"backbone again"
            ) from error
        recomputed = tuple(key for key in own if matches(key, adapter.recomputed))
        differing = compare_states(
            {key: value for key, value in own.items() if key not in recomputed},
            state,
            may_be_missing=("mask_token",) if whole else adapter.may_be_missing(),
            may_be_unexpected=adapter.may_be_unexpected(),
        )
        if differing:
            raise BenchError(f"{source}: {differing}; {EVERY_KEY if whole else SAME_BACKBONE}")
        check_finite(state, path)
        return cls(backbone, state, tuple(resized), recomputed)

    def load(self, path: Path, sha256: str, *, sealed: bool | None) -> LoadReport:
        """Load the weights into the backbone; arguments as of ``LoadReport``."""
        own = self.backbone.state_dict()
        expected = [key for key in own if key not in self.recomputed]
        loaded = {key: value for key, value in self.state.items() if key in expected}
        self.backbone.load_state_dict({**own, **loaded}, strict=False)  # compared key by key
        return LoadReport(
            checkpoint=path.name,
            sha256=sha256,
            matched=tuple(loaded),
            missing=tuple(key for key in expected if key not in self.state),
            unexpected=tuple(key for key in self.state if key not in expected),
            resized=self.resized,
            recomputed=self.recomputed,
            sealed=sealed,
        )


def _check_exported(content: dict[str, Any], path: Path) -> None:
    if "state_dict" in content or "model" in content:
        raise BenchError(f"{path} is a whole checkpoint, not an exported backbone; {EXPORT_FIRST}")
    if not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise BenchError(f"{path} is not the state dict of a backbone; {EXPORT_FIRST}")
    if all(key.startswith(PREFIX) for key in content):
        raise BenchError(f"{path} has keys that start with {PREFIX!r}; {EXPORT_FIRST}")


def check_adapter(name: str, card: Mapping[str, Any], given: str, *, whole: bool) -> None:
    """Check that weights are of the kind of backbone that a config has.

    Args:
        name: Adapter of the config's backbone.
        card: Card of the weights.
        given: What the command line names.
        whole: Whether a pretraining starts from them.

    Raises:
        BenchError: If they are of another kind.
    """
    if card["adapter"] != name:
        raise BenchError(
            f"{given} is a {card['adapter']} backbone, the config's backbone is {name}; "
            f"use a checkpoint and a config of the same backbone{'' if whole else ANY}"
        )


def _check_architecture(
    adapter: BackboneAdapter, card: Mapping[str, Any], given: str, *, whole: bool
) -> None:
    check_adapter(adapter.name, card, given, whole=whole)
    own, theirs = json.loads(json.dumps(adapter.architecture())), card["architecture"]
    differing = [name for name in own if own[name] != theirs.get(name)]
    if differing == ["in_channels"]:
        channels = theirs.get("in_channels")
        raise BenchError(
            f"{given} reads images of {channels} {'channel' if channels == 1 else 'channels'}, the "
            f"config's backbone {own['in_channels']}; widen the weights with --widen mean or "
            f"--widen repeat, or use images of as many channels"
        )
    if differing:
        found = ", ".join(f"{name} {theirs.get(name)}" for name in differing)
        expected = ", ".join(f"{name} {own[name]}" for name in differing)
        raise BenchError(
            f"{given} is {adapter.name} with {found}, the config's backbone has {expected}; use a "
            f"checkpoint and a config of the same architecture{'' if whole else ANY}"
        )


def _check_hash(card: dict[str, Any], path: Path) -> str:
    found: str = sha256_file(path)
    if found != card["sha256"]:
        raise BenchError(
            f"{path} has sha256 {found[:12]}..., but {path.with_suffix('.json').name} says "
            f"{card['sha256'][:12]}...; the weights were changed after the export, export again"
        )
    return found
