"""Read and check a suite file; every mistake is reported at once, with what would be right."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from simmim_bench.errors import BenchError
from simmim_bench.suite.cells import cell_mistakes, group_cells, include_mistakes, included, step_of
from simmim_bench.suite.resources import Budget, Resources, Strict
from simmim_bench.suite.schema import SCRATCH, Pretrain, Suite, Task
from simmim_bench.suite.selectors import PRETRAIN, Cell, Include, Override, Selector, axis_mistakes
from simmim_bench.suite.sources import hash_sources
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
    suite, mistakes = examine_suite(path, root=root, seeds=seeds)
    if mistakes or suite is None:
        raise refusal(path, mistakes)
    return suite


def examine_suite(
    path: Path, *, root: Path, seeds: int | None = None
) -> tuple[Suite | None, list[str]]:
    """Read a suite file and find what is wrong in it.

    Args:
        path: YAML file.
        root: Folder that config paths start from.
        seeds: Takes the place of the file's number of seeds.

    Returns:
        The suite without the parts that are wrong, if enough is left, for further checks; the
        mistakes, one sentence each.

    Raises:
        BenchError: If the file is missing or no YAML mapping.
    """
    raw = read_suite_file(path)
    if seeds is not None:
        raw["seeds"] = seeds
    read, details, whole = sound_part(raw)
    mistakes = [_mistake(detail) for detail in details]
    if read is None:
        return None, mistakes
    mistakes += _name_mistakes(read, whole=whole)
    suite = with_right_names(read)
    parts = ("pretrain", "weights", "tasks")
    whole = whole and all(getattr(suite, part) == getattr(read, part) for part in parts)
    if whole and (suite.pretrain or suite.weights or suite.baselines):
        mistakes += cell_mistakes(read.model_copy(update={"backbones": suite.backbones}))
    wrong = dict(_config_mistakes(suite, root))
    return without_cells(suite, wrong), [*mistakes, *wrong.values()]


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


def _name_mistakes(suite: Suite, *, whole: bool) -> list[str]:
    mistakes = [
        mistake
        for name, step in suite.pretrain.items()
        for mistake in axis_mistakes(name, step.config, step.axes)
    ]
    methods = [variant.method for variant, _ in suite.variants()]
    methods += suite.weights
    twice = sorted({method for method in methods if methods.count(method) > 1})
    mistakes += [f"two methods are called {method!r}" for method in twice]
    if SCRATCH in methods:
        mistakes.append(f"a method with weights cannot be called {SCRATCH!r}; that is the baseline")
    if PRETRAIN in suite.tasks:
        mistakes.append(f"a task cannot be called {PRETRAIN!r}; that selects pretrainings")
    for field in ("backbones", "baselines"):
        values = getattr(suite, field)
        twice = sorted({value for value in values if values.count(value) > 1})
        mistakes += [f"{field!r} names {value!r} twice" for value in twice]
    if whole and not (suite.pretrain or suite.weights or suite.baselines):
        mistakes.append("none of 'pretrain', 'weights' and 'baselines' names anything to compare")
    return mistakes


def _config_mistakes(suite: Suite, root: Path) -> Iterator[tuple[Cell, str]]:
    """Cells whose config is not there or is no config, with the sentence about it."""
    methods = suite.methods()
    told: dict[Path, str] = {}  # seeds share configs
    for (seed, backbone, method), cells in group_cells(suite).items():
        first = [Cell(method, backbone, PRETRAIN, seed)] if method in methods else []
        for cell in (*first, *cells):
            config = Path(step_of(suite, cell).path(backbone))
            if config not in told:
                told[config] = _config_mistake(cell, config, root)
            if told[config]:
                yield cell, told[config]


def _config_mistake(cell: Cell, config: Path, root: Path) -> str:
    if not (root / config).is_file():
        name = f"pretrain.{cell.method}" if cell.task == PRETRAIN else f"tasks.{cell.task}"
        return f"the config of {name}, {config}, does not exist{_near_configs(root, config)}"
    try:
        hash_sources(config.as_posix(), root=root)
    except BenchError as error:
        return str(error)
    return ""


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


# What is left of a suite when its mistakes are taken out, so that the rest is checked as well.


Place = tuple[int | str, ...]
# Without one of their entries nothing can be said about what selects cells.
_MATRIX = ("pretrain", "weights", "tasks", "backbones", "baselines", "seeds", "include")


def sound_part(raw: dict[str, Any]) -> tuple[Suite | None, list[ErrorDetails], bool]:
    """Validate the content of a suite file; again without what is wrong, until the rest is right.

    Args:
        raw: Content of the file; not changed.

    Returns:
        The suite, or None if too little is left; what is wrong in the file; whether the matrix is
        the file's, that is whether no entry of it was taken out.
    """
    left, found, whole = copy.deepcopy(raw), list[ErrorDetails](), True
    while True:
        try:
            return Suite.model_validate(left), found, whole
        except ValidationError as error:
            details = error.errors()
        found = found or details
        # Of a union each kind has a mistake of its own, at one place.
        places = {_place(left, detail["loc"]): detail["loc"] for detail in details}
        if places.pop((), ("name",)) != ("name",):
            return None, found, False
        for place in reversed(places):  # indices of a list from its end
            _remove(left, place)
        left.setdefault("name", "unnamed")
        whole = whole and not any(len(place) < 3 and place[0] in _MATRIX for place in places)


def with_right_names(suite: Suite) -> Suite:
    """``suite`` without steps whose names are wrong, and with each backbone and baseline once."""
    pretrain = {
        name: step
        for name, step in suite.pretrain.items()
        if name != SCRATCH and not axis_mistakes(name, step.config, step.axes)
    }
    tasks = {name: task for name, task in suite.tasks.items() if name != PRETRAIN}
    once = {name: list(dict.fromkeys(getattr(suite, name))) for name in ("backbones", "baselines")}
    taken = {SCRATCH, *suite.methods()}
    weights = {name: path for name, path in suite.weights.items() if name not in taken}
    right = {"pretrain": pretrain, "weights": weights, "tasks": tasks}
    named = suite.model_copy(update={**once, **right})
    include = [part for part in named.include if not list(include_mistakes(named, part))]
    return named.model_copy(update={"include": include})


def without_cells(suite: Suite, cells: Iterable[Cell]) -> Suite:
    """``suite`` without ``cells``, of whatever seed; without a pretraining its tasks leave, too."""
    selectors = [
        Selector(
            method=cell.method,
            backbone=cell.backbone,
            task=None if cell.task == PRETRAIN else cell.task,
        )
        for cell in cells
    ]
    include = [
        part
        for part in suite.include
        if not any(one.matches(cell) for one in selectors for cell in included(suite, part))
    ]
    return suite.model_copy(update={"exclude": [*suite.exclude, *selectors], "include": include})


def _place(raw: dict[str, Any], location: Place) -> Place:
    """The part of ``location`` that is there; pydantic adds branches of unions and ``[key]``."""
    node: Any = raw
    for depth, part in enumerate(location):
        is_index = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if not is_index and not (isinstance(node, dict) and part in node):
            return location[:depth]
        node = node[part]
    return location


def _remove(raw: dict[str, Any], place: Place) -> None:
    """Take out what is at ``place``, unless what holds it is out already."""
    if _place(raw, place) == place:
        node: Any = raw
        for part in place[:-1]:
            node = node[part]
        del node[place[-1]]
