"""``--epochs`` and ``--iterations``: a longer or shorter schedule, or more after its end."""

from __future__ import annotations

import argparse
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.recipe.length import UNITS, check_longer, length_of, set_length
from simmim_bench.training.run import Run, work_dir_of


def plan_length(args: argparse.Namespace, cfg: Any) -> int | None:
    """Set the length of the schedule to that of the command line, or of the run to resume.

    A run that started with ``--epochs 100`` and resumes with ``--epochs 120`` keeps the schedule of
    100 epochs; the others have its last learning rate.

    Args:
        args: Namespace of ``simmim-bench train``.
        cfg: Config; changed in place.

    Returns:
        Length of the whole training, if it is longer than its schedule.

    Raises:
        BenchError: If the schedule does not allow the length.
    """
    given = {unit: getattr(args, unit) for unit in UNITS.values() if getattr(args, unit)}
    if not given:
        return None
    ((unit, length),) = given.items()
    scheduled = _scheduled(args, cfg) or length
    if length < scheduled:
        raise BenchError(
            f"--resume --{unit} {length}: the run in {work_dir_of(args)} has a schedule of "
            f"{scheduled} {unit}; pass --{unit} {scheduled} or more, or give another --work-dir"
        )
    set_length(cfg, scheduled, unit)
    if length == scheduled:
        return None
    check_longer(cfg, length)
    return length


def train_longer(cfg: Any, run: Run) -> str | None:
    """Train on after the end of the schedule, whose last learning rate remains."""
    if run.longer is None:
        return None
    option, scheduled = length_of(cfg)
    cfg.train_cfg[option] = run.longer
    unit = UNITS[option]
    if "pretraining" in cfg and unit == "epochs":
        cfg.pretraining.epochs = run.longer
    return (
        f"{run.longer} {unit}: the schedule has {scheduled}, the others have its last learning rate"
    )


def _scheduled(args: argparse.Namespace, cfg: Any) -> int | None:
    """Length of the schedule of the run to resume; None if there is nothing to resume.

    Checkpoints of earlier versions do not say it: theirs is that of the config.
    """
    from simmim_bench.training.runner import latest_checkpoint
    from simmim_bench.weights.files import load_checkpoint
    from simmim_bench.weights.identity import read_identity

    last = latest_checkpoint(work_dir_of(args)) if args.resume else None
    if last is None:
        return None
    found = read_identity(load_checkpoint(last, mapped=True), last).get("length")
    return found if type(found) is int and found > 0 else length_of(cfg)[1]
