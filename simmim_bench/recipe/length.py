"""The length of a training: another number of epochs or iterations, with the schedule it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simmim_bench.errors import BenchError

UNITS = {"max_epochs": "epochs", "max_iters": "iterations"}
"""Options of ``train_cfg`` that state the length, and the flag of each."""
LAST_FACTORS = {
    "LinearLR": ("end_factor", 1.0),
    "CosineAnnealingLR": ("eta_min", None),
    "PolyLR": ("eta_min", 0.0),
    "MultiStepLR": ("gamma", 0.1),
    "WarmupCosineLR": ("min_factor", None),
    "WarmupMultiStepLR": ("gamma", None),
}
"""Option of a schedule that tells whether its last learning rate is 0, and the default."""


def length_of(cfg: Any) -> tuple[str, int]:
    """Length of the training of a config.

    Returns:
        Option of ``train_cfg``, one of ``UNITS``, and its value.
    """
    option = next(name for name in UNITS if name in cfg.train_cfg)
    return option, cfg.train_cfg[option]


def set_length(cfg: Any, length: int, unit: str) -> None:
    """Train for another number of epochs or iterations, on a schedule stretched to that length.

    What ends with the training ends with the new one: schedules, and validation at the end.
    Milestones are scaled. A warm-up keeps its length.

    Args:
        cfg: Config; changed in place.
        length: New length.
        unit: ``epochs`` or ``iterations``, as the config counts.

    Raises:
        BenchError: If the config counts otherwise, or the warm-up is not shorter than ``length``.
    """
    option, before = length_of(cfg)
    if UNITS[option] != unit:
        raise BenchError(
            f"--{unit} {length}: this config counts {UNITS[option]} ({before}); pass "
            f"--{UNITS[option]} N"
        )
    for schedule in _schedules(cfg):
        if schedule.get("by_epoch", True) != (unit == "epochs"):
            continue
        _stretch(schedule, before, length, unit)
    if cfg.train_cfg.get("val_interval") == before:
        cfg.train_cfg.val_interval = length
    cfg.train_cfg[option] = length
    if "pretraining" in cfg and unit == "epochs":
        cfg.pretraining.epochs = length


def _stretch(schedule: Any, before: int, length: int, unit: str) -> None:
    if schedule.get("end") == before:
        schedule.end = length
        if "milestones" in schedule:
            schedule.milestones = [round(each * length / before) for each in schedule.milestones]
    warmup = max(schedule.get("begin", 0), schedule.get("warmup", 0))
    if schedule.get("end") != length:  # a warm-up of its own
        warmup = max(warmup, schedule.get("end", 0))
    if warmup >= length:
        raise BenchError(
            f"--{unit} {length} is not longer than the warm-up of this config, {warmup} "
            f"{unit if warmup > 1 else unit[:-1]}; "
            f"pass at least --{unit} {warmup + 1}"
        )


def check_longer(cfg: Any, length: int) -> None:
    """Raise unless a training can continue after the end of its schedule.

    The learning rate then stays at its last value.

    Args:
        cfg: Config with its schedule.
        length: New length, longer than the schedule.

    Raises:
        BenchError: If the schedule ends with the learning rate 0, or is of an unknown kind.
    """
    option, scheduled = length_of(cfg)
    unit = UNITS[option]
    for schedule in _schedules(cfg):
        kind = str(schedule.type).rpartition(".")[2]
        name, default = LAST_FACTORS.get(kind, (None, None))
        if name is None:
            raise BenchError(
                f"--resume --{unit} {length}: the learning rate after the end of a schedule of "
                f"type {kind} is not known; train from the start with --{unit} {length} and "
                f"another --work-dir"
            )
        if not schedule.get(name, default):
            raise BenchError(
                f"--resume --{unit} {length}: the learning rate of this config is 0 at the end of "
                f"its {scheduled} {unit} ({kind}, {name}=0), so more of them change nothing; train "
                f"from the start with --{unit} {length} and another --work-dir"
            )


def _schedules(cfg: Any) -> Iterator[Any]:
    """Schedules of the learning rate."""
    stated = cfg.get("param_scheduler") or []
    yield from stated if isinstance(stated, (list, tuple)) else [stated]
