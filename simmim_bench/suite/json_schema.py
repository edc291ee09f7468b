"""JSON Schema of suite files, for completion in editors.

``python -m simmim_bench.suite.json_schema`` writes ``docs/suite.schema.json``; a suite file that
begins with ``# yaml-language-server: $schema=../../docs/suite.schema.json`` is then checked as one
types.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from simmim_bench.io import atomic_write_text
from simmim_bench.suite.resources import Budget, Resources
from simmim_bench.suite.schema import Pretrain, Suite, Task
from simmim_bench.suite.selectors import Include, Override, Selector

FILE = Path(__file__).parents[2] / "docs" / "suite.schema.json"
_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def render() -> str:
    """The schema as it stands in the file: of what people write, short forms included."""
    schema = Suite.model_json_schema()
    kinds: list[type[BaseModel]] = [
        *(Suite, Task, Pretrain, Resources, Budget, Selector, Include, Override)
    ]
    for kind in kinds:
        part = schema if kind is Suite else schema["$defs"][kind.__name__]
        part["description"] = (kind.__doc__ or "").split("\n\n")[0]
        for name, text in _attributes(kind).items():
            part["properties"].get(name, {}).setdefault("description", text)
    for section in ("pretrain", "tasks"):
        steps = schema["properties"][section]
        for key in ("additionalProperties", "patternProperties"):
            _allow_paths(steps, key)
    for axis in schema["$defs"]["Pretrain"]["properties"]["axes"]["patternProperties"].values():
        axis["anyOf"][0]["items"] = {"type": ["string", "number"]}  # read as text
    # what a suite does not state, its base may
    alone = [key for key in schema["required"] if key != "name"]
    schema["required"] = ["name"]
    schema["anyOf"] = [{"required": ["base"]}, {"required": alone}]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "simmim_bench suite"
    return json.dumps(schema, indent=2) + "\n"


def _allow_paths(steps: dict[str, Any], key: str) -> None:
    """A step may be the path of its config alone."""
    found = steps.get(key)
    path = {"type": "string", "description": "path of a config"}
    if key == "patternProperties" and found:
        steps[key] = {pattern: {"anyOf": [path, step]} for pattern, step in found.items()}
    elif isinstance(found, dict):
        steps[key] = {"anyOf": [path, found]}


def _attributes(kind: type[BaseModel]) -> dict[str, str]:
    """Texts of the docstrings' ``Attributes``, also of parents."""
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        documented = inspect.cleandoc(parent.__doc__ or "").partition("Attributes:\n")[2]
        for name, text in _ENTRY.findall(documented):
            texts[name] = " ".join(text.replace("``", "`").split())
    return texts


if __name__ == "__main__":
    atomic_write_text(FILE, render())
