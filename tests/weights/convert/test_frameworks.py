"""Files of pretraining frameworks: the trained network is taken, and the rest is listed."""

import copy

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torchvision.models import VisionTransformer as TorchvisionViT
from torchvision.models import resnet18

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import infer_architecture
from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.libraries import loaded_backbone
from simmim_bench.weights.convert.source import Source

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
LAST = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def filled(model):
    """All weights random, norms and buffers too."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.1
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="module")
def resnet():
    return filled(resnet18())


def vit(**options):
    small = {"img_size": 32, "patch_size": 16, "embed_dim": 64, "depth": 2, "num_heads": 1}
    return filled(VisionTransformer(**{**small, "num_classes": 0, **options}))


def backbone_keys(model):
    return {k: v for k, v in model.state_dict().items() if not k.startswith(("fc.", "head."))}


def under(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def other(state):
    """A momentum copy, whose values must not be taken."""
    return {key: value + 1 for key, value in state.items()}


def dense(name, count=3):
    return {f"{name}.{i}.weight": torch.randn(4, 4) for i in range(count)}


def convert(content, **options):
    return convert_checkpoint(Source(content, "given.pth", "0" * 64, False), **options)


@torch.no_grad()
def check(content, model, record_property, *, layout=None, dropped=None):
    """Our features are those of the package's own model."""
    result = convert(content)
    backbone = loaded_backbone(result.architecture, result.state)
    backbone.eval()
    if isinstance(model, VisionTransformer):
        backbone.out_type, expected = "raw", model.forward_features(IMAGES)
    else:
        expected = nn.Sequential(*(getattr(model, name) for name in LAST))(IMAGES)
    difference = float((backbone(IMAGES)[-1] - expected).abs().max() / expected.abs().max())
    record_property("largest relative difference", difference)
    assert difference < 1e-5
    assert layout in (None, result.report.layout)
    assert dropped in (None, len(result.report.dropped))
    used = len(result.report.matched) + len(result.report.dropped)
    assert used >= sum(1 for value in flat(content))  # every key is accounted for
    return result.report


def flat(content):
    inner = next(
        (v for k, v in content.items() if k in ("state_dict", "model", "teacher")), content
    )
    return [value for value in inner.values() if isinstance(value, torch.Tensor)]


def test_mae(record_property):
    model = vit()
    decoder = {
        "mask_token": torch.randn(1, 1, 32),
        "decoder_embed.weight": torch.randn(32, 64),
        "decoder_pos_embed": torch.randn(1, 5, 32),
        "decoder_blocks.0.attn.qkv.weight": torch.randn(96, 32),
        "decoder_pred.bias": torch.randn(768),
    }
    content = {"model": {**model.state_dict(), **decoder}, "epoch": 800}
    check(content, model, record_property, layout="MAE", dropped=5)
    assert convert({"model": dict(model.state_dict())}).report.layout == "timm"


def test_moco_v3_vit_small_has_twelve_heads(record_property):
    model = vit(embed_dim=384, depth=1, num_heads=12)
    state = under("module.base_encoder.", {**model.state_dict(), **dense("head")})
    state |= under("module.momentum_encoder.", other(model.state_dict()))
    state |= dense("module.predictor")
    content = {"epoch": 300, "arch": "vit_small", "state_dict": state}
    report = check(content, model, record_property, layout="MoCo v3")
    assert report.architecture["arch"]["num_heads"] == 12
    assert report.read == ("prefix module. removed",)
    assert (
        convert({"state_dict": dict(model.state_dict())}).report.architecture["arch"]["num_heads"]
        == 6
    )  # as timm's


@pytest.mark.parametrize(("width", "heads"), [(192, 3), (768, 12), (1024, 16), (1280, 16)])
def test_heads_of_published_widths(width, heads):
    """ViT-H has heads of 80 channels: https://arxiv.org/abs/2010.11929, table 1."""
    state = {
        "patch_embed.projection.weight": torch.empty(width, 3, 16, 16),
        "layers.0.ffn.layers.0.0.weight": torch.empty(4 * width, width),
    }
    assert infer_architecture("plain_vit", state).config["arch"]["num_heads"] == heads


def test_moco_v3_resnet(resnet, record_property):
    state = under("module.base_encoder.", {**backbone_keys(resnet), **dense("fc")})
    state |= under("module.momentum_encoder.", other(backbone_keys(resnet)))
    check({"state_dict": state}, resnet, record_property, layout="MoCo v3")


def test_torchvision_vit(record_property):
    model = TorchvisionViT(32, 16, 2, 1, 64, 256)
    model.heads.head = nn.Linear(64, 7)
    filled(model)
    result = convert(dict(model.state_dict()))
    assert result.report.layout == "torchvision"
    backbone = loaded_backbone(result.architecture, result.state)
    backbone.eval()
    backbone.out_type = "cls_token"
    model.heads = nn.Identity()
    with torch.no_grad():
        difference = float((backbone(IMAGES)[-1] - model(IMAGES)).abs().max())
    record_property("largest difference", difference)
    assert difference < 1e-5
    back = convert(dict(result.state), to="torchvision").state
    given = model.state_dict()
    assert back.keys() == given.keys()
    assert all(torch.equal(back[key], value) for key, value in given.items())


