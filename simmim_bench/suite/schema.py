"""The suite file: which pretrainings, which downstream tasks, how many seeds.

Every mistake in the file is reported at once, each with what would have been right.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from simmim_bench.errors import BenchError

SCRATCH = "scratch"
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Scalar = bool | int | float | str | None


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
    overrides: dict[str, Scalar | list[Scalar]] = {}
    resources: Resources | None = None

    def path(self, backbone: str) -> str:
        """The config's path for one backbone."""
        return self.config.replace("{backbone}", backbone)

    def options(self) -> list[str]:
        """Overrides as ``KEY=VALUE``, in the file's order."""
        return [f"{key}={_spelled(value)}" for key, value in self.overrides.items()]


class Suite(_Strict):
    """A matrix of runs: (pretrainings + baselines) x backbones x tasks x seeds.

    Attributes:
        name: Folder under ``work_dirs``.
        kind: ``smoke`` for toy schedules, whose records never stand beside full ones.
        seeds: Count; they are 0, 1, ...
        data: Embedded dataset that is prepared first, if the configs need one.
        backbones: Names that fill ``{backbone}`` in config paths.
        pretrain: Method name to its pretraining.
        baselines: Starting points that need no pretraining.
        tasks: Task name to its downstream config, the same for all methods.
        resources: Of every stage that states none of its own.
    """

    name: Name
    kind: Literal["full", "smoke"] = "full"
    seeds: int = Field(default=1, ge=1)
    data: Literal["demo"] | None = None
    backbones: list[Name] = Field(min_length=1)
    pretrain: dict[Name, Step] = {}
    baselines: list[Literal["scratch"]] = []
    tasks: dict[Name, Step] = Field(min_length=1)
    resources: Resources = Resources()


def load_suite(path: Path, *, root: Path, seeds: int | None = None) -> Suite:
    """Read and check a suite file.

    Args:
        path: YAML file.
        root: Folder that config paths start from.
        seeds: Takes the place of the file's number of seeds.

    Raises:
        BenchError: If the file is missing or anything in it is wrong; lists every mistake.
    """
    raw = _read(path)
    if seeds is not None:
        raw["seeds"] = seeds
    _expand(raw)
    try:
        suite = Suite.model_validate(raw)
    except ValidationError as error:
        raise _refusal(path, [_mistake(detail) for detail in error.errors()]) from None
    mistakes = [*_name_mistakes(suite), *_config_mistakes(suite, root)]
    if mistakes:
        raise _refusal(path, mistakes)
    return suite


class _UniqueKeys(yaml.SafeLoader):
    """YAML without the silent rule that the last of two equal keys wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    problem="a key is a list or a mapping, not a name", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} stands there twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        others = sorted(path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, [other.name for other in others], n=3, cutoff=0)
        hint = f"that folder has {', '.join(near)}" if near else "ready ones are in configs/suites"
        raise BenchError(f"suite file {path} does not exist; {hint}")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise BenchError(f"suite file {path} is not UTF-8 text; expected YAML") from None
    try:
        raw = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        hint = (
            "; inside { } or [ ], quote a path that has {backbone}" if "{backbone}" in text else ""
        )
        raise BenchError(f"suite file {path} is not valid YAML: {where}{problem}{hint}") from None
    if not isinstance(raw, dict):
        raise BenchError(
            f"suite file {path} holds {_kind(raw)}; expected keys such as name, backbones, tasks"
        )
    return raw


def _expand(raw: dict[str, Any]) -> None:
    """Write the short form of a step, its config alone, as the long one."""
    for section in ("pretrain", "tasks"):
        steps = raw.get(section)
        if isinstance(steps, dict):
            raw[section] = {
                name: {"config": step} if isinstance(step, str) else step
                for name, step in steps.items()
            }


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
    return list((Resources if parents[-1] == "resources" else Step).model_fields)


def _name_mistakes(suite: Suite) -> list[str]:
    mistakes = []
    if SCRATCH in suite.pretrain:
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
    for section, steps in (("pretrain", suite.pretrain), ("tasks", suite.tasks)):
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


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")
