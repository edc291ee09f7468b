"""Small random models of transformers, written by the package."""

import json

import torch
from safetensors.torch import load_file

SWIN = {
    "image_size": 64,
    "embed_dim": 12,
    "depths": [2, 2, 2, 2],
    "num_heads": [2, 3, 4, 6],
    "window_size": 2,
    "encoder_stride": 32,
}
VIT = {
    "image_size": 48,
    "patch_size": 16,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}
CONVNEXT = {"hidden_sizes": [8, 12, 16, 24], "depths": [1, 1, 2, 1]}
RESNET = {"embedding_size": 16, "hidden_sizes": [64, 128, 256, 512], "depths": [3, 4, 6, 3]}
BASIC = {
    "embedding_size": 16,
    "hidden_sizes": [16, 32, 64, 128],
    "depths": [2, 2, 2, 2],
    "layer_type": "basic",
}
CASES = {
    "swin": ("Swin", "Model", SWIN),
    "swin-classifier": ("Swin", "ForImageClassification", {**SWIN, "num_labels": 5}),
    "swin-simmim": ("Swin", "ForMaskedImageModeling", SWIN),
    "swin-absolute": ("Swin", "Model", {**SWIN, "use_absolute_embeddings": True}),
    "swin-backbone": ("Swin", "Backbone", {**SWIN, "out_indices": [2, 4]}),
    "swinv2": ("Swinv2", "Model", {**SWIN, "window_size": 4}),
    "swinv2-scaled": (
        "Swinv2",
        "ForImageClassification",
        {**SWIN, "window_size": 4, "pretrained_window_sizes": [3, 3, 3, 2]},
    ),
    "swinv2-simmim": ("Swinv2", "ForMaskedImageModeling", SWIN),
    "vit": ("ViT", "Model", VIT),
    "vit-classifier": ("ViT", "ForImageClassification", {**VIT, "layer_norm_eps": 1e-6}),
    "vit-without-bias": ("ViT", "ForImageClassification", {**VIT, "qkv_bias": False}),
    "vit-simmim": ("ViT", "ForMaskedImageModeling", VIT),
    "beit": ("Beit", "Model", {**VIT, "use_relative_position_bias": True}),
    "beit-absolute": (
        "Beit",
        "Model",
        {**VIT, "use_absolute_position_embeddings": True, "use_mean_pooling": False},
    ),
    "beit-classifier": (
        "Beit",
        "ForImageClassification",
        {**VIT, "use_relative_position_bias": True},
    ),
    "beit-tokens": (
        "Beit",
        "ForMaskedImageModeling",
        {**VIT, "use_shared_relative_position_bias": True, "use_mask_token": True},
    ),
    "convnext": ("ConvNext", "Model", CONVNEXT),
    "convnext-classifier": ("ConvNext", "ForImageClassification", CONVNEXT),
    "convnext-backbone": ("ConvNext", "Backbone", {**CONVNEXT, "out_indices": [1, 2, 3, 4]}),
    "convnextv2": ("ConvNextV2", "ForImageClassification", CONVNEXT),
    "resnet": ("ResNet", "Model", RESNET),
    "resnet-basic": ("ResNet", "ForImageClassification", BASIC),
}
"""Family, end of the class, and options of its config."""


def build(case):
    """A model whose weights are all random, norms and tables too."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    family, end, options = CASES[case]
    torch.manual_seed(0)
    model = getattr(transformers, family + end)(getattr(transformers, f"{family}Config")(**options))
    for name, parameter in model.named_parameters():
        spread = torch.randn_like(parameter) * 0.2
        parameter.data = 1 + spread if parameter.ndim == 1 and "weight" in name else spread
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
    return model.eval()


def saved(model, folder):
    """The package's own folder: content of the weights, and of config.json."""
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return load_file(folder / "model.safetensors"), config
