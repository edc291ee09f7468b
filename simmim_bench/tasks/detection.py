"""Detection and instance segmentation: data set, metric, and a feature pyramid for plain ViTs."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import mmdet.evaluation
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO as MMDetCOCO  # noqa: N811
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmpretrain.models.utils import LayerNorm2d
from numpy.typing import NDArray
from pycocotools import mask as rle
from torch import Tensor, nn

from simmim_bench.data.dense_steps import speed_up
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, METRICS, MODELS
from simmim_bench.tasks.coco_evaluation import Detections, GroundTruth
from simmim_bench.tasks.instance_masks import FASTER

METRIC_NAMES = (
    "mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l",
    "AR@1", "AR@10", "AR@100", "AR_s@100", "AR_m@100", "AR_l@100",
)  # fmt: skip
"""COCO's twelve metrics, in the order of COCOeval's ``stats``."""


@DATASETS.register_module()
class CocoLayoutDataset(CocoDataset):
    """Any data in COCO's layout; the annotation file names the classes.

    Classes are sorted by category id, so files of two splits agree even if they list their
    categories in different orders. Ids need not be contiguous. The path of the annotation file
    goes into ``metainfo['ann_file']``, where ``simmim_bench.CocoMetric`` finds it.

    Args:
        num_classes: Number of classes of the model; checked if given.
        args: See ``mmdet.CocoDataset``.
        kwargs: Same.

    Raises:
        BenchError: If the annotation file has no categories or not ``num_classes`` of them, if it
            lists no images or none is left after filtering, or if a test file has no object.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(self, *args: Any, num_classes: int | None = None, **kwargs: Any) -> None:
        self.num_classes = num_classes
        super().__init__(*args, **kwargs)
        speed_up(self.pipeline, FASTER)

    def COCOAPI(self, path: str) -> MMDetCOCO:  # noqa: N802  (upstream's name)
        """Open an annotation file without the output of pycocotools."""
        with contextlib.redirect_stdout(io.StringIO()):
            coco = MMDetCOCO(path)
        categories = coco.dataset.get("categories") or []
        categories.sort(key=lambda category: category["id"])  # get_cat_ids keeps this order
        wanted = self._metainfo.get("classes")
        names = [c["name"] for c in categories if wanted is None or c["name"] in wanted]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise BenchError(f"{path} has two categories named {twice[0]!r}; rename one")
        if not names:
            raise BenchError(
                f"{path} has no categories{'' if wanted is None else f' among {wanted}'}; COCO's "
                "layout lists them under 'categories'"
            )
        if self.num_classes not in (None, len(names)):
            raise BenchError(
                f"{path} has {len(names)} categories, the config has num_classes="
                f"{self.num_classes}; pass --num-classes {len(names)}"
            )
        self._metainfo.update(classes=tuple(names), ann_file=path)
        return coco

    def filter_data(self) -> list[dict[str, Any]]:
        """Apply ``filter_cfg``; raise an error if no image is left."""
        path = self._metainfo["ann_file"]
        if not self.data_list:
            raise BenchError(f"{path} lists no images; COCO's layout has them under 'images'")
        if self.test_mode and not any(entry["instances"] for entry in self.data_list):
            raise BenchError(
                f"none of the {len(self.data_list)} images of {path} has an object, so nothing "
                "can be measured; check that 'annotations' refer to the ids under 'images' and "
                "'categories'"
            )
        kept: list[dict[str, Any]] = super().filter_data()
        if not kept:
            raise BenchError(
                f"none of the {len(self.data_list)} images of {path} has an object (of at least "
                f"{(self.filter_cfg or {}).get('min_size', 0)} px) to train on; check that "
                "'annotations' refer to the ids under 'images' and 'categories'"
            )
        return kept


