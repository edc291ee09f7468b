"""Models of timm by name (https://github.com/huggingface/pytorch-image-models), with its weights.

timm builds its own model and loads the file into it, strictly and through its own filters. Then the
weights are converted as any file of timm. A model that none of our classes computes stays timm's:
``simmim_bench.TimmFeatures``.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import timm
import torch
from timm.models import get_pretrained_cfg, list_pretrained
from torch import Tensor, nn

from simmim_bench.backbones.timm import TimmAdapter, TimmFeatures, check_timm_name
from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import Architecture
from simmim_bench.weights.convert.conversion import Conversion, ConversionReport, convert_checkpoint
from simmim_bench.weights.convert.layouts import LAYOUTS
from simmim_bench.weights.convert.libraries import build_runnable
from simmim_bench.weights.convert.source import Source
from simmim_bench.weights.convert.translate import BACKBONE, Dropped, write_layout
from simmim_bench.weights.convert.verify import TOLERANCE, Verification
from simmim_bench.weights.files import check_finite
from simmim_bench.weights.strict import load_strict

AFTER = "follows the last map (norm of the head, classifier)"
NOT_OPTIONS = ("features_only", "feature_cls", "out_indices", "pruned")
"""Options that a repository may not set, besides those of ``timm.create_model`` itself."""


def near_names(name: str, known: Iterable[str], prefix: str) -> str:
    """Similar names, as the end of a message."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    if not near:
        return "the documentation of the library lists them"
    return f"did you mean {' or '.join(prefix + each for each in near)}?"


def pretrained_config(name: str) -> Any:
    """What timm knows of the weights of a model.

    Args:
        name: ``MODEL`` or ``MODEL.TAG``.

    Raises:
        BenchError: If timm has no such model, or no such weights that it can download.
    """
    check_timm_name(name)
    model, known = name.partition(".")[0], list_pretrained(f"{name.partition('.')[0]}*")
    config = get_pretrained_cfg(name) if name == model or name in known else None
    if config is not None and (config.hf_hub_id or (config.url and not config.custom_load)):
        return config
    raise BenchError(
        f"timm has no pretrained weights for {name!r}, and random ones are never used; "
        f"{near_names(name, known or list_pretrained(), 'timm:')}"
    )


