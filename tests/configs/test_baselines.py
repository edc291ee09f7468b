"""Other methods' pretrainings: what they export is what the plain ViT's fine-tuning loads."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from simmim_bench.checkpoint.export import export_backbone, read_card
from simmim_bench.finetune.pretrained import load_pretrained
from simmim_bench.registry import MODELS

ROOT = Path(__file__).parents[2] / "configs"
FINE_TUNING = "imagenet/plain-vit-b_8xb128_ft-100e.py"
NARROW = {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48}
BASELINES = sorted(path.name for path in (ROOT / "baselines").glob("*.py"))


def narrow(name):
    config = Config.fromfile(ROOT / name)
    backbone = copy.deepcopy(config.model.backbone)
    backbone.arch = NARROW
    return {"_scope_": "mmpretrain", **backbone}


@pytest.mark.parametrize("name", BASELINES)
def test_its_export_is_a_plain_vit(name, save_pretraining, tmp_path):
    torch.manual_seed(0)
    pretrained = MODELS.build(narrow(f"baselines/{name}"))
    state = {f"backbone.{key}": value for key, value in pretrained.state_dict().items()}
    checkpoint = save_pretraining(narrow(f"baselines/{name}"), state=state)
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    assert read_card(weights)["adapter"] == "plain_vit"
    backbone = MODELS.build(narrow(FINE_TUNING))
    report = load_pretrained(backbone, weights)
    assert report.resized == ()
    assert set(report.missing) == {"ln2.weight", "ln2.bias"}
    assert set(report.unexpected) == {"ln1.weight", "ln1.bias"}
    assert torch.equal(backbone.pos_embed, pretrained.pos_embed)
    assert torch.equal(backbone.layers[2].attn.qkv.weight, pretrained.layers[2].attn.qkv.weight)


@pytest.mark.parametrize("name", BASELINES)
def test_it_uses_our_data(name):
    config = Config.fromfile(ROOT / "baselines" / name)
    simmim = Config.fromfile(ROOT / "simmim" / "vit-b_8xb128.py")
    own, other = (cfg.train_dataloader.dataset for cfg in (config, simmim))
    for key in ("type", "data_root", "data_prefix", "with_label"):
        assert own[key] == other[key]
    assert own.pipeline[0] == other.pipeline[0]
    assert config.pretraining.dataset == simmim.pretraining.dataset
    assert config.pretraining.method == name.split("_")[0]
