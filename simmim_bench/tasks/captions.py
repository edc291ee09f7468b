"""Images with several captions each, in COCO captions format."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, TRANSFORMS
from simmim_bench.tasks.annotation_file import checked_text, read_entries


@DATASETS.register_module()
class CaptionsDataset(BaseDataset):
    """One entry per captioned image, with ``img_path``, ``image_id`` and ``captions``.

    An image so never stands beside itself in a batch of a contrastive loss, as it would with one
    entry per caption. Images without a caption are left out.

    Args:
        max_captions: Captions of an image that are kept, the first ones of the file: five in
            Karpathy's protocol (https://arxiv.org/abs/1412.2306), where some images have more.
        kwargs: See ``mmengine.dataset.BaseDataset``; ``data_prefix`` is ``dict(img_path=FOLDER)``.

    Raises:
        BenchError: If the file has no captions, an empty one, or one of an image that it does not
            list.
    """

    def __init__(self, *, max_captions: int = 5, **kwargs: Any) -> None:
        self.max_captions = max_captions
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Entries in the order of the file's images."""
        images = read_entries(self.ann_file, "images", ("id", "file_name"))
        written = read_entries(self.ann_file, "annotations", ("image_id",))
        captions: dict[Any, list[str]] = {image["id"]: [] for image in images}
        for entry in written:
            if "caption" not in entry:
                raise BenchError(
                    f"{self.ann_file} has annotations without 'caption'; give a captions file, "
                    "such as captions_train2017.json, and not one of instances"
                )
            number = entry["image_id"]
            if number not in captions:
                raise BenchError(
                    f"{self.ann_file} has a caption of image id {number}, which is not among its "
                    f"{len(images)} 'images'; remove the caption or list the image"
                )
            what = f"a caption of image id {number}"
            captions[number].append(checked_text(entry["caption"], what=what, path=self.ann_file))
        folder = Path(self.data_prefix["img_path"])
        return [
            {
                "img_path": str(folder / image["file_name"]),
                "image_id": image["id"],
                "captions": captions[image["id"]][: self.max_captions],
            }
            for image in images
            if captions[image["id"]]
        ]


# One of an image's captions for a training step.


@TRANSFORMS.register_module()
class PickCaption(BaseTransform):
    """Keep one of ``captions``, drawn anew in every epoch (seeded by ``SeedSample``)."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` with a list of one caption."""
        return {**results, "captions": [random.choice(results["captions"])]}
