"""Models of timm with its weights: ours compute what timm does, or they stay timm's."""

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.origin import local_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.weights.hub import COMMIT, card_of, said


def put(hub, name, state, **config):
    """A file of timm's organisation."""
    repository = timm.models.get_pretrained_cfg(name).hf_hub_id
    hub.files[repository] = {
        "model.safetensors": save({key: v.contiguous() for key, v in state.items()}),
        "config.json": json.dumps(config or {"architecture": name.split(".")[0]}).encode(),
    }


@pytest.mark.parametrize(
    ("name", "adapter"),
    [
        ("resnet18.a1_in1k", "resnet"),
        ("convnext_atto.d2_in1k", "convnext"),
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", "plain_vit"),
        ("regnetx_002.pycls_in1k", "timm"),
        ("vit_xsmall_patch16_clip_224.tinyclip_yfcc15m", "timm"),
    ],
)
def test_a_model_of_timm_computes_what_timm_does(name, adapter, hub):
    torch.manual_seed(3)
    model = timm.create_model(name).eval()
    put(hub, name, model.state_dict())
    path = local_backbone(f"timm:{name}")
    card = card_of(path)
    assert (card["adapter"], card["method"]) == (adapter, f"timm {name}")
    assert card["source"]["revision"] == COMMIT
    backbone = MODELS.build(card["backbone_config"])
    load_pretrained(backbone, path)
    backbone.eval()
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        found = backbone(images)[-1]
        expected = model.forward_intermediates(
            images, intermediates_only=True, norm=adapter != "timm"
        )[-1]
        if adapter == "convnext":
            expected = model.head.norm(expected)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert card["levels"]["strides"][-1] in (16, 32)


def test_the_windows_of_swin_v2_come_from_timm(hub):
    name = "swinv2_tiny_window8_256.ms_in1k"
    torch.manual_seed(3)
    put(hub, name, timm.create_model(name).state_dict())
    card = card_of(local_backbone(f"timm:{name}"))
    assert card["adapter"] == "swinv2"
    assert card["backbone_config"]["window_size"] == [8, 8, 8, 8]
    assert card["backbone_config"]["img_size"] == 256


def test_a_model_that_stays_a_model_of_timm(hub):
    put(hub, "resnet10t.c3_in1k", timm.create_model("resnet10t").state_dict())
    card = card_of(local_backbone("timm:resnet10t.c3_in1k", own_class=True))
    assert card["adapter"] == "timm"
    assert card["backbone_config"]["model_name"] == "resnet10t"
    with pytest.raises(BenchError, match="has no class in mmpretrain, so it can only become"):
        convert_file(source="timm:resnet10t.c3_in1k", destination=Path("x"), to="timm")


def test_a_repository_that_timm_wrote(hub):
    torch.manual_seed(4)
    model = timm.create_model("convnext_atto", num_classes=7)
    config = {"architecture": "convnext_atto", "num_classes": 7, "pretrained_cfg": {}}
    put(hub, "convnext_atto.d2_in1k", model.state_dict(), **config)
    repository = "timm/convnext_atto.d2_in1k"
    card = card_of(local_backbone(f"timm:hf-hub:{repository}"))
    assert card["source"]["origin"] == f"timm:hf-hub:{repository}"
    assert card["method"] == "timm timm convnext_atto.d2_in1k"
    assert card_of(local_backbone(f"hf:{repository}"))["adapter"] == "convnext"
    hub.files["me/net"] = {"model.safetensors": save(model.state_dict()), "config.json": b"{}"}
    assert "its config.json names no architecture; give hf:me/net" in said("timm:hf-hub:me/net")


@pytest.mark.parametrize(
    "options",
    [
        {"checkpoint_path": "/etc/passwd"},
        {"features_only": True},
        {"pretrained_cfg_overlay": {"file": "/etc/passwd"}},
        {"norm_layer": "os.system"},
    ],
)
def test_a_repository_sets_plain_options_alone(options, hub):
    state = timm.create_model("convnext_atto").state_dict()
    put(hub, "convnext_atto.d2_in1k", state, architecture="convnext_atto", model_args=options)
    assert "which is refused: only plain options" in said("timm:hf-hub:timm/convnext_atto.d2_in1k")


def test_weights_that_are_not_of_the_model(hub):
    state = timm.create_model("resnet10t").state_dict()
    put(hub, "resnet18.a1_in1k", state)
    assert "are not those of timm's resnet18" in said("timm:resnet18.a1_in1k")
    state = timm.create_model("resnet18").state_dict()
    state.pop("layer1.0.conv1.weight")
    put(hub, "resnet18.a1_in1k", state)
    assert "are not those of timm's resnet18" in said("timm:resnet18.a1_in1k")
