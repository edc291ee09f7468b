"""Models whose backbone is not trained, so that its features are the same in every epoch.

``training.hooks.features`` computes them once and keeps them (``data.feature_cache``); the models
then get features in place of images.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.structures import BaseDataElement
from mmpretrain.structures import DataSample
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from simmim_bench.backbones.outputs import extra_tokens, pooled
from simmim_bench.data.feature_cache import Features, Sample
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS

SIZES = (
    *("ori_shape", "img_shape", "pad_shape", "input_shape", "padding_size", "img_padding_size"),
    *("flip", "flip_direction", "sample_idx"),
)
"""What is kept of a data sample besides its labels."""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class FrozenBackbone(nn.Module):
    """Mix-in for models whose ``backbone`` is not trained; it must be the first base class.

    The backbone has no gradients and stays in evaluation mode, so there is no drop path and
    running statistics do not change.
    """

    backbone: nn.Module

    def freeze(self) -> None:
        """Exclude the backbone from training; call it after the backbone was built."""
        self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules but the backbone, which stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self


class FeaturesOrImages(BaseDataPreprocessor):
    """Prepares images as another preprocessor does, and moves features to the device.

    Args:
        images: The preprocessor of images.
    """

    def __init__(self, images: nn.Module) -> None:
        super().__init__()
        self.images = images

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data: With ``features``, a tensor for each image, or with ``inputs``.
            training: Whether it is a batch of a training.

        Returns:
            ``inputs``, a list of features or a tensor of images, and ``data_samples``.
        """
        if "features" not in data:
            prepared: dict[str, Any] = self.images(data, training)
            return prepared
        cast: dict[str, Any] = self.cast_data(data)
        return {"inputs": cast["features"], "data_samples": cast["data_samples"]}


