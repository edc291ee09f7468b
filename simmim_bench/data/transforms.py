"""Loading of images, and random numbers that depend only on (seed, epoch, sample index)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine import fileio
from mmengine.dataset import InfiniteSampler
from numpy.typing import NDArray

from simmim_bench.data.pixels import Header, Pixels, size_mistake, unusable
from simmim_bench.data.reading import PLAIN, Reading
from simmim_bench.data.shown_bands import read_picture
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATA_SAMPLERS, TRANSFORMS

T = TypeVar("T")


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
        number = getattr(index, "number", None)
        lap = getattr(index, "lap", 0)
        return [self.seed, int(self._epoch) + lap, int(index) if number is None else number]


@TRANSFORMS.register_module()
class SeedSample(PerSampleTransform):
    """Seed the global random generators, which augmentations of the libraries use, for one sample.

    Training puts it first in the pipeline.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` as they are; needs ``sample_idx``, which mmengine datasets set."""
        torch.default_generator.manual_seed(seed_host(self.seed_key(results)))
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed})"


@TRANSFORMS.register_module()
class FixedView(SeedSample):
    """Seed the generators by the index of a sample alone: the same view in every epoch and run.

    Features of frozen networks are computed once for all epochs, so their pipelines start with it.
    """

    def seed_key(self, results: dict[str, Any]) -> list[int]:
        """Seed and index of a sample."""
        return [self.seed, int(results["sample_idx"])]


def seed_all(key: list[int]) -> None:
    """Seed the generators of Python, NumPy and torch from a list of non-negative numbers."""
    torch_seed = seed_host(key)
    if (
        any(device.is_initialized() for device in (torch.cuda, torch.xpu))
        or torch.mps.is_available()
    ):
        torch.manual_seed(torch_seed)
    else:  # it would format a stack trace for each device that may be used later: 1 ms
        torch.default_generator.manual_seed(torch_seed)


def seed_host(key: list[int]) -> int:
    """Seed the generators of Python and NumPy; return the seed for those of torch.

    A sample needs that of the CPU alone.
    """
    sequence = np.random.SeedSequence(words_of(key))
    python_seed, numpy_seed, torch_seed = (int(value) for value in sequence.generate_state(3))
    random.seed(python_seed)
    np.random.seed(numpy_seed)  # transforms of the libraries draw from the global one
    return torch_seed


def words_of(key: list[int]) -> list[int] | NDArray[np.uint32]:
    """A seed key as NumPy splits it, which takes it most of the time of making a generator."""
    return np.array(key, np.uint32) if max(key) < 2**32 else key


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image with Pillow, as the original SimMIM does; with other channels as float32.

    ``simmim_bench.data.pixels`` states how each kind of file is read. The orientation tag is
    ignored, as in the original, so that label maps and boxes stay aligned. Pillow raises for a
    truncated JPEG; OpenCV would fill the missing part with grey.

    With ``channels`` or a ``value_range``, ``simmim_bench.data.bands`` reads the file at its full
    depth, on the same scale from 0 to 255.

    Args:
        channels: Expected number of bands, 1 to 16.
        value_range: Values of the file that become 0 and 255; None: by the kind of the values.

    Raises:
        BenchError: If an argument is not valid.
    """

    def __init__(self, *, channels: int = 3, value_range: Sequence[float] | None = None) -> None:
        super().__init__(imdecode_backend="pillow", color_type="color_ignore_orientation")
        self.reading = Reading.checked(channels, value_range)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load ``results['img_path']``: (H, W, 3), uint8, BGR, or (H, W, C), float32.

        Three bands of float32 are BGR too; other numbers are in the order of the file.

        Raises:
            BenchError: If the file cannot be read, or has another size than its annotation says.
        """
        image = load_image(results["img_path"], self.reading, order="BGR")
        height, width, _ = image.shape
        if mistake := size_mistake(results, results["img_path"], (width, height)):
            raise BenchError(mistake)
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = (height, width)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reading})"


def load_image(
    address: str | Path, reading: Reading = PLAIN, *, order: str = "RGB"
) -> NDArray[Any]:
    """Read the image at a path or address: (H, W, 3), uint8, or (H, W, C), float32.

    Args:
        address: Of the image.
        reading: How.
        order: ``"RGB"`` or ``"BGR"``; see ``Reading.pixels``.

    Raises:
        BenchError: If it cannot be read.
    """
    return _read(partial(reading.pixels, order=order), address)


def load_picture(address: str | Path, bands: Sequence[int] | None = None) -> Pixels:
    """Read the image at a path or address to be looked at: (H, W, 3), uint8, RGB.

    Args:
        address: Of the image.
        bands: Shown bands; see ``shown_bands.chosen_bands``.

    Raises:
        BenchError: If it cannot be read, or has no such bands.
    """
    return _read(lambda source: read_picture(source, bands), address)


def load_header(address: str | Path, reading: Reading = PLAIN) -> Header:
    """Read the header of the image at a path or address.

    Raises:
        BenchError: If the image cannot be read.
    """
    return _read(reading.header, address)


def _read(reader: Callable[[str | bytes], T], address: str | Path) -> T:
    address = str(address)
    try:
        return reader(fileio.get(address) if "://" in address else address)
    except (OSError, ValueError) as error:
        raise unusable(address, error) from error


class Draw(int):
    """Index of a sample.

    Attributes:
        lap: Complete passes over the data before it.
        number: Its place in a data set that repeats each image, if it is of such a one.
    """

    lap = 0
    number: int | None = None


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
