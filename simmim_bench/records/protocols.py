"""Which protocols there are: those that configs define, read without running a config."""

from __future__ import annotations

import ast
import difflib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Protocol
from simmim_bench.records.record import Record

CONFIGS = Path(__file__).parents[2] / "configs"
MEASURED = ("task", "metrics", "primary")
"""What a run that deviates from its protocol, for example in its images, cannot change."""


@cache
def known_protocols(folder: Path = CONFIGS) -> dict[str, Protocol]:
    """Protocols by id, in the version that configs under ``folder`` define now."""
    found: dict[str, Protocol] = {}
    for path in sorted(folder.rglob("*.py")):
        stated = _stated(path).get("protocol")
        if stated and stated["id"] not in found:
            found[stated["id"]] = Protocol.model_validate(stated)
    return found


def check_known(record: Record, source: Path) -> None:
    """Refuse a measured record whose protocol is not what the configs define under its id.

    Earlier versions of a protocol are taken as their records state them.

    Raises:
        BenchError: Naming near ids, or what differs.
    """
    known = known_protocols()
    if not known:
        return
    stated = record.protocol
    defined = known.get(stated.id)
    if defined is None:
        near = difflib.get_close_matches(stated.id, sorted(known), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "add its config under configs/"
        raise BenchError(f"{source}: protocol.id is {stated.id!r}, which no config defines; {hint}")
    if stated.version > defined.version:
        raise BenchError(
            f"{source}: protocol.version is {stated.version}, the newest that configs define of "
            f"{stated.id} is {defined.version}; update simmim_bench, or correct the record's run"
        )
    if stated.version == defined.version and stated != defined:
        fields = MEASURED if record.deviations else tuple(Protocol.model_fields)
        _refuse_other(stated, defined, fields, source)


def _refuse_other(
    stated: Protocol, defined: Protocol, fields: tuple[str, ...], source: Path
) -> None:
    for field in fields:
        found, expected = getattr(stated, field), getattr(defined, field)
        if found != expected:
            raise BenchError(
                f"{source}: protocol.{field} is {found!r}, configs define {expected!r} for "
                f"{stated.id}@{stated.version}; run it with the config as it is, or give a changed "
                f"protocol an id or version of its own"
            )


@cache
def _stated(path: Path) -> dict[str, Any]:
    """What a config assigns in literals, over that of its bases, as MMEngine merges them.

    Its protocol is of that kind, so that reading it runs no code; models and pipelines that are
    not are left out.
    """
    own = {
        target.id: statement.value
        for statement in ast.parse(path.read_text("utf-8")).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    bases: dict[str, Any] = {}
    for base in ast.literal_eval(own.pop("_base_", ast.List([]))):
        bases = _merge(bases, _stated((path.parent / base).resolve()))
    values = {}
    for name, node in own.items():
        with suppress(ValueError, KeyError):
            values[name] = _value(node, bases)
    return _merge(bases, values)


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
        own = {name: part for name, part in value.items() if name != "_delete_"}
        beneath = {} if value.get("_delete_") else merged.get(key, {})
        merged[key] = _merge(beneath, own)
    return merged
