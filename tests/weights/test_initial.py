"""A pretraining starts from weights completely, and says what they are, or not at all."""

from types import SimpleNamespace

import pytest
import timm
import torch

from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.registry import MODELS
from simmim_bench.training.hooks.start import PretrainedBackboneHook
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.initial import load_initial, read_initial
from tests.weights.test_pretrained import SWIN, VIT

NAME = "supervised ImageNet-1k"
WIDE = {"num_heads": 1, "embed_dims": 64, "num_layers": 2, "feedforward_channels": 128}
CLASSIFIER = {"drop_path_rate": 0.0, "out_indices": (3,)}
CASES = {
    "swin, timm": ({**SWIN, "pad_small_map": False, "img_size": 128}, "timm"),
    "swin, original": ({**SWIN, "pad_small_map": False, "img_size": 128}, "simmim"),
    "vit, original": (
        {**VIT, "use_rel_pos_bias": True, "use_shared_rel_pos_bias": False},
        "simmim",
    ),
    "plain vit, timm": (
        {"type": "mmpretrain.VisionTransformer", "arch": WIDE, "img_size": 64, "patch_size": 16,
         "out_type": "featmap"},
        "timm",
    ),
    "resnet, torchvision": ({"type": "mmpretrain.ResNet", "depth": 18}, "torchvision"),
    "convnext, facebookresearch": (
        {"type": "mmpretrain.ConvNeXt", "gap_before_final_norm": False,
         "arch": {"depths": [1, 1, 2, 1], "channels": [8, 16, 24, 32]}},
        "facebookresearch",
    ),
    "swin, mmpretrain": ({**SWIN, "pad_small_map": False, "img_size": 128}, "mmpretrain"),
}  # fmt: skip


def masked_model(backbone):
    model = MODELS.build(
        {
            "type": "simmim_bench.SimMIM",
            "backbone": backbone,
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
        }
    )
    torch.manual_seed(1)
    model.init_weights()
    return model


def before_the_first_step(model, path):
    """What the hook of ``--init`` does: the report."""
    noted = {}
    runner = SimpleNamespace(
        model=model,
        iter=0,
        message_hub=SimpleNamespace(update_info=noted.__setitem__),
        logger=SimpleNamespace(info=str),
    )
    PretrainedBackboneHook(checkpoint=str(path), initial=True).before_train(runner)
    return noted["load_report"]


@pytest.fixture
def other_library(save_pretraining, tmp_path):
    """Function that writes weights in another library's layout, and the backbone's weights."""

    def write(config, library, seed=7):
        checkpoint = save_pretraining(config, seed=seed)
        state = torch.load(checkpoint, weights_only=False)["state_dict"]
        kept = {key: value for key, value in state.items() if key.startswith("backbone.")}
        torch.save({"state_dict": kept}, tmp_path / "without_identity.pth")
        given = tmp_path / f"{library}.pth"
        convert_file(source=str(tmp_path / "without_identity.pth"), destination=given, to=library)
        return given, {key.removeprefix("backbone."): value for key, value in kept.items()}

    return write


@pytest.mark.parametrize(("config", "library"), CASES.values(), ids=CASES)
def test_every_weight_equals_the_file_before_the_first_step(config, library, other_library):
    given, weights = other_library(config, library)
    model = masked_model(config)
    beside = {k: v.clone() for k, v in model.state_dict().items() if not k.startswith("backbone.")}
    report = before_the_first_step(model, given)
    own = model.backbone.state_dict()
    assert all(torch.equal(own[key], value) for key, value in weights.items())
    assert own.keys() == weights.keys()
    assert report["missing"] == report["unexpected"] == report["resized"] == []
    assert report["sha256"] == sha256_file(given)
    now = model.state_dict()
    assert "mask_token" in beside
    assert all(torch.equal(now[key], value) for key, value in beside.items())


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "convnext_atto"])
def test_a_file_of_timm_for_a_backbone_of_timm(name, tmp_path):
    size = {"img_size": 32} if name.startswith("vit") else {}
    torch.manual_seed(2)
    source = timm.create_model(name, num_classes=7, **size).state_dict()
    torch.save(source, tmp_path / "timm.pth")
    model = masked_model({"type": "simmim_bench.TimmFeatures", "model_name": name, **size})
    report = before_the_first_step(model, tmp_path / "timm.pth")
    own = model.backbone.state_dict()
    assert report["matched"] == len(own)
    for key, value in own.items():
        assert torch.equal(value, source[key.removeprefix("timm_model.model.")])
    source.pop(next(iter(source)))
    torch.save(source, tmp_path / "timm.pth")
    with pytest.raises(BenchError, match="does not fit the timm backbone: 1 of"):
        load_initial(model.backbone, tmp_path / "timm.pth")


