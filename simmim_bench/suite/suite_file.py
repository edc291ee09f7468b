"""Read a suite file: YAML with unique keys, short forms written out."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml

from simmim_bench.errors import BenchError


def read_suite_file(path: Path) -> dict[str, Any]:
    """Content of a suite file; steps that are a config alone are written out.

    Where it names a ``base``, that file's keys hold that this one does not state.

    Raises:
        BenchError: If the file or its base is missing or no YAML mapping, or the base has one.
    """
    raw = _read(path)
    base = raw.get("base")
    if isinstance(base, str):
        beneath = _read(path.parent / base)
        if "base" in beneath:
            raise BenchError(
                f"base {base!r} of suite file {path} has a base itself; give the file that has none"
            )
        raw = {**beneath, **raw}
    _expand(raw)
    return raw


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


def _expand(raw: dict[str, Any]) -> None:
    """Write the short form of a step, its config alone, as the long one."""
    for section in ("pretrain", "tasks"):
        steps = raw.get(section)
        if isinstance(steps, dict):
            raw[section] = {
                name: {"config": step} if isinstance(step, str) else _labelled(step)
                for name, step in steps.items()
            }


def _labelled(step: Any) -> Any:
    """Labels of axes as text: YAML reads 0.6 as a number."""
    axes = step.get("axes") if isinstance(step, dict) else None
    if not isinstance(axes, dict):
        return step
    named = {
        axis: {str(label): value for label, value in choice.items()}
        if isinstance(choice, dict)
        else [str(label) for label in choice]
        if isinstance(choice, list)
        else choice
        for axis, choice in axes.items()
    }
    return {**step, "axes": named}


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")
