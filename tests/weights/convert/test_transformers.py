"""Models of the transformers package become ours and go back, unchanged."""

import importlib.util

import pytest
import torch

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
