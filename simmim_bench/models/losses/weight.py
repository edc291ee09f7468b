"""The weight of an added loss, constant or changing over the training."""

from __future__ import annotations

import math

from mmengine.logging import MessageHub

SCHEDULES = ("constant", "linear", "cosine")


class LossWeight:
    """``value + (start - value) * g(t / until)``, where t is the share of the training done.

    g(x) is 0 (constant), 1 - x (linear) or (1 + cos(pi x)) / 2 (cosine), and 0 from x = 1. t comes
    from the run's iteration, so a resumed run has the weights of a whole one. Outside a run the
    weight is ``value``.

    Args:
        value: What it is in the end.
        schedule: ``constant``, ``linear`` or ``cosine``.
        start: What it is at the first iteration; 0 if not given.
        until: Share of the training, 0 to 1, after which it is ``value``; 1 if not given.

    Raises:
        ValueError: If a weight is negative or not finite, the schedule is another one, ``until``
            is not in (0, 1], or a constant weight has ``start`` or ``until``.
    """

    def __init__(
        self,
        *,
        value: float,
        schedule: str = "constant",
        start: float | None = None,
        until: float | None = None,
    ) -> None:
        if schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {schedule!r}; known are: {', '.join(SCHEDULES)}")
        if schedule == "constant" and (start, until) != (None, None):
            raise ValueError(
                f"start {start} and until {until} with a constant weight, which has neither; add "
                "schedule='linear' or 'cosine', or leave them out"
            )
        start = 0.0 if start is None else start
        until = 1.0 if until is None else until
        if not all(math.isfinite(weight) and weight >= 0 for weight in (start, value)):
            raise ValueError(
                f"weight from {start} to {value}; a loss's weight is finite and not negative"
            )
        if not 0 < until <= 1:
            raise ValueError(f"until {until} is not in (0, 1]; it is a share of the training")
        self.value = value
        self.schedule = schedule
        self.start = start
        self.until = until

    def __call__(self) -> float:
        """Weight at the run's current iteration."""
        return self.at(training_share())

    def at(self, share: float) -> float:
        """Weight when ``share`` of the training is done."""
        x = share / self.until
        if self.schedule == "constant" or x >= 1:
            return self.value
        rest = 1 - x if self.schedule == "linear" else (1 + math.cos(math.pi * x)) / 2
        return self.value + (self.start - self.value) * rest


def training_share() -> float:
    """Iterations done / iterations of the run; 1 outside a run."""
    hub = MessageHub.get_current_instance()
    total = hub.get_info("max_iters")
    return float(hub.get_info("iter", 0)) / total if total else 1.0
