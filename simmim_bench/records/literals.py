"""Literal values that config files state, read without running them.

A protocol consists of literals, so it can be read from the text of a config that a stranger wrote.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from simmim_bench.shipped import CONFIGS, OURS

UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
"""Exceptions that are raised if a file that is not a config is read."""


@cache
def literals_in(path: Path) -> dict[str, Any]:
    """Literal values that a config file assigns, merged over those of its bases.

    Raises:
        OSError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError: If it, or a base,
            cannot be read.
    """
    text = path.read_text("utf-8")
    places = [base_path(path, base) for base in bases_of(text)]
    return literals_of(text, [literals_in(place) for place in places if place.is_file()])


def base_path(path: Path, base: str) -> Path:
    """File of a ``_base_`` of the config ``path``; one of another package does not exist."""
    below = base.removeprefix(OURS)
    return ((path.parent if below == base else CONFIGS) / below).resolve()


def bases_of(text: str) -> list[str]:
    """What a config text lists as ``_base_``.

    Raises:
        SyntaxError, ValueError, TypeError, RecursionError, MemoryError: If it is not Python, or its
            bases are not literals.
    """
    stated = ast.literal_eval(_assigned(text).get("_base_", ast.List([])))
    return [stated] if isinstance(stated, str) else [str(base) for base in stated]


def literals_of(text: str, bases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Literal values that a config text assigns, merged over those of its bases as MMEngine does.

    Values that are no literals, such as most pipelines, are left out.

    Args:
        text: Python.
        bases: Values of its bases, in the order of ``_base_``.

    Raises:
        SyntaxError, ValueError, TypeError, RecursionError, MemoryError: If it cannot be read.
    """
    merged: dict[str, Any] = {}
    for base in bases:
        merged = _merge(merged, base)
    values = {}
    for name, node in _assigned(text).items():
        if name != "_base_":
            with suppress(ValueError, KeyError):
                values[name] = _value(node, merged)
    return _merge(merged, values)


def _assigned(text: str) -> dict[str, ast.expr]:
    return {
        target.id: statement.value
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _value(node: ast.expr, bases: dict[str, Any]) -> Any:
    """Value of a literal, of ``dict(...)``, or of a name of the bases, ``_base_.name``."""
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return {str(keyword.arg): _value(keyword.value, bases) for keyword in keywords}
        case ast.Attribute(value=ast.Name(id="_base_"), attr=name):
            return bases[name]
    return ast.literal_eval(node)


def _merge(base: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in child.items():
        if not isinstance(value, dict):
            merged[key] = value
            continue
        stated = {name: part for name, part in value.items() if name != "_delete_"}
        inherited = {} if value.get("_delete_") else merged.get(key, {})
        merged[key] = _merge(inherited, stated)
    return merged
