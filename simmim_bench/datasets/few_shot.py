"""A fixed part of a labelled dataset, the same for everyone who has the same images."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from pathlib import PurePath
from typing import Any

from mmpretrain.datasets import CustomDataset

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS


@DATASETS.register_module()
class FewShotDataset(CustomDataset):
    """``mmpretrain.CustomDataset`` with some images of every class.

    Which ones follows from the SHA-256 of each image's path below the data root and the number
    of the list alone: no random generator, no stored list, the same on any machine.

    Args:
        share: Share of each class's images, rounded up; as 0.01 and 0.1 of ImageNet.
        shots: Instead, this many images of each class.
        list_number: Another list for every number.
        kwargs: See ``mmpretrain.CustomDataset``.

    Raises:
        BenchError: If not one of ``share`` and ``shots`` is given, it is out of range, or a class
            has fewer images than ``shots``.
    """

    def __init__(
        self,
        *,
        share: float | None = None,
        shots: int | None = None,
        list_number: int = 0,
        **kwargs: Any,
    ) -> None:
        if (share is None) == (shots is None):
            raise BenchError(f"give share or shots, one of the two (share={share}, shots={shots})")
        if share is not None and not 0 < share <= 1:
            raise BenchError(f"share {share} is not between 0 and 1; 0.01 is one percent")
        if shots is not None and shots < 1:
            raise BenchError(f"shots {shots} is less than 1")
        self.share = share
        self.shots = shots
        self.list_number = list_number
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """The chosen images, in the order of the whole dataset."""
        everything: list[dict[str, Any]] = super().load_data_list()
        by_class: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for entry in everything:
            by_class[entry["gt_label"]].append(entry)
        chosen = {
            id(entry)
            for label, entries in by_class.items()
            for entry in sorted(entries, key=self._rank)[: self._count(label, len(entries))]
        }
        return [entry for entry in everything if id(entry) in chosen]

    def _count(self, label: int, available: int) -> int:
        if self.share is not None:
            return math.ceil(self.share * available)
        wanted = self.shots or 0
        if wanted > available:
            raise BenchError(
                f"class {self.CLASSES[label]} has {available} images, shots={wanted} asks for "
                f"more; give fewer shots"
            )
        return wanted

    def _rank(self, entry: dict[str, Any]) -> str:
        path = PurePath(entry["img_path"])
        below = path.relative_to(self.data_root) if self.data_root else path
        return hashlib.sha256(f"{self.list_number}/{below.as_posix()}".encode()).hexdigest()
