"""k-nearest-neighbour classification of frozen features, without training.

Votes as in https://arxiv.org/abs/1805.01978, section 3.4, with DINO's values:
https://github.com/facebookresearch/dino/blob/main/eval_knn.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.dist import all_reduce, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpretrain.structures import DataSample
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.registry import HOOKS, METRICS, MODELS
from simmim_bench.tasks.frozen import FrozenClassifier, WithMemory

EMPTY = -1  # label of an empty row
STORED_IMAGES = "stored_images.txt"
ROWS = 256  # images compared at once


class MemoryClassifier(WithMemory, FrozenClassifier):
    """Stores features of unit length, and labels; subclasses predict with them.

    Args:
        neck: Config of the neck that makes features (B, C), such as GlobalAveragePooling.
        channels: Channels of these features, C.
        num_classes: Number of classes.
        kwargs: See ``FrozenModel``.
    """

    of_any_length = frozenset({"features", "labels"})
    """Buffers whose number of rows may differ in a checkpoint."""

    def __init__(
        self, *, neck: dict[str, Any], channels: int, num_classes: int, **kwargs: Any
    ) -> None:
        super().__init__(pooled=True, **kwargs)
        self.neck = MODELS.build(neck)
        self.channels = channels
        self.num_classes = num_classes
        self.reserve(0)

    def reserve(self, images: int) -> None:
        """Make an empty memory for ``images`` images."""
        device = next(self.parameters()).device
        self.register_buffer("features", torch.zeros(images, self.channels, device=device))
        self.register_buffer("labels", torch.full((images,), EMPTY, device=device))
        self.is_shared = False

    def share(self) -> None:
        """Exchange the rows of all processes."""
        _share(self.features, self.labels)

    def encode(self, images: Tensor) -> list[Tensor]:
        """What the neck makes of the last layer, (B, C)."""
        return [self.neck(self.backbone(images))[-1]]

    def loss(self, features: Tensor, data_samples: Sequence[DataSample]) -> dict[str, Tensor]:
        """Store the features; a loss of 0.

        Args:
            features: (B, C).
            data_samples: With ``gt_label`` and ``sample_idx``.
        """
        rows = [sample.sample_idx for sample in data_samples]
        self.features[rows] = F.normalize(features, dim=1)
        self.labels[rows] = torch.cat([sample.gt_label for sample in data_samples])
        self.is_shared = False
        return {"loss": 0.0 * self.step}

    def known(self) -> Tensor:
        """Rows that hold an image.

        Raises:
            BenchError: If none does.
        """
        known = (self.labels != EMPTY).nonzero()[:, 0]
        if not len(known):
            raise BenchError("there are no stored images; run simmim-bench train first")
        return known


@MODELS.register_module()
class KNNClassifier(MemoryClassifier):
    """The nearest training images vote.

    Args:
        neighbours: Numbers of neighbours that vote, at most all stored images.
        temperature: Votes are exp(cosine similarity / temperature).
        kwargs: See ``MemoryClassifier``.
    """

    def __init__(
        self,
        *,
        neighbours: Sequence[int] = (10, 20, 100, 200),
        temperature: float = 0.07,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.neighbours = tuple(neighbours)
        self.temperature = temperature

    def forward(
        self, inputs: Any, data_samples: Sequence[DataSample] | None = None, mode: str = "tensor"
    ) -> Any:
        """See ``FrozenModel.forward``; ``'tensor'`` returns features of unit length, (B, C)."""
        if mode == "tensor" or data_samples is None:
            return F.normalize(torch.cat(super().forward(inputs)), dim=1)
        return super().forward(inputs, data_samples, mode)

    def predict(
        self, features: Sequence[Tensor], data_samples: Sequence[DataSample]
    ) -> Sequence[DataSample]:
        """The samples with the field ``knn_label``, one label per number of neighbours.

        Raises:
            BenchError: If the memory holds no image.
        """
        asked = F.normalize(torch.cat(list(features)), dim=1)
        for sample, voted in zip(data_samples, self.vote(asked), strict=True):
            sample.set_field(voted, "knn_label", dtype=torch.Tensor)
        return data_samples

    def vote(self, features: Tensor) -> Tensor:
        """Labels voted for by the neighbours of unit features (B, C), (B, len(neighbours)).

        Raises:
            BenchError: If the memory holds no image.
        """
        parts = (self.votes(*self.nearest(part)) for part in features.split(ROWS))
        labels = [[votes[:, k - 1].argmax(1) for k in self.voters(votes)] for votes in parts]
        return torch.cat([torch.stack(part, dim=1) for part in labels])

    def voters(self, votes: Tensor) -> list[int]:
        """``neighbours``, or the number of stored images where there are fewer."""
        return [min(number, votes.shape[1]) for number in self.neighbours]

    def nearest(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The stored images that are nearest to unit features (B, C).

        Returns:
            Cosine similarity and row in the memory, (B, K) each, nearest first; K is the largest
            of ``neighbours``, or the number of stored images.

        Raises:
            BenchError: If the memory holds no image.
        """
        known = self.known()
        most = min(max(self.neighbours), len(known))
        whole = len(known) == len(self.features)  # no copy then
        stored = self.features if whole else self.features[known]
        similarity, places = (features @ stored.T).topk(most, dim=1)
        return similarity, known[places]

    def votes(self, similarity: Tensor, rows: Tensor) -> Tensor:
        """Votes for each class by the first neighbour, the first two, and so on, (B, K, classes).

        Args:
            similarity: Result of ``nearest``, (B, K).
            rows: Same.
        """
        weights = (similarity / self.temperature).exp()
        classes = F.one_hot(self.labels[rows], self.num_classes)
        return (weights.unsqueeze(2) * classes).cumsum(1)


