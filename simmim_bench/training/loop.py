"""A loop over epochs that continues inside an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import BatchSampler

from simmim_bench.registry import LOOPS


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs; it can continue from a checkpoint inside an epoch.

    Samples are seeded by (seed, epoch, index) and the model by (seed, iteration), so that the
    result equals that of an uninterrupted run.

    If gradients are accumulated, an epoch ends with its last complete optimiser step: as with
    ``drop_last`` and a larger batch, and its checkpoint lacks no gradients. A last batch of one
    image is left out if the model has batch norm, which has no statistics of one value.
    """

    skipped = 0

    def __init__(self, runner: Runner, dataloader: Any, **options: Any) -> None:
        super().__init__(runner, dataloader, **options)
        count = runner.cfg.optim_wrapper.get("accumulative_counts", 1)
        whole = len(self.dataloader) // count * count
        if count == 1 and _ends_with_one_image(self.dataloader) and _has_batch_norm(runner.model):
            whole -= 1
            runner.logger.info(
                "an epoch leaves out its last batch, a single image: batch norm needs two"
            )
        if 0 < whole < len(self.dataloader):
            kept = FirstBatches(self.dataloader.batch_sampler, whole)
            self.dataloader.__dict__["batch_sampler"] = kept
            self._max_iters = self._max_epochs * whole

    def run_epoch(self) -> None:
        """Iterate over the remaining batches of the epoch."""
        self.skipped = self._iter - self._epoch * len(self.dataloader)
        if self.skipped:
            rest = RemainingBatches(self.dataloader.batch_sampler, self.skipped)
            # DataLoader does not allow setting it; no iterator uses the old one yet.
            self.dataloader.__dict__["batch_sampler"] = rest
        super().run_epoch()

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """Run one batch with its index in the whole epoch."""
        super().run_iter(idx + self.skipped, data_batch)


class FirstBatches:
    """The first batches of a batch sampler.

    Args:
        sampler: The batch sampler.
        count: Number of batches.
    """

    def __init__(self, sampler: Any, count: int) -> None:
        self._inner = sampler
        self._count = count

    def __iter__(self) -> Iterator[Any]:
        # to the end, which makes samplers that collect batches by shape ready for the next epoch
        return (batch for number, batch in enumerate(self._inner) if number < self._count)

    def __len__(self) -> int:
        return self._count

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)


class RemainingBatches:
    """A batch sampler that leaves out its first batches, the first time it is iterated.

    Args:
        sampler: The batch sampler.
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


def _ends_with_one_image(loader: Any) -> bool:
    batches = loader.batch_sampler
    if type(batches) is not BatchSampler or batches.drop_last or batches.batch_size < 2:
        return False
    return len(loader.sampler) % batches.batch_size == 1


def _has_batch_norm(model: nn.Module) -> bool:
    return any(isinstance(module, _BatchNorm) for module in model.modules())
