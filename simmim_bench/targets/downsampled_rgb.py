"""RGB at a lower resolution (SimMIM, https://arxiv.org/abs/2111.09886, sections 3.4 and 4.1.4)."""

from __future__ import annotations

from torch import Tensor, nn

from simmim_bench.registry import MODELS
from simmim_bench.targets.base import Target, grid_of


@MODELS.register_module()
class DownsampledRGB(Target):
    """Mean colour of squares of ``stride`` pixels.

    At 192 px, strides 32, 16, 8, 4, 2 and 1 are the resolutions 6, 12, 24, 48, 96 and 192.

    Args:
        stride: Side of a square in pixels.
        mean: See ``Target``.
        std: See ``Target``.

    Raises:
        ValueError: If the stride is below 1.
    """

    def __init__(
        self,
        *,
        stride: int,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(mean=mean, std=std)
        if stride < 1:
            raise ValueError(f"stride {stride} is below 1; use image size / target resolution")
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H / stride, W / stride), area average.

        Raises:
            ValueError: If the stride does not divide the images.
        """
        grid_of(images, self.stride, "target stride")
        return nn.functional.avg_pool2d(images, self.stride)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:
        """Each predicted colour fills its square."""
        return nn.functional.interpolate(prediction, size=images.shape[2:], mode="nearest")
