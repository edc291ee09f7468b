"""Base of datasets of unlabelled images that are packed into larger files.

The ``img_path`` of a sample is an address that a file backend of mmengine reads, so pipelines are
the same as for image files. Images are read by index, so masks are the same too.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.registry import imports

with imports():
    from mmpretrain.datasets import BaseDataset


class PackedImages(BaseDataset):
    """Base of datasets whose images are parts of larger files.

    Args:
        data_root: Folder.
        data_prefix: Below it.
        with_label: Must be False.
        kwargs: See ``mmpretrain.BaseDataset``.

    Raises:
        BenchError: If there is no image, or ``with_label`` is True.
    """

    def __init__(
        self,
        *,
        data_root: str = "",
        data_prefix: str = "",
        with_label: bool = False,
        **kwargs: Any,
    ) -> None:
        if with_label:
            raise BenchError(
                f"{type(self).__name__} has no labels; set with_label=False, or use CustomDataset"
            )
        super().__init__(ann_file="", data_root=data_root, data_prefix=data_prefix, **kwargs)

    @abstractmethod
    def addresses(self, place: Path) -> list[str]:
        """Address of each image at ``place``, always in the same order."""

    def load_data_list(self) -> list[dict[str, Any]]:
        """One dictionary per image, with its ``img_path``."""
        place = Path(self.data_prefix["img_path"]).absolute()
        if not place.exists():
            raise BenchError(
                f"{type(self).__name__}: {place} does not exist; check data_root and data_prefix"
            )
        return [{"img_path": address} for address in self.addresses(place)]
