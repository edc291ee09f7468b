"""Weights as people have them: random ones, in the files of the projects that train them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

State = Mapping[str, Tensor]


def _timm(name: str) -> State:
    import timm

    return dict(timm.create_model(name, pretrained=False).state_dict())


def _resnet() -> State:
    from torchvision.models import resnet18

    return dict(resnet18().state_dict())


def _prefixed(state: State, prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


def timm_swin(path: Path) -> None:
    """Timm's Swin-T."""
    torch.save(_timm("swin_tiny_patch4_window7_224"), path.with_suffix(".pth"))


def timm_safetensors(path: Path) -> None:
    """Timm's ViT-Ti, as on the hub."""
    from safetensors.torch import save_file

    save_file(dict(_timm("vit_tiny_patch16_224")), path.with_suffix(".safetensors"))


def torchvision_resnet(path: Path) -> None:
    """Torchvision's ResNet-18."""
    torch.save(_resnet(), path.with_suffix(".pth"))


def data_parallel(path: Path) -> None:
    """The same from a training script with DataParallel."""
    content = {"epoch": 90, "arch": "resnet18", "state_dict": _prefixed(_resnet(), "module.")}
    torch.save(content, path.with_suffix(".pth.tar"))


def half_precision(path: Path) -> None:
    """ViT-Ti in half precision, compiled by torch."""
    state = {key: value.half() for key, value in _timm("vit_tiny_patch16_224").items()}
    torch.save(_prefixed(state, "_orig_mod."), path.with_suffix(".pth"))


def moving_average(path: Path) -> None:
    """A checkpoint of timm's training script, weights and their moving average."""
    state = _timm("convnext_atto")
    average = {key: value * 0.9 for key, value in state.items()}
    content = {"epoch": 3, "arch": "x", "state_dict": state, "state_dict_ema": average}
    torch.save(content, path.with_suffix(".pth.tar"))


def mae(path: Path) -> None:
    """MAE's pretraining: encoder, mask token and decoder."""
    width, state = 64, dict(_timm("vit_tiny_patch16_224"))
    state = {key: value for key, value in state.items() if not key.startswith("head.")}
    state |= {
        "mask_token": torch.zeros(1, 1, width),
        "decoder_pos_embed": torch.zeros(1, 197, width),
        "decoder_embed.weight": torch.zeros(width, 192),
        "decoder_embed.bias": torch.zeros(width),
        "decoder_norm.weight": torch.ones(width),
        "decoder_norm.bias": torch.zeros(width),
        "decoder_pred.weight": torch.zeros(768, width),
        "decoder_pred.bias": torch.zeros(768),
    }
    torch.save({"model": state, "epoch": 799}, path.with_suffix(".pth"))


def moco_v3(path: Path) -> None:
    """MoCo v3's pretraining: base and momentum encoders, predictor."""
    body = {k: v for k, v in _timm("vit_small_patch16_224").items() if not k.startswith("head.")}
    body["head.0.weight"] = torch.zeros(64, 384)
    state = _prefixed(body, "module.base_encoder.") | _prefixed(body, "module.momentum_encoder.")
    state["module.predictor.0.weight"] = torch.zeros(64, 256)
    content = {"epoch": 300, "arch": "vit_small", "state_dict": state, "optimizer": {}}
    torch.save(content, path.with_suffix(".pth.tar"))


def dinov2(path: Path) -> None:
    """DINOv2's ViT-S/14 with registers, under its own keys."""
    state = dict(_timm("vit_small_patch14_reg4_dinov2"))
    state["register_tokens"] = state.pop("reg_token")
    state["mask_token"] = torch.zeros(1, 384)
    # its position of the class token is in pos_embed
    place = torch.zeros(1, 1, 384)
    state["pos_embed"] = torch.cat([place, state["pos_embed"]], dim=1)
    torch.save(state, path.with_suffix(".pth"))


def solo_learn(path: Path) -> None:
    """A checkpoint of solo-learn: backbone, momentum backbone, classifier."""
    body = {key: value for key, value in _resnet().items() if not key.startswith("fc.")}
    state = _prefixed(body, "backbone.") | _prefixed(body, "momentum_backbone.")
    state |= {"classifier.weight": torch.zeros(10, 512), "classifier.bias": torch.zeros(10)}
    content = {"epoch": 99, "global_step": 9, "pytorch-lightning_version": "2.1.2"}
    torch.save({**content, "state_dict": state}, path.with_suffix(".ckpt"))


def lightly(path: Path) -> None:
    """A checkpoint of lightly's examples: a ResNet's children in a Sequential."""
    from torchvision.models import resnet18

    body = torch.nn.Sequential(*list(resnet18().children())[:-1])
    state = _prefixed(body.state_dict(), "backbone.")
    state["projection_head.layers.0.weight"] = torch.zeros(64, 512)
    content = {"epoch": 9, "global_step": 9, "pytorch-lightning_version": "2.1.2"}
    torch.save({**content, "state_dict": state}, path.with_suffix(".ckpt"))


SIZES = {"image_size": 64, "hidden_size": 96, "num_hidden_layers": 4, "intermediate_size": 192}
STAGES = {"image_size": 64, "embed_dim": 24, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 4, 8]}


def _transformers(model: str, config: str, **options: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        import transformers

        stated = getattr(transformers, config)(**options)
        getattr(transformers, model)(stated).save_pretrained(path)

    return make


MAKERS: dict[str, Callable[[Path], None]] = {
    **{
        maker.__name__: maker
        for maker in (
            *(timm_swin, timm_safetensors, torchvision_resnet, data_parallel, half_precision),
            *(moving_average, mae, moco_v3, dinov2, solo_learn, lightly),
        )
    },
    "hf_swin_simmim": _transformers(
        "SwinForMaskedImageModeling",
        "SwinConfig",
        encoder_stride=32,
        window_size=4,
        patch_size=4,
        **STAGES,
    ),
    "hf_swinv2": _transformers(
        "Swinv2Model", "Swinv2Config", window_size=4, patch_size=4, **STAGES
    ),
    "hf_vit": _transformers("ViTModel", "ViTConfig", num_attention_heads=3, **SIZES),
    "hf_beit": _transformers("BeitModel", "BeitConfig", num_attention_heads=3, **SIZES),
    "hf_convnext": _transformers(
        "ConvNextForImageClassification",
        "ConvNextConfig",
        hidden_sizes=[24, 48, 96, 192],
        depths=[1, 1, 2, 1],
    ),
    "hf_resnet": _transformers(
        "ResNetModel",
        "ResNetConfig",
        embedding_size=64,
        hidden_sizes=[64, 128, 256, 512],
        depths=[2, 2, 2, 2],
        layer_type="basic",
    ),
}
"""Name to a function that writes the weights at a path, with the suffix of their project."""
