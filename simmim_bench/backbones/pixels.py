"""What backbones share that are masked at the input: ResNet, ConvNeXt, timm's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.backbones.base import BackboneAdapter, Resized

INIT_STD = 0.02


class PixelAdapter(BackboneAdapter):
    """Images are masked before the backbone sees them; no parameter depends on their size."""

    @property
    def token_channels(self) -> int:
        """Red, green and blue."""
        return CHANNELS

    def masked(self, mask: Tensor, mask_token: Tensor) -> AbstractContextManager[None]:
        """See ``BackboneAdapter.masked``."""
        return replace_masked_pixels(self.backbone, mask, mask_token, token_size=self.token_size)

    def last_feature_map(self, outputs: Sequence[Tensor]) -> Tensor:
        """The last level, (B, C, h, w)."""
        return outputs[-1]

    def init_mask_token(self, mask_token: Tensor) -> None:
        """Normal of 0.02, truncated at +-2: nearly the mean colour of normalised images.

        Not exactly, since ReLU passes no gradient where all it gets is 0. The value is that of
        https://github.com/Westlake-AI/openmixup/blob/main/openmixup/models/backbones/mim_resnet.py
        """
        nn.init.trunc_normal_(mask_token, std=INIT_STD)

    def no_weight_decay(self, param_name: str, *, pretraining: bool) -> bool:  # noqa: ARG002
        """The mask token alone."""
        return param_name == "mask_token"

    def sizes(self) -> dict[str, Any]:
        """None: images of any size fit."""
        return {}

    def resize(
        self,
        state: Mapping[str, Tensor],
        sizes: Mapping[str, Any],  # noqa: ARG002
    ) -> tuple[dict[str, Tensor], list[Resized]]:
        """Nothing to resize."""
        return dict(state), []

    def may_be_missing(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def may_be_unexpected(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


# Put a mask token of three channels in by a forward pre-hook: for backbones without tokens.
#
# A convolution mixes pixels before anything like a token exists, so what is masked is the image.
# Masked pixels get one learned colour. A2MIM (https://arxiv.org/abs/2205.13943) fills them with the
# mean colour, since the zeros of a raw image shift the statistics that a CNN sees; here the token
# starts close to 0, which after normalisation is that mean.
#
# The mask's grid is that of the finest level (``token_size``, 4 px in ResNet and ConvNeXt as in
# Swin), so that masks of any patch that it divides can be used. The size of what is hidden is the
# mask's own: SimMIM's 32 px also is the stride of the deepest level.


CHANNELS = 3


def replace_masked_pixels(
    backbone: nn.Module, mask: Tensor, mask_token: Tensor, *, token_size: int
) -> AbstractContextManager[None]:
    """Within the context, ``backbone(images)`` sees ``mask_token`` at masked pixels.

    Args:
        backbone: Module whose first argument is the images, (B, 3, H, W).
        mask: Bool, (B, H / token_size, W / token_size); True = masked.
        mask_token: (1, 1, 3).
        token_size: Side, in pixels, of what one mask entry hides.

    Raises:
        ValueError: If the mask is not bool, or its shape does not fit the images.
    """
    return fill_masked_pixels(
        backbone, mask, lambda _: mask_token.view(1, CHANNELS, 1, 1), size=token_size
    )


@contextmanager
def fill_masked_pixels(
    backbone: nn.Module, mask: Tensor, filling: Callable[[Tensor], Tensor], *, size: int
) -> Iterator[None]:
    """Within the context, ``backbone(images)`` sees ``filling(images)`` at masked pixels.

    Args:
        backbone: Module whose first argument is the images, (B, 3, H, W).
        mask: Bool, (B, H / size, W / size); True = masked.
        filling: What stands at masked pixels; broadcasts to the images.
        size: Side, in pixels, of what one mask entry hides.

    Raises:
        ValueError: If the mask is not bool, or its shape does not fit the images.
    """

    def replace(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        images, *others = args
        rows, columns = images.shape[2] / size, images.shape[3] / size
        if mask.shape != (images.shape[0], rows, columns):
            raise ValueError(
                f"mask {tuple(mask.shape)} does not fit a batch of {images.shape[0]} images of "
                f"{rows:g} x {columns:g} tokens of {size} px; make it (batch, rows, columns)"
            )
        where = mask.repeat_interleave(size, 1).repeat_interleave(size, 2)
        fill = filling(images).to(images.dtype)
        return (torch.where(where.unsqueeze(1), fill, images), *others)

    if mask.dtype != torch.bool:
        raise ValueError(f"mask is {mask.dtype}, not torch.bool; True means masked")
    handle = backbone.register_forward_pre_hook(replace)
    try:
        yield
    finally:
        handle.remove()
