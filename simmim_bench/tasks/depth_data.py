"""Images with depth maps: NYU's layout of folders, and the demo's scenes.

The depth of a scene of the demo is made of the order in which its digits cover each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import mmseg.datasets
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets import BaseSegDataset
from numpy.typing import NDArray

from simmim_bench.data.annotations import check_annotations, read_document
from simmim_bench.data.demo.files import decode_mask
from simmim_bench.data.dense_steps import speed_up
from simmim_bench.data.depth import read_depth
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, TRANSFORMS
from simmim_bench.tasks.label_map_steps import FASTER

TOUCHING = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
"""A pixel and its four neighbours."""

Mask = NDArray[np.bool_]
Depth = NDArray[np.float32]


@DATASETS.register_module()
class NYUDataset(mmseg.datasets.NYUDataset):
    """mmseg's without its names of rooms, which are no classes; all depth maps must be there.

    Args:
        kwargs: See ``mmseg.NYUDataset``: ``data_prefix`` has ``img_path`` and ``depth_map_path``.

    Raises:
        BenchError: If there is no image, or one has no depth map.
    """

    METAINFO = {"classes": ("depth",)}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        speed_up(self.pipeline, FASTER)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Each image with its depth map, sorted by path."""
        found: list[dict[str, Any]] = super().load_data_list()
        images, maps = (Path(self.data_prefix[key]) for key in ("img_path", "depth_map_path"))
        if not found:
            raise BenchError(f"{images} has no image *{self.img_suffix}; expected NYU's layout")
        lacking = [each for each in found if not Path(each["depth_map_path"]).is_file()]
        if lacking:
            raise BenchError(
                f"{len(lacking)} of {len(found)} images in {images} have no depth map in {maps}, "
                f"the first is {Path(lacking[0]['img_path']).name}, whose depth map is "
                f"{Path(lacking[0]['depth_map_path']).name}; add them, or remove the images"
            )
        return found


@TRANSFORMS.register_module()
class LoadDepth(BaseTransform):
    """Read the depth map of an image, a PNG of 16 bits, as ``gt_depth_map`` (H, W) in metres.

    Pixels of 0 have no depth.

    Args:
        scale: Metres of the value 1 of a pixel.
    """

    def __init__(self, *, scale: float) -> None:
        self.scale = scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the depth map.

        Raises:
            BenchError: If it cannot be read, is of another kind or size, or has no depth at all.
        """
        path = results["depth_map_path"]
        depth = read_depth(Path(path))
        if depth.shape != tuple(results["ori_shape"]):
            raise BenchError(
                f"depth map {path} is {_times(depth.shape)} px, its image is "
                f"{_times(results['ori_shape'])} px (height x width); give both the same size"
            )
        results["gt_depth_map"] = depth.astype(np.float32) * np.float32(self.scale)
        results["seg_fields"].append("gt_depth_map")
        return results


@DATASETS.register_module()
class DemoDepth(BaseSegDataset):
    """The demo's scenes, with the visible masks of their digits, those in front last.

    Args:
        ann_file: COCO annotations of the scenes, which list the digits of a scene from back to
            front.
        kwargs: See ``mmseg.BaseSegDataset``.

    Raises:
        BenchError: If the annotations have errors.
    """

    def __init__(self, *, ann_file: str, **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, **kwargs)
        speed_up(self.pipeline, FASTER)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Each scene, with the masks of its digits as COCO's run lengths."""
        path, folder = Path(self.ann_file), Path(self.data_prefix["img_path"])
        check_annotations(path)
        document = read_document(path)
        masks: dict[Any, list[dict[str, Any]]] = {each["id"]: [] for each in document["images"]}
        for each in sorted(document["annotations"], key=lambda each: each["id"]):
            masks[each["image_id"]].append(each["segmentation"])
        return [
            {
                "img_path": str(folder / each["file_name"]),
                "masks": masks[each["id"]],
                "seg_fields": [],
            }
            for each in document["images"]
        ]


@TRANSFORMS.register_module()
class OverlapDepth(BaseTransform):
    """Make a depth map of the order in which the objects of a scene cover each other.

    Args:
        background: Depth of the background in metres.
        ratio: Of the depths of two layers that follow each other, above 1.
    """

    def __init__(self, *, background: float, ratio: float) -> None:
        self.background, self.ratio = background, ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``gt_depth_map``, (H, W) in metres, from ``masks``."""
        masks = [decode_mask(each["counts"], tuple(each["size"])) for each in results["masks"]]
        layers = layers_of(masks, results["ori_shape"])
        results["gt_depth_map"] = (self.background / self.ratio**layers).astype(np.float32)
        results["seg_fields"].append("gt_depth_map")
        return results


def layers_of(masks: Sequence[Mask], size: Sequence[int]) -> NDArray[np.int64]:
    """How many things are behind each pixel, (H, W): 0 on the background, 1 on an object before it.

    An object is one layer before the foremost object that it covers. It covers those behind it
    that it touches, with four neighbours: what is left of them ends where the cover begins. Strokes
    that only touch count as well.

    Args:
        masks: Visible pixels of each object, (H, W), from back to front.
        size: Height and width.
    """
    layers = np.zeros(tuple(size), np.int64)
    for mask in masks:
        around = cv2.dilate(mask.astype(np.uint8), TOUCHING).astype(bool)
        layers[mask] = 1 + layers[around & ~mask].max(initial=0)
    return layers


def _times(size: Sequence[int]) -> str:
    return " x ".join(map(str, size))
