"""Models of the transformers package become ours and go back, unchanged."""

import importlib.util

import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.libraries import loaded_backbone
from simmim_bench.weights.convert.source import Source
from tests.weights.convert.transformers_models import CASES, build, saved

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="needs transformers"
)


def source(content, config=None):
    return Source(dict(content), "model.safetensors", "0" * 64, False, config or {})


def theirs(model, images):
    """Last features of the package's own model: a map, or tokens."""
    inner = getattr(model, model.base_model_prefix, model)
    with torch.no_grad():
        return inner(pixel_values=images).last_hidden_state


def ours(result, images):
    backbone = loaded_backbone(result.architecture, result.state)
    backbone.eval()  # Swin's returns None
    if result.report.adapter in ("vit", "plain_vit"):
        backbone.out_type = "raw"
    with torch.no_grad():
        return backbone(images)[-1]


@pytest.mark.parametrize("case", [case for case in CASES if "backbone" not in case])
def test_features_are_those_of_the_package(case, tmp_path, record_property):
    model = build(case)
    state, config = saved(model, tmp_path)
    result = convert_checkpoint(source(state, config))
    images = torch.randn(2, 3, *(result.architecture.image_size,) * 2)
    expected, found = theirs(model, images), ours(result, images)
    if "convnext" in case:
        inner = getattr(model, model.base_model_prefix, model)
        expected = inner.layernorm(expected.movedim(1, -1)).movedim(-1, 1)
    if "tokens" in case:
        expected = model.layernorm(expected)
    if found.ndim == 4 and expected.ndim == 3:
        found = found.flatten(2).transpose(1, 2)
    difference = float((found - expected).abs().max() / expected.abs().max())
    record_property("largest relative difference", difference)
    assert difference < 1e-5
    assert result.report.verification.ran
    assert not result.report.missing or "swin" in case or "beit" in case  # index buffers


@pytest.mark.parametrize("case", [case for case in CASES if "backbone" in case])
def test_norms_of_the_backbone_classes(case, tmp_path, record_property):
    model = build(case)
    state, config = saved(model, tmp_path)
    result = convert_checkpoint(source(state, config))
    assert result.report.layout == "transformers backbone"
    images = torch.randn(2, 3, 128, 128)  # SwinBackbone shifts windows even if one covers the map
    with torch.no_grad():
        expected = model(pixel_values=images).feature_maps
    backbone = loaded_backbone(result.architecture, result.state)
    backbone.eval()
    found = backbone(images)
    assert len(result.report.dropped) == 2 * (len(expected) - 1) + 2 * ("swin" in case)
    difference = float((found[-1] - expected[-1]).abs().max() / expected[-1].abs().max())
    record_property("largest relative difference", difference)
    assert difference < 1e-5


