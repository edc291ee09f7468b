"""Any feature backbone of timm by name (https://github.com/huggingface/pytorch-image-models).

The adapter asks timm: for strides and channels (``feature_info``), levels of layer decay
(``group_matcher``), parameters without weight decay (``no_weight_decay``) and initial weights (the
constructors).
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from mmengine.logging import MMLogger
from mmpretrain.models.backbones import TIMMBackbone
from torch import Tensor

from simmim_bench.backbones.base import FeatureSpec, register_adapter
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS

PREFIX = "timm_model.model."
ANY_SIZE = {"dynamic_img_size": True, "strict_img_size": False}
"""Of ViT and Eva, and of Swin."""
OWN_OPTIONS = ("model_name", "out_indices", "in_channels")
"""Options of ``TimmFeatures`` that timm's whole model does not have."""


@MODELS.register_module()
class TimmFeatures(TIMMBackbone):
    """``mmpretrain.TIMMBackbone`` that returns maps (B, C, h, w) of a few levels, random weights.

    timm's feature getter runs the whole model class, so that keys are
    ``timm_model.model.<timm's own key>`` and maps of channels-last models are turned. What
    follows the last output (norm, head) is left out.

    Args:
        model_name: A name of ``timm.list_models()``; a tag after a dot is allowed and does
            not matter, since no weights are fetched.
        out_indices: Levels of timm's ``feature_info``, finest first. The last by default.
        in_channels: Channels of the images.
        init_cfg: mmengine's initialisation config.
        options: timm's options of the model, such as ``drop_path_rate`` or, for models that
            know one image size, ``img_size``.

    Raises:
        BenchError: If timm has no such model, or the model has no feature maps.
    """

    def __init__(
        self,
        *,
        model_name: str,
        out_indices: Sequence[int] = (-1,),
        in_channels: int = 3,
        init_cfg: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        check_timm_name(model_name)
        try:
            with _warnings_alone():
                super().__init__(
                    model_name=model_name,
                    features_only=True,
                    in_channels=in_channels,
                    init_cfg=init_cfg,
                    feature_cls="getter",
                    out_indices=tuple(out_indices),
                    **options,
                )
        except (AttributeError, RuntimeError) as error:
            raise BenchError(
                f"timm model {model_name!r} cannot return feature maps ({error}); choose one that "
                "timm builds with features_only=True"
            ) from error
        self.config: dict[str, Any] = {
            "model_name": model_name,
            "out_indices": tuple(out_indices),
            "in_channels": in_channels,
            **options,
        }


@contextmanager
def _warnings_alone() -> Iterator[None]:
    """Leave out the three lines that mmpretrain logs about every backbone it builds."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(max(before, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(before)


def check_timm_name(name: str) -> None:
    """Refuse an unknown name; the message lists similar ones.

    Raises:
        BenchError: If timm has no such model.
    """
    import timm

    if timm.is_model(name):
        return
    near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() lists them all"
    raise BenchError(f"unknown timm model {name!r}; {hint}")


@register_adapter
class TimmAdapter(PixelAdapter):
    """A timm backbone: pixels are masked, whatever the model does with them."""

    name = "timm"
    backbone_type = TimmFeatures

    @property
    def feature_spec(self) -> FeatureSpec:
        """Levels named by ``out_indices``."""
        info = self.backbone.timm_model.feature_info
        return FeatureSpec(tuple(info.reduction()), tuple(info.channels()))

    def any_size_options(self) -> dict[str, Any]:
        """Options by which a transformer of timm takes images of other sizes than its own."""
        known = inspect.signature(type(self._model)).parameters
        return {name: value for name, value in ANY_SIZE.items() if name in known}

    @property
    def levels(self) -> FeatureSpec:
        """All that timm knows of the model."""
        info = self.backbone.timm_model.feature_info.info
        return FeatureSpec(
            tuple(int(level["reduction"]) for level in info),
            tuple(int(level["num_chs"]) for level in info),
        )

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

    def from_timm(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of timm's own file under the backbone's keys, without what follows the last map.

        Args:
            state: Weights under the keys of timm's whole model.
        """
        import timm

        options = {key: v for key, v in self.backbone.config.items() if key not in OWN_OPTIONS}
        channels = self.backbone.config["in_channels"]
        whole = timm.create_model(
            self.backbone.config["model_name"], pretrained=False, in_chans=channels, **options
        )
        after = whole.state_dict().keys() - self._model.state_dict().keys()
        return {f"{PREFIX}{key}": value for key, value in state.items() if key not in after}

    def architecture(self) -> dict[str, Any]:
        """Name without its tag, and channels; keys and shapes show timm's options."""
        config = self.backbone.config
        return {
            "model_name": config["model_name"].split(".")[0],
            "in_channels": config["in_channels"],
        }
