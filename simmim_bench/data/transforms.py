"""Loading of images, and random numbers that depend only on (seed, epoch, sample index)."""

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
    """Base of transforms whose random numbers do not depend on workers or on resuming.

    Args:
        seed: First number of the seed key of every sample.

    Raises:
        ValueError: If ``seed`` is negative.
    """

    def __init__(self, *, seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"seed must be >= 0, got {seed}")
        self.seed = seed
        # shared memory: persistent workers see the number of the next epoch
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Draw the numbers of ``epoch`` (from 0) from now on, also in the workers."""
        self._epoch.fill_(epoch)

    def seed_key(self, results: dict[str, Any]) -> list[int]:
        """Seed, epoch and index of a sample.

        In a loop without epochs, the lap of ``simmim_bench.EndlessSampler`` is the epoch.
        """
        index = results["sample_idx"]
        return [self.seed, int(self._epoch) + getattr(index, "lap", 0), int(index)]


@TRANSFORMS.register_module()
class SeedSample(PerSampleTransform):
    """Seed the global random generators, which augmentations of the libraries use, for one sample.

    Training puts it first in the pipeline.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` as they are; needs ``sample_idx``, which mmengine datasets set."""
        seed_all(self.seed_key(results))
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed})"


def seed_all(key: list[int]) -> None:
    """Seed the generators of Python, NumPy and torch from a list of non-negative numbers."""
    sequence = np.random.SeedSequence(key)
    python_seed, numpy_seed, torch_seed = (int(value) for value in sequence.generate_state(3))
    random.seed(python_seed)
    np.random.seed(numpy_seed)  # transforms of the libraries draw from the global one
    torch.manual_seed(torch_seed)


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image with Pillow, as the original SimMIM does.

    The orientation tag is ignored, as there, so that label maps stay aligned. Pillow raises for a
    truncated JPEG; OpenCV would fill the missing part with grey.
    """

    def __init__(self) -> None:
        super().__init__(imdecode_backend="pillow", color_type="color_ignore_orientation")

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load ``results['img_path']`` as (H, W, 3), uint8, BGR.

        Raises:
            BenchError: If the file is missing, truncated or not an image.
        """
        try:
            return super().transform(results)
        except Exception as error:
            raise BenchError(
                f"image {results['img_path']} cannot be read ({error}); restore or remove it, and "
                "check all images with `python tools/prepare_data.py DATASET --verify`"
            ) from error


class Draw(int):
    """Index of a sample; ``lap`` counts complete passes over the data before it."""

    lap = 0


@DATA_SAMPLERS.register_module()
class EndlessSampler(InfiniteSampler):
    """``mmengine.InfiniteSampler`` that counts its laps, so that augmentations differ between laps.

    The order of samples, and the position after resuming, are those of mmengine.
    """

    def _infinite_indices(self) -> Iterator[int]:
        for position, index in enumerate(super()._infinite_indices()):
            draw = Draw(index)
            draw.lap = position // self.size
            yield draw