@METRICS.register_module()
class CocoMetric(mmdet.evaluation.CocoMetric):
    """COCO's metrics of boxes and masks, with full precision.

    Unlike mmdet's metric it does not round, and counts at most 100 detections of an image, as
    COCO does. Values are between 0 and 1 under ``coco/bbox_mAP``, ``coco/segm_AR@100`` and so on,
    or -1 if there is no object of that size, as in pycocotools. Without any detection they are 0,
    with a warning. Only the evaluated images count.

    Args:
        ann_file: Annotation file; by default that of the dataset (``CocoLayoutDataset``).
        metric: ``'bbox'``, ``'segm'`` or both.
        outfile_prefix: Save the detections as ``<prefix>.bbox.json`` and ``<prefix>.segm.json``.
        kwargs: ``prefix`` and ``collect_device`` of mmengine's metrics.

    Raises:
        ValueError: If ``metric`` is neither of the two.
    """

    def __init__(
        self,
        *,
        ann_file: str | None = None,
        metric: str | list[str] = "bbox",
        outfile_prefix: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(metric=metric, outfile_prefix=outfile_prefix, **kwargs)
        if not set(self.metrics) <= {"bbox", "segm"}:
            raise ValueError(f"metric must be 'bbox', 'segm' or both in a list, got {metric!r}")
        self.ann_file = ann_file
        self._coco_api: Any = None  # read at the first batch, when the dataset is known
        self.by_class: dict[str, list[float]] = {}
        """AP of each class after an evaluation, in percent; NaN if it has no objects."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Keep the detections of a batch."""
        if self._coco_api is None:
            self._coco_api = self._read_ground_truth()
        super().process(data_batch, [_encoded(sample) for sample in data_samples])

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compare all detections with the annotation file.

        Args:
            results: Pairs of image metadata and detections, one for each image.

        Raises:
            BenchError: If ``'segm'`` is requested and the model predicts no masks.
        """
        predictions = [detection for _, detection in results]
        names = self.dataset_meta["classes"]
        self.cat_ids = [self._coco_api.category_ids[name] for name in names]
        self.img_ids = [prediction["img_id"] for prediction in predictions]
        if not any(len(prediction["labels"]) for prediction in predictions):
            MMLogger.get_current_instance().warning("no detections: all metrics are 0")
        if self.outfile_prefix is not None:
            self.results2json(predictions, self.outfile_prefix)
        values: dict[str, float] = {}
        for kind in self.metrics:
            found = _columns(predictions, self.cat_ids, masks=kind == "segm")
            result = self._coco_api.evaluate(kind, found, self.img_ids, self.cat_ids)
            named = zip(METRIC_NAMES, result.stats, strict=True)
            values |= {f"{kind}_{name}": value for name, value in named}
            order = np.searchsorted(sorted(self.cat_ids), self.cat_ids)
            self.by_class[f"{kind} AP"] = [
                _mean_percent(result.precision[:, :, place]) for place in order
            ]
        return values

    def _read_ground_truth(self) -> GroundTruth:
        path = self.ann_file or self.dataset_meta.get("ann_file")
        if path is None:
            raise BenchError(
                "CocoMetric has no annotation file; set its ann_file, or use "
                "simmim_bench.CocoLayoutDataset"
            )
        return GroundTruth(json.loads(Path(path).read_text("utf-8")))


def _encoded(sample: dict[str, Any]) -> dict[str, Any]:
    """The sample with run-length masks in the place of bitmaps, (N, H, W), bool."""
    instances = sample["pred_instances"]
    masks = instances.get("masks")
    if not isinstance(masks, Tensor) or masks.dtype != torch.bool:
        return sample
    # pycocotools reads columns; OpenCV transposes faster than NumPy copies to Fortran's order
    codes = [rle.encode(cv2.transpose(mask).T) for mask in masks.cpu().numpy().view(np.uint8)]
    return {**sample, "pred_instances": {**instances, "masks": codes}}


def _columns(
    predictions: list[dict[str, Any]], category_ids: list[int], *, masks: bool
) -> Detections:
    """All detections; with ``masks``, scores are those of the masks if the model has such."""
    if masks and any("masks" not in each for each in predictions):
        raise BenchError("metric 'segm' needs masks, but the model predicts none")
    key = "mask_scores" if masks else "scores"
    boxes = np.concatenate([each["bboxes"] for each in predictions], dtype=np.float64)
    boxes[:, 2:] -= boxes[:, :2]  # corners to sizes
    labels = np.concatenate([each["labels"] for each in predictions])
    counts = [len(each["labels"]) for each in predictions]
    return Detections(
        image_ids=np.repeat([each["img_id"] for each in predictions], counts),
        category_ids=np.array(category_ids)[labels],
        boxes=boxes,
        scores=np.concatenate(
            [each.get(key, each["scores"]) for each in predictions], dtype=np.float64
        ),
        masks=[_text(mask) for each in predictions for mask in each["masks"]] if masks else None,
    )


def _text(mask: dict[str, Any]) -> dict[str, Any]:
    counts = mask["counts"]
    return {**mask, "counts": counts.decode()} if isinstance(counts, bytes) else mask


def _mean_percent(precision: NDArray[Any]) -> float:
    measured = precision[precision > -1]
    return 100 * float(measured.mean()) if measured.size else float("nan")


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """Feature pyramid from the last map of a plain ViT (ViTDet, https://arxiv.org/abs/2203.16527).

    Maps of 4, 2, 1, 1/2 and 1/4 times the resolution of that map; for patches of 16 pixels,
    strides 4, 8, 16, 32 and 64. The last one takes every second position of the one before.
    Reference:
    https://github.com/facebookresearch/detectron2/blob/main/detectron2/modeling/backbone/vit.py

    Args:
        in_channels: Channels of the backbone's last output; divisible by 4.
        out_channels: Channels of all levels.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half, quarter = in_channels // 2, in_channels // 4
        self.levels = nn.ModuleList(
            nn.Sequential(*resample, *_projection(channels, out_channels))
            for channels, resample in (
                (
                    quarter,
                    [_double(in_channels, half), LayerNorm2d(half), nn.GELU(),
                     _double(half, quarter)],
                ),
                (half, [_double(in_channels, half)]),
                (in_channels, []),
                (in_channels, [nn.MaxPool2d(kernel_size=2, stride=2)]),
            )
        )  # fmt: skip

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Build the pyramid.

        Args:
            inputs: Outputs of the backbone; the last one, (B, in_channels, h, w), is used.

        Returns:
            Five maps (B, out_channels, ...), finest first.
        """
        maps = [level(inputs[-1]) for level in self.levels]
        return (*maps, F.max_pool2d(maps[-1], kernel_size=1, stride=2))


def _double(in_channels: int, out_channels: int) -> nn.Module:
    return nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)


def _projection(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    ]