def test_an_export_of_ours_says_what_it_is(save_pretraining, tmp_path):
    weights = export_backbone(save_pretraining(SWIN, seed=4), tmp_path / "export").weights
    model = masked_model(SWIN)
    before_the_first_step(model, weights)
    state = torch.load(weights, weights_only=True)
    assert all(torch.equal(model.backbone.state_dict()[key], value) for key, value in state.items())
    found = read_initial(weights, None)
    assert (found.name, found.sha256) == ("simmim none", sha256_file(weights))
    with pytest.raises(BenchError, match=r"--init-name 'x' is not used, since .* has a card"):
        read_initial(weights, "x")


def test_a_larger_window_by_the_rules_of_pretrained(save_pretraining, tmp_path):
    weights = export_backbone(save_pretraining(SWIN), tmp_path / "export").weights
    model = masked_model({**SWIN, "img_size": 224, "window_size": 7, "pad_small_map": False})
    assert len(before_the_first_step(model, weights)["resized"]) == 8


def test_a_name_is_needed_where_no_card_says_it(other_library, tmp_path):
    config, library = CASES["convnext, facebookresearch"]
    given, _ = other_library(config, library)
    with pytest.raises(BenchError, match="has no card beside it; say what the weights are, for"):
        read_initial(given, None)
    assert read_initial(given, NAME).name == NAME
    convert_file(source=str(given), destination=tmp_path / "unnamed")
    with pytest.raises(BenchError, match=r"the card of .* does not say it; say what"):
        read_initial(tmp_path / "unnamed" / "backbone.pth", None)
    assert read_initial(tmp_path / "unnamed" / "backbone.pth", NAME).name == NAME
    convert_file(source=str(given), destination=tmp_path / "named", method="supervised")
    assert read_initial(tmp_path / "named" / "backbone.pth", None).name == "supervised"


def untouched(model, path, sentence):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(BenchError, match=sentence):
        load_initial(model.backbone, path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_weights_are_never_loaded_in_part(other_library, tmp_path):
    config, library = CASES["swin, timm"]
    given, _ = other_library(config, library)
    model, state = masked_model(config), torch.load(given, weights_only=True)
    inner = state.get("model", state)
    lacking = {key: value for key, value in inner.items() if key != "norm.weight"}
    torch.save(lacking, tmp_path / "lacking.pth")
    untouched(model, tmp_path / "lacking.pth", r"--init \S+: the swin backbone .* is not complete")
    key = next(iter(inner))
    torch.save({**inner, key: inner[key] * torch.nan}, tmp_path / "nan.pth")
    untouched(model, tmp_path / "nan.pth", r"--init \S+: .* holds NaN or infinity in 1 of")
    torch.save({**inner, key: inner[key].int()}, tmp_path / "int.pth")
    untouched(model, tmp_path / "int.pth", rf"{key} has dtype int32")
    wide = {**config, "arch": {**config["arch"], "depths": [2, 2, 4, 2]}}
    untouched(masked_model(wide), given, r"is swin with depths \[2, 2, 2, 2\], the config's")
    untouched(masked_model(VIT), given, "is a swin backbone, the config's backbone is vit")
    torch.save({"some": torch.zeros(2), "thing": torch.zeros(3)}, tmp_path / "thing.pth")
    untouched(model, tmp_path / "thing.pth", r"--init \S+thing.pth: unknown checkpoint layout")


def test_a_norm_that_only_a_task_adds_must_be_there(save_pretraining, tmp_path):
    """A task may lack norms of earlier stages; a pretraining that has them needs every one."""
    weights = export_backbone(save_pretraining(SWIN), tmp_path / "export").weights
    model = masked_model({**SWIN, "out_indices": (2, 3)})
    untouched(model, weights, r"2 of \d+ keys missing \(norm2\.weight, norm2\.bias\)")


def test_a_checkpoint_of_ours_must_be_exported_first(save_pretraining):
    with pytest.raises(BenchError, match=r"is a checkpoint of a run of this suite; export it with"):
        read_initial(save_pretraining(SWIN), NAME)


def test_an_export_without_its_card_is_not_renamed(save_pretraining, tmp_path):
    weights = export_backbone(save_pretraining(SWIN), tmp_path / "export").weights
    weights.with_suffix(".json").unlink()
    with pytest.raises(BenchError, match=r"has no backbone\.json beside it"):
        read_initial(weights, NAME)
