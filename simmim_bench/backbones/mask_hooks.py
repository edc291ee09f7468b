"""Hooks that put a mask into an unchanged backbone: at its tokens or at the pixels of its images.

A convolution mixes pixels before anything like a token exists, so what is masked is the image:
masked pixels get one learned colour. A2MIM (https://arxiv.org/abs/2205.13943) fills them with the
mean colour, since the zeros of a raw image shift the statistics that a CNN sees; here the token
starts close to 0, which after normalisation is that mean.

The grid of a mask is that of the finest level (``token_size``, 4 px in ResNet and ConvNeXt as in
Swin), so that masks of any patch that it divides can be used. The size of a masked patch is the
mask's own: SimMIM's 32 px is also the stride of the deepest level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

TokensAndGrid = tuple[Tensor, tuple[int, int]]


def check_bool(mask: Tensor) -> None:
    """Check that a mask is of dtype bool.

    Raises:
        ValueError: If it is not.
    """
    if mask.dtype != torch.bool:
        raise ValueError(f"mask is {mask.dtype}, not torch.bool; True means masked")


def check_grid(mask: Tensor, batch: int, rows: float, columns: float) -> None:
    """Check that a mask has the shape (batch, rows, columns).

    Raises:
        ValueError: If it has not.
    """
    if mask.shape != (batch, rows, columns):
        raise ValueError(
            f"mask {tuple(mask.shape)} does not fit a batch of {batch} images of {rows:g} x "
            f"{columns:g} tokens; make it (batch, rows, columns) of the token grid"
        )


def grid_check_hook(mask: Tensor) -> Callable[[nn.Module, Any, TokensAndGrid], None]:
    """Forward hook of a patch embedding that raises ValueError if ``mask`` (B, h, w) does not fit.

    Args:
        mask: Bool, (B, h, w).
    """

    def check(_module: nn.Module, _args: Any, output: TokensAndGrid) -> None:
        tokens, grid = output
        check_grid(mask, len(tokens), *grid)

    return check


def mask_of_cells(mask: Tensor, side: int, *, stride: int, backbone: str) -> Tensor:
    """A mask on a coarser grid, whose cells must be masked whole or not at all.

    Args:
        mask: Bool, (B, H, W).
        side: Entries of ``mask`` along a side of a cell.
        stride: Side of a cell in pixels, for the message.
        backbone: Kind of backbone, for the message.

    Returns:
        Bool, (B, H / side, W / side).

    Raises:
        ValueError: If a cell is partly masked, or the grid has no whole cells.
    """
    rows, columns = mask.shape[1:]
    if rows % side == columns % side == 0:
        cells = mask.unflatten(2, (-1, side)).unflatten(1, (-1, side))  # (B, h, side, w, side)
        first = cells[:, :, :1, :, :1]
        if bool((cells == first).all()):
            return first[:, :, 0, :, 0]
    raise ValueError(
        f"a sparse {backbone} needs images and masked patches of multiples of {stride} px, the "
        f"stride of its last stage; set mask_patch_size={stride} and an image size that it divides"
    )


@contextmanager
def replace_masked_tokens(
    patch_embed: nn.Module, mask: Tensor, mask_token: Tensor
) -> Iterator[None]:
    """Within the context, ``patch_embed`` returns ``mask_token`` at masked positions.

    Args:
        patch_embed: Module that returns (tokens (B, h * w, C), (h, w)), as mmcv's does.
        mask: Bool, (B, h, w); True = masked.
        mask_token: (1, 1, C).

    Raises:
        ValueError: If the mask is not bool, or its shape is not that of the token grid.
    """

    def replace(_module: nn.Module, _args: Any, output: TokensAndGrid) -> TokensAndGrid:
        tokens, grid = output  # (B, h * w, C)
        check_grid(mask, len(tokens), *grid)
        where = mask.flatten(1).unsqueeze(-1)  # (B, h * w, 1)
        return torch.where(where, mask_token.to(tokens.dtype), tokens), grid

    check_bool(mask)
    handle = patch_embed.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


def replace_masked_pixels(
    backbone: nn.Module, mask: Tensor, mask_token: Tensor, *, token_size: int
) -> AbstractContextManager[None]:
    """Within the context, ``backbone(images)`` sees ``mask_token`` at masked pixels.

    Args:
        backbone: Module whose first argument is the images, (B, C, H, W).
        mask: Bool, (B, H / token_size, W / token_size); True = masked.
        mask_token: (1, 1, C).
        token_size: Side, in pixels, of one mask entry.

    Raises:
        ValueError: If the mask is not bool, or its shape does not fit the images.
    """
    return fill_masked_pixels(
        backbone, mask, lambda _: mask_token.view(1, -1, 1, 1), size=token_size
    )


@contextmanager
def fill_masked_pixels(
    backbone: nn.Module, mask: Tensor, filling: Callable[[Tensor], Tensor], *, size: int
) -> Iterator[None]:
    """Within the context, ``backbone(images)`` sees ``filling(images)`` at masked pixels.

    Args:
        backbone: Module whose first argument is the images, (B, C, H, W).
        mask: Bool, (B, H / size, W / size); True = masked.
        filling: Values for masked pixels; broadcasts to the images.
        size: Side, in pixels, of one mask entry.

    Raises:
        ValueError: If the mask is not bool, or its shape does not fit the images.
    """

    def replace(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        images, *others = args
        check_grid(mask, len(images), images.shape[2] / size, images.shape[3] / size)
        where = mask.repeat_interleave(size, 1).repeat_interleave(size, 2)
        fill = filling(images).to(images.dtype)
        return (torch.where(where.unsqueeze(1), fill, images), *others)

    check_bool(mask)
    handle = backbone.register_forward_pre_hook(replace)
    try:
        yield
    finally:
        handle.remove()
