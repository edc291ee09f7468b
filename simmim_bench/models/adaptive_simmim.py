"""SimMIM with masks that a model's own view of the image decides. Not in the SimMIM paper.

Error: after Hard Patches Mining (https://arxiv.org/abs/2304.05919). Attention: after AttMask
(https://arxiv.org/abs/2203.12719). docs/masking.md says where both are departed from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.structures import BaseDataElement
from mmpretrain.models.backbones import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from simmim_bench.errors import BenchError
from simmim_bench.masking.base import Ratio, draw_batch, ratio_schedule
from simmim_bench.masking.guided import GuidedMask
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.models.simmim import SimMIM
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
        self.schedule = ratio_schedule(mask_ratio, schedule)
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


# Scores by which ``AdaptiveSimMIM`` chooses patches: higher is hidden first.


HALVES = 1  # behind a sample's words: numbers of its own, apart from those of its mask


class Score(nn.Module, ABC):
    """Scores of a batch, computed without gradients."""

    @abstractmethod
    def forward(self, model: Any, images: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
        """Scores on a grid of its own, (B, h, w).

        Args:
            model: The ``AdaptiveSimMIM`` that asks.
            images: Normalised, (B, 3, H, W).
            words: Seed, epoch and index of each sample.
        """


@MODELS.register_module()
class ReconstructionErrorScore(Score):
    """How badly the model so far paints a patch that it does not see.

    The patches of an image are split into two random halves; the model, in evaluation mode,
    paints each from the other. The score of a position is the loss's error there when it is
    hidden. Hard Patches Mining predicts a relative loss with a second decoder instead.

    Args:
        backbone: Not used: the model's own is.
    """

    def __init__(self, *, backbone: nn.Module) -> None:
        super().__init__()
        del backbone

    def forward(self, model: Any, images: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
        """Errors on the target's grid, (B, H / target stride, W / target stride)."""
        strategy = model.strategy
        halves = RandomPatchMask(
            mask_patch_size=strategy.mask_patch_size,
            mask_ratio=0.5,
            token_size=strategy.token_size,
        )
        size = (images.shape[2], images.shape[3])
        keys = [[*own, HALVES] for own in words]
        first = draw_batch(halves, size, keys, device=images.device)
        target = model.target(images)
        with evaluating(model):
            errors = [
                model.criterion.errors(model.decode(model.encode_levels(images, mask)), target)
                for mask in (first, ~first)
            ]
        shares = model.target_mask(first).to(errors[0])
        return shares * errors[0].mean(1) + (1 - shares) * errors[1].mean(1)


@MODELS.register_module()
class TeacherAttentionScore(Score):
    """Where the class token of a teacher looks in its last block, mean of the heads.

    The teacher is the exponential moving average of the backbone, as in AttMask; it sees the
    whole image, and a step of it is taken before every training step. It is in the state dict
    (``score.teacher``), so that a resumed run continues with it; an exported backbone has none.

    Args:
        backbone: A plain ViT with a class token.
        momentum: Share of the student that a step takes into the teacher, 0 < momentum < 1;
            1 - 0.996 in AttMask.

    Raises:
        BenchError: If the backbone has no class token to look from.
    """

    def __init__(self, *, backbone: nn.Module, momentum: float = 0.004) -> None:
        super().__init__()
        if type(backbone) is not VisionTransformer or backbone.cls_token is None:
            raise BenchError(
                f"{type(backbone).__name__} has no class token whose attention could choose "
                "patches; use mmpretrain.VisionTransformer with_cls_token=True, or another score"
            )
        self.teacher = ExponentialMovingAverage(backbone, momentum=momentum)

    def forward(self, model: Any, images: Tensor, words: Sequence[Sequence[int]]) -> Tensor:  # noqa: ARG002
        """Attention to each token, (B, h, w); it sums to less than 1, the rest is on itself."""
        if model.training:
            self.teacher.update_parameters(model.backbone)
        attention = self.teacher.module.layers[-1].attn
        given: list[Tensor] = []
        handle = attention.register_forward_pre_hook(lambda _, args: given.append(args[0]))
        try:
            with evaluating(self.teacher):
                self.teacher(images)
        finally:
            handle.remove()
        return _from_class_token(attention, given[0]).unflatten(
            1, self.teacher.module.patch_resolution
        )


def _from_class_token(attention: Any, tokens: Tensor) -> Tensor:
    """Weights of the class token's query on all patches, mean of the heads, (B, N)."""
    heads = attention.num_heads
    query, key, _ = attention.qkv(tokens).unflatten(2, (3, heads, -1)).unbind(2)  # (B, 1 + N, h, d)
    scores = torch.einsum("bhd,bnhd->bhn", query[:, 0], key) * attention.head_dims**-0.5
    weights: Tensor = scores.softmax(dim=-1).mean(dim=1)[:, 1:]
    return weights


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode of every part; afterwards each has the mode that it had."""
    modes = [(part, part.training) for part in module.modules()]
    for part, _ in modes:
        part.training = False
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
