"""A folder of images as a data set, and what is checked of images before a training starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmengine.dataset
import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import MMLogger

from simmim_bench.data.image_files import SUFFIXES, list_images, not_images
from simmim_bench.data.pixels import size_mistake, unusual_headers
from simmim_bench.data.reading import PLAIN
from simmim_bench.data.transforms import Draw, LoadImage, SeedSample, load_header
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, imports

with imports():
    from mmpretrain.datasets import CustomDataset

FOLDER_TYPES = ("CustomDataset", "mmpretrain.CustomDataset")
REPEATED = ("RepeatDataset", "mmengine.RepeatDataset")
LOADED = 4 * 2**20
"""Bytes of images that are decoded before the other steps follow for each of them."""
SAMPLE = 64  # images whose headers are read before a training


@DATASETS.register_module()
class ImageFolder(CustomDataset):
    """``mmpretrain.CustomDataset`` that finds images as every part of simmim_bench does.

    Hidden files and folders, and files that are not images, are skipped, counted and named in the
    log. Trainings use it wherever a config says ``CustomDataset``.

    Args:
        extensions: Suffixes of images.
        kwargs: See ``mmpretrain.CustomDataset``.

    Raises:
        BenchError: If there is no image, a link leads back to a folder above it, or an image is
            not a regular file or has a name that cannot be written.
    """

    def __init__(self, *, extensions: Sequence[str] = SUFFIXES, **kwargs: Any) -> None:
        super().__init__(extensions=extensions, **kwargs)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Samples of a batch; a worker of a data loader calls it.

        Several images are decoded before the other steps follow for each: decoding puts everything
        else out of the processor's caches. Each sample is the one that its index alone gives.
        """
        steps = self.pipeline.transforms
        seeds = steps[:1] if steps and isinstance(steps[0], SeedSample) else []
        load, *others = steps[len(seeds) :] or [None]
        if not (self._fully_initialized and type(load) is LoadImage):
            return [self[index] for index in indices]
        rest = Compose([*seeds, *others])  # loading draws no numbers
        samples: list[Any] = []
        waiting: list[dict[str, Any]] = []
        size = 0
        for place, index in enumerate(indices, start=1):
            waiting.append(load(self.get_data_info(index)))
            size += waiting[-1]["img"].nbytes
            if size >= LOADED or place == len(indices):
                samples += map(rest, waiting)
                waiting, size = [], 0
        for place, index in enumerate(indices):
            if samples[place] is None:  # mmengine then draws another one
                samples[place] = self[index]
        return samples

    def _find_samples(self) -> list[Any]:
        """Paths below ``data_prefix``; with labels, pairs of a path and its class."""
        if "://" in self.img_prefix:
            return list(super()._find_samples())
        return self.samples_in(self.img_prefix)

    def samples_in(self, folder: str) -> list[Any]:
        """Paths below ``folder``; with labels, pairs of a path and its class."""
        listing = list_images(Path(folder), self.extensions).checked()
        classes = sorted(listing.folders)
        images = listing.images
        if self.with_label:
            images = [name for name in images if "/" in name]
            listing.skipped += [name for name in listing.images if "/" not in name]
        if not images:
            raise BenchError(listing.nothing())
        logger = MMLogger.get_current_instance()
        if listing.skipped:
            logger.warning(f"{folder}: {not_images(listing.skipped)}")
        if not self.with_label:
            return sorted(images)
        self.folder_to_idx = self.labels_of(classes, folder)
        pairs = sorted(tuple(name.split("/", 1)) for name in images)
        if empty := sorted(set(classes) - {name for name, _ in pairs}):
            logger.warning(
                f"{folder}: {len(empty)} class folders have no image: "
                f"{', '.join(empty[:3])}{', ...' if len(empty) > 3 else ''}"
            )
        return [(f"{name}/{below}", self.folder_to_idx[name]) for name, below in pairs]

    def labels_of(self, classes: Sequence[str], folder: str) -> dict[str, int]:
        """Label of each class folder: its place in sorted order.

        Args:
            classes: Names of the class folders, sorted.
            folder: Where they are, for errors.

        Raises:
            BenchError: If the config names another number of classes.
        """
        stated = self.CLASSES
        if stated is not None and len(stated) != len(classes):
            raise BenchError(
                f"{folder} has {len(classes)} class folders, the config names {len(stated)} "
                "classes; make them equal"
            )
        if stated is None:
            self._metainfo["classes"] = tuple(classes)
        return {name: number for number, name in enumerate(classes)}


@DATASETS.register_module()
class RepeatDataset(mmengine.dataset.RepeatDataset):
    """``mmengine.RepeatDataset`` whose repetitions of an image differ in augmentations and masks.

    Trainings use it wherever a config says ``RepeatDataset``.

    Args:
        kwargs: See ``mmengine.RepeatDataset``.
    """

    def _get_ori_dataset_idx(self, idx: int) -> Draw:
        draw = Draw(super()._get_ori_dataset_idx(idx))
        draw.lap, draw.number = getattr(idx, "lap", 0), int(idx)
        return draw


def use_image_folder(dataset: Any) -> None:
    """Let a dataset dict, or those inside it, build our classes for those of the libraries.

    ``ImageFolder`` for ``CustomDataset``, and our ``RepeatDataset``.
    """
    if isinstance(dataset, (list, tuple)):
        for each in dataset:
            use_image_folder(each)
    elif hasattr(dataset, "get"):
        if dataset.get("type") in FOLDER_TYPES:
            dataset["type"] = "simmim_bench.ImageFolder"
        if dataset.get("type") in REPEATED:
            dataset["type"] = "simmim_bench.RepeatDataset"
        for key in ("dataset", "datasets"):
            use_image_folder(dataset.get(key))


def check_sample(dataset: Any, count: int = SAMPLE) -> str | None:
    """Read the headers of ``count`` images, spread evenly over a dataset.

    Args:
        dataset: Dataset of mmengine.
        count: Most images to open.

    Returns:
        A sentence about orientation tags, frames and depth; None if there is nothing to say.

    Raises:
        BenchError: If one is missing, damaged or of a kind without a rule, or has another size
            than its annotation says.
    """
    places = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int)
    entries = [dataset.get_data_info(int(place)) for place in places]
    steps = getattr(getattr(dataset, "pipeline", None), "transforms", ())
    reading = next((step.reading for step in steps if isinstance(step, LoadImage)), PLAIN)
    headers = []
    for entry in entries:
        if "img_path" in entry:
            headers.append(load_header(entry["img_path"], reading))
            if mistake := size_mistake(entry, entry["img_path"], headers[-1].size):
                raise BenchError(mistake)
    unusual = unusual_headers(headers)
    return f"{unusual} (a sample of the {len(dataset)})" if unusual else None