def _share(features: Tensor, labels: Tensor) -> None:
    """Copy the rows of all processes to each; a row of two processes has the same content."""
    known = (labels != EMPTY).float()
    total = known.clone()
    all_reduce(total)
    summed = features * known.unsqueeze(1)
    all_reduce(summed)
    features.copy_(summed / total.clamp(min=1).unsqueeze(1))
    all_reduce(labels, op="max")


@METRICS.register_module()
class KNNAccuracy(BaseMetric):
    """Top-1 accuracy of the votes in percent for each number of neighbours: ``knn/top1_k20``.

    Args:
        neighbours: As in the model.
        kwargs: See ``mmengine.evaluator.BaseMetric``.
    """

    def __init__(self, *, neighbours: Sequence[int] = (10, 20, 100, 200), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.neighbours = tuple(neighbours)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Keep which votes of a batch are right."""
        for sample in data_samples:
            self.results.append((sample["knn_label"] == sample["gt_label"]).cpu())

    def compute_metrics(self, results: list[torch.Tensor]) -> dict[str, float]:
        """Share of right votes in percent."""
        right = torch.stack(results).sum(0).tolist()
        return {
            f"knn/top1_k{k}": 100 * count / len(results)
            for k, count in zip(self.neighbours, right, strict=True)
        }


@HOOKS.register_module()
class ReserveMemoryHook(Hook):
    """Reserve a row for each training image in a k-NN classifier, unless a checkpoint did.

    ``stored_images.txt`` in the work dir has the path of each row's image.
    """

    def before_train(self, runner: Any) -> None:
        """Call ``model.reserve``."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        images = len(runner.train_dataloader.dataset)
        if len(model.labels) != images:
            model.reserve(images)
        if is_main_process():
            dataset = runner.train_dataloader.dataset
            paths = (str(dataset.get_data_info(row)["img_path"]) for row in range(images))
            text = "".join(f"{path}\n" for path in paths)
            atomic_write_text(Path(runner.work_dir) / STORED_IMAGES, text)
