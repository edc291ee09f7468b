"""Learning rate and weight decay of every parameter, as the optimiser gets them."""

from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from simmim_bench.checkpoint.keymaps import classifier_map
from simmim_bench.registry import MODELS

DATA = Path(__file__).parents[1] / "data"
CLASSIFIERS = {
    "swin": {
        "backbone": {
            "type": "mmpretrain.SwinTransformer",
            "arch": {"embed_dims": 12, "depths": [2, 2, 2, 2], "num_heads": [2, 3, 4, 6]},
            "img_size": 128,
            "window_size": 4,
        },
        "neck": {"type": "mmpretrain.GlobalAveragePooling"},
        "head": {"type": "mmpretrain.LinearClsHead", "num_classes": 5, "in_channels": 96},
    },
    "vit": {
        "backbone": {
            "type": "mmpretrain.BEiTViT",
            "arch": {
                "embed_dims": 48,
                "num_layers": 3,
                "num_heads": 3,
                "feedforward_channels": 192,
            },
            "img_size": 96,
            "use_rel_pos_bias": True,
        },
        "neck": None,
        "head": {"type": "mmpretrain.LinearClsHead", "num_classes": 5, "in_channels": 48},
    },
}


def optimizer_of(model, *, lr=1.25e-3, weight_decay=0.05, **options):
    config = {
        "type": "OptimWrapper",
        "constructor": "simmim_bench.LayerDecayOptimWrapperConstructor",
        "optimizer": {"type": "AdamW", "lr": lr, "weight_decay": weight_decay},
    }
    return build_optim_wrapper(model, {**config, **options}).optimizer


def settings(model, optimizer):
    """(lr, weight decay) by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.fixture(scope="module")
def swin():
    return MODELS.build({"type": "mmpretrain.ImageClassifier", **CLASSIFIERS["swin"]})


@pytest.fixture(scope="module")
def simmim():
    return MODELS.build(
        {
            "type": "simmim_bench.SimMIM",
            "backbone": CLASSIFIERS["swin"]["backbone"],
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
        }
    )


@pytest.mark.parametrize("name", ["swin", "vit"])
def test_every_parameter_has_the_originals_settings(name):
    golden = torch.load(DATA / f"simmim_{name}_finetune.pt", weights_only=True)
    model = MODELS.build({"type": "mmpretrain.ImageClassifier", **CLASSIFIERS[name]})
    optimizer = optimizer_of(
        model,
        lr=golden["base_lr"],
        weight_decay=golden["weight_decay"],
        paramwise_cfg={"layer_decay": golden["layer_decay"]},
    )
    keys = classifier_map(name)
    wanted = {
        keys.to_ours(key): (group["lr"], group["weight_decay"])
        for key, group in golden["param_groups"].items()
    }
    found = settings(model, optimizer)
    assert set(found) == set(wanted)
    assert {key: pytest.approx(value, rel=1e-12) for key, value in wanted.items()} == found


def test_without_layer_decay_there_are_two_groups(simmim):
    optimizer = optimizer_of(simmim)
    assert len(optimizer.param_groups) == 2
    found = settings(simmim, optimizer)
    assert set(found) == {name for name, _ in simmim.named_parameters()}
    assert {lr for lr, _ in found.values()} == {1.25e-3}
    decayed = {name for name, (_, decay) in found.items() if decay}
    assert "decoder.projection.weight" in decayed
    assert "backbone.stages.0.blocks.0.attn.w_msa.qkv.weight" in decayed
    exempt = set(found) - decayed
    assert "mask_token" in exempt
    assert "backbone.stages.0.blocks.0.attn.w_msa.relative_position_bias_table" in exempt
    assert "decoder.projection.bias" in exempt
    assert "backbone.norm3.weight" in exempt


def test_the_first_group_has_the_full_rate(swin):
    optimizer = optimizer_of(swin, paramwise_cfg={"layer_decay": 0.5})
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates[0] == 1.25e-3
    assert rates == sorted(rates, reverse=True)


def test_frozen_parameters_are_left_out(swin):
    swin.backbone.patch_embed.requires_grad_(False)
    found = settings(swin, optimizer_of(swin))
    swin.backbone.patch_embed.requires_grad_(True)
    assert not any(name.startswith("backbone.patch_embed") for name in found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"paramwise_cfg": {"layer_decay_rate": 0.9}}, "takes layer_decay only"),
        ({"paramwise_cfg": {"layer_decay": 1.5}}, "1.5 is not in"),
        ({"optimizer": {"type": "AdamW", "lr": 1e-3}}, "weight_decay None; state both"),
    ],
)
def test_options_that_would_be_ignored_are_refused(swin, options, said):
    with pytest.raises(ValueError, match=said):
        optimizer_of(swin, **options)


def test_it_logs_nothing(swin, caplog):
    optimizer_of(swin, paramwise_cfg={"layer_decay": 0.9})
    assert caplog.records == []
