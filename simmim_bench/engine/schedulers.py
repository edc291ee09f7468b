"""Learning-rate schedules of the original SimMIM, in closed form.

Reference: https://github.com/microsoft/SimMIM/blob/main/lr_scheduler.py

They differ from chains of mmengine's schedulers in four ways:

- warm-up iterations count inside the cosine: it starts at its value for the end of warm-up;
- warm-up starts, and the cosine ends, at one learning rate for all parameter groups, so that
  layer-wise ratios are flat there;
- an iteration uses the value of the one before it, since the original updates after the step
  with the index of the step just done;
- nothing is multiplied up from the previous value, so rounding does not add up.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, ClassVar

from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from typing_extensions import Self

from simmim_bench.registry import PARAM_SCHEDULERS


class WarmupSchedule(_ParamScheduler):
    """Linear warm-up to each group's learning rate, then what a subclass says.

    Args:
        optimizer: Optimizer wrapper or optimizer.
        warmup: Length of warm-up, in the unit of ``end``; 0 for none.
        warmup_factor: Learning rate that warm-up starts from in every group, as a share of
            the highest group's; linear scaling of the learning rate therefore keeps it.
        end: Length of the schedule, warm-up included, in epochs or iterations.
        last_step: See mmengine's schedulers, as ``by_epoch`` and ``verbose``.

    Raises:
        ValueError: If warm-up is longer than the schedule.
    """

    lengths: ClassVar[tuple[str, ...]] = ("warmup", "end")
    """Arguments that count epochs or iterations."""

    def __init__(
        self,
        optimizer: Any,
        *,
        warmup: int,
        warmup_factor: float,
        end: int,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if not 0 <= warmup <= end:
            raise ValueError(f"warmup {warmup} is not within the schedule of {end}; shorten it")
        self.warmup = warmup
        self.warmup_factor = warmup_factor
        # mmengine's wrapper appends a group for logging, which linear scaling passes over.
        self.real_groups = len(getattr(optimizer, "optimizer", optimizer).param_groups)
        super().__init__(
            optimizer, "lr", end=end, last_step=last_step, by_epoch=by_epoch, verbose=verbose
        )

    @classmethod
    def build_iter_from_epoch(cls, *args: Any, epoch_length: int, **kwargs: Any) -> Self:
        """Build the schedule by iteration from lengths in epochs of ``epoch_length``."""
        kwargs["by_epoch"] = False
        for name in cls.lengths:
            value = kwargs[name]
            many = isinstance(value, Sequence)
            kwargs[name] = [v * epoch_length for v in value] if many else value * epoch_length
        return cls(*args, **kwargs)

    @abstractmethod
    def value(self, step: int, base: float, highest: float) -> float:
        """Learning rate after warm-up.

        Args:
            step: From the start of warm-up.
            base: Learning rate that the group was built with.
            highest: The highest of all groups.
        """

    def _get_value(self) -> list[float]:
        step = max(self.last_step - 1, 0)
        highest = max(self.base_values[: self.real_groups])
        if step >= self.warmup:
            return [self.value(step, base, highest) for base in self.base_values]
        start = self.warmup_factor * highest
        return [start + (base - start) * step / self.warmup for base in self.base_values]


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(WarmupSchedule):
    """Warm-up, then the rest of a cosine that began with the warm-up.

    Args:
        min_factor: Learning rate that every group ends at, as a share of the highest group's.
        kwargs: See ``WarmupSchedule``.
    """

    def __init__(self, optimizer: Any, *, min_factor: float, **kwargs: Any) -> None:
        self.min_factor = min_factor
        super().__init__(optimizer, **kwargs)

    def value(self, step: int, base: float, highest: float) -> float:
        """See ``WarmupSchedule.value``."""
        low = self.min_factor * highest
        return low + (base - low) * (1 + math.cos(math.pi * step / self.end)) / 2


@PARAM_SCHEDULERS.register_module()
class WarmupMultiStepLR(WarmupSchedule):
    """Warm-up, then a factor at each milestone.

    Args:
        milestones: Steps from the start of warm-up, in the unit of ``end``.
        gamma: The factor.
        kwargs: See ``WarmupSchedule``.
    """

    lengths = (*WarmupSchedule.lengths, "milestones")

    def __init__(
        self, optimizer: Any, *, milestones: Sequence[int], gamma: float, **kwargs: Any
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, **kwargs)

    def value(self, step: int, base: float, highest: float) -> float:  # noqa: ARG002
        """See ``WarmupSchedule.value``."""
        return base * self.gamma ** bisect_right(self.milestones, step)
