"""Any data in ADE20K's layout: images and label maps in folders of the same structure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from mmseg.datasets import ADE20KDataset, BaseSegDataset

from simmim_bench.data.prepare.commands.check import image_files
from simmim_bench.datasets.labels import check_labels
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS

CLASS_LIST = "classes.txt"


@DATASETS.register_module()
class SegLayoutDataset(BaseSegDataset):
    """Semantic segmentation with label maps beside images, as ADE20K has them.

    Class names are the lines of ``classes.txt`` in the data root; without that file they are
    ADE20K's if there are as many, else numbered. Names stand in the order of labels, without
    the ignored zero where ``reduce_zero_label`` drops it.

    Args:
        num_classes: Classes that the model has.
        data_root: Folder that prefixes and ``classes.txt`` are relative to.
        metainfo: Takes the place of names and palette.
        data_prefix: Folders ``img_path`` and ``seg_map_path`` below the data root.
        kwargs: See ``mmseg.BaseSegDataset``; ``img_suffix`` is found in the image folder.

    Raises:
        BenchError: If ``classes.txt`` does not name ``num_classes`` classes, or the images are
            not all of one suffix; for a sample, if its label map is missing or corrupt, or holds a
            label that is no class.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        data_root: str = "",
        data_prefix: dict[str, str],
        metainfo: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        names = class_names(Path(data_root), num_classes)
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix,
            img_suffix=only_suffix(Path(data_root, data_prefix["img_path"])),
            metainfo={**names, **(metainfo or {})},
            **kwargs,
        )

    def prepare_data(self, idx: int) -> Any:
        """Sample ``idx`` after the pipeline, its labels checked."""
        try:
            sample = super().prepare_data(idx)
        except (OSError, SyntaxError) as error:  # Pillow's; images say it themselves
            path = self.get_data_info(idx)["seg_map_path"]
            raise BenchError(
                f"the label map {path} cannot be read ({error}); restore it, or remove its image, "
                "and check the others with `python tools/prepare_data.py DATASET --verify`"
            ) from error
        if isinstance(sample, dict) and "gt_sem_seg" in sample.get("data_samples", ()):
            check_labels(
                sample["data_samples"].gt_sem_seg.data,
                image=sample["data_samples"].get("img_path", "an image"),
                classes=len(self.metainfo["classes"]),
                ignored=self.ignore_index,
                reduced=self.reduce_zero_label,
            )
        return sample


def only_suffix(folder: Path) -> str:
    """Suffix of all images below ``folder``; mmseg passes over files of any other.

    Raises:
        BenchError: If there is none, or more than one.
    """
    found = Counter(path.suffix for path in image_files(folder))
    if len(found) != 1:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in found.most_common())
        raise BenchError(
            f"{folder} holds images of {len(found)} suffixes ({counts or 'none'}), expected one; "
            f"convert the others"
        )
    return next(iter(found))


def class_names(data_root: Path, num_classes: int) -> dict[str, Any]:
    """Metainfo with ``classes``, and the palette where the dataset has one of its own."""
    path = data_root / CLASS_LIST
    if path.is_file():
        names = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
        if len(names) != num_classes:
            raise BenchError(
                f"{path} names {len(names)} classes, the config has num_classes={num_classes}; "
                f"pass --num-classes {len(names)}"
            )
        return {"classes": tuple(names)}
    if num_classes == len(ADE20KDataset.METAINFO["classes"]):
        return dict(ADE20KDataset.METAINFO)
    return {"classes": tuple(f"class {i}" for i in range(1, num_classes + 1))}
