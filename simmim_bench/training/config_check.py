"""Overrides that add an argument to a part of a config: does the part's class take it?"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simmim_bench.config import datasets, load_config
from simmim_bench.data import layouts
from simmim_bench.errors import BenchError
from simmim_bench.training.process import imports, prepare

# What mmengine takes out of a dict before it builds the part, or hands to what is around it.
OF_THE_BUILDER = {
    "constructor",
    "convert_to_iter_based",
    "init_cfg",
    "paramwise_cfg",
    "priority",
    "type",
}
OF_EVERY_DATASET = {"indices"}  # of mmengine's BaseDataset: smoke suites need no import for it
# Registry of the part that stands at a key: by the innermost of these names in the key.
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
    """A sentence for each of ``overrides`` that names an argument which its class does not have.

    Only if there are arguments that the file itself does not give are the libraries imported. A
    class that cannot be found, or that takes any argument, is passed over: building it will tell.

    Args:
        path: Config file.
        overrides: ``KEY=VALUE``, which ``load_config`` has accepted.
    """
    keys = [item.partition("=")[0] for item in overrides]
    cfg, plain = load_config(path, overrides=overrides), load_config(path)
    for key in keys:
        *place, name = key.split(".")
        if name in _part(plain, place) or "type" not in _part(cfg, place):
            continue
        if place[-1] == "dataset" and name in OF_EVERY_DATASET:
            continue
        part = _part(cfg, place)
        known = _arguments(place, part["type"], cfg.get("default_scope", "mmengine"))
        if not known or name in {*known, *OF_THE_BUILDER}:
            continue
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has: {', '.join(known)}"
        yield f"config key {key!r}: {part['type']} has no argument {name!r}; {hint}"


def _part(node: Any, place: list[str]) -> Any:
    for step in place:
        node = node[int(step)] if isinstance(node, (list, tuple)) else node[step]
    return node


def _arguments(place: list[str], name: str, scope: str) -> list[str]:
    """Names of all arguments of the class of a part; none if that cannot be said."""
    found = _registered(place, name, scope)
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
    from mmengine.registry import root

    prepare("none", scope)
    innermost = next((step for step in reversed(place) if step in REGISTRIES), None)
    if innermost is None:
        return None
    if place[0] == "model":
        innermost = "model"  # a detector has a train_cfg, too
    registry = getattr(root, REGISTRIES[innermost])
    try:
        with imports(), registry.switch_scope_and_registry(scope) as local:
            return local.get(name)
    except (KeyError, RuntimeError, ImportError):
        return None


# Are the data there? Asked before anything heavy is imported.


FILES = ("ann_file", "question_file", "image_file")


def check_data(cfg: Any) -> None:
    """Check that every folder and annotation file that ``cfg`` reads exists.

    Raises:
        BenchError: Naming the first path that is missing and the command that prepares it.
    """
    for _, sentence in missing_data(cfg):
        raise BenchError(sentence)


def missing_data(cfg: Any) -> Iterator[tuple[Path, str]]:
    """Every path that ``cfg`` reads and that is not there, with the sentence about it."""
    for loader, dataset in datasets(cfg):
        for path in expected_paths(dataset):
            if not path.exists():
                yield path, _sentence(loader, path, dataset)


def expected_paths(dataset: Any) -> list[Path]:
    """Paths that a dataset dict names: its root, its prefixes, its annotation files."""
    root = Path(dataset.get("data_root") or ".")
    prefix = dataset.get("data_prefix") or {}
    parts = [prefix] if isinstance(prefix, str) else list(prefix.values())
    parts += [dataset.get(key) or "" for key in FILES]
    return [root, *(root / part for part in parts if part)]


def _sentence(loader: str, path: Path, dataset: Any) -> str:
    name = layouts.dataset_of(str(dataset.get("data_root", "")))
    command = layouts.prepare_command(name) if name else None
    remedy = f"prepare it with `{command}`, or " if command else ""
    current = os.environ.get("SIMMIM_BENCH_DATA")
    said = f" (SIMMIM_BENCH_DATA is {current})" if current else ""
    return (
        f"{loader}: no data at {path.absolute()}{said}; {remedy}point SIMMIM_BENCH_DATA at the "
        "folder that holds your datasets, or --data-root at this dataset"
    )
