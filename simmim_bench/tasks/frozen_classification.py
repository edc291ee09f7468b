"""Classification by frozen features: many linear layers at once, logistic regression, attention.

Linear layers of many learning rates as DINOv2's
(https://github.com/facebookresearch/dinov2/blob/main/dinov2/eval/linear.py), which chooses the best
on the validation set; here a part of the training images decides. The attentive probe follows
V-JEPA's (https://arxiv.org/abs/2404.08471, section 4.2): one block of cross-attention.
"""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from mmengine.dist import all_reduce, get_rank
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.tasks.frozen import FrozenClassifier
from simmim_bench.tasks.knn import MemoryClassifier


class ScoredClassifier(FrozenClassifier):
    """Predicts scores of the classes."""

    @abstractmethod
    def scores(self, features: Tensor) -> Tensor:
        """Scores (B, classes) of features (B, ...)."""

    def predict(
        self, features: Sequence[Tensor], data_samples: Sequence[DataSample]
    ) -> Sequence[DataSample]:
        """The samples with ``pred_score`` and ``pred_label``."""
        scores = self.scores(torch.cat(list(features)))
        for sample, score in zip(data_samples, scores, strict=True):
            sample.set_pred_score(score.softmax(dim=0)).set_pred_label(score.argmax())
        return data_samples


