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

from simmim_bench.backbones.base import matches
from simmim_bench.errors import BenchError
from simmim_bench.weights.files import backbone_state, check_finite
from simmim_bench.weights.safe_config import build_from_file
from simmim_bench.weights.tensors import DIVERGED, check_tensors, check_values, not_finite

SHOWN_KEYS = 3
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
    loaded = {key: value for key, value in state.items() if key in own and key not in exempt}
    broken = not_finite(loaded)
    if broken:
        raise BenchError(
            f"{source}: NaN or infinity in {len(broken)} of {len(loaded)} tensors, the first is "
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
