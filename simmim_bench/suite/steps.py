"""A step of a suite file as pydantic models: a config, what changes in it, and what it may use."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)

from simmim_bench.records.names import checked_name

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
LABEL = re.compile(r"[\w.-]+", re.ASCII)
"""A value of an axis."""
_MB = {"mb": 1.0, "gb": 1024.0, "tb": 1024.0**2}
_MINUTES = {"s": 1 / 60, "min": 1.0, "m": 1.0, "h": 60.0, "d": 1440.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


class FieldError(ValueError):
    """Mistakes in one field; each of ``args`` is a complete message."""


def _reader(units: dict[str, float], example: str) -> BeforeValidator:
    """Validator from a number with a unit to an integer, in the unit whose size is 1."""

    def read(value: Any) -> int:
        found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        factor = units.get(found.group(2).lower()) if found else None
        if found is None or factor is None:
            raise ValueError(f"should be a number with a unit ({', '.join(units)}), e.g. {example}")
        return max(1, round(float(found.group(1)) * factor))

    return BeforeValidator(read)


def _json(units: dict[str, float], what: str, example: str) -> WithJsonSchema:
    names = "|".join([*units, *map(str.upper, units)])
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^\s*\d+(\.\d+)?\s*({names})\s*$",
            "description": f"{what}, a number with a unit, e.g. {example}",
        }
    )


def unique(values: list[str]) -> list[str]:
    """The values; raises if one occurs twice."""
    if twice := repeated(values):
        raise ValueError(f"lists {twice[0]!r} twice")
    return values


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Module = Annotated[str, StringConstraints(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$")]
Data = Annotated[str, StringConstraints(min_length=1)]
Template = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._{}-]*$")]
Memory = Annotated[int, _reader(_MB, "16 GB"), Field(ge=1), _json(_MB, "memory", "16 GB")]
Time = Annotated[int, _reader(_MINUTES, "2 h"), Field(ge=1), _json(_MINUTES, "time", "2 h")]
Seed = Annotated[int, Field(ge=0, strict=True)]
Scalar = bool | int | float | str | None
Overrides = dict[str, Scalar | list[Scalar]]
Axis = list[str] | dict[str, Overrides]
SHORT = {
    "lr": "optim_wrapper.optimizer.lr",
    "layer_decay": "optim_wrapper.paramwise_cfg.layer_decay",
    "drop_path": "model.backbone.drop_path_rate",
}
"""Short names in a search, and the config keys that they stand for."""
EVALUATION = ("protocol", "val_", "test_", "randomness", "tta_")
"""Starts of config keys that no search may change."""


class Strict(BaseModel):
    """A part of a suite file: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(Strict):
    """What one stage may use.

    Attributes:
        threads: CPU threads of each process; `--cores` divided by it is how many stages run at
            once.
        gpus: Processes of a training with one GPU each, under `--launcher torchrun` and `slurm`;
            on a machine without GPUs, processes on its CPU. Export uses none.
        memory: Main memory, MiB; stages wait while the running ones leave too little.
        time: Minutes after which a stage is asked to save and end.
        precision: Precision of the forward pass, instead of the recipe's; records note it.
        recompute: Whether trainings recompute activations to save memory.
        compile: Whether trainings compile the backbone.
        fsdp: Whether trainings with several processes shard the model.
    """

    threads: int = Field(default=1, ge=1, strict=True)
    gpus: int = Field(default=1, ge=1, strict=True)
    memory: Memory | None = None
    time: Time | None = None
    precision: Literal["float32", "bfloat16", "float16"] | None = None
    recompute: bool = False
    compile: bool = False
    fsdp: bool = False

    def flags(self, processes: int) -> list[str]:
        """Arguments of ``simmim-bench train``; a single process has nothing to shard."""
        return [
            *(["--precision", self.precision] if self.precision else []),
            *(["--recompute"] if self.recompute else []),
            *(["--compile"] if self.compile else []),
            *(["--fsdp"] if self.fsdp and processes > 1 else []),
        ]


