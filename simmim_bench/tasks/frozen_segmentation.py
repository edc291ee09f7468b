"""Semantic segmentation by frozen features: a linear layer, or retrieval without training.

Linear: batch norm and a 1 x 1 convolution, as DINOv2's
(https://github.com/facebookresearch/dinov2/blob/main/dinov2/eval/segmentation). Retrieval:
Balazevic et al. 2023 (https://arxiv.org/abs/2306.01667), section 3.1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import build_norm_layer
from mmengine.dist import all_reduce
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.tasks.frozen import FrozenModel, WithMemory
from simmim_bench.tasks.quick_labels import QuickAccuracy, QuickLabels

IGNORED = 255
QUERIES = 1024
"""Patches compared at once."""


@MODELS.register_module()
class LinearSegmentationHead(QuickAccuracy, BaseDecodeHead):
    """Normalise the features and predict a class for each position.

    Args:
        in_channels: Channels of the features, (B, in_channels, h, w).
        kwargs: See ``mmseg.BaseDecodeHead``; it needs a ``norm_cfg``.
    """

    def __init__(self, *, in_channels: int, **kwargs: Any) -> None:
        super().__init__(in_channels, in_channels, **kwargs)
        self.norm = build_norm_layer(self.norm_cfg, in_channels)[1]

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits (B, classes, h, w)."""
        logits: Tensor = self.cls_seg(self.norm(self._transform_inputs(inputs)))
        return logits


class FrozenMaps(QuickLabels, FrozenModel):
    """A frozen model that predicts maps of classes; subclasses say how.

    Args:
        num_classes: Number of classes.
        kwargs: See ``FrozenModel``.
    """

    align_corners = False

    def __init__(self, *, num_classes: int, **kwargs: Any) -> None:
        super().__init__(pooled=False, **kwargs)
        self.num_classes = self.out_channels = num_classes  # the latter as mmseg's models

    @abstractmethod
    def scores(self, features: Tensor) -> Tensor:
        """Scores of the classes, (windows, classes, h, w), of features (windows, C, h, w)."""

    def predict(
        self, features: Sequence[Tensor], data_samples: Sequence[SegDataSample]
    ) -> list[SegDataSample]:
        """The samples with ``pred_sem_seg``, of the size of the images' files."""
        found = []
        for rows, sample in zip(features, data_samples, strict=True):
            found += self.postprocess_result(self._merged(rows, sample.input_shape), [sample])
        return found

    def _merged(self, rows: Tensor, size: Sequence[int]) -> Tensor:
        """Mean scores of the windows of an image of ``size``, (1, classes, H, W)."""
        total = rows.new_zeros(1, self.num_classes, *size)
        seen = rows.new_zeros(1, 1, *size)
        for row, (top, bottom, left, right) in zip(
            self.scores(rows), self.places(size), strict=True
        ):
            window = (bottom - top, right - left)
            part = F.interpolate(row[None], window, mode="bilinear")
            total[:, :, top:bottom, left:right] += part
            seen[:, :, top:bottom, left:right] += 1
        return total / seen

    @staticmethod
    def target_of(sample: SegDataSample) -> NDArray[Any]:
        """The label map, (H, W)."""
        labels: NDArray[Any] = sample.gt_sem_seg.data[0].numpy()
        return labels.astype(np.uint8) if labels.max() <= np.iinfo(np.uint8).max else labels

    @staticmethod
    def sample_of(target: NDArray[Any]) -> SegDataSample:
        """A data sample with a label map."""
        labels = torch.from_numpy(target.astype(np.int64))[None]
        return SegDataSample(gt_sem_seg=PixelData(data=labels))


