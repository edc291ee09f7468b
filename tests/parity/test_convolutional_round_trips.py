"""ResNet and ConvNeXt: weights that go to another library and come back, and their outputs."""

import pytest
import torch
import torchvision
from mmpretrain.registry import MODELS

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.source import Source
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.pretrained import load_pretrained

RELATIVE = 1e-5
SHALLOW = {"depths": (1, 1, 2, 1), "dims": (16, 32, 64, 128), "num_classes": 7}


def convert(content, to, **options):
    return convert_checkpoint(Source(content, "given.pth", "0" * 64, False), to=to, **options)


def assert_equal(found, wanted):
    assert set(found) == set(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def relative_error(found, wanted):
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


def randomise(model):
    """Every parameter and running statistic; variances stay positive."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.add_(0.05 * torch.randn(value.shape, generator=generator))
            value.abs_() if name.endswith("running_var") else None
        else:
            value.fill_(3)
    return model.eval()


def convnext(timm, **options):
    return timm.models.convnext.ConvNeXt(**SHALLOW, **options)


def shallow_torchvision_convnext():
    config = torchvision.models.convnext.CNBlockConfig
    stages = [config(16, 32, 1), config(32, 64, 1), config(64, 128, 2), config(128, None, 1)]
    return torchvision.models.ConvNeXt(stages, num_classes=7)


TORCHVISION = {
    "resnet18": lambda: torchvision.models.resnet18(num_classes=7),
    "resnet50": lambda: torchvision.models.resnet50(num_classes=7),
    "convnext": shallow_torchvision_convnext,
}
TIMM = {
    "resnet18": lambda timm: timm.create_model("resnet18", num_classes=7),
    "convnext": convnext,
    "convnext, convolutions": lambda timm: convnext(timm, conv_mlp=True),
    "convnext v2": lambda timm: convnext(timm, use_grn=True, ls_init_value=None),
}


def classifier(backbone, channels):
    """mmpretrain's whole model, without any of the converter's own builders."""
    pooled = backbone["type"] == "ConvNeXt"  # it pools before its last norm
    head = {"type": "LinearClsHead", "num_classes": 7, "in_channels": channels}
    neck = None if pooled else {"type": "GlobalAveragePooling"}
    return MODELS.build(
        {"type": "ImageClassifier", "backbone": backbone, "neck": neck, "head": head}
    )


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("resnet18", "mmpretrain"),
        ("resnet18", "timm"),
        ("resnet50", "mmdet"),
        ("convnext", "mmpretrain"),
        ("convnext", "mmdet"),
        ("convnext", "timm"),
    ],
)
def test_torchvision(name, to):
    if to == "timm":
        pytest.importorskip("timm")
    state = randomise(TORCHVISION[name]()).state_dict()
    away = convert(state, to)
    content = {away.layout.wrapper: away.state} if away.layout.wrapper else away.state
    back = convert(content, "torchvision")
    heads = ("fc.", "classifier.2.") if to == "mmdet" else ()
    assert_equal(back.state, {k: v for k, v in state.items() if not k.startswith(heads)})
    assert away.report.layout == "torchvision"
    assert 0 <= away.report.verification.difference < RELATIVE


@pytest.mark.parametrize("name", TIMM)
def test_timm(name):
    state = randomise(TIMM[name](pytest.importorskip("timm"))).state_dict()
    away = convert(state, "mmpretrain")
    back = convert({"state_dict": away.state}, "timm")
    assert_equal(back.state, state)
    assert 0 <= away.report.verification.difference < RELATIVE


@pytest.mark.parametrize("name", ["resnet18", "convnext"])
def test_logits_of_torchvision_and_mmpretrain(name):
    model = randomise(TORCHVISION[name]())
    backbones = {
        "resnet18": ({"type": "ResNet", "depth": 18}, 512),
        "convnext": (
            {
                "type": "ConvNeXt",
                "arch": {"depths": [1, 1, 2, 1], "channels": [16, 32, 64, 128]},
            },
            128,
        ),
    }
    theirs = classifier(*backbones[name])
    theirs.load_state_dict(convert(model.state_dict(), "mmpretrain").state, strict=True)
    theirs.eval()
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert relative_error(theirs(images, mode="tensor"), model(images)) < RELATIVE


def as_facebook(state):
    """timm's ConvNeXt under the names of the original, written out by hand."""
    renamed = {}
    for key, value in state.items():
        new = key.replace("stem.", "downsample_layers.0.").replace("head.fc.", "head.")
        if ".downsample." in key:
            _, stage, _, rest = key.split(".", 3)
            new = f"downsample_layers.{stage}.{rest}"
        new = new.replace("head.norm.", "norm.").replace(".blocks.", ".")
        new = new.replace("conv_dw", "dwconv").replace("mlp.fc", "pwconv")
        renamed[new] = value
    return renamed


@pytest.mark.parametrize("to", ["mmpretrain", "timm"])
def test_the_original_of_convnext(to):
    """Its own code is no package: timm's class, which took over its weights, stands in."""
    timm = pytest.importorskip("timm")
    state = randomise(convnext(timm)).state_dict()
    original = as_facebook(state)
    away = convert({"model": original}, to)
    assert away.report.layout == "facebookresearch"
    assert "in place of facebookresearch" in away.report.verification.note
    if to == "timm":
        assert_equal(away.state, state)
    content = {away.layout.wrapper: away.state} if away.layout.wrapper else away.state
    assert_equal(convert(content, "facebookresearch").state, original)


@pytest.mark.parametrize("task", ["classification", "dense"])
@pytest.mark.parametrize("name", ["resnet18", "convnext"])
def test_torchvision_in_our_tasks(name, task, tmp_path):
    """A folder that the strict loader takes; features are torchvision's."""
    model = randomise(TORCHVISION[name]())
    torch.save(model.state_dict(), tmp_path / "given.pth")
    convert_file(source=str(tmp_path / "given.pth"), destination=tmp_path / "ours")
    levels = [3] if task == "classification" else [0, 1, 2, 3]
    if name == "resnet18":
        config = {"type": "ResNet", "depth": 18, "out_indices": levels}
    else:
        arch = {"depths": [1, 1, 2, 1], "channels": [16, 32, 64, 128]}
        config = {"type": "ConvNeXt", "arch": arch, "out_indices": levels}
        config["gap_before_final_norm"] = False
    backbone = MODELS.build(config)
    report = load_pretrained(backbone, tmp_path / "ours" / "backbone.pth")
    new = [f"norm{i}.{part}" for i in range(3) for part in ("weight", "bias")]
    assert list(report.missing) == (new if (name, task) == ("convnext", "dense") else [])
    assert report.unexpected == ()
    backbone.eval()
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        if name == "resnet18":
            whole = torchvision.models.feature_extraction.create_feature_extractor(
                model, ["layer4"]
            )
            wanted = whole(images)["layer4"]
        else:
            wanted = model.classifier[0](model.features(images))
        assert relative_error(backbone(images)[-1], wanted) < RELATIVE


def test_old_files_of_torchvision_count_no_batches():
    state = randomise(TORCHVISION["resnet18"]()).state_dict()
    old = {key: value for key, value in state.items() if not key.endswith("batches_tracked")}
    converted = convert(old, "simmim_bench")
    assert len(converted.report.missing) == len(state) - len(old) == 20
    assert converted.state["layer4.1.bn2.num_batches_tracked"] == 0
    assert torch.equal(converted.state["bn1.running_var"], state["bn1.running_var"])


RENAMED = {
    "resnet18": ("layer2.0.downsample.1.running_var", "layer2.0.shortcut.1.running_var"),
    "convnext": ("features.5.1.block.3.bias", "features.5.1.block.9.bias"),
}


@pytest.mark.parametrize("name", RENAMED)
def test_one_renamed_key_is_named(name):
    old, new = RENAMED[name]
    state = TORCHVISION[name]().state_dict()
    state[new] = state.pop(old)
    with pytest.raises(BenchError, match=rf"1 of \d+ keys missing \(.*\), 1 unexpected \({new}\)"):
        convert(state, "simmim_bench")


def test_a_variant_that_has_the_same_keys():
    model = torchvision.models.resnext50_32x4d()
    with pytest.raises(
        BenchError, match=r"weight has shape \(.*\), but the other shapes .* require"
    ):
        convert(model.state_dict(), "simmim_bench")


def test_blocks_that_no_depth_has():
    model = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    with pytest.raises(BenchError, match=r"\(1, 1, 1, 1\) basic .* depths: 18, 34, 50"):
        convert(model.state_dict(), "simmim_bench")


@pytest.mark.parametrize("options", [{"image_size": 256}, {"window": 7}])
def test_sizes_of_a_backbone_that_has_none(options):
    state = TORCHVISION["resnet18"]().state_dict()
    with pytest.raises(BenchError, match="to a resnet backbone, which takes images of any size"):
        convert(state, "simmim_bench", **options)
