"""Equality with the original's loading into a classifier of another image and window size."""

import pytest
import torch

from simmim_bench.backbones import adapter_for
from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.layouts import LAYOUTS
from simmim_bench.weights.convert.translate import read_layout
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.configs.reader import golden_folder

DATA = golden_folder()
SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 12, "depths": [2, 2, 2, 2], "num_heads": [2, 3, 4, 6]},
}
VIT = {
    "type": "mmpretrain.BEiTViT",
    "arch": {"embed_dims": 48, "num_layers": 3, "num_heads": 3, "feedforward_channels": 192},
    "patch_size": 16,
}
PRETRAINING = {
    "swin": {**SWIN, "img_size": 96, "window_size": 3},
    "vit": {
        **VIT,
        "img_size": 64,
        "out_type": "featmap",
        "final_norm": True,
        "use_rel_pos_bias": False,
        "use_shared_rel_pos_bias": True,
    },
}
CLASSIFICATION = {
    "swin": {**SWIN, "img_size": 128, "window_size": 4},
    "vit": {**VIT, "img_size": 96, "out_type": "avg_featmap", "use_rel_pos_bias": True},
}
NEW = {"swin": (), "vit": ("ln2.weight", "ln2.bias")}  # random in the original, too
DROPPED = {"swin": (), "vit": ("ln1.weight", "ln1.bias")}
RESIZED = {"swin": 8, "vit": 3}


def ours(state, layout, adapter):
    """The original's weights under our keys, every one of them."""
    reading = read_layout(state, LAYOUTS[layout], adapter)
    assert reading.unknown == ()
    return reading.state


@pytest.fixture(params=["swin", "vit"])
def name(request):
    return request.param


@pytest.fixture
def golden(name):
    return torch.load(DATA / f"simmim_{name}_finetune.pt", weights_only=True)


@pytest.fixture
def wanted(name, golden):
    """The original's loaded weights under our keys, head included."""
    loaded = ours(golden["loaded"], "simmim fine-tuning", name)
    return {key.removeprefix("backbone."): value for key, value in loaded.items()}


@pytest.fixture
def backbone(name):
    built = MODELS.build(CLASSIFICATION[name])
    built.eval()  # returns None in SwinTransformer
    return built


@pytest.fixture
def report(name, backbone, save_pretraining, tmp_path):
    pretrained = torch.load(DATA / f"simmim_{name}_pretrain.pt", weights_only=True)
    state = ours(pretrained["state_dict"], "simmim pretraining", name)
    checkpoint = save_pretraining(PRETRAINING[name], state=state)
    return load_pretrained(backbone, export_backbone(checkpoint, tmp_path / "export").weights)


def relative_error(found, wanted):
    assert found.shape == wanted.shape
    difference = (found - wanted).abs().max().item()
    return difference and difference / wanted.abs().max().item()


def test_the_loaded_weights_equal_the_originals(name, backbone, report, wanted, equal):
    own = backbone.state_dict()
    assert report.missing == NEW[name]
    assert report.unexpected == DROPPED[name]
    assert len(report.resized) == RESIZED[name]
    shared = [key for key in own if key not in NEW[name]]
    assert set(own) == {key for key in wanted if not key.startswith("head.")}
    errors = {key: relative_error(own[key], wanted[key]) for key in shared}
    resized = {entry.key for entry in report.resized}
    equal(f"simmim_{name}_finetune.pt", "bias tables, resized", [errors[key] for key in resized])
    others = [error for key, error in errors.items() if key not in resized]
    equal(f"simmim_{name}_finetune.pt", "all other loaded weights", others, bound=0)


def test_the_logits_equal_the_originals(name, backbone, report, wanted, golden, equal):
    fresh = {key: wanted[key] for key in NEW[name]}
    backbone.load_state_dict({**backbone.state_dict(), **fresh})
    with torch.no_grad():
        features = backbone(golden["images"])[-1]
        pooled = features.mean((2, 3)) if features.ndim == 4 else features
        logits = torch.nn.functional.linear(
            pooled, wanted["head.fc.weight"], wanted["head.fc.bias"]
        )
    equal(f"simmim_{name}_finetune.pt", "logits", [relative_error(logits, golden["logits"])])


def test_layers_and_decay_equal_the_originals(name, backbone, golden):
    adapter, keys = adapter_for(backbone), LAYOUTS["simmim fine-tuning"].key_map(name)
    groups = {
        keys.to_ours(key).removeprefix("backbone."): group
        for key, group in golden["param_groups"].items()
    }
    parameters = dict(backbone.named_parameters())
    assert set(parameters) == {key for key in groups if not key.startswith("head.")}
    for key, parameter in parameters.items():
        steps = adapter.num_layers - 1 - adapter.layer_id(key)
        lr = golden["base_lr"] * golden["layer_decay"] ** steps
        assert lr == pytest.approx(groups[key]["lr"], rel=1e-12), key
        exempt = parameter.ndim == 1 or adapter.no_weight_decay(key, pretraining=False)
        assert (groups[key]["weight_decay"] == 0) == exempt, key
