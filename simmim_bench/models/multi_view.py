"""Multi-view SimMIM: masked views of an image are contrasted and may also be reconstructed.

Each view must find the other views of its image among those of the batch: SimCLR
(https://arxiv.org/abs/2002.05709) with masked views. With a momentum teacher it is MoCo v3
(https://arxiv.org/abs/2104.02057) whose teacher sees whole views, as in MSN
(https://arxiv.org/abs/2204.07141) and CMAE (https://arxiv.org/abs/2207.13532).

Views are stacked along the batch: all first views, then all second views, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations
from typing import Any, TypeAlias

import torch
from mmengine.structures import BaseDataElement
from mmpretrain.models.utils import CosineEMA
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.models.losses.similarity import in_batch_cross_entropy
from simmim_bench.models.losses.weight import LossWeight
from simmim_bench.models.simmim import MaskedEncoder, SimMIM
from simmim_bench.registry import MODELS

QUERY_STD = 0.02

Views: TypeAlias = Tensor | Sequence[Tensor]


@MODELS.register_module()
class MultiViewContrast(MaskedEncoder):
    """Only the contrast between masked views.

    Args:
        contrast: Arguments of ``ViewContrast``.
        kwargs: See ``MaskedEncoder``.
    """

    compares_within_batch = True

    def __init__(self, *, contrast: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contrast = ViewContrast(self.adapter, **contrast)

    def forward(
        self,
        inputs: Views,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor]:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised views, N times (B, 3, H, W); or images, (B, 3, H, W).
            data_samples: Samples whose ``mask`` is Bool, (N, H / p, W / p) or (H / p, W / p).
                None: nothing is masked.
            mode: ``'loss'`` or ``'tensor'``.

        Returns:
            ``'loss'``: ``{'loss': scalar}``; ``'tensor'``: last feature maps, view after view,
            (N * B, C, H / stride, W / stride).

        Raises:
            ValueError: If the mode is unknown, or masks or views do not fit.
        """
        images = stack_views(inputs)
        features = self.encode(images, masks_of_views(self._token_mask(images, data_samples)))
        if mode == "tensor":
            return features
        if mode == "loss":
            return {"loss": self.contrast(images, features, self.backbone)}
        raise ValueError(f"unknown mode {mode!r}; known are: loss, tensor")


