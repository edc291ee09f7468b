"""Tokenizers that make the visual tokens which BEiT predicts (https://arxiv.org/abs/2106.08254)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpretrain.models.selfsup.cae import DALLEEncoder
from torch import Tensor
from torch.nn import functional

from simmim_bench.errors import BenchError
from simmim_bench.models.frozen import load_weights, read_weights
from simmim_bench.registry import MODELS
from simmim_bench.weights.files import require_file

SOURCE = "https://mmassets.onedl.ai/mmselfsup/1.x/target_generator_ckpt/dalle_encoder.pth"


@MODELS.register_module()
class ColourTokenizer(BaseModule):
    """Mean colour of a patch, each channel in one of ``bins`` equal bins: ``bins**3`` tokens.

    It needs no training and replaces DALL-E's encoder in mmpretrain's ``BEiT`` (section 2.1.1)
    where the weights of the latter are not available.

    Args:
        patch_size: Patch size of the backbone in pixels.
        bins: Bins of a channel; 8 give 512 tokens, as many as iGPT has colours.

    Raises:
        BenchError: If there are fewer than two bins.
    """

    def __init__(self, *, patch_size: int, bins: int = 8) -> None:
        super().__init__()
        if bins < 2:
            raise BenchError(f"bins must be >= 2, got {bins}")
        self.patch_size = patch_size
        self.bins = bins

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """One-hot tokens, which BEiT's head uses as logits.

        Args:
            images: RGB from 0 to 1, float (B, 3, H, W).

        Returns:
            Float (B, bins**3, H / patch_size, W / patch_size).

        Raises:
            BenchError: If the image size is not a multiple of the patch size.
        """
        if any(side % self.patch_size for side in images.shape[-2:]):
            height, width = images.shape[-2:]
            raise BenchError(
                f"image size {height} x {width} px is not divisible by patch size {self.patch_size}"
            )
        means = functional.avg_pool2d(images, self.patch_size)
        red, green, blue = (means * self.bins).long().clamp(0, self.bins - 1).unbind(1)
        tokens = (red * self.bins + green) * self.bins + blue
        return functional.one_hot(tokens, self.bins**3).movedim(-1, 1).to(images.dtype)


@MODELS.register_module()
class DallETokenizer(DALLEEncoder):
    """mmpretrain's ``DALL-E`` encoder with its published weights, loaded strictly.

    Args:
        checkpoint: File of the weights; ``init_weights`` reads it.
        kwargs: See ``DALLEEncoder``.
    """

    def __init__(self, *, checkpoint: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checkpoint = Path(checkpoint)

    def init_weights(self) -> None:
        """Read the weights.

        Raises:
            BenchError: If the file is missing, is damaged or does not hold exactly these weights.
        """
        require_file(
            self.checkpoint,
            "DALL-E tokenizer",
            f"download {SOURCE}, and give its path by "
            "--cfg-options model.target_generator.checkpoint=FILE",
        )
        load_weights(self, read_weights(self.checkpoint), self.checkpoint)