class FrozenModel(FrozenBackbone, BaseModel):
    """A frozen backbone, and a head that is trained on its features.

    Args:
        backbone: Config of the backbone; its ``out_indices`` choose the layers.
        pooled: Average the features over positions.
        data_preprocessor: Config of the preprocessor of images.
        windows: ``size`` and ``stride`` in pixels of the windows in which larger images are seen;
            None: whole images.
        precision: ``float32``, ``bfloat16`` or ``float16``, in which the backbone computes and to
            which its features are rounded, whatever the precision of the training.
    """

    caches_features = True
    """Whether ``FeatureCacheHook`` may compute the features beforehand."""

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        pooled: bool,
        data_preprocessor: dict[str, Any] | None = None,
        windows: dict[str, int] | None = None,
        precision: str = "float32",
    ) -> None:
        images = MODELS.build(data_preprocessor or {"type": "mmengine.BaseDataPreprocessor"})
        super().__init__(data_preprocessor=FeaturesOrImages(images))
        if precision not in PRECISIONS:
            raise BenchError(
                f"precision of the features is {precision!r}, expected {' or '.join(PRECISIONS)}"
            )
        self.backbone = MODELS.build(backbone)
        self.freeze()
        self.pooled, self.windows, self.precision = pooled, windows, PRECISIONS[precision]

    def forward(
        self,
        inputs: Tensor | Sequence[Tensor],
        data_samples: Any = None,
        mode: str = "tensor",
    ) -> Any:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised images, (B, 3, H, W), or what ``rows_of`` made of each image.
            data_samples: With labels in mode ``'loss'``; with ``levels`` if ``inputs`` are rows.
            mode: ``'loss'`` returns losses, ``'predict'`` data samples with predictions,
                ``'tensor'`` the features of each image.

        Raises:
            ValueError: If the mode is unknown.
        """
        if isinstance(inputs, Tensor):
            rows, levels = self.rows_of(inputs)
            shapes = [levels] * len(rows)
            for sample in data_samples or []:
                sample.set_metainfo({"input_shape": tuple(inputs.shape[2:])})
        else:
            rows, shapes = list(inputs), [sample.levels for sample in data_samples]
        if mode == "loss":
            return self.loss(_merged(torch.cat(rows), shapes[0]), data_samples)
        features = [_merged(each, shape) for each, shape in zip(rows, shapes, strict=True)]
        if mode == "tensor":
            return features
        if mode == "predict":
            return self.predict(features, data_samples)
        raise ValueError(f"unknown mode {mode!r}; known are: loss, predict, tensor")

    @torch.no_grad()
    def rows_of(self, images: Tensor) -> tuple[list[Tensor], list[tuple[int, ...]]]:
        """Features of the windows of each image, rounded to ``precision``; the cache keeps them.

        Args:
            images: Normalised, (B, 3, H, W).

        Returns:
            For each image (windows, N), all layers one after another; and the shapes of the
            layers, (C,) or (C, h, w).
        """
        places = [(0, images.shape[2], 0, images.shape[3])]
        if self.windows is not None and not self.pooled:
            places = list(self.places(images.shape[2:]))
        found = []
        for top, bottom, left, right in places:
            levels = self._rounded(images[:, :, top:bottom, left:right])
            found.append(torch.cat([level.flatten(1) for level in levels], dim=1))
        return list(torch.stack(found, dim=1)), [tuple(level.shape[1:]) for level in levels]

    def places(self, size: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
        """Top, bottom, left and right of the windows of an image, row by row.

        They are those of mmseg's ``slide_inference``: the last ones end at the image's edge.

        Args:
            size: Height and width of the image.
        """
        windows = self.windows or {"size": max(size), "stride": max(size)}
        ends = [
            [
                min(index * windows["stride"] + windows["size"], side)
                for index in range(
                    max(side - windows["size"] + windows["stride"] - 1, 0) // windows["stride"] + 1
                )
            ]
            for side in size
        ]
        for bottom in ends[0]:
            for right in ends[1]:
                yield (
                    max(bottom - windows["size"], 0),
                    bottom,
                    max(right - windows["size"], 0),
                    right,
                )

    def _rounded(self, images: Tensor) -> list[Tensor]:
        reduced = self.precision != torch.float32
        dtype = self.precision if reduced else torch.bfloat16
        with torch.autocast(images.device.type, dtype, enabled=reduced):
            return [level.to(self.precision) for level in self.encode(images)]

    def encode(self, images: Tensor) -> list[Tensor]:
        """Features of each layer, (B, C) or (B, C, h, w).

        Args:
            images: Normalised, (B, 3, H, W).

        Raises:
            BenchError: If maps are needed and the backbone returns tokens.
        """
        outputs = self.backbone(images)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        if self.pooled:
            extra = extra_tokens(self.backbone)
            return [pooled(level, extra=extra) for level in outputs]
        for level in outputs:
            if level.ndim != 4:
                raise BenchError(
                    f"this probe needs maps (B, C, h, w), {type(self.backbone).__name__} returns "
                    f"{tuple(level.shape)}; set the option of its class that returns maps, or "
                    "choose a probe of pooled features"
                )
        return list(outputs)

    @abstractmethod
    def loss(self, features: Tensor, data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            features: (B, C), or (B, C, h, w).
            data_samples: With labels.
        """

    @abstractmethod
    def predict(self, features: Sequence[Tensor], data_samples: Sequence[Any]) -> Sequence[Any]:
        """Data samples with predictions.

        Args:
            features: Of the windows of each image, (windows, C) or (windows, C, h, w).
            data_samples: With sizes; labels, if there are any, stay.
        """

    @staticmethod
    @abstractmethod
    def target_of(sample: Any) -> NDArray[Any]:
        """The labels of a data sample."""

    @staticmethod
    @abstractmethod
    def sample_of(target: NDArray[Any]) -> BaseDataElement:
        """A data sample with such labels."""


def _merged(rows: Tensor, levels: Sequence[Sequence[int]]) -> Tensor:
    """Layers as one float32 tensor (n, C) or (n, C, h, w), each map resized to the largest.

    As DINOv2's heads, bilinearly.
    """
    parts = rows.float().split([math.prod(shape) for shape in levels], dim=1)
    if len(levels[0]) == 1:
        return torch.cat(parts, dim=1)
    size = max((list(shape[1:]) for shape in levels), key=math.prod)
    maps = [part.unflatten(1, shape) for part, shape in zip(parts, levels, strict=True)]
    resized = [
        each if [*each.shape[2:]] == size else functional.interpolate(each, size, mode="bilinear")
        for each in maps
    ]
    return torch.cat(resized, dim=1)


