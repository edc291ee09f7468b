"""Any feature backbone of timm by name (https://github.com/huggingface/pytorch-image-models)."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import TIMMBackbone

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS

NEAR_NAMES = 3


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
        _check_name(model_name)
        try:
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


def _check_name(name: str) -> None:
    """Refuse an unknown name with the nearest ones.

    Raises:
        BenchError: If timm has no such model.
    """
    import timm

    if timm.is_model(name):
        return
    near = difflib.get_close_matches(
        name.split(".", maxsplit=1)[0], timm.list_models(), n=NEAR_NAMES
    )
    hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() lists them"
    raise BenchError(f"unknown timm model {name!r}; {hint}")
