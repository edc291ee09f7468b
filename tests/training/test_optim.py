"""Learning rate and weight decay of every parameter, as the optimiser gets them."""

from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper

from simmim_bench.registry import MODELS
from simmim_bench.training.optim import use_fused_kernel
from simmim_bench.weights.convert.layouts import LAYOUTS

DATA = Path(__file__).parents[1] / "golden"
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

PRETRAININGS = {
    "swin": CLASSIFIERS["swin"]["backbone"],
    "vit": {
        **CLASSIFIERS["vit"]["backbone"],
        "use_rel_pos_bias": False,
        "use_shared_rel_pos_bias": True,
        "out_type": "featmap",
        "final_norm": True,
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


def pretraining(backbone):
    return MODELS.build(
        {
            "type": "simmim_bench.SimMIM",
            "backbone": backbone,
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
        }
    )


@pytest.mark.parametrize("name", ["swin", "vit"])
def test_every_parameter_has_the_originals_settings(name, equal):
    golden = torch.load(DATA / f"simmim_{name}_finetune.pt", weights_only=True)
    model = MODELS.build({"type": "mmpretrain.ImageClassifier", **CLASSIFIERS[name]})
    optimizer = optimizer_of(
        model,
        lr=golden["base_lr"],
        weight_decay=golden["weight_decay"],
        paramwise_cfg={"layer_decay": golden["layer_decay"]},
    )
    keys = LAYOUTS["simmim fine-tuning"].key_map(name)
    wanted = {
        keys.to_ours(key): (group["lr"], group["weight_decay"])
        for key, group in golden["param_groups"].items()
    }
    found = settings(model, optimizer)
    assert set(found) == set(wanted)
    for index, quantity in enumerate(("learning rate", "weight decay")):
        pairs = [(found[key][index], value[index]) for key, value in wanted.items()]
        errors = [abs(own - theirs) / theirs if theirs else abs(own) for own, theirs in pairs]
        equal(f"simmim_{name}_finetune.pt", f"{quantity} of every parameter", errors, bound=1e-12)


def decayed_by_the_original(name, shapes):
    """Keys of ``shapes`` that optimizer.py's pretraining rule decays.

    Lists as models/simmim.py makes them: what the backbone names, behind ``encoder.``.
    """
    names = {"swin": {"absolute_pos_embed", "mask_token"}, "vit": {"pos_embed", "cls_token"}}
    keywords = {"swin": {"relative_position_bias_table"}, "vit": set()}
    names = {f"encoder.{item}" for item in names[name]}
    keywords = {f"encoder.{item}" for item in keywords[name]}
    return {
        key
        for key, shape in shapes.items()
        if not (
            len(shape) == 1
            or key.endswith(".bias")
            or key in names
            or any(keyword in key for keyword in keywords)
        )
    }


@pytest.mark.parametrize("name", ["swin", "vit"])
def test_pretraining_decays_what_the_original_decays(name):
    golden = torch.load(DATA / f"simmim_{name}_pretrain.pt", weights_only=True)
    shapes = {key: golden["state_dict"][key].shape for key in golden["grad_norms"]}
    keys = LAYOUTS["simmim pretraining"].key_map(name)
    wanted = {keys.to_ours(key) for key in decayed_by_the_original(name, shapes)}
    model = pretraining(PRETRAININGS[name])
    optimizer = optimizer_of(model)
    assert len(optimizer.param_groups) == 2
    found = settings(model, optimizer)
    assert set(found) == {keys.to_ours(key) for key in shapes}
    assert {key for key, (_, decay) in found.items() if decay} == wanted
    assert ("mask_token" in wanted) == (name == "vit")
    assert any("relative_position_bias_table" in key for key in wanted)
    assert {lr for lr, _ in found.values()} == {1.25e-3}


@pytest.mark.parametrize("is_pretraining", [True, False])
def test_swinv2_spares_its_bias_network_in_tasks_only(is_pretraining):
    backbone = {
        **CLASSIFIERS["swin"]["backbone"],
        "type": "mmpretrain.SwinTransformerV2",
        "arch": {**CLASSIFIERS["swin"]["backbone"]["arch"], "extra_norm_every_n_blocks": 0},
    }
    classifier = {**CLASSIFIERS["swin"], "type": "mmpretrain.ImageClassifier", "backbone": backbone}
    model = pretraining(backbone) if is_pretraining else MODELS.build(classifier)
    found = settings(model, optimizer_of(model))
    attention = "backbone.stages.0.blocks.0.attn.w_msa"
    assert (found[f"{attention}.cpb_mlp.0.weight"][1] > 0) == is_pretraining
    assert (found[f"{attention}.logit_scale"][1] > 0) == is_pretraining
    assert found[f"{attention}.qkv.weight"][1] > 0


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
    ("options", "message"),
    [
        ({"paramwise_cfg": {"layer_decay_rate": 0.9}}, "may only have layer_decay"),
        ({"paramwise_cfg": {"layer_decay": 1.5}}, "got 1.5"),
        (
            {"optimizer": {"type": "AdamW", "lr": 1e-3}},
            "must state lr and weight_decay, got 0.001 and None",
        ),
    ],
)
def test_options_that_would_be_ignored_are_refused(swin, options, message):
    with pytest.raises(ValueError, match=message):
        optimizer_of(swin, **options)


def test_it_logs_nothing(swin, caplog):
    optimizer_of(swin, paramwise_cfg={"layer_decay": 0.9})
    assert caplog.records == []


def test_two_accumulated_iterations_make_the_step_of_one_batch_twice_as_large():
    """The loss is divided by their number, and gradients are clipped once, before the step."""
    images = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)) * 100

    def weights(count):
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 1, bias=False)
        wrapper = OptimWrapper(
            torch.optim.SGD(model.parameters(), lr=0.1),
            accumulative_counts=count,
            clip_grad={"max_norm": 5.0},
        )
        wrapper.initialize_count_status(model, 0, 2 * count)
        for batch in images.repeat(2, 1).chunk(2 * count):
            with wrapper.optim_context(model):
                wrapper.update_params(model(batch).square().mean())
        return model.weight.detach()

    assert torch.allclose(weights(2), weights(1), rtol=1e-5)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_the_fused_kernel_makes_the_same_steps(name):
    """Several steps, so that moments and bias correction count."""
    targets = torch.randn(10, 3, 5, generator=torch.Generator().manual_seed(0)) * 100

    def weights(change):
        model = torch.nn.Linear(5, 3, bias=False)
        torch.nn.init.constant_(model.weight, 0.5)
        stated = {"type": name, "lr": 0.01, "weight_decay": 0.05, "betas": (0.9, 0.98)}
        wrapper = build_optim_wrapper(model, change({"optimizer": stated}))
        for target in targets:
            wrapper.update_params((model.weight - target).square().mean())
        return model.weight.detach(), wrapper.optimizer.defaults["fused"]

    fused, is_fused = weights(use_fused_kernel)
    plain, is_plain_fused = weights(lambda config: config)
    assert (is_fused, is_plain_fused) == (True, None)
    torch.testing.assert_close(fused, plain, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "optimizer",
    [{"type": "SGD"}, {"type": "AdamW", "foreach": True}, {"type": "AdamW", "fused": 0}],
)
def test_other_optimizers_and_stated_kernels_are_kept(optimizer):
    config = {"optimizer": {**optimizer, "lr": 0.1}, "clip_grad": {"max_norm": 5.0}}
    assert use_fused_kernel(config) == config
