"""Samples without end for loops that count iterations, each with the lap that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler

from simmim_bench.registry import DATA_SAMPLERS


class Draw(int):
    """Index of a sample; ``lap`` says how often the data were gone through before, from 0."""

    lap = 0


@DATA_SAMPLERS.register_module()
class EndlessSampler(InfiniteSampler):
    """``mmengine.InfiniteSampler`` that numbers its laps, so that augmentations are new in each.

    The order of samples is upstream's, and so is the jump to the right place on resuming.
    """

    def _infinite_indices(self) -> Iterator[int]:
        for position, index in enumerate(super()._infinite_indices()):
            draw = Draw(index)
            draw.lap = position // self.size
            yield draw
