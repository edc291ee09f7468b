"""RGB normalised patch by patch, MAE's ``norm_pix_loss`` (https://arxiv.org/abs/2111.06377, 3).

Reference: https://github.com/facebookresearch/mae/blob/main/models_mae.py (``forward_loss``)
"""

from __future__ import annotations

from torch import Tensor

from simmim_bench.registry import MODELS
from simmim_bench.targets.base import Target, grid_of

EPSILON = 1e-6  # MAE's


@MODELS.register_module()
class PatchNormalisedRGB(Target):
    """Images less the mean of their patch, divided by its standard deviation.

    Both are taken over all pixels and channels of a patch, the variance unbiased.

    Args:
        patch_size: Side of a patch in pixels; 16 in MAE.
        mean: See ``Target``.
        std: See ``Target``.

    Raises:
        ValueError: If the patch size is below 1.
    """

    def __init__(
        self,
        *,
        patch_size: int,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(mean=mean, std=std)
        if patch_size < 1:
            raise ValueError(f"patch size {patch_size} is below 1; MAE uses 16")
        self.patch_size = patch_size

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W), each patch with mean 0 and variance 1.

        Raises:
            ValueError: If the patch size does not divide the images.
        """
        patches = self._patches(images)
        mean, deviation = _statistics(patches)
        return ((patches - mean) / deviation).reshape(images.shape)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:
        """Undo the normalisation with the statistics of ``images``."""
        mean, deviation = _statistics(self._patches(images))
        return (self._patches(prediction) * deviation + mean).reshape(images.shape)

    def _patches(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H / p, p, W / p, p), a view."""
        rows, columns = grid_of(images, self.patch_size, "patch size")
        size = self.patch_size
        return images.unflatten(3, (columns, size)).unflatten(2, (rows, size))


def _statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each patch, (B, 1, H / p, 1, W / p, 1)."""
    inside = (1, 3, 5)
    mean = patches.mean(dim=inside, keepdim=True)
    variance = patches.var(dim=inside, keepdim=True, unbiased=True)
    return mean, (variance + EPSILON).sqrt()
