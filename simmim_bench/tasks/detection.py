"""Detection and instance segmentation: data set, metric, and a feature pyramid for plain ViTs."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faster_coco_eval
import mmdet.evaluation
import numpy as np
import torch.nn.functional as F  # noqa: N812
from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO as MMDetCOCO  # noqa: N811
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmpretrain.models.utils import LayerNorm2d
from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, METRICS, MODELS

METRIC_NAMES = (
    "mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l",
    "AR@1", "AR@10", "AR@100", "AR_s@100", "AR_m@100", "AR_l@100",
)  # fmt: skip
"""COCO's twelve metrics, in the order of COCOeval's ``stats``."""

MAX_DETECTIONS = (1, 10, 100)


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
    """COCO's metrics of boxes and masks by faster-coco-eval, with full precision.

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
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compare all detections with the annotation file.

        Args:
            results: Pairs of image metadata and detections, one for each image.

        Raises:
            BenchError: If ``'segm'`` is requested and the model predicts no masks.
        """
        detections = [detection for _, detection in results]
        by_name = {category["name"]: category["id"] for category in self._coco_api.cats.values()}
        self.cat_ids = [by_name[name] for name in self.dataset_meta["classes"]]
        self.img_ids = sorted(detection["img_id"] for detection in detections)
        if not any(len(detection["labels"]) for detection in detections):
            MMLogger.get_current_instance().warning("no detections: all metrics are 0")
        values: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder:
            files = self.results2json(detections, self.outfile_prefix or f"{folder}/results")
            for kind in self.metrics:
                if kind not in files:
                    raise BenchError(f"metric {kind!r} needs masks, but the model predicts none")
                found = json.loads(Path(files[kind]).read_text("utf-8"))
                stats = self._evaluate(kind, found)
                named = zip(METRIC_NAMES, stats, strict=True)
                values |= {f"{kind}_{name}": value for name, value in named}
        return values

    def _read_ground_truth(self) -> faster_coco_eval.COCO:
        path = self.ann_file or self.dataset_meta.get("ann_file")
        if path is None:
            raise BenchError(
                "CocoMetric has no annotation file; set its ann_file, or use "
                "simmim_bench.CocoLayoutDataset"
            )
        content = json.loads(Path(path).read_text("utf-8"))
        for number, annotation in enumerate(content["annotations"], start=1):
            annotation["id"] = number  # COCOeval takes an id of 0 for "not matched"
            annotation.setdefault("iscrowd", 0)
        return faster_coco_eval.COCO(content)

    def _evaluate(self, kind: str, detections: list[dict[str, Any]]) -> list[float]:
        if kind == "segm":
            for detection in detections:
                detection.pop("bbox")  # sizes are areas of masks, not of boxes
        found = self._coco_api.loadRes(detections)
        evaluation = faster_coco_eval.COCOeval_faster(self._coco_api, found, kind)
        evaluation.params.imgIds = self.img_ids
        evaluation.params.catIds = self.cat_ids
        evaluation.params.maxDets = list(MAX_DETECTIONS)
        evaluation.run()
        # (thresholds, recalls, classes, sizes, detections): all sizes, 100 detections
        precision = evaluation.eval["precision"][:, :, :, 0, -1]
        self.by_class[f"{kind} AP"] = [
            100 * float(of_class[of_class > -1].mean()) if (of_class > -1).any() else float("nan")
            for of_class in np.moveaxis(precision, 2, 0)
        ]
        return [float(value) for value in evaluation.stats[: len(METRIC_NAMES)]]


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
