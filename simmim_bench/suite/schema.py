"""The suite file: which pretrainings, which downstream tasks, how many seeds.

Every mistake in the file is reported at once, each with what would have been right.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from simmim_bench.errors import BenchError
from simmim_bench.suite.axes import Axis, Overrides, Scalar, Variant, axis_mistakes, variants
from simmim_bench.suite.suite_file import read_suite_file

SCRATCH = "scratch"
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Template = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._{}-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(_Strict):
    """What one stage may use.

    Attributes:
        threads: CPU threads; ``--cores`` divided by it is how many stages run at once.
    """

    threads: int = Field(default=1, ge=1)


class Step(_Strict):
    """A config and what the suite changes in it; a bare string is the config alone.

    Attributes:
        config: Path from the project's root; ``{backbone}`` stands for the backbone's name.
        overrides: Dotted config key to value, as ``--cfg-options`` takes them.
        resources: Instead of the suite's.
    """

    config: str
    overrides: Overrides = {}
    resources: Resources | None = None

    def path(self, backbone: str) -> str:
        """The config's path for one backbone."""
        return self.config.replace("{backbone}", backbone)

    def options(self) -> list[str]:
        """Overrides as ``KEY=VALUE``, in the file's order."""
        return [f"{key}={_spelled(value)}" for key, value in self.overrides.items()]


class Pretrain(Step):
    """A pretraining, or with axes one per combination of their values.

    Attributes:
        axes: Axis to its values: labels that fill ``{axis}`` in the name and the config's path,
            or labels with the overrides that each stands for.
    """

    axes: dict[Name, Axis] = {}


class Suite(_Strict):
    """A matrix of runs: (pretrainings + baselines) x backbones x tasks x seeds.

    Attributes:
        name: Folder under ``work_dirs``.
        kind: ``smoke`` for toy schedules, whose records never stand beside full ones.
        seeds: Count; they are 0, 1, ...
        data: Embedded dataset that is prepared first, if the configs need one.
        backbones: Names that fill ``{backbone}`` in config paths.
        pretrain: Method name to its pretraining; a name with ``{axis}`` stands for several.
        baselines: Starting points that need no pretraining.
        tasks: Task name to its downstream config, the same for all methods.
        resources: Of every stage that states none of its own.
    """

    name: Name
    kind: Literal["full", "smoke"] = "full"
    seeds: int = Field(default=1, ge=1)
    data: Literal["demo"] | None = None
    backbones: list[Name] = Field(min_length=1)
    pretrain: dict[Template, Pretrain] = {}
    baselines: list[Literal["scratch"]] = []
    tasks: dict[Name, Step] = Field(min_length=1)
    resources: Resources = Resources()

    def variants(self) -> list[tuple[Variant, Step]]:
        """Every pretraining of the suite, axes multiplied out."""
        return [
            (
                variant,
                Step(config=variant.config, overrides=variant.overrides, resources=step.resources),
            )
            for name, step in self.pretrain.items()
            for variant in variants(name, step.config, step.overrides, step.axes)
        ]

    def methods(self) -> dict[str, Step]:
        """Method name to its pretraining, axes multiplied out."""
        return {variant.method: step for variant, step in self.variants()}


def load_suite(path: Path, *, root: Path, seeds: int | None = None) -> Suite:
    """Read and check a suite file.

    Args:
        path: YAML file.
        root: Folder that config paths start from.
        seeds: Takes the place of the file's number of seeds.

    Raises:
        BenchError: If the file is missing or anything in it is wrong; lists every mistake.
    """
    raw = read_suite_file(path)
    if seeds is not None:
        raw["seeds"] = seeds
    try:
        suite = Suite.model_validate(raw)
    except ValidationError as error:
        raise _refusal(path, [_mistake(detail) for detail in error.errors()]) from None
    mistakes = [*_name_mistakes(suite), *_config_mistakes(suite, root)]
    if mistakes:
        raise _refusal(path, mistakes)
    return suite