@dataclass(frozen=True)
class TimmModel:
    """A model of timm with its weights.

    Attributes:
        name: In timm's registry.
        options: What it was built with.
        model: The model.
        source: The file of its weights.
    """

    name: str
    options: dict[str, Any]
    model: nn.Module
    source: Source

    @classmethod
    def of(cls, name: str, source: Source) -> TimmModel:
        """Build the model and let timm load the file into it.

        Args:
            name: Of timm's registry; "" if the repository's ``config.json`` says it.
            source: The file.

        Raises:
            BenchError: If the file is not of this model, or the repository names none.
        """
        config = {} if name else source.config
        name = name or str(config.get("architecture"))
        check_timm_name(name)
        options = _options(config.get("model_args"))
        overlay: dict[str, Any] = {"source": "", "state_dict": dict(source.content)}
        stated = {**_mapping(config.get("pretrained_cfg")), **config}
        if isinstance(stated.get("num_classes"), int):
            overlay["num_classes"] = stated["num_classes"]
        if isinstance(options.get("in_chans"), int):
            overlay["input_size"] = (options["in_chans"], 224, 224)
        try:
            model = timm.create_model(
                name, pretrained=True, pretrained_cfg_overlay=overlay, **options
            )
        except Exception as error:  # whatever timm says about odd options and weights
            reason = " ".join(str(error).split())[:200]
            raise BenchError(
                f"the weights in {source.name} are not those of timm's {name} "
                f"({type(error).__name__}: {reason}); use the original file, or another name"
            ) from error
        model.eval()
        return cls(name.partition(".")[0], options, model, source)

    def convert(self, *, own_class: bool = False, **options: Any) -> Conversion:
        """Weights under our names.

        Args:
            own_class: Whether the backbone stays timm's class, ``simmim_bench.TimmFeatures``.
            options: As of ``convert_checkpoint``.

        Raises:
            BenchError: If the model has no feature maps, or the options do not fit.
        """
        whole = replace(self.source, content=dict(self.model.state_dict()), config={})
        options = {**self._sizes(), **{key: v for key, v in options.items() if v is not None}}
        if not own_class:
            try:
                found = convert_checkpoint(whole, **self._sizes())
            except BenchError:
                found = None
            if found is not None and self._is(found):
                return found if options == self._sizes() else convert_checkpoint(whole, **options)
        refused = [key for key in ("window", "image_size") if key in options]
        if refused or options.get("to", "simmim_bench") != "simmim_bench":
            raise BenchError(
                f"{self.name} of timm has no class in mmpretrain, so it can only become a backbone "
                f"folder of its own sizes; leave --to, --window and --image-size out"
            )
        return self._features()

    def _sizes(self) -> dict[str, Any]:
        """Window and image size of a Swin V2, which its file does not contain."""
        model: Any = self.model
        if not self.name.startswith("swinv2_"):
            return {}
        window = max(layer.blocks[0].window_size[0] for layer in model.layers)
        return {"window": int(window), "image_size": int(model.patch_embed.img_size[0])}

    @torch.no_grad()
    def _is(self, found: Conversion) -> bool:
        """Whether timm's class with the options that the weights show computes the same.

        Weights show neither activations nor, in a ViT, the number of heads.
        """
        layout, architecture = LAYOUTS["timm"], found.architecture
        if architecture.adapter not in layout.backbone:
            return False
        backbone = {BACKBONE + key: value for key, value in found.state.items()}
        state, _ = write_layout(backbone, layout, architecture.adapter)
        built = build_runnable("timm", architecture, state)
        if built is None:
            return False
        images = _images(architecture.config["in_channels"], architecture.image_size)
        own: Any = self.model
        try:
            expected = own.forward_features(images)
        except (RuntimeError, AssertionError):  # its images have another size
            return False
        shown = built.model.forward_features(images)
        return shown.shape == expected.shape and _difference(shown, expected) <= TOLERANCE

    @torch.no_grad()
    def _features(self) -> Conversion:
        """The same as ``simmim_bench.TimmFeatures``, which runs timm's own class."""
        options = {key: value for key, value in self.options.items() if key != "in_chans"}
        channels = int(self.options.get("in_chans", 3))
        config = {
            "type": "simmim_bench.TimmFeatures",
            "model_name": self.name,
            "out_indices": [-1],
            "in_channels": channels,
            **options,
        }
        backbone = TimmFeatures(**{key: v for key, v in config.items() if key != "type"})
        state, given = TimmAdapter(backbone).from_timm(self.model.state_dict()), self.source.name
        check_finite(state, given)
        load_strict(backbone, state, source=f"{given} does not fit {self.name}", remedy="use it")
        backbone.eval()
        model: Any = self.model
        size = getattr(getattr(model, "patch_embed", None), "img_size", None) or (224, 224)
        images = _images(channels, int(size[0]))
        expected = model.forward_intermediates(images, intermediates_only=True)[-1]
        difference = _difference(backbone(images)[-1], expected)
        if difference > TOLERANCE:
            raise BenchError(f"{self.name}: its last map differs by {difference:.1e} from timm's")
        kept = {key.removeprefix("timm_model.model.") for key in state}
        dropped = [Dropped(key, AFTER) for key in self.model.state_dict() if key not in kept]
        note = f"timm and timm's class as a backbone, on one {size[0]} x {size[0]} image"
        report = ConversionReport(
            source=given,
            sha256=self.source.sha256,
            layout=f"timm's {self.name}",
            target="simmim_bench backbone",
            adapter="timm",
            architecture=config,
            read=(),
            notes=(),
            matched=tuple(sorted(kept)),
            missing=(),
            resized=(),
            resize_method=None,
            dropped=tuple(dropped),
            written=len(state),
            verification=Verification(True, difference, note),
            ran_code=self.source.ran_code,
        )
        own = LAYOUTS["simmim_bench backbone"]
        return Conversion(state, own, Architecture("timm", config), report, "full")


def _images(channels: int, size: int) -> Tensor:
    return torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(0))


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _options(stated: Any) -> dict[str, Any]:
    """Options of a model in a repository's ``config.json``: plain values of the model itself.

    Raises:
        BenchError: If there is another one.
    """
    own = {*inspect.signature(timm.create_model).parameters, *NOT_OPTIONS}
    options = dict(_mapping(stated))
    for key, value in options.items():
        if key in own or key.startswith("pretrained") or not _is_plain(value):
            raise BenchError(
                f"model_args.{key} in the repository's config.json is {value!r:.80}, which is "
                f"refused: only plain options of the model are used; do not use the repository if "
                f"it is not yours"
            )
    return options


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, int | float) for item in value)
    if isinstance(value, str):
        return re.fullmatch(r"[\w-]{0,40}", value) is not None
    return value is None or isinstance(value, int | float)
