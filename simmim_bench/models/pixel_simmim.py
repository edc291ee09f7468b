"""SimMIM masked in the image: of pixels, whatever the backbone, with a choice of what fills them.

Section 3.2 of SimMIM (https://arxiv.org/abs/2111.09886) masks patches that are tokens or larger;
smaller ones can only be hidden in the image. Fills: A2MIM (https://arxiv.org/abs/2205.13943,
section 4.2) compares a learned token with the mean colour.
"""

from __future__ import annotations

import zlib
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.backbones.mask_hooks import CHANNELS, fill_masked_pixels
from simmim_bench.models.simmim import SimMIM
from simmim_bench.registry import MODELS

FILLS = ("token", "mean", "noise")
INIT_STD = 0.02  # as PixelAdapter's token: nearly the mean colour


@MODELS.register_module()
class PixelSimMIM(SimMIM):
    """SimMIM whose hidden pixels are filled in the normalised image, before the backbone.

    A backbone with tokens sees them as part of its patches, so that a patch may be hidden in
    part; its own mask token is not used.

    Args:
        mask_size: Side, in pixels, of what one entry of a mask hides: the ``token_size`` of
            ``GenerateMask``. 1: masks of single pixels, or of blocks of ``mask_patch_size``.
        fill: ``token``: one learned colour; ``mean``: the dataset's mean colour, which is 0
            after normalisation; ``noise``: normal noise of the dataset's mean and deviation
            from a generator that is seeded with the sample's mask, so that it depends on what
            the mask depends on (seed, epoch, index) and on nothing else.
        kwargs: See ``SimMIM``.

    Raises:
        ValueError: If the size is not positive or there is no such fill.
    """

    def __init__(self, *, mask_size: int = 1, fill: str = "token", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mask_size < 1:
            raise ValueError(f"mask_size {mask_size} is no number of pixels; use 1 or more")
        if fill not in FILLS:
            raise ValueError(f"fill {fill!r} is unknown; use one of {', '.join(FILLS)}")
        self._mask_size = mask_size
        self.fill = fill
        token = nn.Parameter(torch.zeros(1, 1, CHANNELS)) if fill == "token" else None
        self.register_parameter("mask_token", token)

    @property
    def mask_size(self) -> int:
        """Side, in pixels, of what one entry of a mask hides."""
        return self._mask_size

    def init_mask_token(self) -> None:
        """Nearly the mean colour, if it is learned."""
        if self.mask_token is not None:
            nn.init.trunc_normal_(self.mask_token, std=INIT_STD)

    def hiding(self, mask: Tensor) -> AbstractContextManager[None]:
        """See ``SimMIM.hiding``."""
        return fill_masked_pixels(
            self.backbone, mask, lambda images: self._filling(images, mask), size=self.mask_size
        )

    def _filling(self, images: Tensor, mask: Tensor) -> Tensor:
        """What stands at hidden pixels; broadcasts to ``images`` (B, 3, H, W)."""
        if self.fill == "token":
            return self.mask_token.view(1, CHANNELS, 1, 1)
        if self.fill == "mean":
            return images.new_zeros(1)
        return torch.stack([_noise(own, images.shape[1:]) for own in mask]).to(images)


def _noise(mask: Tensor, shape: torch.Size) -> Tensor:
    """Normal noise of ``shape``, drawn on the CPU, that a mask (h, w) alone decides."""
    seed = zlib.crc32(mask.cpu().numpy().tobytes())
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