def _mistake(detail: ErrorDetails) -> str:
    """One pydantic error in the words of the file."""
    *parents, leaf = detail["loc"]
    # Of a union pydantic names the branch; of a bad dict key it adds "[key]".
    parents = [part for part in parents if part != "[key]"]
    where = ".".join(str(part) for part in (*parents, leaf) if part != "[key]")
    if detail["type"] == "extra_forbidden":
        known = list(_fields(parents))
        near = difflib.get_close_matches(str(leaf), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key {where!r}; {hint}"
    if detail["type"] == "missing":
        return f"{where!r} is missing"
    if where.startswith(("pretrain", "tasks")) and "overrides" in where:
        key = ".".join(str(part) for part in parents)
        return f"{key!r} is no number, text or list; write nested keys with dots, as a.b: 1"
    if detail["type"] in ("model_type", "model_attributes_type"):
        return f"{where!r} takes the path of a config, or keys such as config, overrides"
    message = detail["msg"].removeprefix("Input ").removeprefix("String ")
    return f"{where!r} {message}, and is {detail['input']!r}"


def _fields(parents: list[int | str]) -> list[str]:
    """Keys that the part of the file at ``parents`` may have."""
    if not parents:
        return list(Suite.model_fields)
    kind = Pretrain if parents[0] == "pretrain" else Step
    return list((Resources if parents[-1] == "resources" else kind).model_fields)


def _name_mistakes(suite: Suite) -> list[str]:
    mistakes = [
        mistake
        for name, step in suite.pretrain.items()
        for mistake in axis_mistakes(name, step.config, step.axes)
    ]
    methods = [variant.method for variant, _ in suite.variants()]
    twice = sorted({method for method in methods if methods.count(method) > 1})
    mistakes += [f"two pretrainings are called {method!r}" for method in twice]
    if SCRATCH in methods:
        mistakes.append(f"a pretraining cannot be called {SCRATCH!r}; that is the baseline")
    for field in ("backbones", "baselines"):
        values = getattr(suite, field)
        twice = sorted({value for value in values if values.count(value) > 1})
        mistakes += [f"{field!r} names {value!r} twice" for value in twice]
    if not suite.pretrain and not suite.baselines:
        mistakes.append("neither 'pretrain' nor 'baselines' names anything to compare")
    return mistakes


def _config_mistakes(suite: Suite, root: Path) -> list[str]:
    mistakes = []
    for section, steps in (("pretrain", suite.methods()), ("tasks", suite.tasks)):
        for name, step in steps.items():
            for backbone in suite.backbones:
                config = Path(step.path(backbone))
                if not (root / config).is_file():
                    near = _near_configs(root, config)
                    mistakes.append(
                        f"the config of {section}.{name}, {config}, does not exist{near}"
                    )
    return mistakes


def _near_configs(root: Path, config: Path) -> str:
    """The configs below ``configs`` whose names are nearest, as the end of a sentence."""
    found = {
        path.name: path.relative_to(root).as_posix()
        for path in sorted((root / "configs").rglob("*.py"))
        if "_base_" not in path.parts
    }
    near = difflib.get_close_matches(config.name, list(found), n=2)
    return f"; did you mean {' or '.join(found[name] for name in near)}?" if near else ""


def _refusal(path: Path, mistakes: list[str]) -> BenchError:
    mistakes = list(dict.fromkeys(mistakes))
    if len(mistakes) == 1:
        return BenchError(f"suite file {path}: {mistakes[0]}")
    listed = "".join(f"\n  {number}. {text}" for number, text in enumerate(mistakes, 1))
    return BenchError(f"suite file {path} has {len(mistakes)} mistakes:{listed}")


def _spelled(value: Scalar | list[Scalar]) -> str:
    if isinstance(value, list):
        return f"[{','.join(_spelled(item) for item in value)}]"
    return str(value)
