"""A loop over epochs that can continue in the middle of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mmengine.runner import EpochBasedTrainLoop

from simmim_bench.registry import LOOPS


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop; after a checkpoint from inside an epoch it goes on with the next batch.

    Samples draw by (seed, epoch, index) and the model by (seed, iteration), so that what follows
    equals a run that was never stopped.
    """

    skipped = 0

    def run_epoch(self) -> None:
        """Iterate what is left of the epoch."""
        self.skipped = self._iter - self._epoch * len(self.dataloader)
        if self.skipped:
            rest = LaterBatches(self.dataloader.batch_sampler, self.skipped)
            # DataLoader refuses to set it; nothing has iterated yet, so nothing keeps the old one.
            self.dataloader.__dict__["batch_sampler"] = rest
        super().run_epoch()

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """Run one batch under its number in the whole epoch."""
        super().run_iter(idx + self.skipped, data_batch)


class LaterBatches:
    """A batch sampler without its first batches, the first time that it is gone through.

    Args:
        sampler: What it stands for in all else.
        skip: Number of batches to leave out.
    """

    def __init__(self, sampler: Any, skip: int) -> None:
        self._inner = sampler
        self._skip = skip

    def __iter__(self) -> Iterator[Any]:
        skip, self._skip = self._skip, 0
        return islice(iter(self._inner), skip, None)

    def __len__(self) -> int:
        return len(self._inner)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)
