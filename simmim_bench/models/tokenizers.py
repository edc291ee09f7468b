"""Visual tokens that need no trained tokenizer, for BEiT where DALL-E's is out of reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpretrain.models.selfsup.cae import DALLEEncoder
from torch import Tensor
from torch.nn import functional

from simmim_bench.errors import BenchError
from simmim_bench.models.frozen import require_file, teacher_weights
from simmim_bench.registry import MODELS


@MODELS.register_module()
class ColourTokenizer(BaseModule):
    """The mean colour of a patch, each channel in one of ``bins`` equal parts: ``bins**3`` tokens.

    It takes the place of DALL-E's encoder in mmpretrain's ``BEiT``
    (https://arxiv.org/abs/2106.08254, section 2.1.1), whose tokens are learned and say more.

    Args:
        patch_size: Pixels of a side; the backbone's.
        bins: Parts of a channel; 8 give 512 tokens, as many as iGPT's colours.

    Raises:
        BenchError: If there are fewer than two bins, or images are no multiple of the patch size.
    """

    def __init__(self, *, patch_size: int, bins: int = 8) -> None:
        super().__init__()
        if bins < 2:
            raise BenchError(f"bins is {bins}; a channel has 2 parts or more")
        self.patch_size = patch_size
        self.bins = bins

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """One-hot tokens, which BEiT's head takes for logits.

        Args:
            images: RGB from 0 to 1, float (B, 3, H, W).

        Returns:
            Float (B, bins**3, H / patch_size, W / patch_size).
        """
        if any(side % self.patch_size for side in images.shape[-2:]):
            height, width = images.shape[-2:]
            raise BenchError(
                f"images of {height} x {width} px have no whole patches of {self.patch_size} px; "
                f"use a size that is a multiple of it"
            )
        means = functional.avg_pool2d(images, self.patch_size)
        red, green, blue = (means * self.bins).long().clamp(0, self.bins - 1).unbind(1)
        tokens = (red * self.bins + green) * self.bins + blue
        return functional.one_hot(tokens, self.bins**3).movedim(-1, 1).to(images.dtype)


# Visual tokens of DALL-E's encoder, which BEiT predicts (https://arxiv.org/abs/2106.08254).


SOURCE = "https://mmassets.onedl.ai/mmselfsup/1.x/target_generator_ckpt/dalle_encoder.pth"


@MODELS.register_module()
class DallETokenizer(DALLEEncoder):
    """mmpretrain's ``DALL-E`` encoder with its published weights, every key or not at all.

    Args:
        checkpoint: The weights; they are read by ``init_weights``.
        kwargs: See ``DALLEEncoder``.
    """

    def __init__(self, *, checkpoint: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checkpoint = Path(checkpoint)

    def init_weights(self) -> None:
        """Read the weights.

        Raises:
            BenchError: If the file is missing, damaged, or does not hold exactly these weights.
        """
        require_file(
            self.checkpoint,
            "DALL-E tokenizer",
            f"download {SOURCE}, and give its path by "
            "--cfg-options model.target_generator.checkpoint=FILE",
        )
        teacher_weights(self.checkpoint).load_into(self)
