"""Where the config that a run used differs from its protocol's file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.config import load_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.results.manifest import ConfigRef

ABSENT = "absent"
# What every run sets for itself: where it writes, which hooks measure it, where it goes on from.
OWN = ("work_dir", "custom_hooks", "resume", "load_from", "launcher")
ROOT = Path(__file__).parents[3]  # of the project, with its configs
SEEDING = "simmim_bench.SeedSample"  # goes before every pipeline


@dataclass(frozen=True)
class Difference:
    """A dotted key, its value in the protocol's file, and in the run."""

    key: str
    stated: str
    used: str


def config_differences(folder: Path, config: ConfigRef) -> tuple[list[Difference], str | None]:
    """Compare the config in a run's folder with the file that it was made of.

    Args:
        folder: Of the run, where mmengine has left the config as it was used.
        config: The file, relative to the current directory or the project's, and its hash at that
            time.

    Returns:
        Differences in the order of keys, and a sentence where they cannot be trusted or known.
    """
    used = folder / Path(config.path).name
    try:
        before, after = load_config(_located(config.path)), load_config(str(used))
    except BenchError as error:
        return [], f"not known: {error}"
    warning = None
    if not config.overrides and resolved_hash(before) != config.sha256:
        warning = f"{config.path} has changed since the run; differences are from what it says now"
    stated, found = dict(_flat(before.to_dict())), dict(_flat(after.to_dict()))
    keys = [key for key in sorted({*stated, *found}) if stated.get(key) != found.get(key)]
    return [
        Difference(key, stated.get(key, ABSENT), found.get(key, ABSENT))
        for key in keys
        if key.split(".")[0] not in OWN
    ], warning


def _located(path: str) -> str:
    """The file where it is; as it was given if there is none."""
    inside = ROOT / path
    return str(inside) if inside.is_file() and not Path(path).is_file() else path


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and their values as text; a list of dicts is walked, another list is a value."""
    inner = isinstance(node, (list, tuple)) and any(isinstance(one, dict) for one in node)
    if isinstance(node, dict) or inner:
        if not isinstance(node, dict):
            node = dict(enumerate(one for one in node if not _seeds(one)))
        for key, value in node.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, json.dumps(node, default=str)


def _seeds(transform: Any) -> bool:
    return isinstance(transform, dict) and transform.get("type") == SEEDING
