"""SimMIM that masks the patches with the highest score by a model. Not in the SimMIM paper.

The score is the reconstruction error, after Hard Patches Mining
(https://arxiv.org/abs/2304.05919), or the attention of a teacher, after AttMask
(https://arxiv.org/abs/2203.12719). docs/masking.md lists the differences from both.
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

HALVES = 1  # ends the seed key of the halves, so that they differ from the sample's mask


class Score(nn.Module, ABC):
    """Scores of the patches of a batch, without gradients; the highest are masked first."""

    @abstractmethod
    def forward(self, model: Any, images: Tensor, seed_keys: Sequence[Sequence[int]]) -> Tensor:
        """Scores on a grid of any size, (B, h, w).

        Args:
            model: The ``AdaptiveSimMIM`` that is trained.
            images: Normalised, (B, 3, H, W).
            seed_keys: Seed, epoch and index of each sample.
        """


@MODELS.register_module()
class AdaptiveSimMIM(SimMIM):
    """SimMIM that, in training, masks the patches with the highest score.

    The random part of a mask is drawn from the seed key (seed, epoch, index) of its sample, which
    ``GenerateMask`` writes as ``seed_key`` and ``PackInputs`` carries if
    ``algorithm_keys=["mask", "seed_key"]``. So a mask depends on this key and the weights only.
    Outside training the mask of the pipeline is used.

    Args:
        score: Config of a ``Score``.
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, or (low, high).
        guided: Share of the masked patches that the score selects; see ``GuidedMask``.
        schedule: ``start`` and ``epochs`` of a ``RatioSchedule`` that ends at ``mask_ratio``.
        kwargs: See ``SimMIM``.

    Raises:
        ValueError: If an argument of the masks or of the schedule is not valid.
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
        if any("seed_key" not in sample for sample in data_samples):
            raise ValueError(
                'a sample has no seed key; set algorithm_keys=["mask", "seed_key"] in PackInputs'
            )
        return self.choose(images, [sample.seed_key.tolist() for sample in data_samples])

    @torch.no_grad()
    def choose(self, images: Tensor, seed_keys: Sequence[Sequence[int]]) -> Tensor:
        """Masks of a batch, Bool, (B, H / p, W / p); True = masked.

        Args:
            images: Normalised, (B, 3, H, W).
            seed_keys: Seed, epoch and index of each sample.
        """
        size = (images.shape[2], images.shape[3])
        scores = self.score(self, images, seed_keys).double().unsqueeze(1)
        scores = adaptive_avg_pool2d(scores, self.strategy.patch_grid(size)).flatten(1).cpu()
        pairs = zip(scores, seed_keys, strict=True)
        masks = [self._mask_of(size, score, seed_key) for score, seed_key in pairs]
        return torch.cat(masks).to(images.device)

    def _mask_of(self, size: tuple[int, int], score: Tensor, seed_key: Sequence[int]) -> Tensor:
        _, epoch, _ = seed_key
        strategy = self.strategy
        if self.schedule is not None:
            strategy = strategy.with_ratio(self.schedule.at(epoch))
        noise = torch.from_numpy(strategy.noise(size, np.random.default_rng(list(seed_key))))
        return strategy.masks(size, torch.cat([noise, score]).unsqueeze(0))


@MODELS.register_module()
class ReconstructionErrorScore(Score):
    """Error of the current model at each patch when that patch is masked.

    The patches of an image are split into two random halves, and the model, in evaluation mode,
    reconstructs each half from the other. Hard Patches Mining instead predicts the relative loss
    with a second decoder.

    Args:
        backbone: Not used; every score receives it.
    """

    def __init__(self, *, backbone: nn.Module) -> None:
        super().__init__()
        del backbone

    def forward(self, model: Any, images: Tensor, seed_keys: Sequence[Sequence[int]]) -> Tensor:
        """Errors on the grid of the target, (B, H / target stride, W / target stride)."""
        strategy = model.strategy
        halves = RandomPatchMask(
            mask_patch_size=strategy.mask_patch_size,
            mask_ratio=0.5,
            token_size=strategy.token_size,
        )
        size = (images.shape[2], images.shape[3])
        keys = [[*seed_key, HALVES] for seed_key in seed_keys]
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
    """Attention of a teacher's class token in the last block, mean of the heads.

    The teacher is the exponential moving average of the backbone, as in AttMask. It sees the
    whole image and is updated before every training step. It is in the state dict
    (``score.teacher``), so a resumed run continues with it; an exported backbone does not hold it.

    Args:
        backbone: A plain ViT with a class token.
        momentum: Weight of the student in an update of the teacher, 0 < momentum < 1; AttMask
            uses 1 - 0.996.

    Raises:
        BenchError: If the backbone has no class token.
    """

    def __init__(self, *, backbone: nn.Module, momentum: float = 0.004) -> None:
        super().__init__()
        if type(backbone) is not VisionTransformer or backbone.cls_token is None:
            raise BenchError(
                f"TeacherAttentionScore needs a plain ViT with a class token, got "
                f"{type(backbone).__name__} without one; use mmpretrain.VisionTransformer with "
                "with_cls_token=True, or another score"
            )
        self.teacher = ExponentialMovingAverage(backbone, momentum=momentum)

    def forward(self, model: Any, images: Tensor, seed_keys: Sequence[Sequence[int]]) -> Tensor:  # noqa: ARG002
        """Attention to each token, (B, h, w); the rest, up to a sum of 1, is on the class token."""
        if model.training:
            self.teacher.update_parameters(model.backbone)
        attention = self.teacher.module.layers[-1].attn
        inputs: list[Tensor] = []
        handle = attention.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        try:
            with evaluating(self.teacher):
                self.teacher(images)
        finally:
            handle.remove()
        weights = _from_class_token(attention, inputs[0])
        return weights.unflatten(1, self.teacher.module.patch_resolution)


def _from_class_token(attention: Any, tokens: Tensor) -> Tensor:
    """Attention of the class token to all patches, mean of the heads, (B, N)."""
    heads = attention.num_heads
    query, key, _ = attention.qkv(tokens).unflatten(2, (3, heads, -1)).unbind(2)  # (B, 1 + N, h, d)
    scores = torch.einsum("bhd,bnhd->bhn", query[:, 0], key) * attention.head_dims**-0.5
    weights: Tensor = scores.softmax(dim=-1).mean(dim=1)[:, 1:]
    return weights


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Context in which all submodules are in evaluation mode; afterwards the modes are restored."""
    modes = [(part, part.training) for part in module.modules()]
    for part, _ in modes:
        part.training = False
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
