"""What a command line changes in a recipe, how manifests say it, ``--held-out`` and ``--tuned``."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from simmim_bench.config import resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import label_of
from simmim_bench.records.schema import read_model
from simmim_bench.records.tuning import REMEDY, Choice, Tuning

NO_CHANGE = ("pretraining.method=", "ignored_share=")
"""Overrides that name an ablation, or confirm what the data contain; the recipe is the same."""
OTHER_DATA = ("--data=", "--data-root=")  # no deviation: other data have a column of their own


def overrides_of(args: argparse.Namespace) -> list[str]:
    """What the command line changes in the recipe."""
    overrides = [item for item in args.cfg_options if not item.startswith(NO_CHANGE)]
    overrides += [f"--data={Path(args.data).name}"] if args.data else []
    overrides += [f"--data-root={Path(args.data_root).name}"] if args.data_root else []
    for flag in ("num_classes", "image_size", "epochs", "iterations", "held_out"):
        if value := getattr(args, flag):
            overrides.append(f"--{flag.replace('_', '-')}={value}")
    return overrides


def deviations_of(overrides: Iterable[str], tuning: Tuning | None) -> Iterator[str]:
    """A sentence for each override, except of the data; another one for values that trials chose.

    Args:
        overrides: From ``overrides_of``.
        tuning: From ``tuning_of``.
    """
    chosen = tuning.overrides() if tuning else ()
    for each in overrides:
        if not each.startswith(OTHER_DATA) and each not in chosen:
            yield f"override {_portable(each)}"
    yield from tuning.deviations() if tuning else ()


def _portable(override: str) -> str:
    """An override; an exported backbone by its method, since each seed has its own file."""
    key, _, value = override.partition("=")
    if not (value.endswith(".pth") and Path(value).with_suffix(".json").is_file()):
        return override
    from simmim_bench.weights.card import read_card

    card = read_card(Path(value))
    return f"{key}=backbone of {label_of(card['method'], card['pretraining'].get('initial'))}"


def with_tuned_values(args: argparse.Namespace) -> argparse.Namespace:
    """Arguments with the values that ``--tuned`` names, after those of the command line.

    Raises:
        BenchError: If the file cannot be read, or ``--held-out`` is given as well.
    """
    if args.tuned is None:
        return args
    if args.held_out is not None:
        raise BenchError(
            "--tuned takes what trials chose, --held-out makes a trial; leave out one of them"
        )
    choice = read_model(Choice, Path(args.tuned), remedy=REMEDY)
    options = [*args.cfg_options, *choice.overrides()]
    return argparse.Namespace(**{**vars(args), "cfg_options": options, "choice": choice})


def tuning_of(args: argparse.Namespace, cfg: Any) -> Tuning | None:
    """The choice of ``--tuned`` with the hash of the recipe without the chosen values.

    Args:
        args: From ``with_tuned_values``.
        cfg: Config with the chosen values.
    """
    if args.choice is None:
        return None
    recipe = copy.deepcopy(cfg)
    recipe.merge_from_dict(dict.fromkeys(args.choice.search, "tuned"))
    return Tuning(**args.choice.model_dump(), recipe_sha256=resolved_hash(recipe))


def held_out_of(args: argparse.Namespace) -> dict[str, Any] | None:
    """Share and seed of ``--held-out``; None without."""
    if args.held_out is None:
        return None
    return {"share": args.held_out, "seed": args.held_out_seed}


def check_tuning(args: argparse.Namespace) -> None:
    """Raise if a pretraining is given one of the flags.

    Raises:
        BenchError: If one is given.
    """
    if args.tuned or args.held_out is not None:
        raise BenchError(
            f"{args.config} is a pretraining; --held-out and --tuned are for downstream configs, "
            "leave them out"
        )