class Tune(Strict):
    """A small search, the same for every method and backbone, on a part of the training data.

    Attributes:
        search: Config key, or `lr`, `layer_decay` or `drop_path`, to the values to try.
        trials: Number of trials for each method and backbone; all combinations if there are no
            more, else a sample of them by a scrambled Halton sequence.
        held_out: Share of the training images that trials are scored on; they train on the others.
        seed: Which images these are, and which sample.
    """

    search: dict[str, list[bool | int | float | str]] = Field(min_length=1)
    trials: int = Field(ge=1, le=100, strict=True)
    held_out: float = Field(default=0.2, gt=0, le=0.5)
    seed: Seed = 0

    @field_validator("search")
    @classmethod
    def _check_search(cls, search: dict[str, Any]) -> dict[str, Any]:
        keys = [SHORT.get(name, name) for name in search]
        mistakes = [f"tune searches {key} twice; name it once" for key in repeated(keys)]
        for name, values in search.items():
            if not values:
                mistakes.append(f"tune.search.{name} has no values; list at least one")
            if again := repeated([str(value) for value in values]):
                mistakes.append(f"tune.search.{name} lists {again[0]} twice")
            if odd := [value for value in values if not _is_usable(value)]:
                mistakes.append(
                    f"tune.search.{name} lists {odd[0]!r:.80}; expected finite numbers or text"
                )
            if name.startswith(EVALUATION):
                mistakes.append(
                    f"tune.search.{name} would change how a result is measured; search values of "
                    f"the training"
                )
        if mistakes:
            raise FieldError(*mistakes)
        return search

    def by_key(self) -> dict[str, list[bool | int | float | str]]:
        """The search by full config keys."""
        return {SHORT.get(name, name): values for name, values in self.search.items()}


class Step(Strict):
    """A config and what the suite changes in it; a plain string is the config.

    Attributes:
        config: Path from the project's root; `{backbone}` stands for the backbone's name.
        overrides: Dotted config key to value, as `--cfg-options` takes them.
        uses: Dotted config key to a method; the key is set to the exported backbone of that method,
            with the same backbone and seed. The method must be listed earlier.
        data: Own data instead of those that the config names, by their name or folder, as
            `simmim-bench data import` wrote them.
        dataset_name: What tables call the data, if they are not those that the config names.
        image_size: Shorter side of the images in pixels, if it is not that of the config; crops,
            windows and masks follow.
        widen: How weights of other channels than the data's are used, `--widen` of `train`.
        resources: Instead of the suite's.
        gpu_hours: Estimated cost of one run, GPUs times hours; for the plan.
    """

    config: str
    overrides: Overrides = {}
    uses: dict[str, Name] = {}
    data: Data | None = None
    dataset_name: Annotated[str, AfterValidator(checked_name)] | None = None
    image_size: Annotated[int, Field(ge=1, strict=True)] | None = None
    widen: Literal["mean", "repeat"] | None = None
    resources: Resources | None = None
    gpu_hours: float | None = Field(default=None, ge=0)

    def path(self, backbone: str) -> str:
        """The config's path for one backbone."""
        return self.config.replace("{backbone}", backbone)

    def options(self) -> list[str]:
        """Overrides as ``KEY=VALUE``, in the file's order."""
        return [f"{key}={_formatted(value)}" for key, value in self.overrides.items()]


class Task(Step):
    """A downstream run, from the exported backbone or from scratch.

    Attributes:
        tool: `train` fine-tunes; `evaluate_painting` trains nothing and measures the images that
            the pretrained model predicts, decoder included.
        init_from: Task whose trained backbone this task starts from, with the same method, backbone
            and seed, instead of the pretrained one.
        tune: Values that trials choose for each method and backbone, instead of the suite's `tune`;
            null: none.
        cache_gb: Most GB of features that a probe keeps, `--cache-gb` of `simmim-bench train`.
    """

    tool: Literal["train", "evaluate_painting"] = "train"
    init_from: Name | None = None
    tune: Tune | None = None
    cache_gb: int | None = Field(default=None, ge=0, strict=True)


