"""Depth by frozen features: a linear layer over bins of depth, its loss, and the usual metrics.

Head and loss are those of DINOv2 (https://github.com/facebookresearch/dinov2,
dinov2/eval/depth/models: decode_heads/decode_head.py and linear_head.py, losses/sigloss.py), which
follow AdaBins (https://arxiv.org/abs/2011.14141). DINOv2's gradient loss is left out: its code
takes differences along the batch and the channels, so that it is 0 for two images a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmseg.evaluation
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import build_norm_layer
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.models import DepthEstimator
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from prettytable import PrettyTable
from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import METRICS, MODELS
from simmim_bench.tasks.frozen_segmentation import FrozenMaps

LEAST_WEIGHT = 0.1
"""Added to each bin."""
SCALE_WEIGHT = 0.15
"""Of the squared mean of log differences; 1: errors of scale count in full."""
EPS = 1e-3  # metres; keeps logarithms finite
NYU_SIZE = (480, 640)
SHARES = ("d1", "d2", "d3")
"""Metrics in percent."""


@MODELS.register_module()
class LinearDepthHead(BaseModule):
    """Normalise the features, and predict depth as a weighted mean of bins.

    Bins are spread evenly from ``min_depth`` to ``max_depth``. The weight of a bin is its output,
    cut off at 0, plus 0.1.

    Args:
        in_channels: Channels of the features.
        bins: Number of bins.
        min_depth: First bin, in metres.
        max_depth: Last bin, in metres.
        upsample: Factor by which outputs are enlarged, bilinearly, before depth is computed. It is
            the same as enlarging the features.
        norm_cfg: Config of the normalisation.
        init_cfg: See ``mmengine.model.BaseModule``.
    """

    centres: Tensor

    def __init__(
        self,
        *,
        in_channels: int,
        bins: int,
        min_depth: float,
        max_depth: float,
        upsample: int = 1,
        norm_cfg: dict[str, Any],
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.norm = build_norm_layer(norm_cfg, in_channels)[1]
        self.linear = nn.Conv2d(in_channels, bins, kernel_size=1)
        self.upsample, self.max_depth = upsample, max_depth
        centres = torch.linspace(min_depth, max_depth, bins)
        self.register_buffer("centres", centres, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Depth in metres, (B, 1, h, w), of features (B, C, h, w); h and w times ``upsample``."""
        outputs = self.linear(self.norm(features))
        if self.upsample > 1:
            outputs = F.interpolate(outputs, scale_factor=self.upsample, mode="bilinear")
        weights = outputs.relu() + LEAST_WEIGHT
        depth = torch.einsum("bkhw,k->bhw", weights, self.centres)[:, None]
        return depth / weights.sum(dim=1, keepdim=True)


def scale_invariant_loss(predicted: Tensor, true: Tensor, max_depth: float) -> Tensor:
    """Root of the variance of log differences plus 0.15 times their squared mean.

    Args:
        predicted: Depth in metres, of any shape; positive.
        true: Same shape. Pixels that are not above 0, or above ``max_depth``, do not count.
        max_depth: In metres.

    Returns:
        Scalar.

    Raises:
        BenchError: If fewer than two pixels count.
    """
    valid = (true > 0) & (true <= max_depth)
    if valid.sum() < 2:
        raise BenchError(
            f"no pixel of a batch of training images has a depth above 0 and up to {max_depth:g} "
            f"m, the depth maps have {float(true.min()):g} to {float(true.max()):g} m; correct "
            "scale in simmim_bench.LoadDepth, or max_depth of the head"
        )
    difference = (predicted[valid] + EPS).log() - (true[valid] + EPS).log()
    return (difference.var() + SCALE_WEIGHT * difference.mean() ** 2).sqrt()


@MODELS.register_module()
class FrozenDepthEstimator(FrozenMaps):
    """A depth head on frozen features.

    Args:
        decode_head: Config of ``LinearDepthHead``.
        kwargs: See ``FrozenMaps``.
    """

    postprocess_result = DepthEstimator.postprocess_result

    def __init__(self, *, decode_head: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(num_classes=1, **kwargs)
        self.decode_head = MODELS.build(decode_head)

    def loss(self, features: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Loss of the head, on the size of the depth maps."""
        true = torch.stack([sample.gt_depth_map.data for sample in data_samples])
        predicted = F.interpolate(self.scores(features), true.shape[2:], mode="bilinear")
        return {"loss_depth": scale_invariant_loss(predicted, true, self.decode_head.max_depth)}

    def scores(self, features: Tensor) -> Tensor:
        """Depth in metres, (windows, 1, h, w)."""
        depth: Tensor = self.decode_head(features)
        return depth

    @staticmethod
    def target_of(sample: SegDataSample) -> NDArray[Any]:
        """The depth map in metres, (H, W) float32."""
        depth: NDArray[Any] = sample.gt_depth_map.data[0].numpy()
        return depth

    @staticmethod
    def sample_of(target: NDArray[Any]) -> SegDataSample:
        """A data sample with a depth map."""
        sample = SegDataSample()
        sample.set_data({"gt_depth_map": PixelData(data=torch.from_numpy(target)[None])})
        return sample


@METRICS.register_module()
class DepthMetric(mmseg.evaluation.DepthMetric):
    """mmseg's, computed image by image in float64, with shares in percent.

    Each metric is the mean over images of its value on an image's pixels, as usual on NYU:

    - ``d1``, ``d2``, ``d3``: percent of pixels whose depth is less than 1.25, 1.25 ** 2,
      1.25 ** 3 times too large or too small;
    - ``abs_rel``, ``sq_rel``: mean of the absolute error / depth, of error ** 2 / depth;
    - ``rmse`` in metres, ``rmse_log``, ``log10``, ``silog``: see mmseg.

    Args:
        kwargs: See ``mmseg.DepthMetric``: ``min_depth_eval`` and ``max_depth_eval`` in metres, both
            excluded; ``crop_type="nyu_crop"`` for Eigen's crop of NYU.
    """

    def process(
        self,
        data_batch: Any,  # noqa: ARG002
        data_samples: Sequence[Any],
    ) -> None:
        """Measure a batch.

        Raises:
            BenchError: If no pixel of an image can be compared, or NYU's crop does not fit it.
        """
        for sample in data_samples:
            true, predicted = (
                sample[name]["data"][0].double() for name in ("gt_depth_map", "pred_depth_map")
            )
            image = sample.get("img_path", "an image")
            if self.crop_type == "nyu_crop" and tuple(true.shape) != NYU_SIZE:
                raise BenchError(
                    f"the depth map of {image} is {true.shape[0]} x {true.shape[1]} px, NYU's crop "
                    f"needs {NYU_SIZE[0]} x {NYU_SIZE[1]}; set crop_type=None in DepthMetric"
                )
            valid = self._get_eval_mask(true)
            if not valid.any():
                raise BenchError(
                    f"the depth map of {image} has no pixel between {self.min_depth_eval:g} and "
                    f"{self.max_depth_eval:g} m to compare; restore it, or remove its image"
                )
            self.results.append(self._calc_all_metrics(true[valid], predicted[valid]))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Mean over images.

        Args:
            results: Metrics of each image, shares as fractions.
        """
        found = {
            name: float(np.mean([each[name] for each in results])) * (100 if name in SHARES else 1)
            for name in self.metrics
        }
        table = PrettyTable(list(found))
        table.add_row([f"{value:.4g}" for value in found.values()])
        MMLogger.get_current_instance().info(f"depth, {len(results)} images:\n{table}")
        return found
