"""SimMIM with masks that a model's own view of the image decides. Not in the SimMIM paper.

Error: after Hard Patches Mining (https://arxiv.org/abs/2304.05919). Attention: after AttMask
(https://arxiv.org/abs/2203.12719). docs/masking.md says where both are departed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from simmim_bench.algorithms.simmim import SimMIM
from simmim_bench.masking.base import Ratio
from simmim_bench.masking.guided import GuidedMask
from simmim_bench.masking.transform import scheduled
from simmim_bench.registry import MODELS


@MODELS.register_module()
class AdaptiveSimMIM(SimMIM):
    """SimMIM that, in training, hides the patches of the highest score.

    The score is computed on the batch without gradients. What is random in a mask is drawn from
    the sample's own words (seed, epoch, index), which ``GenerateMask`` writes and ``PackInputs``
    carries with ``algorithm_keys=["mask", "words"]``; so a mask depends on them and on the
    weights alone, and the ratio's schedule on the epoch. Outside training the pipeline's mask
    is used.

    Args:
        score: Config of a score called as ``score(model, images, words)``; see ``scores.py``.
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, or (low, high).
        guided: Share of the masked patches that the score chooses; see ``GuidedMask``.
        schedule: ``start`` and ``epochs`` of a ``RatioSchedule`` that ends at ``mask_ratio``.
        kwargs: See ``SimMIM``.

    Raises:
        ValueError: If masks or schedule are refused.
        BenchError: If the score does not fit the backbone.
    """

    def __init__(
        self,
        *,
        score: dict[str, Any],
        mask_patch_size: int,
        mask_ratio: Ratio = 0.6,
        guided: float = 0.5,
        schedule: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.strategy = GuidedMask(
            mask_patch_size=mask_patch_size,
            mask_ratio=mask_ratio,
            token_size=self.mask_size,
            guided=guided,
        )
        self.schedule = scheduled(mask_ratio, schedule)
        self.score = MODELS.build({**score, "backbone": self.backbone})

    def _token_mask(self, images: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
        mask = super()._token_mask(images, data_samples)
        if data_samples is None or not self.training:
            return mask
        if any("words" not in sample for sample in data_samples):
            raise ValueError(
                'a sample has no words; set algorithm_keys=["mask", "words"] in PackInputs'
            )
        words = [[int(word) for word in sample.words] for sample in data_samples]
        return self.choose(images, words)

    @torch.no_grad()
    def choose(self, images: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
        """Masks of a batch, Bool, (B, H / p, W / p); True = masked.

        Args:
            images: Normalised, (B, 3, H, W).
            words: Seed, epoch and index of each sample.
        """
        size = (images.shape[2], images.shape[3])
        scores = self.score(self, images, words).double().unsqueeze(1)
        scores = adaptive_avg_pool2d(scores, self.strategy.patch_grid(size)).flatten(1).cpu()
        masks = [self._mask_of(size, score, own) for score, own in zip(scores, words, strict=True)]
        return torch.cat(masks).to(images.device)

    def _mask_of(self, size: tuple[int, int], score: Tensor, words: Sequence[int]) -> Tensor:
        _, epoch, _ = words
        strategy = self.strategy
        if self.schedule is not None:
            strategy = strategy.with_ratio(self.schedule.at(epoch))
        noise = torch.from_numpy(strategy.noise(size, np.random.default_rng(list(words))))
        return strategy.masks(size, torch.cat([noise, score]).unsqueeze(0))
