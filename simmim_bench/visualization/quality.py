"""How well masked pixels are predicted: PSNR and SSIM on the masked part, by torchmetrics.

SSIM: Wang et al. 2004 (https://doi.org/10.1109/TIP.2003.819861), Gaussian window of 11 pixels,
sigma 1.5.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)


def masked_psnr(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over the masked pixels of each image, in dB.

    Args:
        prediction: (B, 3, H, W), in [0, 1].
        image: Same shape and scale.
        mask: Bool, (B, H, W); True = masked.

    Returns:
        (B,), float32; NaN for an image without a masked pixel, infinite if all are equal.
    """
    triples = zip(prediction.float(), image.float(), mask, strict=True)
    return torch.stack(
        [
            peak_signal_noise_ratio(painted[:, hidden], original[:, hidden], data_range=1.0)
            for painted, original, hidden in triples
        ]
    )


def masked_ssim(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Structural similarity at the masked pixels of each image.

    The prediction is pasted into the visible part, as a viewer sees it; the map of local
    similarities is then averaged over masked pixels and channels.

    Args:
        prediction: (B, 3, H, W), in [0, 1]; H and W at least 11.
        image: Same shape and scale.
        mask: Bool, (B, H, W); True = masked.

    Returns:
        (B,), float32, at most 1; NaN for an image without a masked pixel.
    """
    pasted = torch.where(mask.unsqueeze(1), prediction, image).float()
    _, local = structural_similarity_index_measure(
        pasted, image.float(), data_range=1.0, reduction="none", return_full_image=True
    )
    local = local.mean(dim=1)  # (B, H, W)
    return (local * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))
