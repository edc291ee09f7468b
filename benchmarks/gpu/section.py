"""What a section finds, and the sections in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """One value that a section measured.

    Attributes:
        what: What was measured.
        value: A number, or a text that describes.
        unit: Of a number.
        bound: Largest value allowed; None: only a figure.
    """

    what: str
    value: float | str
    unit: str = ""
    bound: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the value is within its bound; NaN is not."""
        return self.bound is None or float(self.value) <= self.bound

    def json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "holds": self.holds}


Run = Callable[[bool, Path], Iterator[Found]]
"""Runs a section: whether inputs are small, and a folder for its files."""


@dataclass(frozen=True)
class Section:
    """A part of the script, which runs as a separate process.

    Attributes:
        number: As in the table.
        name: On the command line.
        module: In this package; its function has the name of the section.
        seconds: Time limit on a GPU.
        needs: Packages without which it is skipped.
        needs_gpu: Whether it is skipped on a CPU.
        alone: Whether it measures time or fills the memory, so that nothing runs beside it.
    """

    number: int
    name: str
    module: str
    seconds: int
    needs: tuple[str, ...] = ("mmengine", "mmpretrain")
    needs_gpu: bool = False
    alone: bool = True


SECTIONS = (
    Section(1, "environment", "basics", 40, needs=("torch", "mmengine")),
    Section(2, "goldens", "basics", 60, alone=False),
    Section(3, "operators", "basics", 60, needs=("mmcv", "mmdet"), alone=False),
    Section(4, "tries", "trainings", 150, needs=("mmpretrain", "mmdet", "mmseg"), alone=False),
    Section(5, "overflow", "trainings", 60, needs_gpu=True, alone=False),
    Section(6, "accumulation", "steps", 60, alone=False),
    Section(7, "recomputation", "steps", 90, alone=False),
    Section(8, "processes", "steps", 60, alone=False),
    Section(9, "stops", "stops", 110),
    Section(10, "profile", "speed", 50),
    Section(11, "throughput", "speed", 140),
    Section(12, "loader", "speed", 60),
    Section(13, "precision", "trainings", 60),
)
