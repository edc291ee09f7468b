"""Check overrides of a suite: classes must be registered, and have the arguments that are added.

``python -m simmim_bench.training.config_check`` reads ``[[CONFIG, [KEY=VALUE, ...]], ...]`` from
stdin and prints a JSON list of messages. Suites run it as a process, since it imports torch.
"""

from __future__ import annotations

import difflib
import inspect
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from mmengine import registry as roots

from simmim_bench.config import added_arguments, load_config, part_of
from simmim_bench.config_text import names_class
from simmim_bench.errors import BenchError
from simmim_bench.masking.strategies import strategies
from simmim_bench.registry import class_of, imports
from simmim_bench.training.process import prepare

# Keys that mmengine removes from a dict before it builds the part.
BUILDER_KEYS = {
    "constructor",
    "convert_to_iter_based",
    "init_cfg",
    "paramwise_cfg",
    "priority",
    "type",
}
DATASET_KEYS = {"indices"}  # of mmengine's BaseDataset; checked without importing the libraries
# Registry of the part at a config key, by the innermost of these names in the key.
REGISTRIES = {
    "model": "MODELS",
    "dataset": "DATASETS",
    "pipeline": "TRANSFORMS",
    "transforms": "TRANSFORMS",
    "sampler": "DATA_SAMPLERS",
    "train_cfg": "LOOPS",
    "val_cfg": "LOOPS",
    "test_cfg": "LOOPS",
    "optim_wrapper": "OPTIM_WRAPPERS",
    "optimizer": "OPTIMIZERS",
    "param_scheduler": "PARAM_SCHEDULERS",
    "default_hooks": "HOOKS",
    "custom_hooks": "HOOKS",
    "val_evaluator": "METRICS",
    "test_evaluator": "METRICS",
}
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def unknown_arguments(path: str, overrides: list[str]) -> Iterator[str]:
    """Yield a message for each override that names an argument its class does not have.

    The libraries are imported only if an override adds an argument. Classes that are not found, or
    that take any argument, are skipped: building the part reports them.

    Args:
        path: Config file.
        overrides: ``KEY=VALUE``, which ``load_config`` has accepted.
    """
    cfg = load_config(path, overrides=overrides)
    for key in added_arguments(path, overrides):
        *place, name = key.split(".")
        if place[-1] == "dataset" and name in DATASET_KEYS:
            continue
        part = part_of(cfg, place)
        known = _arguments(_registered(place, part["type"], cfg.get("default_scope", "mmengine")))
        if known and "strategy" in part:  # of a mask, which takes the other arguments
            known = sorted({*known, *_arguments(strategies().get(part["strategy"]))})
        if not known or name in {*known, *BUILDER_KEYS}:
            continue
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has: {', '.join(known)}"
        yield f"config key {key!r}: {part['type']} has no argument {name!r}; {hint}"


def unregistered_classes(path: str, overrides: list[str]) -> Iterator[str]:
    """Yield a message for each override that names a class which no registry has.

    mmengine imports and calls any dotted name, such as ``os.system``, and a suite file is data.

    Args:
        path: Config file.
        overrides: ``KEY=VALUE``, which ``load_config`` has accepted.
    """
    named = [item for item in overrides if names_class(item)]
    if not named:
        return
    scope = load_config(path).get("default_scope", "mmengine")
    prepare("none", scope)
    for key, _, name in (item.partition("=") for item in named):
        if not _is_registered(name, scope):
            yield (
                f"config key {key!r}: {name!r} is not a registered class, and a suite names no "
                f"others; put it into a config"
            )


def _is_registered(name: str, scope: str) -> bool:
    from simmim_bench.weights.safe_config import FROZEN_NETWORKS  # after ``prepare``

    prefix, _, bare = name.rpartition(".")
    if prefix == "timm" or name in FROZEN_NETWORKS:
        return True
    for root in (found for found in vars(roots).values() if isinstance(found, roots.Registry)):
        near = root.children.get(prefix or scope)
        if near is not None:
            near.import_from_location()
        known = (root, near) if prefix in ("", "mmengine", *root.children) else ()
        if any(registry is not None and bare in registry.module_dict for registry in known):
            return True
    return False


def _arguments(found: Any) -> list[str]:
    """Names of all arguments of a class; empty if they are not known."""
    names: set[str] = set()
    for base in found.__mro__ if inspect.isclass(found) else ():
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        names |= {each.name for each in parameters if each.kind in NAMED}
        if not any(each.kind == inspect.Parameter.VAR_KEYWORD for each in parameters):
            return sorted(names - {"self"})
    return []


def _registered(place: list[str], name: str, scope: str) -> Any:
    prepare("none", scope)
    innermost = next((step for step in reversed(place) if step in REGISTRIES), None)
    if innermost is None:
        return None
    if place[0] == "model":
        innermost = "model"  # a detector has a train_cfg as well
    with imports():
        return class_of(name, REGISTRIES[innermost], scope)


def _main() -> None:
    found = []
    for path, overrides in json.load(sys.stdin):
        with suppress(BenchError):  # the config itself is wrong, which the caller has reported
            unregistered = list(unregistered_classes(path, overrides))
            messages = unregistered or unknown_arguments(path, overrides)
            found += [[path, message] for message in messages]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main()
