"""Random numbers of a sample that depend on (seed, epoch, index) alone.

Samples without end for loops that count iterations, each with the lap that it belongs to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.dataset import InfiniteSampler

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATA_SAMPLERS, TRANSFORMS


class PerSampleTransform(BaseTransform):
    """Base of steps whose draws are the same for any number of workers and after a resumed run.

    Args:
        seed: First word of every sample's random seed.

    Raises:
        ValueError: If ``seed`` is negative.
    """

    def __init__(self, *, seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"seed {seed} is negative; use 0 or more")
        self.seed = seed
        # Shared memory: a worker that outlives the epoch sees the next epoch's number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Let draws of ``epoch`` (from 0) follow, in this process and in its workers."""
        self._epoch.fill_(epoch)

    def words(self, results: dict[str, Any]) -> list[int]:
        """Seed, epoch and index of a sample.

        In a loop without epochs, the lap of ``simmim_bench.EndlessSampler`` stands for the epoch.
        """
        index = results["sample_idx"]
        return [self.seed, int(self._epoch) + getattr(index, "lap", 0), int(index)]


@TRANSFORMS.register_module()
class SeedSample(PerSampleTransform):
    """Seed the global generators, from which upstream's augmentations draw, for one sample.

    Stands first in a pipeline; training puts it there.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` as they are; needs ``sample_idx``, which mmengine datasets set."""
        seed_all(self.words(results))
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed})"


def seed_all(words: list[int]) -> None:
    """Seed the generators of Python, NumPy and torch from a list of non-negative numbers."""
    sequence = np.random.SeedSequence(words)
    python_seed, numpy_seed, torch_seed = (int(word) for word in sequence.generate_state(3))
    random.seed(python_seed)
    np.random.seed(numpy_seed)  # upstream transforms draw from the global one
    torch.manual_seed(torch_seed)


# Read an image, and say which one when it cannot be read.
@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """mmcv's loader through Pillow, the decoder of the original SimMIM.

    As there, a photograph's orientation tag is not followed, so that a label map stays aligned.
    OpenCV returns a truncated JPEG with grey in the place of what is missing; Pillow refuses it.
    """

    def __init__(self) -> None:
        super().__init__(imdecode_backend="pillow", color_type="color_ignore_orientation")

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load ``results['img_path']`` as (H, W, 3), uint8, BGR.

        Raises:
            BenchError: If the file is missing, truncated or no image.
        """
        try:
            return super().transform(results)
        except Exception as error:
            raise BenchError(
                f"image {results['img_path']} cannot be read ({error}); restore or remove it, and "
                "check the others with `python tools/prepare_data.py DATASET --verify`"
            ) from error


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
