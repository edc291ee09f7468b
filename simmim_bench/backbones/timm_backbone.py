"""Adapter for timm's feature backbones, ``simmim_bench.TimmFeatures``.

What timm says of its models is asked from timm: strides and channels (``feature_info``), levels
of layer decay (``group_matcher``), parameters without weight decay (``no_weight_decay``), and
initial weights (its constructors).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.backbones.timm_features import TimmFeatures

PREFIX = "timm_model.model."


class TimmAdapter(PixelAdapter):
    """A timm backbone: pixels are masked, whatever the model does with them."""

    name = "timm"
    backbone_type = TimmFeatures

    @property
    def feature_spec(self) -> FeatureSpec:
        """Levels named by ``out_indices``."""
        info = self.backbone.timm_model.feature_info
        return FeatureSpec(tuple(info.reduction()), tuple(info.channels()))

    @property
    def token_size(self) -> int:
        """Stride of the finest level that timm knows of the model, returned or not."""
        return min(int(level["reduction"]) for level in self.backbone.timm_model.feature_info.info)

    @property
    def _model(self) -> Any:
        """The model of timm's own class."""
        return self.backbone.timm_model.model

    def init_weights(self, *, pretraining: bool) -> None:  # noqa: ARG002 - the same for both
        """Build the model once more: timm draws weights where it constructs."""
        fresh = TimmFeatures(**self.backbone.config)
        self.backbone.load_state_dict(fresh.state_dict())

    @property
    def num_layers(self) -> int:
        """Timm's levels of the backbone, and one for the task's head, which timm counts too."""
        return max(self._levels.values()) + 2

    def layer_id(self, param_name: str) -> int:
        """Level of a parameter as timm's ``param_groups_layer_decay`` groups it."""
        return self._levels[param_name.removeprefix(PREFIX)]

    @cached_property
    def _levels(self) -> dict[str, int]:
        """Level by timm's name of a parameter.

        The few models without a ``group_matcher`` get one level per module of the first rank.
        """
        from timm.models import group_parameters

        if hasattr(self._model, "group_matcher"):
            matcher = self._model.group_matcher(coarse=False)
        else:
            matcher = {name: rf"^{name}\." for name, _ in self._model.named_children()}
        levels: dict[str, int] = group_parameters(self._model, matcher, reverse=True)
        return levels

    def no_weight_decay(self, param_name: str, *, pretraining: bool) -> bool:
        """Mask token and the parameters that timm names."""
        exempt: set[str] = getattr(self._model, "no_weight_decay", set)()
        return param_name.removeprefix(PREFIX) in exempt or super().no_weight_decay(
            param_name, pretraining=pretraining
        )

    def architecture(self) -> dict[str, Any]:
        """Name without its tag, and channels; timm's options are told by keys and shapes."""
        config = self.backbone.config
        return {
            "model_name": config["model_name"].split(".")[0],
            "in_channels": config["in_channels"],
        }
