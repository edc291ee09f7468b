"""Read the config text that mmengine stores in a checkpoint, without running it.

mmengine's own reader executes the text as Python, which is not safe for a stranger's checkpoint.
"""

from __future__ import annotations

import ast
import math
from typing import Any

from simmim_bench.errors import BenchError

NUMBERS = {"inf": math.inf, "nan": math.nan}


def parse_config_text(text: str) -> dict[str, Any]:
    """Evaluate assignments of literals and ``dict(...)``, as ``Config.pretty_text`` writes them.

    A bare name, such as a class, becomes its dotted name as a string.

    Raises:
        BenchError: If the text contains anything else.
    """
    try:
        body = ast.parse(text).body
        return dict(_assignment(statement) for statement in body)
    except (SyntaxError, _NotPlainError) as error:
        raise BenchError(
            f"the config inside the checkpoint contains more than plain values ({error}); give a "
            f"checkpoint with the text that mmengine writes"
        ) from error


class _NotPlainError(Exception):
    pass


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, _value(statement.value)
    raise _NotPlainError(ast.unparse(statement)[:60])


def _value(node: ast.expr) -> Any:
    match node:
        case ast.List(elts=items) | ast.Set(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            return _mapping(keys, values)
        case ast.Call(func=ast.Name(id="dict"), args=parts, keywords=keywords):
            merged: dict[str, Any] = {}
            for part in parts:
                merged |= _value(part)
            names = [ast.Constant(item.arg) if item.arg else None for item in keywords]
            return merged | _mapping(names, [item.value for item in keywords])
    return _scalar(node)


def _scalar(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_scalar(operand)
        case ast.Name(id=name) if name in NUMBERS:
            return NUMBERS[name]
        case ast.Name() | ast.Attribute():
            return ast.unparse(node)
    raise _NotPlainError(ast.unparse(node)[:60])


def _mapping(keys: list[Any], values: list[ast.expr]) -> dict[Any, Any]:
    """Pairs of a dictionary display; a key of None stands for ``**``."""
    pairs: dict[Any, Any] = {}
    for key, value in zip(keys, values, strict=True):
        if key is None:
            pairs |= _value(value)
        else:
            pairs[_value(key)] = _value(value)
    return pairs
