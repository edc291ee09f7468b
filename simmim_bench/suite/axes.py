"""Ablations in a suite file: one entry that stands for a pretraining per combination of values.

``simmim-{masking}-r{ratio}`` with axes ``masking: [random, square]`` and ``ratio: {0.4: ...,
0.6: ...}`` is four methods; ``{masking}`` in the config's path is filled in, too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Scalar = bool | int | float | str | None
Overrides = dict[str, Scalar | list[Scalar]]
Axis = list[str] | dict[str, Overrides]
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Variant:
    """One combination: the method's name, its value on each axis, its config and overrides."""

    method: str
    values: dict[str, str]
    config: str
    overrides: Overrides


def variants(
    name: str, config: str, overrides: Overrides, axes: Mapping[str, Axis]
) -> Iterator[Variant]:
    """Every combination of an entry's axes, the last axis changing fastest; itself without axes.

    With axes the method's name is an override of the config's: each combination is a row of its
    own in the leaderboard.
    """
    if not axes:
        yield Variant(name, {}, config, overrides)
        return
    for labels in itertools.product(*axes.values()):
        values = dict(zip(axes, labels, strict=True))
        method = _filled(name, values)
        changed: Overrides = {"pretraining.method": method, **overrides}
        for axis, label in values.items():
            choice = axes[axis]
            changed.update(choice[label] if isinstance(choice, dict) else {})
        yield Variant(method, values, _filled(config, values), changed)


def axis_mistakes(name: str, config: str, axes: Mapping[str, Axis]) -> list[str]:
    """What is wrong with the axes of one entry, in sentences."""
    where = f"pretrain.{name}"
    if not axes:
        return [
            f"{where} has {{{word}}} in its name and no axis called {word!r}"
            for word in PLACEHOLDER.findall(name)
        ]
    mistakes = [
        f"{where}.axes.{axis} does not stand in the name; write {{{axis}}} into it, so that each "
        f"value makes a method of its own"
        for axis in axes
        if f"{{{axis}}}" not in name
    ]
    mistakes += [
        f"{where}.axes.{axis} has no values" for axis, choice in axes.items() if not choice
    ]
    mistakes += [
        f"{where}.axes.{axis} lists {label!r} twice"
        for axis, choice in axes.items()
        for label in _repeated(list(choice))
    ]
    known = [*axes, "backbone"]
    mistakes += [
        f"{where} uses {{{word}}} and has no axis called {word!r}; its axes: {', '.join(axes)}"
        for word in dict.fromkeys(PLACEHOLDER.findall(name) + PLACEHOLDER.findall(config))
        if word not in known or (word == "backbone" and word in PLACEHOLDER.findall(name))
    ]
    return mistakes


def _filled(text: str, values: Mapping[str, str]) -> str:
    for axis, value in values.items():
        text = text.replace(f"{{{axis}}}", value)
    return text


def _repeated(labels: Sequence[str]) -> list[str]:
    return sorted({label for label in labels if labels.count(label) > 1})
