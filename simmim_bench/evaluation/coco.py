"""COCO's twelve figures for boxes and for masks, with full precision, by faster-coco-eval."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import mmdet.evaluation
import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from mmengine.logging import MMLogger

from simmim_bench.errors import BenchError
from simmim_bench.registry import METRICS

FIGURES = (
    "mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l",
    "AR@1", "AR@10", "AR@100", "AR_s@100", "AR_m@100", "AR_l@100",
)  # fmt: skip
"""In the order of COCOeval's ``stats``."""

MAX_DETECTIONS = (1, 10, 100)


@METRICS.register_module()
class CocoMetric(mmdet.evaluation.CocoMetric):
    """mmdet's metric without its rounding, with at most 100 detections an image as COCO has it.

    Figures are fractions of 1 under ``coco/bbox_mAP``, ``coco/segm_AR@100`` and so on, or -1
    where there is no object of that size, as in pycocotools. Without any detection they are 0,
    with a warning. Only images that were evaluated count.

    Args:
        ann_file: Annotation file; by default the dataset's own (``CocoLayoutDataset``).
        metric: ``'bbox'``, ``'segm'`` or both.
        outfile_prefix: Keep the detections as ``<prefix>.bbox.json`` and ``<prefix>.segm.json``.
        kwargs: ``prefix`` and ``collect_device`` of mmengine's metrics.

    Raises:
        ValueError: If ``metric`` is another one.
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
            raise ValueError(f"metric {metric!r} is neither bbox nor segm nor a list of them")
        self.ann_file = ann_file
        self._coco_api: Any = None  # read at the first batch, when the dataset is known
        self.by_class: dict[str, list[float]] = {}
        """AP of each class after an evaluation, in percent, NaN without objects."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Keep the detections of a batch."""
        if self._coco_api is None:
            self._coco_api = self._read_ground_truth()
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compare all detections with the annotation file.

        Args:
            results: Pairs of image facts and detections, one an image.

        Raises:
            BenchError: If masks are to be measured and the model predicts none.
        """
        detections = [detection for _, detection in results]
        by_name = {category["name"]: category["id"] for category in self._coco_api.cats.values()}
        self.cat_ids = [by_name[name] for name in self.dataset_meta["classes"]]
        self.img_ids = sorted(detection["img_id"] for detection in detections)
        if not any(len(detection["labels"]) for detection in detections):
            MMLogger.get_current_instance().warning("not a single detection: all figures are 0")
        figures: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder:
            files = self.results2json(detections, self.outfile_prefix or f"{folder}/results")
            for kind in self.metrics:
                if kind not in files:
                    raise BenchError(f"metric {kind!r} is asked for, but the model has no masks")
                found = json.loads(Path(files[kind]).read_text("utf-8"))
                stats = self._evaluate(kind, found)
                named = zip(FIGURES, stats, strict=True)
                figures |= {f"{kind}_{name}": value for name, value in named}
        return figures

    def _read_ground_truth(self) -> COCO:
        path = self.ann_file or self.dataset_meta.get("ann_file")
        if path is None:
            raise BenchError(
                "CocoMetric knows no annotation file; give it ann_file, or use "
                "simmim_bench.CocoLayoutDataset"
            )
        content = json.loads(Path(path).read_text("utf-8"))
        for number, annotation in enumerate(content["annotations"], start=1):
            annotation["id"] = number  # an id of 0 would read as "not matched"
            annotation.setdefault("iscrowd", 0)
        return COCO(content)

    def _evaluate(self, kind: str, detections: list[dict[str, Any]]) -> list[float]:
        if kind == "segm":
            for detection in detections:
                detection.pop("bbox")  # sizes are areas of masks, not of boxes
        found = self._coco_api.loadRes(detections)
        evaluation = COCOeval_faster(self._coco_api, found, kind)
        evaluation.params.imgIds = self.img_ids
        evaluation.params.catIds = self.cat_ids
        evaluation.params.maxDets = list(MAX_DETECTIONS)
        evaluation.run()
        # (thresholds, recalls, classes, sizes, detections): all sizes, 100 detections
        precision = evaluation.eval["precision"][:, :, :, 0, -1]
        self.by_class[f"{kind} AP"] = [
            100 * float(own[own > -1].mean()) if (own > -1).any() else float("nan")
            for own in np.moveaxis(precision, 2, 0)
        ]
        return [float(value) for value in evaluation.stats[: len(FIGURES)]]
