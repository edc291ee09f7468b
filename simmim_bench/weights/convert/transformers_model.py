"""A bare model of transformers from our names: as a folder, and loaded by the package."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.weights.convert.architecture import Architecture
from simmim_bench.weights.convert.config_transformers import (
    FILE,
    config_of,
    model_type,
    windows_of,
)
from simmim_bench.weights.convert.runnable import Runnable

WEIGHTS = "model.safetensors"
_CLASSES = {
    "swin": "Swin",
    "swinv2": "Swinv2",
    "beit": "Beit",
    "vit": "ViT",
    "convnext": "ConvNext",
    "convnextv2": "ConvNextV2",
    "resnet": "ResNet",
}
_ENDS = {
    "transformers model": "Model",
    "transformers classifier": "ForImageClassification",
    "transformers masked image modelling": "ForMaskedImageModeling",
}


def has_model(architecture: Architecture) -> bool:
    """Whether transformers has this backbone; its Swin has one window for all stages."""
    config = architecture.config
    if architecture.adapter == "swin":
        return len(set(windows_of(config))) == 1
    if architecture.adapter == "swinv2":
        maps = [config["img_size"] // (config["patch_size"] * 2**i) for i in range(4)]
        windows = windows_of(config)
        return windows == [min(max(windows), side) for side in maps]
    return True


def check_model(architecture: Architecture) -> None:
    """Refuse a backbone that transformers cannot have.

    Raises:
        BenchError: If its windows differ in another way than transformers has it.
    """
    if not has_model(architecture):
        raise BenchError(
            f"--to transformers needs one window for all stages that fits the smallest map, this "
            f"{architecture.adapter} has {windows_of(architecture.config)}; give --window and "
            f"--image-size, such as --window 7 --image-size 224"
        )


def config_json(
    architecture: Architecture, state: Mapping[str, Tensor], layout: str
) -> dict[str, Any]:
    """Content of ``config.json``.

    Args:
        architecture: The backbone.
        state: Weights under the layout's names.
        layout: Name of the layout.
    """
    kind, config = model_type(architecture), architecture.config
    values = {
        "architectures": [_CLASSES[kind] + _ENDS[layout]],
        "model_type": kind,
        **config_of(architecture),
    }
    if "drop_path_rate" in config:
        values["drop_path_rate"] = config["drop_path_rate"]
    if kind == "beit":
        values["use_mean_pooling"] = not config["final_norm"]
        values["use_mask_token"] = "embeddings.mask_token" in state
        values["layer_scale_init_value"] = config["layer_scale_init_value"]
    if kind == "convnext":
        values["layer_scale_init_value"] = config["layer_scale_init_value"]
    if "decoder.0.weight" in state:
        pixels = state["decoder.0.weight"].shape[0] // values["num_channels"]
        values["encoder_stride"] = round(pixels**0.5)
    head = state.get("classifier.weight", state.get("classifier.1.weight"))
    if head is not None:
        values["id2label"] = {str(i): f"LABEL_{i}" for i in range(len(head))}
        values["label2id"] = {f"LABEL_{i}": i for i in range(len(head))}
    return {**values, "dtype": "float32", "torch_dtype": "float32"}


def write_folder(
    folder: Path, architecture: Architecture, state: Mapping[str, Tensor], layout: str
) -> None:
    """Write ``config.json`` and ``model.safetensors`` into an empty folder."""
    from safetensors.torch import save_file

    weights = {key: value.contiguous() for key, value in state.items()}
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    atomic_write_json(folder / FILE, config_json(architecture, state, layout))


def transformers_backbone(
    architecture: Architecture, state: Mapping[str, Tensor]
) -> Runnable | None:
    """The bare model with weights in it, or None if the package or such a model is missing.

    Raises:
        RuntimeError: If the weights do not fit, every key.
    """
    if find_spec("transformers") is None or not has_model(architecture):
        return None
    import transformers

    name = _CLASSES[model_type(architecture)] + "Model"
    options = {} if name.startswith(("ConvNext", "ResNet")) else {"add_pooling_layer": False}
    if name == "BeitModel" and architecture.config["out_type"] == "avg_featmap":
        options = {}  # its pooler is a norm
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_folder(folder, architecture, state, "transformers model")
        config = getattr(transformers, _CLASSES[model_type(architecture)] + "Config")
        values = config_json(architecture, state, "transformers model")
        model, report = getattr(transformers, name).from_pretrained(
            folder,
            config=config.from_dict({**values, **architecture.theirs}),
            local_files_only=True,
            output_loading_info=True,
            attn_implementation="eager",
            **options,
        )
    wrong = {key: sorted(map(str, report[key])) for key in ("missing_keys", "unexpected_keys")}
    if any(wrong.values()):
        raise RuntimeError(str(wrong))

    def run(images: Tensor) -> Tensor:
        last: Tensor = model(pixel_values=images).last_hidden_state
        if name.startswith("ConvNext"):  # our map is normalised
            last = model.layernorm(last.movedim(1, -1)).movedim(-1, 1)
        return last

    return Runnable(model, run=run)
