"""JSON Schema of suite files, for completion in editors.

``python -m simmim_bench.suite.json_schema`` writes ``configs/suites/suite.schema.json``. Editors
use it to check a suite file that begins with
``# yaml-language-server: $schema=suite.schema.json``.
"""

from __future__ import annotations

import inspect
import json
import re

from pydantic import BaseModel

from simmim_bench.io import atomic_write_text
from simmim_bench.shipped import SUITE_SCHEMA
from simmim_bench.suite.schema import Budget, Include, Override, Selector, Suite
from simmim_bench.suite.steps import Pretrain, Resources, Task, Tune

FILE = SUITE_SCHEMA
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)  # of a docstring


def render() -> str:
    """JSON Schema of what people write, short forms included."""
    schema = Suite.model_json_schema()
    kinds: list[type[BaseModel]] = [
        *(Suite, Task, Tune, Pretrain, Resources, Budget, Selector, Include, Override)
    ]
    for kind in kinds:
        part = schema if kind is Suite else schema["$defs"][kind.__name__]
        part["description"] = (kind.__doc__ or "").split("\n\n")[0]
        for name, text in _attributes(kind).items():
            part["properties"].get(name, {}).setdefault("description", text)
    path = {"type": "string", "description": "path of a config"}
    pretrain, tasks = (schema["properties"][section] for section in ("pretrain", "tasks"))
    for steps in (pretrain["patternProperties"], tasks["patternProperties"]):
        steps.update({pattern: {"anyOf": [path, step]} for pattern, step in steps.items()})
    for axis in schema["$defs"]["Pretrain"]["properties"]["axes"]["patternProperties"].values():
        axis["anyOf"][0]["items"] = {"type": ["string", "number"]}  # read as text
    # A base may state every key but the name.
    required = [key for key in schema["required"] if key != "name"]
    schema["required"] = ["name"]
    schema["anyOf"] = [{"required": ["base"]}, {"required": required}]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "simmim_bench suite"
    return json.dumps(schema, indent=2) + "\n"


def _attributes(kind: type[BaseModel]) -> dict[str, str]:
    """Texts of the docstrings' ``Attributes``, also of parents."""
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        documented = inspect.cleandoc(parent.__doc__ or "").partition("Attributes:\n")[2]
        for name, text in _ATTRIBUTE.findall(documented):
            texts[name] = " ".join(text.split())
    return texts


if __name__ == "__main__":
    atomic_write_text(FILE, render())