@MODELS.register_module()
class FrozenSegmentor(FrozenMaps):
    """A decode head on frozen features.

    Args:
        decode_head: Config of a head of mmseg that takes one map.
        kwargs: See ``FrozenMaps``.
    """

    def __init__(self, *, decode_head: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(num_classes=decode_head["num_classes"], **kwargs)
        self.decode_head = MODELS.build(decode_head)

    def loss(self, features: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Loss and accuracy of the head, on the labels' size."""
        losses: dict[str, Tensor] = self.decode_head.loss([features], data_samples, {})
        return losses

    def scores(self, features: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.decode_head([features])
        return logits


@MODELS.register_module()
class RetrievalSegmentor(WithMemory, FrozenMaps):
    """The labels of similar patches of the training images, averaged; nothing is trained.

    The patches of an image are drawn from those with labels by its index.

    Args:
        channels: Channels of the features, C.
        patches: Patches kept of each image; all of them if it has fewer.
        nearest: Patches of the memory that decide about a patch.
        temperature: Their weights are the softmax of cosine similarity / temperature.
        kwargs: See ``FrozenMaps``.
    """

    of_any_length = frozenset({"patches", "labels"})
    """Buffers whose number of rows may differ in a checkpoint."""

    def __init__(
        self,
        *,
        channels: int,
        patches: int,
        nearest: int = 30,
        temperature: float = 0.02,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels, self.per_image = channels, patches
        self.nearest, self.temperature = nearest, temperature
        self.reserve(0)

    def reserve(self, images: int) -> None:
        """Make an empty memory for ``images`` images; empty rows have no labels."""
        device = next(self.backbone.parameters()).device
        shape = (images, self.per_image)
        self.register_buffer("patches", torch.zeros(*shape, self.channels, device=device))
        self.register_buffer("labels", torch.zeros(*shape, self.num_classes, device=device))
        self.is_shared = False
        self.found: tuple[Tensor, Tensor] | None = None

    def share(self) -> None:
        """Exchange the rows of all processes; a row of two processes has the same content."""
        known = self.labels.sum(dim=2, keepdim=True).clamp(max=1)
        all_reduce(known)
        for rows in (self.patches, self.labels):
            all_reduce(rows)
            rows.div_(known.clamp(min=1))
        self.found = None

    def loss(self, features: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Store patches of each image and their labels; a loss of 0."""
        shares = torch.stack(
            [
                label_shares(sample.gt_sem_seg.data[0], features.shape[2:], self.num_classes)
                for sample in data_samples
            ]
        )
        for rows, labels, sample in zip(
            features.flatten(2).transpose(1, 2), shares, data_samples, strict=True
        ):
            draw = torch.Generator().manual_seed(sample.sample_idx)
            order = torch.randperm(len(rows), generator=draw).to(rows.device)
            chosen = order[labels[order].sum(dim=1) > 0][: self.per_image]
            self.patches[sample.sample_idx, : len(chosen)] = F.normalize(rows[chosen], dim=1)
            self.labels[sample.sample_idx, : len(chosen)] = labels[chosen]
        self.is_shared, self.found = False, None
        return {"loss": 0.0 * self.step}

    def _stored(self) -> tuple[Tensor, Tensor]:
        """Patches with labels, (N, C), and their labels; kept until the memory changes."""
        if self.found is None:
            known = self.labels.sum(dim=2) > 0
            self.found = self.patches[known], self.labels[known]
        return self.found

    def scores(self, features: Tensor) -> Tensor:
        """Shares of the classes among the neighbours, weighted by similarity.

        Raises:
            BenchError: If the memory holds no patch.
        """
        patches, labels = self._stored()
        if not len(patches):
            raise BenchError(
                "the memory holds no patches: no training image has a labelled pixel, or the "
                "checkpoint is not of this model; check the label maps, or train again"
            )
        asked = F.normalize(features.flatten(2).transpose(1, 2).flatten(0, 1), dim=1)
        found = []
        for part in asked.split(QUERIES):
            similarity, rows = (part @ patches.T).topk(min(self.nearest, len(patches)), dim=1)
            weights = (similarity / self.temperature).softmax(dim=1)
            found.append((weights.unsqueeze(2) * labels[rows]).sum(dim=1))
        count, _, height, width = features.shape
        return torch.cat(found).view(count, height, width, -1).permute(0, 3, 1, 2)


def label_shares(labels: Tensor, size: Sequence[int], classes: int) -> Tensor:
    """How much of the labelled area of each patch has which class, (h * w, classes).

    Args:
        labels: Label map (H, W); ``IGNORED`` pixels do not count.
        size: Rows and columns of the patches.
        classes: Number of classes.

    Returns:
        Rows of sum 1, or 0 where a patch has no labels.
    """
    known = labels != IGNORED
    one_hot = F.one_hot(labels.where(known, 0).long(), classes) * known.unsqueeze(2)
    shares = F.adaptive_avg_pool2d(one_hot.permute(2, 0, 1).float(), tuple(size))
    shares = shares.flatten(1).T
    return shares / shares.sum(dim=1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)
