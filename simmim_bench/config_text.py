"""Read the files that mmengine writes or reads, without running them.

mmengine executes the config text in checkpoints and run folders as Python, unpickles annotation
files, and calls the functions that tags of YAML name, which is not safe for a stranger's file.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError

FROZEN = (
    *("LinearProbe", "KNNClassifier", "LinearGrid", "LogisticClassifier", "AttentiveClassifier"),
    *("FrozenSegmentor", "RetrievalSegmentor", "FrozenDepthEstimator", "FrozenMaskRCNN"),
)
"""Subclasses of ``tasks.frozen.FrozenBackbone``."""
NUMBERS = {"inf": math.inf, "nan": math.nan}


@cache
def read_as_data() -> None:
    """Let mmengine read no pickles, and YAML without tags: annotations, and configs in YAML."""
    import yaml
    from mmengine.fileio import PickleHandler, YamlHandler, register_handler

    @register_handler(["yaml", "yml"])
    class PlainYaml(YamlHandler):
        def load_from_fileobj(self, file: Any, **_: Any) -> Any:
            try:
                return yaml.safe_load(file)
            except yaml.YAMLError as error:
                raise BenchError(f"a YAML file cannot be read as plain values: {error}") from error

    @register_handler(["pkl", "pickle"])
    class NoPickle(PickleHandler):
        def load_from_fileobj(self, file: Any, **_: Any) -> Any:  # noqa: ARG002
            raise BenchError(
                "an annotation file that ends in .pkl or .pickle can run code when it is read; "
                "convert it to JSON"
            )


def names_class(override: str) -> bool:
    """Whether a ``KEY=VALUE`` names a class, which mmengine may import."""
    return override.partition("=")[0].rpartition(".")[2] in ("type", "constructor")


def read_config_text(path: Path) -> dict[str, Any]:
    """Values of a ``.py`` config file, read by ``parse_config_text``.

    Raises:
        BenchError: If the file cannot be read or contains more than plain values.
    """
    if not path.is_file():
        raise BenchError(f"config {path} does not exist")
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise BenchError(f"config {path} cannot be read: {error}") from error
    return parse_config_text(text, f"config {path}")


def parse_config_text(text: str, source: str) -> dict[str, Any]:
    """Evaluate assignments of literals and ``dict(...)``, as ``Config.pretty_text`` writes them.

    A bare name, such as a class, becomes its dotted name as a string.

    Args:
        text: What mmengine wrote.
        source: Where the text is from, for errors.

    Raises:
        BenchError: If the text contains anything else.
    """
    try:
        body = ast.parse(text).body
        return dict(_assignment(statement) for statement in body)
    except (
        _NotPlainError,
        SyntaxError,
        ValueError,
        TypeError,
        RecursionError,
        MemoryError,
    ) as error:
        raise BenchError(
            f"{source} contains more than plain values ({error}), so it is not read: code in it "
            f"could do anything; expected the text that mmengine writes"
        ) from error


class _NotPlainError(Exception):
    def __init__(self, node: ast.AST) -> None:
        super().__init__(ast.unparse(node).partition("\n")[0][:60])


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, _value(statement.value)
    raise _NotPlainError(statement)


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
    raise _NotPlainError(node)


def _mapping(keys: list[Any], values: list[ast.expr]) -> dict[Any, Any]:
    """Pairs of a dictionary display; a key of None stands for ``**``."""
    pairs: dict[Any, Any] = {}
    for key, value in zip(keys, values, strict=True):
        if key is None:
            pairs |= _value(value)
        else:
            pairs[_value(key)] = _value(value)
    return pairs


def keeps_backbone(model: Mapping[str, Any]) -> bool:
    """Whether a model, by its config, leaves its backbone as it was given."""
    return str(model.get("type")).split(".")[-1] in FROZEN
