"""Inverse Swin-T and Swin-B as prediction heads (SimMIM, sections 3.3 and 4.1.3).

The paper (https://arxiv.org/abs/2111.09886) does not describe their structure, and their code is
not released. Ours has the stages of Swin (https://arxiv.org/abs/2103.14030, table 7) from the last
to the first, with patch expanding of Swin-Unet (https://arxiv.org/abs/2105.05537, section 3.4) in
the place of patch merging.
"""

from __future__ import annotations

from typing import Any

from mmpretrain.models.backbones.swin_transformer import SwinBlockSequence
from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.models.decoders.simple import Decoder
from simmim_bench.registry import MODELS, unknown_name

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "tiny": {"embed_dims": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24)},
    "base": {"embed_dims": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)},
}


@MODELS.register_module()
class InverseSwinDecoder(Decoder):
    """Linear embedding, Swin's four stages in reverse, linear prediction.

    Shapes for ``arch='tiny'`` behind Swin-B at 192 px, target stride 1:
    (1024, 6, 6) -> embedded (768, 6, 6), 2 blocks -> (384, 12, 12), 6 blocks ->
    (192, 24, 24), 2 blocks -> (96, 48, 48), 2 blocks -> normalised, linear to 4 x 4 pixels a
    position: (3, 192, 192). ``'base'`` has 1024 to 128 channels and 2, 18, 2, 2 blocks.

    The grid grows up to that of the target. Later stages keep it and only halve the channels, so
    the head has the same blocks for every target.

    Args:
        feature_spec: See ``Decoder``.
        out_channels: See ``Decoder``.
        target_stride: See ``Decoder``.
        arch: ``'tiny'``, ``'base'``, or a dict with ``embed_dims``, ``depths``, ``num_heads``,
            each from the first stage to the last as in ``mmpretrain.SwinTransformer``.
        window_size: Side of an attention window in positions; other maps are padded to a
            multiple of it. SimMIM uses 6 for 192 px.

    Raises:
        ValueError: If ``arch`` is an unknown name.
    """

    def __init__(
        self,
        *,
        feature_spec: FeatureSpec,
        out_channels: int = 3,
        target_stride: int = 1,
        arch: str | dict[str, Any] = "tiny",
        window_size: int = 6,
    ) -> None:
        super().__init__(
            feature_spec=feature_spec, out_channels=out_channels, target_stride=target_stride
        )
        shape = _architecture(arch)
        widths = [shape["embed_dims"] * 2**stage for stage in range(len(shape["depths"]))]
        self.embedding = nn.Linear(self.in_channels, widths[-1])
        self.stages = nn.ModuleList()
        self.expansions = nn.ModuleList()
        remaining = self.upscale
        for stage in reversed(range(len(widths))):
            self.stages.append(
                SwinBlockSequence(
                    widths[stage],
                    shape["depths"][stage],
                    shape["num_heads"][stage],
                    window_size=window_size,
                    pad_small_map=True,
                )
            )
            if stage:
                scale = 2 if remaining % 2 == 0 else 1
                self.expansions.append(PatchExpanding(widths[stage], scale=scale))
                remaining //= scale
        self.norm = nn.LayerNorm(widths[0])
        self.projection = nn.Linear(widths[0], remaining**2 * out_channels)
        self.shuffle = nn.PixelShuffle(remaining)

    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
        grid = (features.shape[2], features.shape[3])
        tokens = self.embedding(features.flatten(2).transpose(1, 2))  # (B, h * w, C)
        for index, stage in enumerate(self.stages):
            tokens, _ = stage(tokens, grid)
            if index < len(self.expansions):
                tokens, grid = self.expansions[index](tokens, grid)
        tokens = self.projection(self.norm(tokens))
        return self.shuffle(tokens.transpose(1, 2).unflatten(2, grid))


class PatchExpanding(nn.Module):
    """Inverse of patch merging: halves the channels and enlarges the grid ``scale`` times.

    Args:
        channels: Input channels, an even number.
        scale: 2, or 1 to halve only the channels.
    """

    def __init__(self, channels: int, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.expansion = nn.Linear(channels, scale**2 * channels // 2, bias=False)
        self.shuffle = nn.PixelShuffle(scale)
        self.norm = nn.LayerNorm(channels // 2)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        """Tokens (B, h * w, C) and grid (h, w) -> (B, h * w * scale**2, C / 2), larger grid."""
        maps = self.expansion(tokens).transpose(1, 2).unflatten(2, grid)
        tokens = self.shuffle(maps).flatten(2).transpose(1, 2)
        return self.norm(tokens), (grid[0] * self.scale, grid[1] * self.scale)


def _architecture(arch: str | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(arch, str):
        return arch
    if arch not in ARCHITECTURES:
        raise ValueError(unknown_name(arch, sorted(ARCHITECTURES), "inverse Swin"))
    return ARCHITECTURES[arch]
