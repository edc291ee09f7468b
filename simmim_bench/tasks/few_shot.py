"""Few-shot training: a fixed part of a labelled dataset, the same for everyone."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook

from simmim_bench.data.image_folder import ImageFolder
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text, read_bytes
from simmim_bench.registry import DATASETS, HOOKS

IMAGE_LIST = "training_images.txt"


@DATASETS.register_module()
class FewShotDataset(ImageFolder):
    """``simmim_bench.ImageFolder`` with some images of each class.

    The choice depends only on the SHA-256 of each image's path below the data root and the number
    of the list, so it is the same on any machine. A file can list the images instead, as
    https://github.com/google-research/simclr/tree/master/imagenet_subsets does for 1 % and 10 %
    of ImageNet. A training writes the list of its images into its folder.

    Args:
        share: Share of the images of each class, rounded up, such as 0.01 or 0.1.
        shots: Alternatively, number of images of each class.
        list_file: Alternatively, a text file with one image per line: its file name, or its path
            below ``data_prefix``.
        list_number: Each number gives another choice.
        kwargs: See ``simmim_bench.ImageFolder``.

    Raises:
        BenchError: If not exactly one of ``share``, ``shots`` and ``list_file`` is given, it is out
            of range, a class has fewer images than ``shots``, or the file cannot be read, is
            empty or lists a missing image.
    """

    def __init__(
        self,
        *,
        share: float | None = None,
        shots: int | None = None,
        list_file: str | None = None,
        list_number: int = 0,
        **kwargs: Any,
    ) -> None:
        if sum(given is not None for given in (share, shots, list_file)) != 1:
            raise BenchError(
                f"set exactly one of share, shots and list_file, got share={share}, "
                f"shots={shots}, list_file={list_file}"
            )
        if share is not None and not 0 < share <= 1:
            raise BenchError(f"share must be in (0, 1], got {share}; 0.01 is one percent")
        if shots is not None and shots < 1:
            raise BenchError(f"shots must be >= 1, got {shots}")
        self.share = share
        self.shots = shots
        self.list_file = list_file
        self.list_number = list_number
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Entries of the chosen images, in the order of the whole dataset."""
        everything: list[dict[str, Any]] = super().load_data_list()
        if self.list_file is not None:
            names = [self._below(entry["img_path"]) for entry in everything]
            return [everything[i] for i in sorted(listed_images(Path(self.list_file), names))]
        by_class: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for entry in everything:
            by_class[entry["gt_label"]].append(entry)
        chosen = {
            id(entry)
            for label, entries in by_class.items()
            for entry in sorted(entries, key=self._rank)[: self._count(label, len(entries))]
        }
        return [entry for entry in everything if id(entry) in chosen]

    def chosen_images(self) -> list[str]:
        """Path of each image below ``data_prefix``, in the order of the dataset."""
        return [self._below(self.get_data_info(i)["img_path"]) for i in range(len(self))]

    def _below(self, path: str) -> str:
        return PurePath(path).relative_to(self.img_prefix).as_posix()

    def _count(self, label: int, available: int) -> int:
        if self.share is not None:
            return math.ceil(round(self.share * available, 9))  # 0.07 of 100 are 7
        wanted = self.shots or 0
        if wanted > available:
            raise BenchError(
                f"class {self.CLASSES[label]} has {available} images, fewer than shots={wanted}; "
                "set fewer shots"
            )
        return wanted

    def _rank(self, entry: dict[str, Any]) -> str:
        path = PurePath(entry["img_path"])
        below = path.relative_to(self.data_root) if self.data_root else path
        return hashlib.sha256(f"{self.list_number}/{below.as_posix()}".encode()).hexdigest()


@HOOKS.register_module()
class ImageListHook(Hook):
    """Write ``training_images.txt``, one path per line, if the training data are a chosen part.

    ``simmim_bench.FewShotDataset`` reads it back as ``list_file``.
    """

    priority = "VERY_HIGH"  # before features take the place of the images

    @master_only
    def before_train(self, runner: Any) -> None:
        """Write the list of the dataset."""
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, "chosen_images"):
            text = "".join(f"{name}\n" for name in dataset.chosen_images())
            atomic_write_text(Path(runner.work_dir) / IMAGE_LIST, text)


def listed_images(path: Path, images: Sequence[str]) -> set[int]:
    """Indices of the images that a file lists.

    Args:
        path: Text file; each line is a file name or a path as in ``images``.
        images: Path of each image, relative to the common folder.

    Raises:
        BenchError: If the file cannot be read, is empty, or lists a missing image or a file name
            that several folders have.
    """
    names = _read(path)
    places: dict[str, list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        for name in {image, PurePath(image).name}:
            places[name].append(index)
    lacking = [name for name in names if name not in places]
    if lacking:
        raise BenchError(
            f"{len(lacking)} of {len(names)} images in {path} are not in the dataset, the first is "
            f"{lacking[0]}; use a list of images of this dataset"
        )
    for name in names:
        if len(places[name]) > 1:
            raise BenchError(
                f"{name} in {path} is in {len(places[name])} folders; write it with its folder, "
                f"for example {images[places[name][0]]}"
            )
    return {places[name][0] for name in names}


def _read(path: Path) -> list[str]:
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} cannot be read as a text file: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise BenchError(f"{path} is empty; write one image per line")
    return names
