"""Read YAML files as a stranger may have written them; imports no torch.

YAML 1.1, which PyYAML reads, and YAML 1.2 disagree about some numbers: ``010`` is 8 or 10, ``1:30``
is 90 or text. Such numbers are refused rather than guessed. Dates are text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from simmim_bench.errors import BenchError

MOST_VALUES = 100_000
"""A file may hold at most this many values, when aliases are replaced by what they stand for."""
DEEPEST = 50
"""Levels of nesting."""
LARGEST = 2**64 - 1
PLAIN_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
PLAIN_FLOAT = re.compile(
    r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
STANDARD = "tag:yaml.org,2002:"
TAGS = ("null", "bool", "int", "float", "str", "seq", "map", "merge", "value")


class NotYamlError(Exception):
    """The text is not YAML that we read; the message says where and why."""


def read_yaml(path: Path) -> Any:
    """Content of a YAML file.

    Raises:
        NotYamlError: If it is not UTF-8 or not valid YAML, repeats a key, has a number that
            versions of YAML read differently, or is nested too deeply or too large.
        BenchError: If the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotYamlError(f"byte {error.start} is not UTF-8 text") from error
    except FileNotFoundError as error:
        raise BenchError(f"{path} does not exist") from error
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _size(node, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise NotYamlError(f"{_place(mark)}{problem}") from error
    except ValueError as error:  # a float of too many digits, a null byte
        raise NotYamlError(str(error)) from error


class _Loader(yaml.SafeLoader):
    """A SafeLoader that reads dates as text."""

    yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != f"{STANDARD}timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _check_depth(text: str) -> None:
    """Refuse deep nesting before it is composed, which takes a stack frame for each level."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise NotYamlError(
                f"{_place(event.start_mark)}it is nested in more than {DEEPEST} levels"
            )


def _refuse(node: yaml.Node, problem: str) -> NotYamlError:
    return NotYamlError(f"{_place(node.start_mark)}{problem}")


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values below ``node`` when aliases are replaced; checks all of them.

    Args:
        node: Of the composed document.
        known: Sizes of the nodes that were seen; 0 while a node is being counted.
    """
    if id(node) in known:
        if not known[id(node)]:
            raise _refuse(node, "an alias stands for a value that contains it")
        return known[id(node)]
    if node.tag.removeprefix(STANDARD) not in TAGS:
        shown = node.tag.replace(STANDARD, "!!")
        raise _refuse(node, f"the tag {shown} is not supported; remove it")
    known[id(node)] = 0
    size = 1
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(node)
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        size += sum(_size(part, known) for pair in node.value for part in pair)
    else:
        size += sum(_size(part, known) for part in node.value)
    if size > MOST_VALUES:
        raise _refuse(node, f"it stands for more than {MOST_VALUES} values")
    known[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _refuse(key, "a key is a list or a mapping, not a name")
        if key.value in seen:
            raise _refuse(key, f"the key {key.value!r} is given twice")
        seen.add(key.value)


def _check_scalar(node: yaml.ScalarNode) -> None:
    kind, text = node.tag.removeprefix(STANDARD), node.value
    implied = yaml.resolver.Resolver().resolve(yaml.ScalarNode, text, (True, False))
    if kind != "str" and implied != node.tag:
        raise _refuse(node, f"{text[:40]!r} is not of the type !!{kind}")
    form = {"int": PLAIN_INTEGER, "float": PLAIN_FLOAT}.get(kind)
    if form and not form.fullmatch(text):
        raise _refuse(
            node,
            f"versions of YAML disagree whether {text[:40]!r} is a number, and which; write a "
            f"decimal number, or quotes around text",
        )
    if kind == "int" and (len(text) > 21 or abs(int(text, 0)) > LARGEST):
        raise _refuse(node, f"the integer {text[:21]}... has more than 64 bits")
