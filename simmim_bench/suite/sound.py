"""What is left of a suite when its mistakes are taken out, so that the rest is checked as well."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from simmim_bench.suite.axes import axis_mistakes
from simmim_bench.suite.cells import include_mistakes, included
from simmim_bench.suite.schema import SCRATCH, Suite
from simmim_bench.suite.selectors import PRETRAIN, Cell, Selector

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
