"""Parts of a suite's matrix: which cells leave it, which join it, which differ."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, NamedTuple, TypeVar

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import Self

from simmim_bench.suite.resources import Resources, Strict

# Ablations in a suite file: one entry that stands for a pretraining per combination of values.
#
# ``simmim-{masking}-r{ratio}`` with axes ``masking: [random, square]`` and ``ratio: {0.4: ...,
# 0.6: ...}`` is four methods; ``{masking}`` in the config's path is filled in, too.


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


T = TypeVar("T")
PRETRAIN = "pretrain"  # in the place of a task's name
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Seed = Annotated[int, Field(ge=0)]
Patterns = str | list[str] | None
Seeds = Seed | list[Seed] | None


class Cell(NamedTuple):
    """One downstream run, or with the task ``pretrain`` one pretraining."""

    method: str
    backbone: str
    task: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task} of {self.method} with {self.backbone}, seed {self.seed}"


class Selector(Strict):
    """Cells that have one of the given names in every given place; ``*`` stands for any text.

    Attributes:
        method: Name or names of pretrainings and baselines.
        backbone: Name or names.
        task: Name or names; ``pretrain`` is the pretraining, which no other pattern selects.
        seed: Number or numbers.
    """

    method: Patterns = None
    backbone: Patterns = None
    task: Patterns = None
    seed: Seeds = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if all(value is None for value in (self.method, self.backbone, self.task, self.seed)):
            raise ValueError("should name a method, a backbone, a task or a seed")
        return self

    def matches(self, cell: Cell) -> bool:
        """Whether ``cell`` is meant."""
        task = _matches(self.task, cell.task) if cell.task != PRETRAIN else self.task == PRETRAIN
        return (
            task
            and _matches(self.method, cell.method)
            and _matches(self.backbone, cell.backbone)
            and (self.seed is None or cell.seed in listed(self.seed))
        )


class Override(Selector):
    """What is different for some cells.

    Attributes:
        config: Instead of the step's.
        set: Dotted config key to value, on top of the step's own overrides.
        resources: Instead of the step's.
        gpu_hours: Instead of the step's.
    """

    config: str | None = None
    set: Overrides = {}
    resources: Resources | None = None
    gpu_hours: float | None = Field(default=None, ge=0)


class Include(Strict):
    """Cells that are not in the product.

    Attributes:
        method: A pretraining or baseline of the file.
        backbone: Any name; it fills ``{backbone}`` in the configs' paths.
        task: Task or tasks of the file.
        seed: Number or numbers; all of the suite's by default.
    """

    method: Name
    backbone: Name
    task: Name | list[Name]
    seed: Seeds = None


def listed(value: T | list[T]) -> list[T]:
    """A value alone as a list of one."""
    return value if isinstance(value, list) else [value]


def _matches(patterns: Patterns, name: str) -> bool:
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in listed(patterns))
