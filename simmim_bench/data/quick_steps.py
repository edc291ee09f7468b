"""Steps for images of 8 bits and three colours that take less time than those of the libraries.

Training puts them in (``recipe/quick_steps.py``). Random numbers are the same.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import RandomFlip as AnyFlip
from mmcv.transforms.utils import cache_randomness
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from simmim_bench.data.dense_steps import planar
from simmim_bench.data.pixels import Pixels
from simmim_bench.registry import TRANSFORMS, imports

with imports():
    from mmpretrain.datasets.transforms import PackInputs as ArrayPack


@TRANSFORMS.register_module()
class RandomFlip(AnyFlip):
    """mmcv's in one direction, which draws the same number without a list of directions.

    Args:
        prob: Share of flipped images.
        direction: ``"horizontal"``, ``"vertical"`` or ``"diagonal"``.
    """

    def __init__(self, *, prob: float, direction: str = "horizontal") -> None:
        super().__init__(prob=prob, direction=direction)
        shares = np.cumsum([prob, 1 - prob])
        self._share = shares[0] / shares[1]  # as numpy.random.choice rounds it

    @cache_randomness
    def _choose_direction(self) -> str | None:
        return self.direction if np.random.random_sample() < self._share else None


@TRANSFORMS.register_module()
class PackInputs(ArrayPack):
    """mmpretrain's; OpenCV brings colour images of 8 bits into the order of a tensor."""

    @staticmethod
    def format_input(input_: Any) -> Any:
        """Make a tensor, (C, H, W), of an image, (H, W, C) or (H, W); see mmpretrain."""
        if isinstance(input_, np.ndarray) and is_plain(input_):
            return torch.from_numpy(planes(input_))
        return ArrayPack.format_input(input_)


def is_plain(image: NDArray[Any]) -> bool:
    """Whether an image is (H, W, 3), uint8."""
    return image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


def planes(image: Pixels) -> Pixels:
    """Copy an image, (H, W, 3), also a flipped view, as (3, H, W)."""
    return planar(contiguous(image)).transpose(2, 0, 1)


def contiguous(image: Pixels) -> Pixels:
    """An image, (H, W, 3), in the order of its rows; a flipped view is copied by OpenCV."""
    if image.flags.c_contiguous:
        return image
    mirrored = image[:, ::-1]
    return cv2.flip(mirrored, 1) if mirrored.flags.c_contiguous else np.ascontiguousarray(image)  # type: ignore[return-value]


def resized(image: Pixels, size: tuple[int, int], interpolation: str) -> Pixels:
    """Resize an image, (H, W, 3), with the filter and the antialiasing of Pillow.

    Torch rounds the weights of the filter to 16 bits and Pillow to 22: of photographs, 2 to 3 of
    1000 values differ by one level; of a million, fewer than one by two.

    Args:
        image: uint8; its rows may be part of longer ones.
        size: Width and height.
        interpolation: ``"bilinear"`` or ``"bicubic"``.
    """
    # one image in the layout "channels last", for which torch has vector instructions
    batch = contiguous(image).reshape(1, *image.shape).transpose(0, 3, 1, 2)
    found = interpolate(torch.from_numpy(batch), size[::-1], mode=interpolation, antialias=True)
    return np.ascontiguousarray(found.numpy()[0].transpose(1, 2, 0))
