"""From a suite file to a valid ``Suite``; all mistakes are reported together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from simmim_bench import shipped
from simmim_bench.errors import BenchError
from simmim_bench.suite.matrix import matrix_mistakes
from simmim_bench.suite.schema import Budget, Include, Override, Selector, Suite
from simmim_bench.suite.steps import FieldError, Frozen, Pretrain, Resources, Strict, Task, Tune
from simmim_bench.yaml_file import NotYamlError, read_yaml

MAX_SHOWN = 20
"""An error lists at most this many mistakes ..."""
SHOWN = 80
"""... and this many characters of a bad value."""


def load_suite(path: Path, *, seeds: int | None = None, imports: Sequence[str] = ()) -> Suite:
    """Read and check a suite file; its configs are checked by ``simmim_bench.suite.check``.

    Args:
        path: YAML file.
        seeds: Instead of the file's number of seeds.
        imports: Modules of the user beside those of the file.

    Raises:
        BenchError: If the file is missing or wrong; lists every mistake.
    """
    raw = read_suite_file(path)
    if seeds is not None:
        raw["seeds"] = seeds
    try:
        suite = Suite.model_validate(raw)
    except ValidationError as error:
        mistakes = [text for found in error.errors() for text in _messages(found)]
        raise refusal(path, mistakes) from None
    if mistakes := matrix_mistakes(suite):
        raise refusal(path, mistakes)
    return suite.model_copy(update={"imports": [*dict.fromkeys([*suite.imports, *imports])]})


def refusal(path: Path, mistakes: Iterable[str]) -> BenchError:
    """One error that lists every mistake of the suite file ``path``."""
    mistakes = list(dict.fromkeys(mistakes))
    if len(mistakes) == 1:
        return BenchError(f"suite file {path}: {mistakes[0]}")
    listed = "".join(f"\n  {number}. {text}" for number, text in enumerate(mistakes[:MAX_SHOWN], 1))
    more = f"\n  and {len(mistakes) - MAX_SHOWN} more" if len(mistakes) > MAX_SHOWN else ""
    return BenchError(f"suite file {path} has {len(mistakes)} mistakes:{listed}{more}")


def read_suite_file(path: Path) -> dict[str, Any]:
    """Content of a suite file, with the defaults of its base and without short forms.

    Raises:
        BenchError: If the file or its base is missing or no YAML mapping, or the base has a base.
    """
    raw = _read(path)
    base = raw.get("base")
    if isinstance(base, str):
        defaults = _read(path.parent / base)
        if "base" in defaults:
            raise BenchError(
                f"base {base!r} of suite file {path} has a base itself; only one level is "
                f"supported, name that base here"
            )
        raw = {**defaults, **raw}
    for section in ("pretrain", "tasks"):
        steps = raw.get(section)
        if isinstance(steps, dict):
            raw[section] = {name: _long_form(step) for name, step in steps.items()}
    return raw


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        others = sorted(path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, [other.name for other in others], n=3, cutoff=0)
        hint = f"that folder has {', '.join(near)}" if near else "ready ones are in configs/suites"
        if path.parent == Path():  # the name of one of the package
            hint = shipped.near(str(path), folder=shipped.SUITES, suffix=".yaml")
        raise BenchError(f"suite file {path} does not exist; {hint}")
    try:
        raw = read_yaml(path)
    except NotYamlError as error:
        hint = (
            "; inside { } or [ ], quote a path that has {backbone}"
            if b"{backbone}" in path.read_bytes()
            else ""
        )
        raise BenchError(f"suite file {path} is not valid YAML: {error}{hint}") from None
    if not isinstance(raw, dict):
        found = {list: "a list", str: "text", type(None): "nothing"}
        raise BenchError(
            f"suite file {path} contains {found.get(type(raw), f'a {type(raw).__name__}')}; "
            f"expected keys such as name, backbones, tasks"
        )
    return raw


def _long_form(step: Any) -> Any:
    """A step as a mapping, with the labels of its axes as text: YAML reads 0.6 as a number."""
    if isinstance(step, str):
        return {"config": step}
    axes = step.get("axes") if isinstance(step, dict) else None
    if not isinstance(axes, dict):
        return step
    labelled = dict(axes)
    for axis, choice in axes.items():
        if isinstance(choice, dict):
            labelled[axis] = {str(label): value for label, value in choice.items()}
        elif isinstance(choice, list):
            labelled[axis] = [str(label) for label in choice]
    return {**step, "axes": labelled}


def _messages(found: ErrorDetails) -> Iterator[str]:
    """One pydantic error as messages about the file."""
    error = found.get("ctx", {}).get("error")
    if isinstance(error, FieldError):
        yield from error.args
        return
    *parents, leaf = found["loc"]
    # pydantic adds "[key]" to the place of a bad dict key.
    parents = [part for part in parents if part != "[key]"]
    where = ".".join(str(part) for part in (*parents, leaf) if part != "[key]")
    if found["type"] == "extra_forbidden":
        known = _keys_of(parents)
        near = difflib.get_close_matches(str(leaf), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        yield f"unknown key {where!r}; {hint}"
    elif found["type"] == "missing":
        yield f"{where!r} is missing"
    elif {"overrides", "set"} & set(parents):
        # pydantic adds the branches of a union to the place of a bad value.
        key = ".".join(str(part) for part in parents)
        yield f"{key!r} must be a number, text or list; write nested keys with dots, e.g. a.b: 1"
    elif "search" in parents and found["type"] != "list_type":
        key = ".".join(str(part) for part in parents[: parents.index("search") + 2])
        yield f"{key!r} must be a list of numbers or texts"
    elif found["type"] in ("model_type", "model_attributes_type"):
        expected = "the path of a config, or keys" if parents else "keys"
        yield f"{where!r} must be {expected} such as {', '.join(_keys_of([*parents, leaf])[:2])}"
    else:
        message = found["msg"]
        for start in ("Input ", "String ", "Value error, "):
            message = message.removeprefix(start)
        yield f"{where!r} {message}, got {_shortened(found['input'])}"


def _shortened(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def _keys_of(parents: list[int | str]) -> list[str]:
    """Keys that the part of the file at ``parents`` may have."""
    if not parents:
        return list(Suite.model_fields)
    parts: dict[int | str, type[Strict]] = {
        "pretrain": Pretrain,
        "budget": Budget,
        "exclude": Selector,
        "include": Include,
        "frozen": Frozen,
        "override": Override,
    }
    inner: dict[int | str, type[Strict]] = {"resources": Resources, "tune": Tune}
    kind = inner.get(parents[-1]) or parts.get(parents[0], Task)
    return list(kind.model_fields)
