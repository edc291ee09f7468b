"""The config of a command line: the file, what its flags change in it, and ``--cfg-options``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from simmim_bench.config import load_config


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a command line or a suite changes in a config.

    Attributes:
        overrides: ``KEY=VALUE``, mmengine's ``--cfg-options``; they are applied last.
        data_root: ``--data-root``.
        num_classes: ``--num-classes``.
    """

    overrides: tuple[str, ...] = ()
    data_root: str | None = None
    num_classes: int | None = None


def changes_of(args: argparse.Namespace) -> Changes:
    """The changes of a command line that has the arguments of ``cli.config_arguments``."""
    return Changes(
        overrides=tuple(args.cfg_options), data_root=args.data_root, num_classes=args.num_classes
    )


def config_of(args: argparse.Namespace) -> Any:
    """The config of a command line that has the arguments of ``cli.config_arguments``."""
    return load_recipe(args.config, changes_of(args))


def load_recipe(path: str, changes: Changes) -> Any:
    """Read a config and apply the changes.

    Args:
        path: Config file.
        changes: What to change.

    Returns:
        mmengine ``Config``.

    Raises:
        BenchError: As ``load_config``.
    """
    return load_config(
        path,
        overrides=list(changes.overrides),
        data_root=changes.data_root,
        num_classes=changes.num_classes,
    )
