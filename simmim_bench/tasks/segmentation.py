"""Semantic segmentation: data set and metric."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import mmseg.evaluation
import numpy as np
import torch
from mmengine.logging import MMLogger
from mmseg.datasets import ADE20KDataset, BaseSegDataset
from mmseg.models import EncoderDecoder, SegTTAModel
from prettytable import PrettyTable
from torch import Tensor

from simmim_bench.data.dense_steps import speed_up
from simmim_bench.data.image_files import list_images
from simmim_bench.data.labels import check_range
from simmim_bench.errors import BenchError
from simmim_bench.io import read_text
from simmim_bench.registry import DATASETS, METRICS, MODELS
from simmim_bench.tasks.label_map_steps import FASTER
from simmim_bench.tasks.quick_labels import QuickLabels

CLASS_LIST = "classes.txt"


@MODELS.register_module()
class MultiScaleSegmentor(QuickLabels, EncoderDecoder):
    """``mmseg.EncoderDecoder`` that averages over views, where a pipeline ends in several.

    ``TestTimeAug`` in the validation's pipeline makes several scales of an image, each as it is and
    flipped. The averaged prediction is that of ``mmseg.SegTTAModel``.
    """

    def val_step(self, data: dict[str, Any]) -> Any:
        """Predict a batch of images, or of lists of views; as ``test_step``."""
        return self.test_step(data)

    def test_step(self, data: dict[str, Any]) -> Any:
        """Predict a batch.

        Args:
            data: ``inputs`` and ``data_samples`` of a collated batch: for each view a list of
                images if the pipeline makes views, otherwise a list of images.

        Returns:
            A data sample for each image.
        """
        if isinstance(data["inputs"][0], Tensor):
            return super().test_step(data)
        return SegTTAModel(module=self).test_step(data)


@DATASETS.register_module()
class SegLayoutDataset(BaseSegDataset):
    """Any data in ADE20K's layout: images and label maps in folders of the same structure.

    Class names are the lines of ``classes.txt`` in the data root, in the order of labels, without
    the ignored zero if ``reduce_zero_label`` removes it. Without that file they are ADE20K's if
    their number matches, otherwise numbers.

    Args:
        num_classes: Number of classes of the model.
        data_root: Folder that prefixes and ``classes.txt`` are relative to.
        metainfo: Replaces names and palette.
        data_prefix: Folders ``img_path`` and ``seg_map_path`` below the data root.
        kwargs: See ``mmseg.BaseSegDataset``, which takes images of one suffix; this takes all.

    Raises:
        BenchError: If ``classes.txt`` does not name ``num_classes`` classes, there is no image, or
            two have the same name without suffix; for a sample, if its label map is missing or
            corrupt or has a label that is not a class.
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
            metainfo={**names, **(metainfo or {})},
            **kwargs,
        )
        speed_up(self.pipeline, FASTER)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Each image with its label map, sorted by path; or those that ``ann_file`` lists."""
        folder, maps = (Path(self.data_prefix[key]) for key in ("img_path", "seg_map_path"))
        listing = list_images(folder).checked()
        if not listing.images:
            raise BenchError(listing.nothing())
        if note := listing.note():
            MMLogger.get_current_instance().warning(note)
        named: dict[str, str] = {}
        for image in sorted(listing.images):
            stem = str(PurePath(image).with_suffix(""))
            if stem in named:
                raise BenchError(
                    f"{folder}: {named[stem]} and {image} have the same label map; rename one"
                )
            named[stem] = image
        return [
            {
                "img_path": str(folder / named[stem]),
                "seg_map_path": str(maps / f"{stem}{self.seg_map_suffix}"),
                "label_map": self.label_map,
                "reduce_zero_label": self.reduce_zero_label,
                "seg_fields": [],
            }
            for stem in self._chosen(named)
        ]

    def _chosen(self, named: dict[str, str]) -> list[str]:
        """Names without suffix in the order of ``ann_file``, or all."""
        if not self.ann_file:
            return list(named)
        lines = read_text(Path(self.ann_file)).splitlines()
        chosen = [line.strip() for line in lines if line.strip()]
        if lacking := [name for name in chosen if name not in named]:
            raise BenchError(
                f"{self.ann_file} lists {lacking[0]}, which {self.data_prefix['img_path']} does "
                "not have; list names of images without their suffixes"
            )
        return chosen

    def prepare_data(self, idx: int) -> Any:
        """Sample ``idx`` after the pipeline, with ``sample_idx``; its labels are checked."""
        try:
            sample = super().prepare_data(idx)
        except (OSError, SyntaxError) as error:  # from Pillow; images raise a BenchError
            path = self.get_data_info(idx)["seg_map_path"]
            raise BenchError(
                f"label map {path} cannot be read ({error}); restore it, or remove its image, and "
                "check the others with `simmim-bench data DATASET --verify`"
            ) from error
        found = sample.get("data_samples", []) if isinstance(sample, dict) else []
        views = found if isinstance(found, list) else [found]  # several at several scales
        for view in views:
            view.set_metainfo({"sample_idx": int(idx)})
        if views and "gt_sem_seg" in views[0]:
            check_labels(
                views[0].gt_sem_seg.data,
                image=views[0].get("img_path", "an image"),
                classes=len(self.metainfo["classes"]),
                ignored=self.ignore_index,
                reduced=self.reduce_zero_label,
            )
        return sample


def class_names(data_root: Path, num_classes: int) -> dict[str, Any]:
    """Metainfo with ``classes``, and a palette for ADE20K."""
    path = data_root / CLASS_LIST
    if path.is_file():
        names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
        if len(names) != num_classes:
            raise BenchError(
                f"{path} names {len(names)} classes, the config has num_classes={num_classes}; "
                f"pass --num-classes {len(names)}"
            )
        return {"classes": tuple(names)}
    if num_classes == len(ADE20KDataset.METAINFO["classes"]):
        return dict(ADE20KDataset.METAINFO)
    return {"classes": tuple(f"class {i}" for i in range(1, num_classes + 1))}


@METRICS.register_module()
class IoUMetric(mmseg.evaluation.IoUMetric):
    """Mean intersection over union with full precision and exact sums.

    mmseg rounds to two digits and sums pixel counts in float32, which is exact only up to
    2 ** 24; here they are summed in float64. Classes that are neither predicted nor present do
    not count.
    """

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Count the pixels of a batch.

        Raises:
            BenchError: If a label is neither a class nor the ignored one; such pixels would
                count as neither right nor wrong.
        """
        classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            if self.format_only or "gt_sem_seg" not in sample:
                continue
            check_labels(
                sample["gt_sem_seg"]["data"],
                image=sample.get("img_path", "an image"),
                classes=classes,
                ignored=self.ignore_index,
                reduced=bool(self.dataset_meta.get("reduce_zero_label")),
            )
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Sum the counts of all images.

        Args:
            results: Intersection, union, predicted and true pixels of each class, for each image.

        Returns:
            Percent: ``aAcc`` and, for ``iou_metrics=['mIoU']``, ``mIoU`` and ``mAcc``.
        """
        if self.format_only:
            return {}
        totals = [torch.stack(column).double().sum(dim=0) for column in zip(*results, strict=True)]
        ratios = self.total_area_to_metrics(*totals, self.metrics, self.nan_to_num, self.beta)
        percents = {name: 100 * ratio for name, ratio in ratios.items()}
        self._log(percents)
        return {
            name if name == "aAcc" else f"m{name}": float(np.nanmean(value))
            for name, value in percents.items()
        }

    def _log(self, percents: dict[str, Any]) -> None:
        """Log a table of the classes."""
        table = PrettyTable()
        table.add_column("Class", list(self.dataset_meta["classes"]))
        for name, values in percents.items():
            if name != "aAcc":
                table.add_column(name, [f"{value:.2f}" for value in values])
        MMLogger.get_current_instance().info(f"per class results:\n{table}")


def check_labels(
    labels: Tensor, *, image: str, classes: int, ignored: int, reduced: bool = False
) -> None:
    """Check that all labels are classes or ignored.

    Args:
        labels: Integers of any shape.
        image: Path of the image, for the message.
        classes: Number of classes; labels are 0 to ``classes`` - 1.
        ignored: Label of ignored pixels.
        reduced: Whether ``reduce_zero_label`` has subtracted one from the labels of the file.

    Raises:
        BenchError: If there is another label.
    """
    values = labels.numpy() if labels.device.type == "cpu" else labels  # NumPy compares faster
    beyond = values[values >= classes]
    unknown = beyond[beyond != ignored]
    if len(unknown):
        found = [int(unknown[0]) + reduced]
        check_range(found, f"of {image}", classes, reduced=reduced, ignored=ignored)
