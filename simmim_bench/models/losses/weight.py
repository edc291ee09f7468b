"""The weight of an added loss, constant or scheduled over the training."""

from __future__ import annotations

import math

from mmengine.logging import MessageHub

SCHEDULES = ("constant", "linear", "cosine")


class LossWeight:
    """``value + (start - value) * g(t / until)``, where t is the finished share of the training.

    g(x) is 0 (constant), 1 - x (linear) or (1 + cos(pi x)) / 2 (cosine), and 0 for x >= 1. t is
    computed from the iteration of the run, so a resumed run has the same weights. Outside a run
    the weight is ``value``.

    Args:
        value: Final weight.
        schedule: ``constant``, ``linear`` or ``cosine``.
        start: Weight at the first iteration; 0 by default.
        until: Share of the training, 0 to 1, after which the weight is ``value``; 1 by default.

    Raises:
        ValueError: If a weight is negative or not finite, the schedule is unknown, ``until`` is
            not in (0, 1], or a constant weight has ``start`` or ``until``.
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
                f"a constant weight has no start and until, got start={start}, until={until}; set "
                "schedule='linear' or 'cosine', or remove them"
            )
        start = 0.0 if start is None else start
        until = 1.0 if until is None else until
        if not all(math.isfinite(weight) and weight >= 0 for weight in (start, value)):
            raise ValueError(
                f"start and value must be finite and >= 0, got start={start}, value={value}"
            )
        if not 0 < until <= 1:
            raise ValueError(f"until must be a share of the training in (0, 1], got {until}")
        self.value = value
        self.schedule = schedule
        self.start = start
        self.until = until

    def __call__(self) -> float:
        """Weight at the current iteration of the run."""
        return self.at(training_share())

    def at(self, share: float) -> float:
        """Weight after ``share`` of the training."""
        x = share / self.until
        if self.schedule == "constant" or x >= 1:
            return self.value
        rest = 1 - x if self.schedule == "linear" else (1 + math.cos(math.pi * x)) / 2
        return self.value + (self.start - self.value) * rest


def training_share() -> float:
    """Finished iterations / iterations of the run; 1 outside a run."""
    hub = MessageHub.get_current_instance()
    total = hub.get_info("max_iters")
    return float(hub.get_info("iter", 0)) / total if total else 1.0
