"""The suite file as pydantic models; ``simmim_bench/suite/load.py`` reads it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from simmim_bench.suite.steps import (
    Data,
    FieldError,
    Frozen,
    Module,
    Name,
    Overrides,
    Pretrain,
    Resources,
    Seed,
    Step,
    Strict,
    Task,
    Template,
    Tune,
    Variant,
    unique,
)

PRETRAIN = "pretrain"  # stands for a pretraining where tasks are named
DEMO = "demo"  # the embedded data
T = TypeVar("T")
Patterns = str | list[str] | None
Seeds = Seed | list[Seed] | None


class Cell(NamedTuple):
    """One downstream run or, with the task ``pretrain``, one pretraining."""

    method: str
    backbone: str
    task: str
    seed: int


class Budget(Strict):
    """The most that a suite may cost; a plan with a higher estimate does not start.

    Attributes:
        gpu_hours: Of all stages that have to run.
    """

    gpu_hours: float = Field(gt=0)


class Selector(Strict):
    """Cells with one of the given names in every given place; `*` stands for any text.

    Attributes:
        method: Name or names of pretrainings and baselines.
        backbone: Name or names.
        task: Name or names; `pretrain` selects the pretraining, which no other pattern does.
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
        """Whether ``cell`` is selected."""
        task = _matches(self.task, cell.task) if cell.task != PRETRAIN else self.task == PRETRAIN
        return (
            task
            and _matches(self.method, cell.method)
            and _matches(self.backbone, cell.backbone)
            and (self.seed is None or cell.seed in as_list(self.seed))
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
        backbone: Any name; it fills `{backbone}` in config paths.
        task: Task or tasks of the file.
        seed: Number or numbers; all of the suite's by default.
    """

    method: Name
    backbone: Name
    task: Name | list[Name]
    seed: Seeds = None


class Suite(Strict):
    """A matrix of runs: (pretrainings + weights + baselines) x backbones x tasks x seeds.

    Attributes:
        base: Another suite file, by its path from this one; its keys are the defaults of this one.
        name: Folder under `work_dirs`.
        kind: `smoke` for toy schedules, whose records are never compared with full ones.
        seeds: Number of seeds; they are 0, 1, ...
        data: `demo`: the embedded data are prepared first, if the configs need them. Any other: the
            name or folder of own data, as `simmim-bench data import` wrote them, which every step
            reads that names none itself.
        imports: Modules of yours that register methods, masks, backbones, ..., as `--import` takes
            them; every stage imports them, and runs again if their source changes.
        backbones: Names that fill `{backbone}` in config paths.
        pretrain: Method name to its pretraining; a name with `{axis}` stands for several.
        weights: Method name to existing weights, with `{backbone}`: a path from the project's root
            or an address as docs/own-weights.md lists them. What is not a backbone with a card is
            converted first.
        baselines: Starting points that need no pretraining.
        tasks: Task name to its downstream config, the same for all methods.
        frozen: Probes of frozen features, beside the tasks.
        tune: Values that trials choose for each method and backbone, in every task that trains and
            does not state its own.
        resources: Of every stage that states none of its own.
        budget: The most that all stages that have to run may cost, by their estimates.
        exclude: Cells to leave out; a pretraining without any task left is left out too.
        include: Cells to add.
        override: What is different for some cells; later entries win.
    """

    base: str | None = None
    name: Name
    kind: Literal["full", "smoke"] = "full"
    seeds: int = Field(default=1, ge=1, strict=True)
    data: Data | None = None
    imports: Annotated[list[Module], AfterValidator(unique)] = []
    backbones: Annotated[list[Name], Field(min_length=1), AfterValidator(unique)]
    pretrain: dict[Template, Pretrain] = {}
    weights: dict[Name, str] = {}
    baselines: Annotated[list[Literal["scratch"]], AfterValidator(unique)] = []
    tasks: dict[Name, Task] = Field(min_length=1)
    frozen: Frozen | None = None
    tune: Tune | None = None
    resources: Resources = Resources()
    budget: Budget | None = None
    exclude: list[Selector] = []
    include: list[Include] = []
    override: list[Override] = []

    @field_validator("pretrain")
    @classmethod
    def _check_pretrain(cls, entries: dict[str, Pretrain]) -> dict[str, Pretrain]:
        mistakes = [text for name, entry in entries.items() for text in entry.axis_mistakes(name)]
        if mistakes:
            raise FieldError(*mistakes)
        return entries

    @field_validator("tasks")
    @classmethod
    def _check_tasks(cls, tasks: dict[str, Task]) -> dict[str, Task]:
        if PRETRAIN in tasks:
            raise FieldError(f"a task cannot be named {PRETRAIN!r}, which selects pretrainings")
        return tasks

    @model_validator(mode="before")
    @classmethod
    def _add_probes(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or raw.get("frozen") is None:
            return raw
        tasks, given = raw.get("tasks") or {}, raw["frozen"]
        try:
            probes = Frozen.model_validate(given).as_tasks(raw.get("data"))
        except ValidationError:
            return raw  # reported as the error of the field
        if twice := sorted(set(probes) & set(tasks)):
            raise FieldError(f"{twice[0]!r} is in tasks and in frozen.tasks; leave out one of them")
        return {**raw, "tasks": {**tasks, **probes}}

    def is_probe(self, task: str) -> bool:
        """Whether a task is of the block `frozen`."""
        return self.frozen is not None and task in self.frozen.tasks

    def variants(self) -> list[Variant]:
        """Every pretraining, one for each combination of axis values."""
        return [found for name, entry in self.pretrain.items() for found in entry.variants(name)]

    def methods(self) -> dict[str, Step]:
        """Method name to its pretraining."""
        return {variant.method: variant.step for variant in self.variants()}

    def tune_of(self, task: str) -> Tune | None:
        """The search of a task; None if it has none, or trains nothing."""
        stated = self.tasks[task]
        if stated.tool != "train" or self.is_probe(task):
            return None
        return stated.tune if "tune" in stated.model_fields_set else self.tune

    @property
    def is_demo(self) -> bool:
        """Whether the embedded data are prepared first."""
        return self.data == DEMO

    def data_of(self, step: Step) -> str | None:
        """Own data of a step; None if it reads the data that its config names."""
        return step.data or (None if self.is_demo else self.data)

    def weights_of(self, method: str, backbone: str) -> str | None:
        """Path of the existing weights of ``method``; None if it has a pretraining."""
        path = self.weights.get(method)
        return path.replace("{backbone}", backbone) if path else None


def as_list(value: T | list[T]) -> list[T]:
    """``value``, or a list of it alone."""
    return value if isinstance(value, list) else [value]


def _matches(patterns: Patterns, name: str) -> bool:
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in as_list(patterns))
