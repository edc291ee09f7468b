"""Augmentation of the fine-tunings as the original has it, through timm.

Reference: https://github.com/microsoft/SimMIM/blob/main/data/data_finetune.py#L50-L57 and
#L79-L90, which call ``timm.data.Mixup`` and ``timm.data.create_transform``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.models.utils.batch_augments import CutMix as RandomCutMix
from mmpretrain.models.utils.batch_augments import Mixup as RandomMixup
from mmpretrain.registry import BATCH_AUGMENTS as PARENT
from PIL import Image
from torch import Tensor

from simmim_bench.data.band_augment import use_bands
from simmim_bench.data.quick_steps import contiguous
from simmim_bench.registry import SCOPE, TRANSFORMS, NearNameRegistry

BATCH_AUGMENTS = NearNameRegistry("batch augment", parent=PARENT, scope=SCOPE)


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """RandAugment by timm on Pillow images, as ``timm.data.create_transform`` calls it.

    Uncovered borders get the mean colour of ImageNet (``img_mean`` in ``transforms_imagenet_train``
    of timm/data/transforms_factory.py). mmpretrain's RandAugment computes the same operations with
    OpenCV, which blends this colour into the pixels along the border.

    Args:
        policy: timm's description, for example ``rand-m9-mstd0.5-inc1``.
        interpolation: Of rotations, shears and translations; a name of timm.
        bands: Mean of each band, if images are float32 (H, W, C): operations are then those of
            ``band_augment``, and borders get this mean.

    Raises:
        BenchError: If there are ``bands`` and an operation has no rule for them.
    """

    def __init__(
        self, *, policy: str, interpolation: str = "bicubic", bands: Sequence[float] | None = None
    ) -> None:
        # imports all models of timm, which takes a second
        from timm.data.auto_augment import rand_augment_transform
        from timm.data.constants import IMAGENET_DEFAULT_MEAN
        from timm.data.transforms import str_to_pil_interp

        fill = tuple(min(255, round(255 * value)) for value in IMAGENET_DEFAULT_MEAN)
        options = {"img_mean": fill, "interpolation": str_to_pil_interp(interpolation)}
        self.policy = policy
        self.augment = rand_augment_transform(policy, options)
        self.bands = bands
        if bands is not None:
            for operation in self.augment.ops:
                use_bands(operation, bands)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Augment ``results['img']``: (H, W, 3), uint8, BGR; with ``bands``, (H, W, C), float32."""
        if self.bands is not None:
            results["img"] = self.augment(results["img"])
            return results
        image = Image.fromarray(cv2.cvtColor(contiguous(results["img"]), cv2.COLOR_BGR2RGB))
        augmented = self.augment(image)
        if augmented is not image:  # none of the operations was drawn
            results["img"] = cv2.cvtColor(np.asarray(augmented), cv2.COLOR_RGB2BGR)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy!r})"


@BATCH_AUGMENTS.register_module()
class Mixup(RandomMixup):
    """Mixup of each image with its counterpart in the reversed batch, as timm has it.

    mmpretrain draws the counterpart.
    """

    def mix(self, batch_inputs: Tensor, batch_scores: Tensor) -> tuple[Tensor, Tensor]:
        """Mix images (N, C, H, W) and their scores (N, classes)."""
        share = np.random.beta(self.alpha, self.alpha)
        return _mixed(batch_inputs, share), _mixed(batch_scores, share)


@BATCH_AUGMENTS.register_module()
class CutMix(RandomCutMix):
    """CutMix with the reversed batch, as timm has it.

    The box is that of timm 0.4.12, which mmpretrain has too. In later releases of timm a box of odd
    height or width is one pixel larger.
    """

    def mix(self, batch_inputs: Tensor, batch_scores: Tensor) -> tuple[Tensor, Tensor]:
        """Paste a box of the images (N, C, H, W), and mix the scores (N, classes)."""
        share = np.random.beta(self.alpha, self.alpha)
        (top, bottom, left, right), share = self.cutmix_bbox_and_lam(batch_inputs.shape[-2:], share)
        box = (..., slice(top, bottom), slice(left, right))
        batch_inputs[box] = batch_inputs.flip(0)[box]
        return batch_inputs, _mixed(batch_scores, share)


def _mixed(values: Tensor, share: float) -> Tensor:
    return share * values + (1 - share) * values.flip(0)