class FrozenClassifier(FrozenModel):
    """A frozen model that predicts a class for each image; subclasses have its head."""

    @staticmethod
    def target_of(sample: DataSample) -> NDArray[Any]:
        """The label of an image, (1,) int64."""
        label: NDArray[Any] = sample.gt_label.numpy()
        return label

    @staticmethod
    def sample_of(target: NDArray[Any]) -> DataSample:
        """A data sample with a label."""
        return DataSample().set_gt_label(torch.from_numpy(target))


class WithMemory(FrozenModel):
    """A frozen model that stores features of the training images in one epoch, and trains nothing.

    ``ReserveMemoryHook`` reserves the memory. Each image has its own rows, so that it is the same
    for any number of processes. It is in checkpoints, and loading one sets its number of rows.
    Subclasses list its buffers in ``of_any_length``; one of them is ``labels``.
    """

    learns = False
    """The batch of the recipe does not matter."""
    of_any_length: frozenset[str]
    is_shared = False
    labels: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = nn.Parameter(torch.zeros(()))  # for the optimizer; stays 0

    @abstractmethod
    def reserve(self, images: int) -> None:
        """Make an empty memory for ``images`` images."""

    @abstractmethod
    def share(self) -> None:
        """Exchange the rows of all processes."""

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Load a memory of any size."""
        if f"{prefix}labels" in state_dict:
            self.reserve(len(state_dict[f"{prefix}labels"]))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self.is_shared = True  # a checkpoint has the rows of all processes

    def train(self, mode: bool = True) -> Self:
        """Exchange the rows of all processes before the first prediction."""
        super().train(mode)
        if not mode:
            self.share_between_processes()
        return self

    def share_between_processes(self) -> None:
        """Exchange the rows of all processes; all of them call it, also before a checkpoint."""
        if not self.is_shared:
            self.share()
            self.is_shared = True


def kept_of(model: FrozenModel, data: dict[str, Any], *, training: bool) -> Iterator[Sample]:
    """What the cache keeps of a batch.

    Args:
        model: Gives the features.
        data: Batch of the pipeline, with ``inputs`` and ``data_samples``.
        training: Whether it is one of the training, whose images may be padded.
    """
    prepared = model.data_preprocessor(data, training)
    images = prepared["inputs"]
    found, levels = model.rows_of(images)
    for rows, sample in zip(found, prepared["data_samples"], strict=True):
        sample.set_metainfo({"input_shape": tuple(images.shape[2:])})
        known = [key for key in SIZES if sample.get(key) is not None]
        facts = {key: np.asarray(sample.get(key)).tolist() for key in known}
        yield Sample(_stored(rows), model.target_of(sample.cpu()), {**facts, "levels": levels})


def _stored(rows: Tensor) -> NDArray[Any]:
    rows = rows.cpu().contiguous()
    return (rows.view(torch.int16) if rows.dtype == torch.bfloat16 else rows).numpy()


class CachedSamples:
    """A data set whose images were replaced by features.

    Args:
        features: On the disk.
        images: The data set of the images.
        model: Makes data samples of labels.
    """

    def __init__(self, features: Features, images: Any, model: FrozenModel) -> None:
        self.features, self.images = features, images
        self.sample_of = model.sample_of
        self.metainfo = getattr(images, "metainfo", {})

    def __len__(self) -> int:
        """Number of images."""
        return len(self.features)

    def get_data_info(self, index: int) -> dict[str, Any]:
        """As of the images."""
        info: dict[str, Any] = self.images.get_data_info(index)
        return info

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``features`` (windows, ...) and ``data_samples`` of an image."""
        kept = self.features[index]
        rows = torch.from_numpy(kept.rows)
        sample = self.sample_of(kept.target)
        sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.facts.items()}
        sample.set_metainfo({**sizes, "img_path": self.get_data_info(index).get("img_path")})
        return {
            "features": rows.view(torch.bfloat16) if rows.dtype == torch.int16 else rows,
            "data_samples": sample,
        }
