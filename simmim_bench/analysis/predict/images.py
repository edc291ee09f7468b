"""Read the images to predict for, as the run's own evaluation does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, DefaultScope
from torch.utils.data import DataLoader, Dataset

from simmim_bench.analysis.predict.given import Given, find_given
from simmim_bench.analysis.predict.trained import PRETRAINING, Trained
from simmim_bench.analysis.predict.unlike import differences, header_of, misfit
from simmim_bench.data.bands import BAND_SUFFIXES, COLOURS
from simmim_bench.data.image_files import SUFFIXES, shown
from simmim_bench.data.pixels import Pixels
from simmim_bench.data.shown_bands import KEY, Stretch, chosen_bands
from simmim_bench.errors import BenchError
from simmim_bench.reconstruction import evaluation_pipeline
from simmim_bench.weights.safe_config import checked_steps

WORKERS = 4  # processes that read images for a GPU
MANY = 32  # images from which on they are started


@dataclass(frozen=True)
class Item:
    """What was read of an image: a sample and a picture (``Pixels``), or the reason why not.

    ``unlike`` says how it differs from what the run was trained on.
    """

    given: Given
    sample: Any = None
    picture: Any = None
    problem: str = ""
    unlike: tuple[str, ...] = ()


class Reader(Dataset[Item]):
    """Reads images as the run's own evaluation does.

    Args:
        trained: The run.
        paths: Files and folders.

    Raises:
        BenchError: If the pipeline of the run has a step that is not known here, or as
            ``find_given``.
    """

    def __init__(self, trained: Trained, paths: Sequence[Path]) -> None:
        if trained.task == PRETRAINING:
            steps = evaluation_pipeline(trained.cfg, seed=0).transforms
        else:
            stated = checked_steps(trained.cfg, trained.checkpoint)
            with DefaultScope.overwrite_default_scope(trained.cfg.default_scope):
                steps = [TRANSFORMS.build(step) for step in stated]
        self.load, self.prepare = steps[0], Compose(steps[1:])
        self.bands = trained.cfg.get(KEY)
        plain = self.load.reading.is_plain
        self.given = find_given(paths, SUFFIXES if plain else (*SUFFIXES, *BAND_SUFFIXES))

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, number: int) -> Item:
        """Read an image; one that cannot be read has a problem instead of a sample."""
        given = self.given[number]
        try:
            loaded = self.load({"img_path": str(given.path), "sample_idx": number})
            picture = as_picture(loaded["img"], self.bands)
            peak = float(loaded["img"].max())  # before the image is normalised in place
            sample = self.prepare(loaded)
        except BenchError as error:
            return Item(given, problem=self._problem(given.path, error))
        header = header_of(str(given.path))
        unlike = differences(header, peak, self.load.reading) if header else ()
        return Item(given, sample, picture, unlike=tuple(unlike))

    def _problem(self, path: Path, error: BenchError) -> str:
        """What is wrong with an image, and what to do about one that has no data set."""
        if not isinstance(error.__cause__, (OSError, ValueError)):
            return str(error)
        header = header_of(str(path))
        other = None if header is None else misfit(header, self.load.reading)
        if other is not None:
            return f"image {shown(path)} {other}"
        return f"image {shown(path)} cannot be read ({error.__cause__}); restore it or leave it out"

    def batches(self, size: int) -> Iterator[list[Item]]:
        """All images in order, ``size`` at a time."""
        busy = torch.cuda.is_available() and len(self) >= MANY
        yield from DataLoader(
            self,
            batch_size=size,
            collate_fn=list,
            num_workers=min(WORKERS, os.cpu_count() or 1) if busy else 0,
        )


def as_picture(loaded: Any, bands: Any = None) -> Pixels:
    """(H, W, 3), uint8, RGB of a loaded image, which is BGR or has another number of bands.

    Args:
        loaded: (H, W, C); uint8 is shown as it is, other bands stretched (``Stretch``).
        bands: ``picture_bands`` of the config.
    """
    values = loaded[..., ::-1] if loaded.shape[2] == COLOURS else loaded
    if values.dtype == np.uint8 and bands is None:
        return np.ascontiguousarray(values)
    return Stretch.of(values, chosen_bands(values.shape[2], bands)).apply(values)