@MODELS.register_module()
class LinearGrid(ScoredClassifier):
    """Linear layers that differ in their learning rate, trained at once on the same features.

    The one that is right most often on held-out training images in the last epoch predicts.
    Features are normalised without parameters, as by ``simmim_bench.LinearProbeHead``.

    Args:
        channels: Channels of the features, C.
        num_classes: Number of classes.
        rates: Number of layers; ``optim_wrapper.paramwise_cfg`` gives ``layers.0`` and so on their
            rates.
        held_out: One image of so many, by index, is held out.
        kwargs: See ``FrozenModel``.
    """

    uses_batch_norm = True

    def __init__(
        self, *, channels: int, num_classes: int, rates: int, held_out: int, **kwargs: Any
    ) -> None:
        super().__init__(pooled=True, **kwargs)
        self.held_out = held_out
        self.norm = nn.BatchNorm1d(channels, affine=False, eps=1e-6)
        self.layers = nn.ModuleList(nn.Linear(channels, num_classes) for _ in range(rates))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        self.register_buffer("right", torch.zeros(rates))
        self.register_buffer("chosen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("learned", torch.zeros(num_classes), persistent=False)
        self.register_buffer("asked", torch.zeros(num_classes), persistent=False)
        self.is_counting = self.has_chosen = False

    def loss(self, features: Tensor, data_samples: Sequence[DataSample]) -> dict[str, Tensor]:
        """Sum of the cross-entropies of all layers, over the images that are not held out.

        Args:
            features: (B, C).
            data_samples: With ``gt_label`` and ``sample_idx``.
        """
        labels = torch.cat([sample.gt_label for sample in data_samples])
        held = torch.tensor([sample.sample_idx % self.held_out == 0 for sample in data_samples])
        held = held.to(labels.device)
        scores = self._of_all(features)
        with torch.no_grad():
            self.right += (scores[:, held].argmax(2) == labels[held]).sum(1)
            self.asked[labels[held]] = 1
            self.learned[labels[~held]] = 1
        self.is_counting = True
        weights = (~held).float() / (~held).sum().clamp(min=1)
        losses = [functional.cross_entropy(each, labels, reduction="none") for each in scores]
        return {"loss": (torch.stack(losses) @ weights).sum()}

    def begin_epoch(self) -> None:
        """Count from zero."""
        self.right.zero_()

    def train(self, mode: bool = True) -> Self:
        """Choose before a validation; count from zero after it."""
        super().train(mode)
        if mode and self.has_chosen:
            self.begin_epoch()
            self.has_chosen = False
        if not mode and self.is_counting:
            self.share_between_processes()
            self.is_counting, self.has_chosen = False, True
            logger = MMLogger.get_current_instance()
            logger.info(
                f"right on held-out training images, by layer: "
                f"{[int(each) for each in self.right]}; layer {int(self.chosen)} predicts"
            )
            if not self.right.any():
                logger.warning(
                    "no layer is right on a held-out training image, so the first one predicts; "
                    "for so few images of a class use the probe logistic"
                )
            if absent := int(((self.asked > 0) & (self.learned == 0)).sum()):
                logger.warning(
                    f"all images of {absent} class(es) are held out, so these are not learned; for "
                    "so few images of a class use the probe logistic"
                )
        return self

    def share_between_processes(self) -> None:
        """Choose by the images of all processes, which then are with the first; all call it."""
        all_reduce(self.right)
        all_reduce(self.asked)
        all_reduce(self.learned)
        if self.right.any():  # else nothing was counted since the last choice
            self.chosen.copy_(self.right.argmax())
        if get_rank():
            self.right.zero_()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        if get_rank():
            self.right.zero_()  # a checkpoint has the counts of all processes

    def scores(self, features: Tensor) -> Tensor:
        """Scores of the chosen layer."""
        return self._of_all(features)[self.chosen]

    def _of_all(self, features: Tensor) -> Tensor:
        normalised = self.norm(features)
        return torch.stack([layer(normalised) for layer in self.layers])


@MODELS.register_module()
class LogisticClassifier(ScoredClassifier, MemoryClassifier):
    """Logistic regression of scikit-learn on standardised features, for few images.

    Its regularisation is the best of a grid in a cross-validation on the training images.

    Args:
        grid: Inverse strengths C.
        folds: Of the cross-validation; as many as the smallest class has images if those are fewer,
            but for classes of a single image.
        iterations: Most iterations of the solver, L-BFGS.
        kwargs: See ``MemoryClassifier``.
    """

    def __init__(
        self, *, grid: Sequence[float], folds: int = 5, iterations: int = 1000, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.grid, self.folds, self.iterations = tuple(grid), folds, iterations
        self.fitted: Any = None

    def reserve(self, images: int) -> None:
        """Make an empty memory for ``images`` images."""
        super().reserve(images)
        self.fitted = None

    def loss(self, features: Tensor, data_samples: Sequence[DataSample]) -> dict[str, Tensor]:
        """Store the features; a loss of 0."""
        self.fitted = None
        return super().loss(features, data_samples)

    def scores(self, features: Tensor) -> Tensor:
        """Logarithms of the probabilities; classes without images have none."""
        self.fitted = self.fitted or self._fit()
        asked = functional.normalize(features, dim=1).cpu().numpy()
        found = features.new_full((len(features), self.num_classes), -torch.inf)
        known = torch.from_numpy(self.fitted[-1].classes_).to(features.device)
        found[:, known] = torch.from_numpy(self.fitted.predict_log_proba(asked)).to(found)
        return found

    def _fit(self) -> Any:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        known = self.known()
        features, labels = self.features[known].cpu().numpy(), self.labels[known].cpu().numpy()
        counts = torch.bincount(self.labels[known])
        folds = min(self.folds, int(counts[counts > 1].min())) if (counts > 1).any() else 0
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=self.iterations))
        logger = MMLogger.get_current_instance()
        if not folds:
            logger.warning("logistic regression: C = 1, as every class has a single image")
            return model.fit(features, labels)
        search = GridSearchCV(
            model, {"logisticregression__C": list(self.grid)}, cv=folds, refit=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # at values that are not chosen
            warnings.filterwarnings("ignore", "The least populated class")
            search.fit(features, labels)
        logger.info(
            f"logistic regression: C = {search.best_params_['logisticregression__C']:g} of "
            f"{len(self.grid)}, {100 * search.best_score_:.2f} % in cross-validation"
        )
        return model.set_params(**search.best_params_).fit(features, labels)


@MODELS.register_module()
class AttentiveClassifier(ScoredClassifier):
    """A learned query looks at all positions of the map; its answer is classified.

    Args:
        channels: Channels of the features, C.
        num_classes: Number of classes.
        heads: Number of attention heads.
        kwargs: See ``FrozenModel``.
    """

    def __init__(self, *, channels: int, num_classes: int, heads: int, **kwargs: Any) -> None:
        super().__init__(pooled=False, **kwargs)
        self.query = nn.Parameter(torch.zeros(1, 1, channels))
        self.before = nn.LayerNorm(channels)
        if channels % heads:
            raise BenchError(
                f"the features have {channels} channels, which {heads} attention heads do not "
                f"divide; leave out this probe, or set model.heads={math.gcd(channels, heads)}"
            )
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
        )
        self.classify = nn.Linear(channels, num_classes)
        for weight in (self.query, self.classify.weight):
            nn.init.trunc_normal_(weight, std=0.02)

    def loss(self, features: Tensor, data_samples: Sequence[DataSample]) -> dict[str, Tensor]:
        """Cross-entropy."""
        labels = torch.cat([sample.gt_label for sample in data_samples])
        return {"loss": functional.cross_entropy(self.scores(features), labels)}

    def scores(self, features: Tensor) -> Tensor:
        """Scores (B, classes) of maps (B, C, h, w)."""
        tokens = self.before(features.flatten(2).transpose(1, 2))
        query = self.query.expand(len(tokens), -1, -1)
        seen = query + self.attention(query, tokens, tokens, need_weights=False)[0]
        scores: Tensor = self.classify((seen + self.mlp(seen))[:, 0])
        return scores
