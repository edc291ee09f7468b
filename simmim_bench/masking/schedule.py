"""A mask ratio that changes over a training, from easy to hard. Not in the SimMIM paper.

Hard Patches Mining (https://arxiv.org/abs/2304.05919, section 3.3) goes from easy to hard by the
share of patches that a score chooses; here the number of hidden patches grows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RatioSchedule:
    """Ratio by the epoch alone, so that it is the same in every worker and after a resumed run.

    Args:
        start: Mask ratio of the first epoch, 0 < start < 1.
        end: Mask ratio from epoch ``epochs`` (from 0) on; lines in between.
        epochs: Epochs of the change, at least 1.

    Raises:
        ValueError: If a ratio is outside (0, 1) or there is no epoch.
    """

    start: float
    end: float
    epochs: int

    def __post_init__(self) -> None:
        for value in (self.start, self.end):
            if not 0 < value < 1:
                raise ValueError(
                    f"mask ratio {value} of a schedule is not between 0 and 1 (exclusive)"
                )
        if self.epochs < 1:
            raise ValueError(f"a schedule of {self.epochs} epochs changes nothing; use 1 or more")

    def at(self, epoch: int) -> float:
        """Ratio of an epoch (from 0)."""
        share = min(epoch / self.epochs, 1.0)
        return (1 - share) * self.start + share * self.end
