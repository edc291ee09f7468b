"""The suite file: which pretrainings, which downstream tasks, how many seeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from simmim_bench.suite.resources import Budget, Resources, Strict
from simmim_bench.suite.selectors import (
    Axis,
    Include,
    Name,
    Override,
    Overrides,
    Scalar,
    Selector,
    Variant,
    variants,
)

SCRATCH = "scratch"
Template = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._{}-]*$")]


class Step(Strict):
    """A config and what the suite changes in it; a bare string is the config alone.

    Attributes:
        config: Path from the project's root; ``{backbone}`` stands for the backbone's name.
        overrides: Dotted config key to value, as ``--cfg-options`` takes them.
        uses: Dotted config key to the method whose exported backbone, of the same backbone and
            seed, it is set to; that method stands before.
        resources: Instead of the suite's.
        gpu_hours: What one run of it is estimated to cost, GPUs times hours; for the plan.
    """

    config: str
    overrides: Overrides = {}
    uses: dict[str, Name] = {}
    resources: Resources | None = None
    gpu_hours: float | None = Field(default=None, ge=0)

    def path(self, backbone: str) -> str:
        """The config's path for one backbone."""
        return self.config.replace("{backbone}", backbone)

    def options(self) -> list[str]:
        """Overrides as ``KEY=VALUE``, in the file's order."""
        return [f"{key}={_spelled(value)}" for key, value in self.overrides.items()]


class Task(Step):
    """A downstream run, from the exported backbone or from scratch.

    Attributes:
        tool: Of ``tools``: ``train`` fine-tunes; ``evaluate_painting`` learns nothing and measures
            what the whole pretraining paints, decoder included.
    """

    tool: Literal["train", "evaluate_painting"] = "train"


class Pretrain(Step):
    """A pretraining, or with axes one per combination of their values.

    Attributes:
        axes: Axis to its values: labels that fill ``{axis}`` in the name and the config's path,
            or labels with the overrides that each stands for.
    """

    axes: dict[Name, Axis] = {}


class Suite(Strict):
    """A matrix of runs: (pretrainings + weights + baselines) x backbones x tasks x seeds.

    Attributes:
        base: Suite file, by its path from this one, whose keys hold that this one does not state.
        name: Folder under ``work_dirs``.
        kind: ``smoke`` for toy schedules, whose records never stand beside full ones.
        seeds: Count; they are 0, 1, ...
        data: Embedded dataset that is prepared first, if the configs need one.
        backbones: Names that fill ``{backbone}`` in config paths.
        pretrain: Method name to its pretraining; a name with ``{axis}`` stands for several.
        weights: Method name to a ``backbone.pth`` that is there: a path from the project's root,
            with ``{backbone}``, as tools/convert_checkpoint.py writes it.
        baselines: Starting points that need no pretraining.
        tasks: Task name to its downstream config, the same for all methods.
        resources: Of every stage that states none of its own.
        budget: What all stages that have to run may cost, by their estimates.
        exclude: Cells that leave the matrix; a pretraining that no task is left for, too.
        include: Cells that join it.
        override: What is different for some cells; a later one wins.
    """

    base: str | None = None
    name: Name
    kind: Literal["full", "smoke"] = "full"
    seeds: int = Field(default=1, ge=1)
    data: Literal["demo"] | None = None
    backbones: list[Name] = Field(min_length=1)
    pretrain: dict[Template, Pretrain] = {}
    weights: dict[Name, str] = {}
    baselines: list[Literal["scratch"]] = []
    tasks: dict[Name, Task] = Field(min_length=1)
    resources: Resources = Resources()
    budget: Budget | None = None
    exclude: list[Selector] = []
    include: list[Include] = []
    override: list[Override] = []

    def variants(self) -> list[tuple[Variant, Step]]:
        """Every pretraining of the suite, axes multiplied out."""
        return [
            (
                variant,
                Step(
                    config=variant.config,
                    overrides=variant.overrides,
                    uses=step.uses,
                    resources=step.resources,
                    gpu_hours=step.gpu_hours,
                ),
            )
            for name, step in self.pretrain.items()
            for variant in variants(name, step.config, step.overrides, step.axes)
        ]

    def methods(self) -> dict[str, Step]:
        """Method name to its pretraining, axes multiplied out."""
        return {variant.method: step for variant, step in self.variants()}

    def given(self, method: str, backbone: str) -> str | None:
        """Path of the weights that are there for ``method``; None if it has a pretraining."""
        path = self.weights.get(method)
        return path.replace("{backbone}", backbone) if path else None


def _spelled(value: Scalar | list[Scalar]) -> str:
    if isinstance(value, list):
        return f"[{','.join(_spelled(item) for item in value)}]"
    return str(value)
