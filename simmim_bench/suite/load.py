"""Read and check a suite file; every mistake is reported at once, with what would be right."""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from simmim_bench.errors import BenchError
from simmim_bench.suite.axes import axis_mistakes
from simmim_bench.suite.cells import cell_mistakes, group_cells, step_of
from simmim_bench.suite.resources import Budget, Resources, Strict
from simmim_bench.suite.schema import SCRATCH, Pretrain, Suite, Task
from simmim_bench.suite.selectors import PRETRAIN, Cell, Include, Override, Selector
from simmim_bench.suite.suite_file import read_suite_file


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
        raise refusal(path, [_mistake(detail) for detail in error.errors()]) from None
    mistakes = _name_mistakes(suite) or cell_mistakes(suite)
    mistakes += _config_mistakes(suite, root)
    if mistakes:
        raise refusal(path, mistakes)
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
    if {"overrides", "set"} & set(parents):
        key = ".".join(str(part) for part in parents)
        return f"{key!r} is no number, text or list; write nested keys with dots, as a.b: 1"
    if detail["type"] in ("model_type", "model_attributes_type"):
        takes = "keys" if parents[:1] == [] else "the path of a config, or keys"
        return f"{where!r} takes {takes} such as {', '.join(_fields([*parents, leaf])[:2])}"
    message = detail["msg"]
    for start in ("Input ", "String ", "Value error, "):
        message = message.removeprefix(start)
    return f"{where!r} {message}, and is {detail['input']!r}"


def _fields(parents: list[int | str]) -> list[str]:
    """Keys that the part of the file at ``parents`` may have."""
    if not parents:
        return list(Suite.model_fields)
    parts: dict[int | str, type[Strict]] = {
        "pretrain": Pretrain,
        "budget": Budget,
        "exclude": Selector,
        "include": Include,
        "override": Override,
    }
    kind = Resources if parents[-1] == "resources" else parts.get(parents[0], Task)
    return list(kind.model_fields)


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
    if PRETRAIN in suite.tasks:
        mistakes.append(f"a task cannot be called {PRETRAIN!r}; that selects pretrainings")
    for field in ("backbones", "baselines"):
        values = getattr(suite, field)
        twice = sorted({value for value in values if values.count(value) > 1})
        mistakes += [f"{field!r} names {value!r} twice" for value in twice]
    if not suite.pretrain and not suite.baselines:
        mistakes.append("neither 'pretrain' nor 'baselines' names anything to compare")
    return mistakes


def _config_mistakes(suite: Suite, root: Path) -> list[str]:
    """Configs that are not there, of the cells that are."""
    mistakes = []
    methods = suite.methods()
    for (seed, backbone, method), cells in group_cells(suite).items():
        first = [Cell(method, backbone, PRETRAIN, seed)] if method in methods else []
        tasks = [cell for cell in cells if cell.task in suite.tasks and cell.task != PRETRAIN]
        for cell in (*first, *tasks):
            name = f"pretrain.{method}" if cell.task == PRETRAIN else f"tasks.{cell.task}"
            config = Path(step_of(suite, cell).path(backbone))
            if not (root / config).is_file():
                near = _near_configs(root, config)
                mistakes.append(f"the config of {name}, {config}, does not exist{near}")
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


def refusal(path: Path, mistakes: list[str]) -> BenchError:
    """One error that lists every mistake of the suite file ``path``."""
    mistakes = list(dict.fromkeys(mistakes))
    if len(mistakes) == 1:
        return BenchError(f"suite file {path}: {mistakes[0]}")
    listed = "".join(f"\n  {number}. {text}" for number, text in enumerate(mistakes, 1))
    return BenchError(f"suite file {path} has {len(mistakes)} mistakes:{listed}")
