"""Channels as regression targets: as they are, at a lower resolution, or normalised locally."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from simmim_bench.models.targets.base import Target, grid_of
from simmim_bench.registry import MODELS

EPSILON = 1e-6  # added to variances by MAE and by SimMIM for Swin V2


@MODELS.register_module()
class NormalisedRGB(Target):
    """The images as the preprocessor normalised them: SimMIM's target (section 3.4)."""

    def forward(self, images: Tensor) -> Tensor:
        """The images themselves, (B, channels, H, W)."""
        return images

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """The prediction itself."""
        return prediction


@MODELS.register_module()
class DownsampledRGB(Target):
    """Mean colour of squares of ``stride`` pixels (SimMIM, sections 3.4 and 4.1.4).

    At 192 px, strides 32, 16, 8, 4, 2 and 1 are the resolutions 6, 12, 24, 48, 96 and 192.

    Args:
        stride: Side of a square in pixels.
        scale: See ``Target``.

    Raises:
        ValueError: If the stride is below 1.
    """

    def __init__(self, *, stride: int, **scale: Any) -> None:
        super().__init__(**scale)
        if stride < 1:
            raise ValueError(f"stride must be >= 1 pixel, got {stride}")
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H / stride, W / stride), area average.

        Raises:
            ValueError: If the image size is not divisible by the stride.
        """
        grid_of(images, self.stride, "target stride")
        return nn.functional.avg_pool2d(images, self.stride)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:
        """Fill each square with its predicted colour."""
        return nn.functional.interpolate(prediction, size=images.shape[2:], mode="nearest")


@MODELS.register_module()
class PatchNormalisedRGB(Target):
    """Images minus the mean of their patch, divided by its standard deviation.

    Both are over all pixels and channels of a patch; the variance is unbiased. This is MAE's
    ``norm_pix_loss`` (https://arxiv.org/abs/2111.06377, section 3; ``forward_loss`` in
    https://github.com/facebookresearch/mae/blob/main/models_mae.py).

    Args:
        patch_size: Side of a patch in pixels; 16 in MAE.
        scale: See ``Target``.

    Raises:
        ValueError: If the patch size is below 1.
    """

    def __init__(self, *, patch_size: int, **scale: Any) -> None:
        super().__init__(**scale)
        if patch_size < 1:
            raise ValueError(f"patch_size must be >= 1, got {patch_size}; MAE uses 16")
        self.patch_size = patch_size

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H, W), each patch with mean 0 and variance 1.

        Raises:
            ValueError: If the image size is not divisible by the patch size.
        """
        patches = self._patches(images)
        mean, deviation = _statistics(patches)
        return ((patches - mean) / deviation).reshape(images.shape)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:
        """Undo the normalisation with the statistics of ``images``."""
        mean, deviation = _statistics(self._patches(images))
        return (self._patches(prediction) * deviation + mean).reshape(images.shape)

    def _patches(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, channels, H / p, p, W / p, p), a view."""
        rows, columns = grid_of(images, self.patch_size, "patch size")
        size = self.patch_size
        return images.unflatten(3, (columns, size)).unflatten(2, (rows, size))


@MODELS.register_module()
class WindowNormalisedRGB(Target):
    """Images minus the mean of the window around each pixel, divided by its deviation.

    Each channel is normalised by itself. The variance is unbiased; at the border only the part of
    the window inside the image counts. This is the target of SimMIM's Swin V2 models
    (``MODEL.SIMMIM.NORM_TARGET``; ``norm_targets`` in
    https://github.com/microsoft/Swin-Transformer/blob/main/models/simmim.py).

    Args:
        window_size: Side of the window in pixels, odd; 47 in the original's SwinV2 configs.
        scale: See ``Target``.

    Raises:
        ValueError: If the window size is even or below 3.
    """

    def __init__(self, *, window_size: int, **scale: Any) -> None:
        super().__init__(**scale)
        if window_size < 3 or window_size % 2 == 0:
            raise ValueError(f"window_size must be odd and >= 3, got {window_size}; SimMIM uses 47")
        self.window_size = window_size

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H, W)."""
        mean, deviation = self._statistics(images)
        return (images - mean) / deviation

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:
        """Undo the normalisation with the statistics of ``images``."""
        mean, deviation = self._statistics(images)
        return prediction * deviation + mean

    def _statistics(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation around each pixel, (B, channels, H, W)."""
        mean = self._average(images)
        share = self._average(images.new_ones(1, 1, *images.shape[2:]), count_outside=True)
        count = share * self.window_size**2  # pixels of the window inside the image
        variance = (self._average(images.square()) - mean.square()) * (count / (count - 1))
        return mean, (variance.clamp(min=0) + EPSILON).sqrt()

    def _average(self, values: Tensor, *, count_outside: bool = False) -> Tensor:
        """Mean over the window, first along columns, then along rows: ten times as fast as both."""
        size, half = self.window_size, self.window_size // 2
        for kernel, padding in (((size, 1), (half, 0)), ((1, size), (0, half))):
            values = nn.functional.avg_pool2d(
                values, kernel, stride=1, padding=padding, count_include_pad=count_outside
            )
        return values


def _statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each patch, (B, 1, H / p, 1, W / p, 1)."""
    inside = (1, 3, 5)
    mean = patches.mean(dim=inside, keepdim=True)
    variance = patches.var(dim=inside, keepdim=True, unbiased=True)
    return mean, (variance + EPSILON).sqrt()