class Frozen(Strict):
    """Probes of frozen features of every method, in minutes: tasks with recipes of `configs/any`.

    Attributes:
        tasks: Names of recipes, such as knn, linear-grid or segmentation-linear: `demo_NAME.py` for
            the embedded data, else `NAME.py`.
        data: Name or folder of own data instead of the suite's.
        cache_gb: Most GB of features that are kept, `--cache-gb` of `simmim-bench train`.
        gpu_hours: Estimate of one run.
    """

    tasks: Annotated[list[Name], Field(min_length=1), AfterValidator(unique)]
    data: Data | None = None
    cache_gb: int | None = Field(default=None, ge=0, strict=True)
    gpu_hours: float | None = Field(default=None, ge=0)

    def as_tasks(self, suite_data: Any) -> dict[str, dict[str, Any]]:
        """Entries of the suite's `tasks`.

        Args:
            suite_data: The suite's `data`.
        """
        on_demo = (self.data or suite_data) == "demo"
        stated = {
            "data": None if on_demo else self.data,
            "cache_gb": self.cache_gb,
            "gpu_hours": self.gpu_hours,
        }
        return {
            name: {
                "config": f"configs/any/{'demo_' if on_demo else ''}{name}.py",
                **{key: value for key, value in stated.items() if value is not None},
            }
            for name in self.tasks
        }


@dataclass(frozen=True)
class Variant:
    """One combination of an entry's axis values.

    Attributes:
        method: Name of the method.
        values: Axis to the label chosen.
        step: What runs.
    """

    method: str
    values: dict[str, str]
    step: Step


class Pretrain(Step):
    """A pretraining or, with axes, one for each combination of their values.

    Attributes:
        axes: Axis to its values: labels that fill `{axis}` in the name and in the config's path, or
            labels with the overrides of each.
        init: Weights to start from instead of random ones: an existing `backbone.pth` or a
            checkpoint of another library, by its path from the project's root, or an address as
            docs/own-weights.md lists them, with `{backbone}`.
        init_name: What these weights are, if no card beside them says it.
    """

    axes: dict[Name, Axis] = {}
    init: str | None = None
    init_name: str | None = None

    def variants(self, name: str) -> Iterator[Variant]:
        """Every combination of axis values, the last axis changing fastest.

        With axes each combination is a method of its own, so its name is also set in the config.
        """
        for labels in itertools.product(*self.axes.values()):
            values = dict(zip(self.axes, labels, strict=True))
            method = _filled(name, values)
            overrides: Overrides = {"pretraining.method": method} if self.axes else {}
            overrides.update(self.overrides)
            for axis, label in values.items():
                choice = self.axes[axis]
                overrides.update(choice[label] if isinstance(choice, dict) else {})
            config = _filled(self.config, values)
            step = self.model_copy(update={"config": config, "overrides": overrides, "axes": {}})
            yield Variant(method, values, step)

    def axis_mistakes(self, name: str) -> Iterator[str]:
        """Mistakes in the axes of the entry ``name``."""
        where = f"pretrain.{name}"
        for axis, choice in self.axes.items():
            if f"{{{axis}}}" not in name:
                yield f"{where}: the name must contain {{{axis}}}, so that each value has a method"
            if not choice:
                yield f"{where}.axes.{axis} has no values"
            for label in choice:
                if not LABEL.fullmatch(label):
                    yield (
                        f"{where}.axes.{axis}: the value {label!r} is a part of folder names; use "
                        f"letters, digits, '.', '_' and '-', and set other values as overrides"
                    )
            for label in repeated(list(choice)):
                yield f"{where}.axes.{axis} lists {label!r} twice"
        known = ", ".join(self.axes) or "none"
        in_path = [word for word in PLACEHOLDER.findall(self.config) if word != "backbone"]
        for word in dict.fromkeys([*PLACEHOLDER.findall(name), *in_path]):
            if word not in self.axes:
                yield f"{where} uses {{{word}}}, but has no axis {word!r}; its axes: {known}"


def repeated(values: Sequence[str]) -> list[str]:
    """Values that occur more than once, each once."""
    return list(dict.fromkeys(value for value in values if values.count(value) > 1))


def _is_usable(value: bool | int | float | str) -> bool:
    if isinstance(value, str):
        return bool(value.strip()) and value.isprintable()
    return math.isfinite(value)


def _filled(text: str, values: Mapping[str, str]) -> str:
    for axis, value in values.items():
        text = text.replace(f"{{{axis}}}", value)
    return text


def _formatted(value: Scalar | list[Scalar]) -> str:
    if isinstance(value, list):
        return f"[{','.join(_formatted(item) for item in value)}]"
    return str(value)
