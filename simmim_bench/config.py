"""Load a config and apply the changes of the command line; imports no torch.

Errors name the key or file that was given and the nearest one that exists.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simmim_bench import shipped
from simmim_bench.config_text import read_as_data, read_config_text
from simmim_bench.errors import BenchError
from simmim_bench.plugins import import_custom

SCOPE = "simmim_bench"
INNER_SPACES = re.compile(r"(?<=[^\s,\[(]) +(?=[^\s,\])])")
"""Spaces of a value itself, and not around the brackets and commas of a list."""
ZERO = "reduce_zero_label"
SWITCHES = (ZERO, "ignored_share")
"""Top-level keys about label maps, which a config need not have (docs/data.md)."""
DATALOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")

LOAD_WEIGHTS = (
    "pass --init FILE (a pretraining that starts from weights) or --pretrained BACKBONE.PTH (a "
    "downstream config)"
)
LOADING = ("pretrained", "checkpoint_path")
"""Options of models by which mmpretrain, mmdet, mmseg and timm load weights."""
STARTS = {"load_from": LOAD_WEIGHTS, "resume": "pass --resume", "resume_from": "pass --resume"}
"""Keys of a config by which mmengine starts from a checkpoint, and what to do instead."""


def load_config(
    path: str,
    *,
    overrides: list[str] | None = None,
    data_root: str | None = None,
    num_classes: int | None = None,
    first: Callable[[Any], None] | None = None,
) -> Any:
    """Read the config file ``path`` and apply command-line changes.

    Args:
        path: Config file, or its short name (``shipped.find``).
        overrides: ``KEY=VALUE`` strings with dotted keys, mmengine's ``--cfg-options``.
        data_root: Replaces the folder of the config's dataset.
        num_classes: Replaces every ``num_classes`` in the config.
        first: Changes the config before all others (``recipe.command_line``).

    Returns:
        mmengine ``Config``.

    Raises:
        BenchError: If the file does not exist or cannot be read, a key does not exist, or the
            model would load weights.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    read_as_data()
    MODULE2PACKAGE[SCOPE] = SCOPE  # mmengine looks for bases `simmim_bench::...` by this
    path = str(shipped.find(path))
    if not Path(path).is_file():
        raise BenchError(f"config {path} does not exist; {shipped.near(path)}")
    try:
        with _without_announcements():
            cfg = Config.fromfile(path, import_custom_modules=False)
            _drop_scope(cfg._cfg_dict)
    except (Exception, SystemExit) as error:
        reason = str(error) or type(error).__name__
        if reason == "RuntimeError":
            reason = "mmengine 0.10.7 cannot read a config that imports a module; remove its import"
        raise BenchError(f"config {path} cannot be read: {reason}") from error
    import_custom(cfg.get("custom_imports"), path)
    if first is not None:
        first(cfg)
    changes = dict(_parse_override(item) for item in overrides or [])
    new = {key: _converted(key, _current(cfg, key), text) for key, text in changes.items()}
    try:
        cfg.merge_from_dict(new)
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        given = " ".join(overrides or [])
        raise BenchError(f"--cfg-options {given} contradict each other ({error})") from error
    _check_model(cfg.get("model"), path)
    if data_root is not None:
        _relocate(cfg, data_root)
    if num_classes is not None:
        set_everywhere(cfg, "num_classes", num_classes)
    _follow_zero_label(cfg, path)
    return cfg


def check_start(cfg: Any, name: str) -> None:
    """Refuse keys by which mmengine loads weights; a run starts as its command line says.

    Args:
        cfg: Config of a training.
        name: Name of the config, for the error.

    Raises:
        BenchError: Names the key and the flag to use instead.
    """
    for key, remedy in STARTS.items():
        if cfg.get(key):
            raise BenchError(
                f"{name} has {key}={cfg[key]!r:.80}, which a run does not use; remove it, and "
                f"{remedy} on the command line"
            )


def _check_model(node: Any, name: str, place: str = "model") -> None:
    """Refuse options of a model by which the libraries load weights that need not fit.

    Raises:
        BenchError: Names the option and the flag to use instead.
    """
    if isinstance(node, (list, tuple)):
        for number, child in enumerate(node):
            _check_model(child, name, f"{place}[{number}]")
    elif hasattr(node, "items"):
        kind = node.get("type")
        kind = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
        loads = [f"{place}.{key}={node[key]!r:.80}" for key in LOADING if node.get(key)]
        if loads or kind.rpartition(".")[2] in ("Pretrained", "PretrainedInit"):
            what = loads[0] if loads else f"{place} of type {kind}"
            raise BenchError(
                f"{name} has {what}, which loads weights without checking that they fit; remove "
                f"it, and {LOAD_WEIGHTS} on the command line"
            )
        for key, child in node.items():
            _check_model(child, name, f"{place}.{key}")


