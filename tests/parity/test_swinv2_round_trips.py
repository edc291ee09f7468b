"""Swin V2: weights that go to another library and come back, and their outputs."""

import pytest
import torch
from mmpretrain.registry import MODELS

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.source import Source
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.pretrained import load_pretrained

RELATIVE = 1e-5
BUFFERS = ("relative_coords_table", "relative_position_index")
SIZES = {"window": 4, "image_size": 64}  # maps of 16, 8, 4, 2: windows 4, 4, 4, 2
WINDOWS = [4, 4, 4, 2]
ARCH = {
    "embed_dims": 32,
    "depths": [2, 2, 2, 2],
    "num_heads": [1, 2, 4, 8],
    "extra_norm_every_n_blocks": 0,
}
OURS = {
    "type": "SwinTransformerV2",
    "arch": ARCH,
    "img_size": 64,
    "window_size": WINDOWS,
    "drop_path_rate": 0.0,
}


def convert(content, to, **options):
    return convert_checkpoint(Source(content, "given.pth", "0" * 64, False), to=to, **options)


def assert_equal(found, wanted):
    assert set(found) == set(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def relative_error(found, wanted):
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


def randomise(model):
    """Every parameter: libraries start the norms of Swin V2 at 0, which hides its blocks."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    model.eval()
    return model


@pytest.fixture
def theirs():
    timm = pytest.importorskip("timm")
    model = timm.models.swin_transformer_v2.SwinTransformerV2(
        img_size=64,
        window_size=4,
        embed_dim=32,
        depths=(2, 2, 2, 2),
        num_heads=(1, 2, 4, 8),
        num_classes=5,
    )
    return randomise(model)


def as_original(state):
    """Ours under the names of microsoft/Swin-Transformer, written out by hand."""
    renamed = {}
    for key, value in state.items():
        new = key.replace("w_msa.", "").replace("ffn.layers.0.0", "mlp.fc1")
        new = new.replace("ffn.layers.1", "mlp.fc2").replace("projection", "proj")
        new = new.replace("norm3.", "norm.").replace("stages.", "layers.")
        if ".downsample." in key:
            _, stage, rest = new.split(".", 2)
            new = f"layers.{int(stage) - 1}.{rest}"
        if key.endswith("reduction.weight"):  # neighbours down the columns, then channels
            patches = value.unflatten(1, (-1, 2, 2))  # (out, C, row, column)
            value = patches.permute(0, 3, 2, 1).flatten(1)  # noqa: PLW2901
        renamed[new] = value
    return renamed


def test_timm_and_back(theirs):
    state = theirs.state_dict()
    away = convert(state, "mmpretrain", **SIZES)
    assert_equal(convert({"state_dict": away.state}, "timm").state, state)
    assert (away.report.layout, away.report.adapter) == ("timm", "swinv2")
    assert 0 <= away.report.verification.difference < RELATIVE


def test_logits_of_timm_and_mmpretrain(theirs):
    model = MODELS.build(
        {
            "type": "ImageClassifier",
            "backbone": OURS,
            "neck": {"type": "GlobalAveragePooling"},
            "head": {"type": "LinearClsHead", "num_classes": 5, "in_channels": 256},
        }
    )
    state = convert(theirs.state_dict(), "mmpretrain", **SIZES).state
    assert set(state) == set(model.state_dict())
    model.load_state_dict(state, strict=False)  # mmpretrain drops the buffers of the file
    model.eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert relative_error(model(images, mode="tensor"), theirs(images)) < RELATIVE


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_the_original(prefix):
    """Classifier and pretraining; windows are told from the coordinates in the file."""
    state = randomise(MODELS.build(OURS)).state_dict()
    given = {f"{prefix}{key}": value for key, value in as_original(state).items()}
    given["encoder.mask_token" if prefix else "head.weight"] = torch.zeros(1, 1, 32)
    given[f"{prefix}layers.0.blocks.1.attn_mask"] = torch.zeros(16, 16, 16)
    converted = convert({"model": given}, "simmim_bench")
    assert_equal(converted.state, state)
    assert converted.report.architecture["window_size"] == WINDOWS
    away = convert({"model": given}, "mmpretrain").state
    back = convert({"state_dict": away}, "simmim").state
    assert_equal(back, {k: v for k, v in given.items() if not k.endswith("attn_mask")})


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_the_original_as_released_with_another_name_of_the_bias_network(prefix):
    """https://github.com/microsoft/Swin-Transformer/blob/main/utils_simmim.py renames rpe_mlp."""
    state = randomise(MODELS.build(OURS)).state_dict()
    given = {f"{prefix}{key}": value for key, value in as_original(state).items()}
    given["encoder.mask_token" if prefix else "head.weight"] = torch.zeros(1, 1, 32)
    released = {key.replace("cpb_mlp", "rpe_mlp"): value for key, value in given.items()}
    assert released.keys() != given.keys()
    converted = convert({"model": released}, "simmim_bench")
    assert_equal(converted.state, state)
    away = convert({"model": released}, "mmpretrain").state
    back = convert({"state_dict": away}, "simmim").state
    assert_equal(back, given)


def test_a_file_with_both_names_of_a_bias_network_is_refused():
    state = as_original(MODELS.build(OURS).state_dict())
    key = "layers.1.blocks.0.attn.cpb_mlp.0.bias"
    state[key.replace("cpb", "rpe")] = state[key] + 1
    with pytest.raises(BenchError, match=r"1 unexpected .*rpe_mlp\.0\.bias"):
        convert({"model": state}, "simmim_bench")


def test_the_original_to_timm():
    """Its merging ends a stage, timm's begins the next; outputs of both libraries agree."""
    pytest.importorskip("timm")
    ours = randomise(MODELS.build(OURS))
    away = convert({"model": as_original(ours.state_dict())}, "timm")
    assert 0 <= away.report.verification.difference < RELATIVE
    assert not any(key.endswith(BUFFERS) for key in away.state)
    back = convert(away.state, "simmim_bench", **SIZES).state
    assert_equal(back, ours.state_dict())


def test_timm_in_our_tasks(theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "given.pth")
    convert_file(source=str(tmp_path / "given.pth"), destination=tmp_path / "ours", **SIZES)
    weights = tmp_path / "ours" / "backbone.pth"
    backbone = MODELS.build(OURS)
    report = load_pretrained(backbone, weights)
    assert (report.missing, report.unexpected, report.resized) == ((), (), ())
    backbone.eval()
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = theirs.forward_features(images).permute(0, 3, 1, 2)
        assert relative_error(backbone(images)[-1], wanted) < RELATIVE
    larger = {**OURS, "img_size": 128, "window_size": [8, 8, 8, 4]}
    with pytest.raises(BenchError, match=r"set pretrained_window_sizes=\[4, 4, 4, 2\]"):
        load_pretrained(MODELS.build(larger), weights)
    load_pretrained(MODELS.build({**larger, "pretrained_window_sizes": WINDOWS}), weights)


@pytest.mark.parametrize("given", [{}, {"window": 4}, {"image_size": 64}])
def test_windows_are_never_guessed(theirs, given):
    with pytest.raises(BenchError, match="give --window and --image-size of its training"):
        convert(theirs.state_dict(), "simmim_bench", **given)


def test_windows_in_the_file_are_not_changed():
    state = MODELS.build(OURS).state_dict()
    with pytest.raises(BenchError, match=r"was trained with windows \[4, 4, 4, 2\]"):
        convert(state, "simmim_bench", window=8, image_size=128)


def test_coordinates_that_another_window_scales():
    state = MODELS.build({**OURS, "pretrained_window_sizes": [3, 3, 3, 2]}).state_dict()
    with pytest.raises(BenchError, match="differs from the original's relative positions"):
        convert(state, "simmim_bench")


def test_one_renamed_key_is_named():
    state = as_original(MODELS.build(OURS).state_dict())
    old, new = "layers.1.blocks.0.attn.cpb_mlp.0.bias", "layers.1.blocks.0.attn.cpb_mpl.0.bias"
    state[new] = state.pop(old)
    said = rf"1 of \d+ keys missing \({old}\), 1 unexpected \({new}\); perhaps {old} was renamed to"
    with pytest.raises(BenchError, match=said):
        convert({"model": state}, "simmim_bench")
