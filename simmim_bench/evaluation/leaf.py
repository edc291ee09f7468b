"""A recipe around one backbone as a config file: short, with plain values, to be edited."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simmim_bench.shipped import CONFIGS

SHORT = 60
"""Characters of a dict on one line."""
INDENT = "    "
DELETE = "_delete_"
BACKBONE = "backbone"  # shown whole
WHY = {
    "backbone_name": "as tables call it",
    "by_backbone": "applied below",
    "model.backbone": "class and options of the weights (their card), sizes of the images",
    "model.channels": "of the backbone's last level",
    "model.head.in_channels": "of the backbone's last level",
    "model.neck.in_channels": "of the backbone's levels",
    "model.decode_head.in_channels": "of the backbone's levels",
    "model.auxiliary_head.in_channels": "of the backbone's levels",
    "model.rpn_head.anchor_generator": "strides of the backbone's levels",
}
"""Where values come from; the others are those of ``by_backbone`` or of the data."""


def leaf_text(base: Path, before: Any, after: Any, title: str) -> str:
    """Text of a config that changes ``before`` into ``after``.

    Args:
        base: Config of the package that gives ``before``.
        before: Values, plain.
        after: Values, plain.
        title: First line.
    """
    lines = [f"# {title}", f'_base_ = ["simmim_bench::{base.relative_to(CONFIGS).as_posix()}"]']
    for key, value in after.items():
        if key not in before:
            lines += _assigned(key, value)
        elif value != before[key]:
            changed = _changes(before[key], value) if isinstance(value, Mapping) else value
            lines += _assigned(key, changed)
    return "\n".join(lines) + "\n"


def _changes(before: Any, after: Mapping[str, Any]) -> dict[str, Any]:
    """What a dict changes in that of the base."""
    if not isinstance(before, Mapping):
        return dict(after)
    if set(before) - set(after):
        return {DELETE: True, **after}
    found = {}
    for key, value in after.items():
        if key not in before or not isinstance(value, Mapping):
            if key not in before or value != before[key]:
                found[key] = value
        elif key == BACKBONE:
            found[key] = {DELETE: True, **value}
        elif value != before[key]:
            found[key] = _changes(before[key], value)
    return found


def _assigned(key: str, value: Any) -> list[str]:
    text = _shown(value, key, 0)
    note = "" if "\n" in text else _why(key)
    return [f"{key} = {text}{note}"]


def _shown(value: Any, place: str, depth: int) -> str:
    """A value as Python; a dict that does not fit on a line gets a line for each entry."""
    short = _literal(value)
    whole = isinstance(value, Mapping) and place in ("model", f"model.{BACKBONE}")
    if not isinstance(value, Mapping) or (not whole and len(short) + 4 * depth < SHORT):
        return short
    lines = [f"dict({_why(place)}"]
    for key, part in value.items():
        text = _shown(part, f"{place}.{key}", depth + 1)
        note = "" if "\n" in text else _why(f"{place}.{key}")
        lines.append(f"{INDENT * (depth + 1)}{key}={text},{note}")
    return "\n".join([*lines, INDENT * depth + ")"])


def _why(place: str) -> str:
    return f"  # {WHY[place]}" if place in WHY else ""


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        if all(str(key).isidentifier() for key in value):
            return f"dict({', '.join(f'{key}={_literal(part)}' for key, part in value.items())})"
        parts = (f"{_literal(key)}: {_literal(part)}" for key, part in value.items())
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_literal, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