def test_lightly_children_of_a_resnet(resnet, record_property):
    children = nn.Sequential(*list(resnet.children())[:-1]).state_dict()
    state = under("backbone.", children) | under("backbone_momentum.", other(children))
    state |= dense("projection_head.layers") | dense("projection_head_momentum.layers")
    state |= dense("prediction_head.layers") | {"criterion.memory_bank.bank": torch.randn(4)}
    report = check(
        {"state_dict": state}, resnet, record_property, layout="lightly, children of a ResNet"
    )
    assert report.read == ("the network under backbone. is taken",)
    reasons = {entry.reason for entry in report.dropped}
    assert "momentum copy of the network" in reasons


def test_lightly_vit_of_timm(record_property):
    model = vit()
    state = under("backbone.vit.", model.state_dict()) | {
        "backbone.mask_token": torch.randn(1, 1, 64)
    }
    state |= {
        "decoder.decoder_embed.weight": torch.randn(4, 4),
        "decoder.mask_token": torch.randn(4),
    }
    check({"state_dict": state}, model, record_property, dropped=3)


def test_lightly_student_and_teacher(record_property):
    model = vit()
    state = under("student_backbone.", model.state_dict())
    state |= under("teacher_backbone.", other(model.state_dict()))
    state |= dense("student_head.layers") | dense("teacher_head.layers")
    state |= {"criterion.center": torch.randn(1, 4)}
    check({"state_dict": state}, model, record_property)


def test_solo_learn(resnet, record_property):
    networks = under("backbone.", backbone_keys(resnet))
    networks |= under("momentum_backbone.", other(backbone_keys(resnet)))
    heads = dense("projector") | dense("momentum_projector") | dense("predictor")
    heads |= {"classifier.weight": torch.randn(10, 512), "classifier.bias": torch.randn(10)}
    heads |= {"momentum_classifier.weight": torch.randn(10, 512), "queue": torch.randn(2, 4)}
    content = {"state_dict": networks | heads, "hyper_parameters": {}, "epoch": 4}
    report = check(content, resnet, record_property)
    assert report.layout in ("torchvision", "simmim_bench backbone")


def test_lightning_bolts(resnet, record_property):
    state = under("online_network.encoder.", resnet.state_dict())
    state |= dense("online_network.projector.model") | dense("online_network.predictor.model")
    state |= under("target_network.encoder.", other(resnet.state_dict()))
    check({"state_dict": state}, resnet, record_property)


def test_dino_publishes_the_average(record_property):
    model = vit()
    student = under("module.backbone.", other(model.state_dict())) | dense("module.head.mlp")
    teacher = under("backbone.", model.state_dict()) | dense("head.mlp")
    content = {"student": student, "teacher": teacher, "epoch": 100}
    report = check(content, model, record_property, dropped=3)
    assert report.read[0] == "averaged weights, teacher, are taken; not student"


@pytest.mark.parametrize("wrapper", ["state_dict_ema", "model_ema"])
def test_averages_are_taken_and_said(resnet, wrapper, record_property):
    plain = "state_dict" if wrapper == "state_dict_ema" else "model"
    content = {plain: other(resnet.state_dict()), wrapper: dict(resnet.state_dict())}
    result = convert(content)
    assert torch.equal(result.state["conv1.weight"], resnet.state_dict()["conv1.weight"])
    assert result.report.read == (f"averaged weights, {wrapper}, are taken; not {plain}",)
    assert f"read        averaged weights, {wrapper}" in result.report.table()


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "net."])
def test_prefixes_of_every_key(resnet, prefix):
    result = convert({"state_dict": under(prefix, resnet.state_dict())})
    assert torch.equal(result.state["conv1.weight"], resnet.state_dict()["conv1.weight"])
    assert all("prefix" in line for line in result.report.read)
    assert "".join(line.split()[1] for line in result.report.read) == prefix


def test_a_compiled_part_and_a_counter(resnet):
    compiled = under("backbone._orig_mod.", backbone_keys(resnet)) | {
        "head.fc.bias": torch.zeros(3)
    }
    assert convert({"state_dict": compiled}).report.read == ("prefix _orig_mod. removed",)
    averaged = under("module.", resnet.state_dict()) | {"n_averaged": torch.tensor(5)}
    report = convert(averaged).report
    assert report.dropped[0].key == "n_averaged"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(resnet, dtype):
    half = copy.deepcopy(resnet).to(dtype).state_dict()
    result = convert(dict(half))
    assert result.state["conv1.weight"].dtype == torch.float32
    assert torch.equal(result.state["conv1.weight"], half["conv1.weight"].float())
    assert "tensors in half precision are converted to float32" in result.report.read[0]


def test_what_is_not_known_beside_a_network_is_refused(resnet):
    state = under("backbone.", backbone_keys(resnet)) | dense("projector")
    convert({"state_dict": dict(state)})
    state["adapter.scale"] = torch.ones(3)
    with pytest.raises(BenchError, match=r"1 unexpected \(adapter\.scale\)"):
        convert({"state_dict": dict(state)})
    del state["adapter.scale"], state["backbone.layer2.0.conv1.weight"]
    with pytest.raises(BenchError, match=r"1 of 120 keys missing \(layer2\.0\.conv1"):
        convert({"state_dict": state})


def test_another_stem_is_refused(resnet):
    state = under("backbone.", backbone_keys(resnet)) | dense("projector")
    state["backbone.conv1.weight"] = torch.randn(64, 3, 3, 3)  # solo-learn's for CIFAR
    with pytest.raises(BenchError, match=r"conv1\.weight has shape \(64, 3, 3, 3\)"):
        convert({"state_dict": state})
