"""From transformers to ours and back: no bit changes, and what cannot be said is refused."""

import importlib.util

import pytest
import torch
from safetensors.torch import load_file

from simmim_bench.weights.convert.write import convert_file
from tests.weights.convert.transformers_models import CASES, build, saved

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="needs transformers"
)
TO_OURS = {  # what ours has no place for
    "swin-classifier": ("classifier",),
    "swinv2-scaled": ("classifier",),
    "vit": ("pooler.dense",),
    "vit-classifier": ("classifier",),
    "vit-without-bias": ("classifier",),
    "beit": ("pooler.layernorm",),
    "beit-classifier": ("classifier", "beit.pooler.layernorm"),
    "beit-tokens": ("lm_head", "beit.embeddings.mask_token"),
    "convnext-classifier": ("classifier",),
    "convnextv2": ("classifier",),
    "resnet-basic": ("classifier",),
}
NAMES = ("swin.", "swinv2.", "vit.", "beit.", "convnext.", "convnextv2.", "resnet.")


def bare(key):
    return next((key.removeprefix(name) for name in NAMES if key.startswith(name)), key)


@pytest.mark.parametrize("case", [case for case in CASES if "backbone" not in case])
def test_there_and_back_changes_no_bit(case, tmp_path, record_property):
    import transformers

    model = build(case)
    given, _ = saved(model, tmp_path / "given")
    simmim = "simmim" in case
    path = tmp_path / "ours"
    to = "simmim_bench-pretraining" if simmim else "simmim_bench"
    convert_file(source=str(tmp_path / "given"), destination=path, to=to)
    back = tmp_path / "back"
    middle = path if simmim else path / "backbone.pth"
    convert_file(source=str(middle), destination=back, to="transformers")
    found = load_file(back / "model.safetensors")
    dropped = TO_OURS.get(case, ())
    expected = {
        key if simmim else bare(key): value
        for key, value in given.items()
        if not key.startswith(dropped or "-")
    }
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    family, end, _ = CASES[case]
    again = getattr(transformers, family + (end if simmim else "Model"))
    options = (
        {}
        if simmim or family in ("ConvNext", "ConvNextV2", "ResNet")
        else {"add_pooling_layer": family == "Beit"}
    )
    loaded = again.from_pretrained(back, **options).eval()
    size = loaded.config.image_size if hasattr(loaded.config, "image_size") else 64
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        inner = getattr(model, model.base_model_prefix, model)
        before = inner(pixel_values=images).last_hidden_state
        inner = getattr(loaded, loaded.base_model_prefix, loaded)
        after = inner(pixel_values=images).last_hidden_state
    difference = float((after - before).abs().max())
    record_property("largest difference", difference)
    assert difference == 0 or case == "beit-tokens"


@pytest.mark.parametrize("version", [1, 2])
def test_convolutions_of_timm_become_linear_layers_and_come_back(version, tmp_path):
    import timm.models.convnext

    torch.manual_seed(0)
    options = {"use_grn": True, "ls_init_value": None} if version == 2 else {}
    model = timm.models.convnext.ConvNeXt(
        depths=[1, 1, 2, 1], dims=[8, 12, 16, 24], conv_mlp=True, num_classes=3, **options
    ).eval()
    given = model.state_dict()
    for value in given.values():
        value.add_(0.1 * torch.randn_like(value))  # GRN starts at zero
    torch.save(given, tmp_path / "given.pth")
    convert_file(
        source=str(tmp_path / "given.pth"), destination=tmp_path / "there", to="transformers"
    )
    convert_file(source=str(tmp_path / "there"), destination=tmp_path / "back.pth", to="timm")
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    back = back.get("state_dict", back)
    assert back.keys() == given.keys()
    for key, value in given.items():
        assert torch.equal(back[key].reshape(value.shape), value)
        assert back[key].ndim == (2 if ".mlp.fc" in key and "weight" in key else value.ndim)