def load_stated_config(path: str) -> Any:
    """Read a config that a file names, such as a manifest, and not the user.

    Only a file below the project's ``configs/`` is executed. Any other is read as plain values.

    Args:
        path: Config file, relative to the current directory or the project.

    Raises:
        BenchError: If the file does not exist or cannot be read, or contains more than plain
            values and is not below ``configs/``.
    """
    from mmengine.config import Config

    inside = shipped.HOME / path
    file = inside if inside.is_file() and not Path(path).is_file() else Path(path)
    if not file.is_file():
        raise BenchError(f"config {path} does not exist; {shipped.near(path)}")
    if shipped.is_shipped(file):
        return load_config(str(file))
    try:
        values = read_config_text(file)
        if "_base_" in values:
            raise BenchError(f"config {path} has a _base_, which is not executed")
        return Config(values)
    except KeyError as error:  # a name that mmengine reserves
        raise BenchError(f"config {path} cannot be read: {error}") from error
    except BenchError as error:
        raise BenchError(f"{error}; configs below {shipped.CONFIGS} are executed") from error


def _drop_scope(node: Any) -> None:
    """Remove the scope that mmengine writes into every part of a base ``simmim_bench::...``.

    Our configs name classes by the ``default_scope`` that they state, such as mmdet's.
    """
    if isinstance(node, dict):
        if node.get("_scope_") == SCOPE:
            del node["_scope_"]
        node = list(node.values())
    for child in node if isinstance(node, (list, tuple)) else ():
        _drop_scope(child)


@contextmanager
def _without_announcements() -> Iterator[None]:
    """Keep mmengine from logging each environment variable it reads, which imports torch."""
    from mmengine.config import config as module

    announce, module.print_log = module.print_log, lambda *_, **__: None
    try:
        yield
    finally:
        module.print_log = announce


def datasets(cfg: Any) -> Iterator[tuple[str, Any]]:
    """Yield (dataloader name, innermost dataset dict) for every dataloader of ``cfg``."""
    for name in DATALOADERS:
        place, part = name, cfg.get(name)
        if part is None:
            continue
        while True:
            if not hasattr(part, "items"):
                raise BenchError(f"{place} in the config must be a dict, got {part!r:.80}")
            if place != name and "dataset" not in part:
                break
            place, part = f"{place}.dataset", part.get("dataset")
        yield name, part


def added_arguments(path: str, overrides: list[str]) -> list[str]:
    """Keys of ``overrides`` that are not in the file: new arguments of the class of their part.

    Args:
        path: Config file.
        overrides: ``KEY=VALUE``, which ``load_config`` has accepted.
    """
    cfg, plain = load_config(path, overrides=overrides), load_config(path)
    added = []
    for key in (item.partition("=")[0] for item in overrides):
        *place, name = key.split(".")
        if name not in part_of(plain, place) and "type" in part_of(cfg, place):
            added.append(key)
    return added


def part_of(cfg: Any, place: Sequence[str]) -> Any:
    """The part of a config at a dotted key, given as its parts."""
    for step in place:
        cfg = cfg[int(step)] if isinstance(cfg, (list, tuple)) else cfg[step]
    return cfg


def resolved_hash(cfg: Any) -> str:
    """SHA-256 of all values of a config, except the folder of its data and ``SWITCHES``."""
    roots = _data_roots(cfg)
    portable = _mapped(cfg._cfg_dict, lambda value: _rebased(value, roots, "<data_root>"))
    for key in SWITCHES:  # said again in the datasets, or a mere confirmation
        portable.pop(key, None)
    return hashlib.sha256(json.dumps(portable, sort_keys=True, default=str).encode()).hexdigest()


def has_label_maps(dataset: Any) -> bool:
    """Whether a dataset dict is ``simmim_bench.SegLayoutDataset``."""
    return str(dataset.get("type")).rpartition(".")[2] == "SegLayoutDataset"


def _follow_zero_label(cfg: Any, path: str) -> None:
    """Let all parts treat label 0 as the top-level ``reduce_zero_label`` says.

    Raises:
        BenchError: If there is no such key and they differ, or a value is not a bool.
    """
    switch = cfg.get(ZERO)
    if switch is not None:
        set_everywhere(cfg, ZERO, switch)
        for _, dataset in datasets(cfg):
            if has_label_maps(dataset):
                dataset[ZERO] = switch
    values = {key: value for key, value in stated(cfg, ZERO) if value is not None}
    for loader, dataset in datasets(cfg):
        if has_label_maps(dataset) and ZERO not in dataset:
            values[f"{loader}.dataset.{ZERO} (not stated)"] = False
    if {*map(str, values.values())} not in ({"True"}, {"False"}, set()):
        last = {str(value): f"{key}={value!r}" for key, value in reversed(values.items())}
        shown = ", ".join(last.values())
        raise BenchError(
            f"{path}: all values of {ZERO} must be the same, True or False, got {shown}; set all "
            f"with `--cfg-options {ZERO}=True` (label 0 is ignored, label 1 is the first class) or "
            f"`{ZERO}=False` (label 0 is the first class)"
        )


