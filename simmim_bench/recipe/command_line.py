"""The config of a command line: the file, what its flags change in it, and ``--cfg-options``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simmim_bench.config import load_config
from simmim_bench.data.own import OwnDataset, read_dataset
from simmim_bench.errors import BenchError
from simmim_bench.recipe.any_backbone import fill_backbone, is_open
from simmim_bench.recipe.dataset import use_dataset
from simmim_bench.recipe.held_out import hold_out, take_layer_decay
from simmim_bench.recipe.image_size import set_image_size

Card = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a command line or a suite changes in a config.

    Attributes:
        overrides: ``KEY=VALUE``, mmengine's ``--cfg-options``; they are applied last.
        data_root: ``--data-root``.
        num_classes: ``--num-classes``.
        data: ``--data``: name or folder of own data (``data.own.read_dataset``).
        card: Card of ``--pretrained``, whose backbone a config of ``configs/any`` gets
            (``weights.levels.read_backbone``).
        image_size: ``--image-size``: shorter side in pixels; before ``overrides``.
        held_out: ``--held-out``: share of the training data to evaluate on; after ``overrides``.
        held_out_seed: ``--held-out-seed``: which images these are.
    """

    overrides: tuple[str, ...] = ()
    data_root: str | None = None
    num_classes: int | None = None
    data: str | None = None
    card: Card | None = None
    image_size: int | None = None
    held_out: float | None = None
    held_out_seed: int = 0


def changes_of(args: argparse.Namespace, card: Card | None = None) -> Changes:
    """The changes of a command line that has the arguments of ``cli.config_arguments``."""
    return Changes(
        overrides=tuple(args.cfg_options),
        data_root=args.data_root,
        num_classes=args.num_classes,
        data=args.data,
        card=card,
        image_size=args.image_size,
        held_out=getattr(args, "held_out", None),  # of trainings alone
        held_out_seed=getattr(args, "held_out_seed", 0),
    )


def config_of(args: argparse.Namespace, card: Card | None = None) -> Any:
    """The config of a command line that has the arguments of ``cli.config_arguments``."""
    return load_recipe(args.config, changes_of(args, card))


def own_data(changes: Changes) -> OwnDataset | None:
    """The data that ``--data`` names; None without it.

    Raises:
        BenchError: If there are none, or another switch names the folder or the classes as well.
    """
    if changes.data is None:
        return None
    for flag, given in (("--data-root", changes.data_root), ("--num-classes", changes.num_classes)):
        if given is not None:
            raise BenchError(
                f"--data {changes.data} sets the folder and the classes of the data; leave out "
                f"{flag} {given}, or leave out --data"
            )
    return read_dataset(changes.data)


def load_recipe(path: str, changes: Changes) -> Any:
    """Read a config and apply the changes.

    Args:
        path: Config file.
        changes: What to change.

    Returns:
        mmengine ``Config``.

    Raises:
        BenchError: As ``load_config``; if the backbone of the weights does not fit the recipe; if
            there are no such data or the config cannot read them; if it cannot have the image size;
            if no part of its training data can be held out.
    """
    own = own_data(changes)

    def first(cfg: Any) -> None:
        if changes.card is not None and is_open(cfg):
            fill_backbone(cfg, changes.card, path)
        if own is not None:
            use_dataset(cfg, own, path)
        if changes.image_size is not None:
            set_image_size(cfg, changes.image_size, path)
        take_layer_decay(cfg, changes.overrides, path)

    cfg = load_config(
        path,
        first=first,
        overrides=list(changes.overrides),
        data_root=changes.data_root,
        num_classes=changes.num_classes,
    )
    if changes.held_out is not None:
        hold_out(cfg, changes.held_out, changes.held_out_seed, path)
    return cfg
