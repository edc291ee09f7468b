"""RGB normalised in a sliding window, the target of SimMIM's SwinV2 models.

Reference: ``norm_targets`` in
https://github.com/microsoft/Swin-Transformer/blob/main/models/simmim.py
(``MODEL.SIMMIM.NORM_TARGET``).
"""

from __future__ import annotations

from torch import Tensor, nn

from simmim_bench.registry import MODELS
from simmim_bench.targets.base import Target

EPSILON = 1e-6  # of the original


@MODELS.register_module()
class WindowNormalisedRGB(Target):
    """Each pixel and channel less the mean of the window around it, divided by its deviation.

    The variance is unbiased; at the border the window is what lies inside the image.

    Args:
        window_size: Side of the window in pixels, odd; 47 in the original's SwinV2 configs.
        mean: See ``Target``.
        std: See ``Target``.

    Raises:
        ValueError: If the window size is even or below 3.
    """

    def __init__(
        self,
        *,
        window_size: int,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(mean=mean, std=std)
        if window_size < 3 or window_size % 2 == 0:
            raise ValueError(f"window size {window_size} is not odd and at least 3; SimMIM uses 47")
        self.window_size = window_size

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W)."""
        mean, deviation = self._statistics(images)
        return (images - mean) / deviation

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:
        """Undo the normalisation with the statistics of ``images``."""
        mean, deviation = self._statistics(images)
        return prediction * deviation + mean

    def _statistics(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation around each pixel, (B, 3, H, W)."""
        mean = self._average(images)
        share = self._average(images.new_ones(1, 1, *images.shape[2:]), count_outside=True)
        count = share * self.window_size**2  # pixels of the window inside the image
        variance = (self._average(images.square()) - mean.square()) * (count / (count - 1))
        return mean, (variance.clamp(min=0) + EPSILON).sqrt()

    def _average(self, values: Tensor, *, count_outside: bool = False) -> Tensor:
        """Mean over the window, along columns, then rows: ten times as quick as both at once."""
        size, half = self.window_size, self.window_size // 2
        for kernel, padding in (((size, 1), (half, 0)), ((1, size), (0, half))):
            values = nn.functional.avg_pool2d(
                values, kernel, stride=1, padding=padding, count_include_pad=count_outside
            )
        return values