def stated(node: Any, key: str, place: str = "") -> Iterator[tuple[str, Any]]:
    """Place and value of every ``key`` below ``node``."""
    if isinstance(node, (list, tuple)):
        node = dict(enumerate(node))
    for name, child in node.items() if hasattr(node, "items") else ():
        if name == key:
            yield f"{place}{name}", child
        else:
            yield from stated(child, key, f"{place}{name}.")


def set_everywhere(node: Any, key: str, value: Any) -> None:
    """Set every ``key`` below ``node`` to ``value``."""
    if isinstance(node, (list, tuple)):
        for child in node:
            set_everywhere(child, key, value)
    elif hasattr(node, "items"):
        for name, child in node.items():
            if name == key:
                node[name] = value
            else:
                set_everywhere(child, key, value)


def _parse_override(item: str) -> tuple[str, str]:
    key, separator, value = item.partition("=")
    if not separator or not key:
        raise BenchError(
            f"--cfg-options takes KEY=VALUE, for example train_cfg.max_epochs=3; got {item!r}"
        )
    if key == "randomness.seed":
        raise BenchError(f"--cfg-options {item}: use --seed {value} instead")
    if key in STARTS:
        raise BenchError(f"--cfg-options {item}: a run does not use {key}; {STARTS[key]} instead")
    return key, value


def _parse_value(key: str, text: str) -> Any:
    """Number, truth value, None, text or list, as mmengine reads it but with the text's spaces."""
    from mmengine.config import DictAction

    kept = INNER_SPACES.sub(lambda found: "\0" * len(found[0]), text)
    try:
        parsed = DictAction._parse_iterable(kept)
    except AssertionError as error:
        raise BenchError(f"config key {key!r} is given {text!r}: {error}; close them") from error
    return _mapped(parsed, lambda value: value.replace("\0", " "))


def _converted(key: str, current: Any, text: str) -> Any:
    """The new value of a key; a list becomes a tuple if the old value is one."""
    if isinstance(current, str) and " " in text.strip() and text.strip()[0] not in "[(":
        return text.strip().strip("'\"")  # a sentence, also if it has a comma
    new = _parse_value(key, text)
    if isinstance(current, (bool, int, float)) and isinstance(new, str):
        raise BenchError(
            f"config key {key!r} must be "
            f"{'True or False' if isinstance(current, bool) else 'a number'} (it is {current!r}), "
            f"got {new!r}"
        )
    return tuple(new) if isinstance(current, tuple) and isinstance(new, list) else new


def _current(cfg: Any, key: str) -> Any:
    """Current value of ``key``, None if it is new.

    A key may be new only in a dict with a ``type``: it is an argument of that class.

    Raises:
        BenchError: If the key does not exist.
    """
    if key in SWITCHES:
        return cfg.get(key)
    node = cfg
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, (list, tuple)):
            if not part.isdigit() or int(part) >= len(node):
                raise BenchError(
                    f"config key {key!r}: {'.'.join(parts[:depth])!r} is a list of {len(node)}; "
                    f"expected an index below {len(node)}, got {part!r}"
                )
            node = node[int(part)]
            continue
        known = list(node.keys()) if hasattr(node, "keys") else []
        last = depth == len(parts) - 1
        if part not in known and not (last and "type" in known):
            near = difflib.get_close_matches(part, known, n=3)
            where = ".".join(parts[:depth]) or "the config"
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has: {', '.join(known)}"
            raise BenchError(f"config key {key!r}: {where} has no {part!r}; {hint}")
        node = node.get(part)
    return node


def _relocate(cfg: Any, new_root: str) -> None:
    """Replace the folder of the config's dataset in every path that starts with it."""
    roots = _data_roots(cfg)
    if not roots:
        raise BenchError(
            "--data-root cannot be used: the datasets of this config have no data_root"
        )
    cfg.merge_from_dict(_mapped(cfg._cfg_dict, lambda value: _rebased(value, roots, new_root)))


def _data_roots(cfg: Any) -> set[str]:
    return {
        str(dataset["data_root"]).rstrip("/")
        for _, dataset in datasets(cfg)
        if dataset.get("data_root")
    }


def _rebased(value: str, roots: set[str], new_root: str) -> str:
    for old in sorted(roots, key=len, reverse=True):  # the innermost first
        if value == old or value.startswith(f"{old}/"):
            return f"{new_root.rstrip('/')}{value[len(old) :]}"
    return value


def _mapped(node: Any, change: Any) -> Any:
    if isinstance(node, dict):
        return {key: _mapped(value, change) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_mapped(value, change) for value in node)
    return change(node) if isinstance(node, str) else node
