"""SimMIM that masks pixels of the image, for any backbone, with a choice of fills.

Section 3.2 of SimMIM (https://arxiv.org/abs/2111.09886) masks patches of one or more tokens;
smaller patches can only be masked in the image. A2MIM (https://arxiv.org/abs/2205.13943, section
4.2) compares two fills: a learned token and the mean colour.
"""

from __future__ import annotations

import zlib
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.backbones.mask_hooks import fill_masked_pixels
from simmim_bench.models.simmim import SimMIM
from simmim_bench.registry import MODELS

FILLS = ("token", "mean", "noise")
INIT_STD = 0.02  # as PixelAdapter's token: nearly the mean colour


@MODELS.register_module()
class PixelSimMIM(SimMIM):
    """SimMIM that fills masked pixels in the normalised image, before the backbone.

    A backbone with tokens sees the filled pixels in its patches, so a patch may be masked in
    part. The mask token of the backbone is not used.

    Args:
        mask_size: Side in pixels of the square that one entry of a mask stands for: the
            ``token_size`` of ``GenerateMask``. 1: masks of single pixels, or of blocks of
            ``mask_patch_size`` pixels.
        fill: ``token``: one learned colour; ``mean``: the mean colour of the dataset, which is 0
            after normalisation; ``noise``: normal noise with mean and deviation of the dataset.
            The sample's mask seeds the noise, so it depends on (seed, epoch, index) only.
        kwargs: See ``SimMIM``.

    Raises:
        ValueError: If ``mask_size`` is below 1 or the fill is unknown.
    """

    def __init__(self, *, mask_size: int = 1, fill: str = "token", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mask_size < 1:
            raise ValueError(f"mask_size must be >= 1 pixel, got {mask_size}")
        if fill not in FILLS:
            raise ValueError(f"fill must be one of {', '.join(FILLS)}, got {fill!r}")
        self._mask_size = mask_size
        self.fill = fill
        token = (
            nn.Parameter(torch.zeros(1, 1, self.adapter.in_channels)) if fill == "token" else None
        )
        self.register_parameter("mask_token", token)

    @property
    def mask_size(self) -> int:
        """See ``SimMIM.mask_size``."""
        return self._mask_size

    def init_mask_token(self) -> None:
        """Draw a token near the mean colour, if there is one."""
        if self.mask_token is not None:
            nn.init.trunc_normal_(self.mask_token, std=INIT_STD)

    def masked(self, mask: Tensor) -> AbstractContextManager[None]:
        """See ``SimMIM.masked``."""
        return fill_masked_pixels(
            self.backbone, mask, lambda images: self._filling(images, mask), size=self.mask_size
        )

    def _filling(self, images: Tensor, mask: Tensor) -> Tensor:
        """Values for masked pixels; broadcasts to ``images`` (B, C, H, W)."""
        if self.fill == "token":
            return self.mask_token.view(1, -1, 1, 1)
        if self.fill == "mean":
            return images.new_zeros(1)
        return torch.stack([_noise(of_image, images.shape[1:]) for of_image in mask]).to(images)


def _noise(mask: Tensor, shape: torch.Size) -> Tensor:
    """Normal noise of ``shape``, drawn on the CPU and seeded by a mask (h, w)."""
    seed = zlib.crc32(mask.cpu().numpy().tobytes())
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
