"""Any data in COCO's layout: the annotation file names the classes."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS


@DATASETS.register_module()
class CocoLayoutDataset(CocoDataset):
    """COCO instances whose class names are read from the annotation file.

    Classes are in the order of their category ids, which need not be contiguous, so files
    of two splits that list their categories in another order agree. The path of the annotation
    file goes into ``metainfo['ann_file']``, where ``simmim_bench.CocoMetric`` finds it.

    Args:
        num_classes: Classes that the model has; checked if given.
        args: See ``mmdet.CocoDataset``, as ``kwargs``.

    Raises:
        BenchError: If the annotation file has no categories, or not ``num_classes`` of them; if it
            lists no images, or none that is left after filtering; if it is there to measure
            with and has no object.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(self, *args: Any, num_classes: int | None = None, **kwargs: Any) -> None:
        self.num_classes = num_classes
        super().__init__(*args, **kwargs)

    def COCOAPI(self, path: str) -> COCO:  # noqa: N802  (upstream's name)
        """Open an annotation file, without pycocotools' messages."""
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(path)
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
        """Drop what ``filter_cfg`` says; an empty rest is an error, not an empty epoch."""
        path = self._metainfo["ann_file"]
        if not self.data_list:
            raise BenchError(f"{path} lists no images; COCO's layout has them under 'images'")
        if self.test_mode and not any(entry["instances"] for entry in self.data_list):
            raise BenchError(
                f"none of the {len(self.data_list)} images of {path} has an object, so nothing "
                "could be measured; check that 'annotations' refer to the ids under 'images' and "
                "'categories'"
            )
        kept: list[dict[str, Any]] = super().filter_data()
        if not kept:
            raise BenchError(
                f"none of the {len(self.data_list)} images of {path} has an object (of at least "
                f"{(self.filter_cfg or {}).get('min_size', 0)} px) to learn from; check that "
                "'annotations' refer to the ids under 'images' and 'categories'"
            )
        return kept
