"""Parts of a suite's matrix: which cells leave it, which join it, which differ."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, NamedTuple, TypeVar

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import Self

from simmim_bench.suite.axes import Overrides
from simmim_bench.suite.resources import Resources, Strict

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