@MODELS.register_module()
class MultiViewSimMIM(SimMIM):
    """SimMIM's loss on every view + weight x contrast between the views.

    Args:
        contrast: Arguments of ``ViewContrast``.
        weight: Arguments of ``LossWeight``.
        kwargs: See ``SimMIM``.
    """

    compares_within_batch = True

    def __init__(self, *, contrast: dict[str, Any], weight: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contrast = ViewContrast(self.adapter, **contrast)
        self.weight = LossWeight(**weight)

    def forward(
        self,
        inputs: Views,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor]:
        """See ``SimMIM.forward``; N views of B images are N * B images, view after view."""
        return super().forward(stack_views(inputs), data_samples, mode)

    def losses(
        self, images: Tensor, mask: Tensor, features: Tensor, prediction: Tensor
    ) -> dict[str, Tensor]:
        """See ``SimMIM.losses``.

        Returns:
            ``loss_reconstruction`` and ``loss_contrast``, whose sum is minimised; and, to be
            logged, ``contrast`` and ``weight``, whose product is ``loss_contrast``.
        """
        reconstruction = super().losses(images, mask, features, prediction)["loss"]
        contrast = self.contrast(images, features, self.backbone)
        weight = self.weight()
        return {
            "loss_reconstruction": reconstruction,
            "loss_contrast": weight * contrast,
            "contrast": contrast.detach(),
            "weight": contrast.new_tensor(weight),
        }

    def _token_mask(self, images: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
        return masks_of_views(super()._token_mask(images, data_samples))


class ViewContrast(nn.Module):
    """InfoNCE from queries of view i to keys of view j, mean over ordered pairs i != j.

    The last feature map goes through attention pooling and a projection head to a unit vector,
    which is both query and key. With a teacher, keys are the teacher's vectors of whole views,
    and queries go through a prediction head.

    Args:
        adapter: Adapter of the student's backbone.
        views: Number of views of an image, N.
        heads: Attention heads of the pooling.
        hidden: Hidden width of the projection and prediction heads.
        dims: Dimensions of a vector, D.
        temperature: Divides the cosine similarities.
        momentum: Initial momentum of the teacher; None: no teacher.

    Raises:
        ValueError: If there are fewer than two views or the temperature is not positive and
            finite.
    """

    def __init__(
        self,
        adapter: BackboneAdapter,
        *,
        views: int,
        heads: int,
        hidden: int,
        dims: int,
        temperature: float,
        momentum: float | None = None,
    ) -> None:
        super().__init__()
        if views < 2 or not 0 < temperature < math.inf:
            raise ValueError(
                f"views must be >= 2 and temperature positive and finite, got views={views}, "
                f"temperature={temperature}"
            )
        self.views = views
        self.temperature = temperature
        channels = adapter.feature_spec.channels[-1]
        pool = AttentionPool(channels=channels, heads=heads)
        self.embed = nn.Sequential(pool, _head(channels, hidden, dims))
        self.predict: nn.Module = nn.Identity()
        self.teacher = None
        if momentum is not None:
            self.predict = _head(dims, hidden, dims)
            self.teacher = MomentumTeacher(adapter.backbone, self.embed, momentum=momentum)

    def forward(self, images: Tensor, features: Tensor, backbone: nn.Module) -> Tensor:
        """Loss of a batch of views.

        Args:
            images: Whole views, (N * B, 3, H, W).
            features: Last feature maps of the masked views, (N * B, C, h, w).
            backbone: Backbone of the student, which the teacher follows in training.

        Returns:
            Scalar.

        Raises:
            ValueError: If the number of images is not a multiple of N.
        """
        if len(images) % self.views:
            raise ValueError(
                f"got {len(images)} views in a batch, expected a multiple of the model's "
                f"{self.views} views per image; set num_views in MultiView and views in the model "
                f"to the same number"
            )
        vectors = self.embed(features)
        queries = normalize(self.predict(vectors), dim=1).chunk(self.views)
        keys = normalize(self._keys(images, vectors, backbone), dim=1).chunk(self.views)
        losses = [
            in_batch_cross_entropy(queries[i], keys[j], 1 / self.temperature)
            for i, j in permutations(range(self.views), 2)
        ]
        return torch.stack(losses).mean()

    def _keys(self, images: Tensor, vectors: Tensor, backbone: nn.Module) -> Tensor:
        if self.teacher is None:
            return vectors
        if self.training:
            self.teacher.follow(backbone, self.embed)
        keys: Tensor = self.teacher(images)
        return keys


class AttentionPool(nn.Module):
    """One learned query attends to a feature map: multi-head attention pooling.

    Papers: Set Transformer (https://arxiv.org/abs/1810.00825, section 3.2); as the head of a ViT,
    Scaling Vision Transformers (https://arxiv.org/abs/2106.04560, appendix: MAP).

    Args:
        channels: Channels of the map, C.
        heads: Attention heads.

    Raises:
        ValueError: If ``channels`` is not divisible by ``heads``.
    """

    def __init__(self, *, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"channels {channels} must be divisible by heads {heads}")
        self.query = nn.Parameter(torch.empty(1, 1, channels))
        nn.init.trunc_normal_(self.query, std=QUERY_STD)
        self.norm = nn.LayerNorm(channels)
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)

    def forward(self, features: Tensor) -> Tensor:
        """Pool maps (B, C, h, w) to (B, C)."""
        tokens = self.norm(features.flatten(2).transpose(1, 2))  # (B, h * w, C)
        query = self.query.expand(len(tokens), -1, -1)
        pooled: Tensor = self.attention(query, tokens, tokens, need_weights=False)[0]
        return pooled[:, 0]


class MomentumTeacher(nn.Module):
    """A teacher that follows the student: teacher = m teacher + (1 - m) student at every step.

    m increases from ``momentum`` to 1 along half a cosine (BYOL, https://arxiv.org/abs/2006.07733,
    section 3.2). The number of steps is in the state dict, so m is right after a resume.

    Args:
        backbone: Backbone of the student.
        embed: Module that makes vectors of its last feature map.
        momentum: Initial m.

    Raises:
        ValueError: If ``momentum`` is not in (0, 1).
    """

    def __init__(self, backbone: nn.Module, embed: nn.Module, *, momentum: float) -> None:
        super().__init__()
        if not 0 < momentum < 1:
            raise ValueError(f"momentum must be in (0, 1), got {momentum}; MoCo v3 uses 0.99")
        # CosineEMA's momentum is the weight of the student
        self.average = CosineEMA(nn.ModuleList([backbone, embed]), momentum=1 - momentum)
        self.adapter = adapter_for(self.average.module[0])

    def follow(self, backbone: nn.Module, embed: nn.Module) -> None:
        """Update the teacher; the first update copies the student."""
        self.average.update_parameters(nn.ModuleList([backbone, embed]))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Vectors (B, D) of whole images (B, 3, H, W)."""
        backbone, embed = self.average.module
        vectors: Tensor = embed(self.adapter.last_feature_map(backbone(images)))
        return vectors


def _head(channels: int, hidden: int, dims: int) -> nn.Sequential:
    """SimCLR's projection head (section 2.1): W2 relu(W1 h), without batch norm."""
    return nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, dims))


def stack_views(inputs: Tensor | Sequence[Tensor]) -> Tensor:
    """Stack N views (B, 3, H, W) to (N * B, 3, H, W); a single tensor is returned unchanged."""
    return inputs if isinstance(inputs, Tensor) else torch.cat(list(inputs))


def masks_of_views(mask: Tensor) -> Tensor:
    """Masks (B, N, h, w) as (N * B, h, w), like ``stack_views``; (B, h, w) unchanged."""
    return mask.transpose(0, 1).flatten(0, 1) if mask.ndim == 4 else mask