@pytest.mark.parametrize("case", ["swin-simmim", "swinv2-simmim", "vit-simmim"])
def test_reconstructions_of_masked_images(case, tmp_path, record_property):
    """Mask token and decoder come over: our SimMIM predicts the same pixels."""
    model = build(case)
    state, config = saved(model, tmp_path)
    result = convert_checkpoint(source(state, config), to="simmim_bench-pretraining")
    parts = {"decoder": {"type": "simmim_bench.LinearDecoder"}}
    parts["loss"] = {"type": "simmim_bench.MaskedL1Loss"}
    backbone = result.architecture.config
    simmim = MODELS.build({"type": "simmim_bench.SimMIM", "backbone": backbone, **parts})
    left = simmim.load_state_dict(result.state, strict=False)
    assert not left.unexpected_keys
    assert all("relative_" in key for key in left.missing_keys)
    simmim.eval()
    size, patch = config["image_size"], config["patch_size"]
    images = torch.randn(2, 3, size, size)
    mask = torch.rand(2, size // patch, size // patch) < 0.5
    with torch.no_grad():
        expected = model(pixel_values=images, bool_masked_pos=mask.flatten(1)).reconstruction
        found = simmim.decode(simmim.encode_levels(images, mask))
    difference = float((found - expected).abs().max() / expected.abs().max())
    record_property("largest relative difference", difference)
    assert difference < 1e-5


def refused(state, config, match):
    with pytest.raises(BenchError, match=match):
        convert_checkpoint(source(state, config))


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return saved(build("vit-classifier"), tmp_path_factory.mktemp("vit"))


@pytest.fixture(scope="module")
def swin(tmp_path_factory):
    return saved(build("swin"), tmp_path_factory.mktemp("swin"))


def test_keys_that_are_wrong_missing_or_extra(vit):
    state, config = vit
    key = "vit.encoder.layer.1.attention.attention.key.weight"
    without = {name: value for name, value in state.items() if name != key}
    refused(without, config, r"not complete: .*unexpected \(.*attention\.query\.weight")
    refused({**state, "vit.adapter.weight": state[key]}, config, r"1 unexpected \(vit\.adapter")
    refused({**state, key: state[key][:3]}, config, "not complete")
    half = "vit.encoder.layer.1.layernorm_after.bias"
    refused({**state, half: state[half][:3]}, config, r"layernorm_after\.bias has shape \(3,\)")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"model_type": "deit"}, r"model_type 'deit', but the weights are those of a plain_vit"),
        ({"hidden_act": "gelu_new"}, r"hidden_act 'gelu_new', but .* has 'gelu'"),
        ({"qkv_bias": False}, "qkv_bias False, but .* has True"),
        ({"image_size": 64}, "image_size 64, but .* has 48"),
        ({"image_size": [48, 32]}, r"image_size \[48, 32\], expected an integer"),
        ({"num_attention_heads": "4"}, "num_attention_heads '4', expected an integer"),
        ({"num_attention_heads": 5}, "heads 5, expected a divisor"),
        ({"num_attention_heads": 0}, "heads 0, expected a divisor"),
        ({"layer_norm_eps": True}, "layer_norm_eps True, expected a number"),
        ({"num_channels": 2**70}, "num_channels .*, expected an integer"),
    ],
)
def test_a_config_of_other_weights(vit, change, match):
    refused(vit[0], {**vit[1], **change}, match)


def test_numerics_that_our_swin_does_not_have(swin):
    state, config = swin
    refused(state, {**config, "layer_norm_eps": 1e-6}, "layer_norm_eps 1e-06, but .* has 1e-05")
    refused(state, {**config, "window_size": 4}, "window_size 4, but .* has 2")
    refused(state, {**config, "pretrained_window_sizes": 3, "model_type": "swinv2"}, "model_type")


def test_heads_and_eps_come_from_the_config(vit):
    state, config = vit
    result = convert_checkpoint(source(state, {**config, "layer_norm_eps": 1e-12}))
    assert result.report.architecture["arch"]["num_heads"] == 4
    assert result.report.architecture["norm_cfg"] == {"type": "LN", "eps": 1e-12}
    assert result.report.notes == ()


def test_without_a_config_what_is_assumed_is_said(vit, swin):
    result = convert_checkpoint(source(vit[0]))
    assert result.report.notes[0] == "heads are not in the weights: 1 of 48 channels assumed"
    assert "1e-12" in result.report.notes[1]
    assert result.report.architecture["norm_cfg"]["eps"] == 1e-12
    assert "image size is not in the weights" in convert_checkpoint(source(swin[0])).report.notes[0]


def test_swin_v2_without_its_windows(tmp_path):
    state, _ = saved(build("swinv2"), tmp_path)
    refused(state, None, "give --window and --image-size of its training")


def test_windows_that_transformers_cannot_have(tmp_path):
    state, config = saved(build("swin"), tmp_path)
    with pytest.raises(BenchError, match="needs one window for all stages"):
        convert_checkpoint(source(state, config), to="transformers", window=4, image_size=64)
