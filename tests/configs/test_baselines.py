"""Other methods' pretrainings: what they export is what our fine-tunings load."""

import copy
import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample

from simmim_bench.checkpoint.export import export_backbone, read_card
from simmim_bench.engine.data_check import check_data
from simmim_bench.errors import BenchError
from simmim_bench.finetune.pretrained import load_pretrained
from simmim_bench.registry import MODELS

ROOT = Path(__file__).parents[2] / "configs"
NARROW = {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48}
BASELINES = sorted(path.name for path in (ROOT / "baselines").glob("*.py"))


def narrow(name):
    config = Config.fromfile(ROOT / name)
    backbone = copy.deepcopy(config.model.backbone)
    backbone.arch = NARROW
    return {"_scope_": "mmpretrain", **backbone}


@pytest.mark.parametrize("name", BASELINES)
def test_its_export_is_what_fine_tuning_loads(name, save_pretraining, tmp_path):
    torch.manual_seed(0)
    backbone_name = "vit-b" if "_vit-b_" in name and name.startswith("beit") else "plain-vit-b"
    pretrained = MODELS.build(narrow(f"baselines/{name}"))
    state = {f"backbone.{key}": value for key, value in pretrained.state_dict().items()}
    checkpoint = save_pretraining(narrow(f"baselines/{name}"), state=state)
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    assert read_card(weights)["adapter"] == backbone_name.removesuffix("-b").replace("-", "_")
    backbone = MODELS.build(narrow(f"imagenet/{backbone_name}_8xb128_ft-100e.py"))
    report = load_pretrained(backbone, weights)
    assert report.resized == ()
    assert set(report.missing) == {"ln2.weight", "ln2.bias"}
    assert set(report.unexpected) == {"ln1.weight", "ln1.bias"}
    assert torch.equal(backbone.layers[2].attn.qkv.weight, pretrained.layers[2].attn.qkv.weight)
    if backbone_name == "plain-vit-b":
        assert torch.equal(backbone.pos_embed, pretrained.pos_embed)
    else:  # one shared table becomes one for each block
        shared = pretrained.rel_pos_bias.relative_position_bias_table
        assert torch.equal(backbone.layers[1].attn.relative_position_bias_table, shared)


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


def test_beit_takes_a_step_with_any_tokenizer():
    """A stand-in for DALL-E's encoder, which is a download: words by position."""
    config = Config.fromfile(ROOT / "baselines" / "beit_vit-b_8xb256_300e.py")
    model = copy.deepcopy(config.model)
    model.backbone.arch = NARROW
    model.head.embed_dims = NARROW["embed_dims"]
    model.target_generator.init_cfg = None
    model.target_generator.n_hid = 8
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        beit = MODELS.build(model)
    mask = torch.zeros(1, 14, 14, dtype=torch.bool)
    mask[:, :5] = True
    sample = DataSample()
    sample.set_field(mask[0], "mask")
    images = torch.rand(1, 3, 224, 224), torch.rand(1, 3, 112, 112)
    loss = beit(list(images), [sample], mode="loss")["loss"]
    assert loss.item() == pytest.approx(math.log(8192), rel=0.1)
    loss.backward()
    assert beit.backbone.rel_pos_bias.relative_position_bias_table.grad.abs().sum() > 0


def test_a_tokenizer_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    (tmp_path / "imagenet" / "train").mkdir(parents=True)
    config = Config.fromfile(ROOT / "baselines" / "beit_vit-b_8xb256_300e.py")
    with pytest.raises(BenchError) as caught:
        check_data(config)
    said = str(caught.value)
    assert said.startswith("model.target_generator.init_cfg.checkpoint: no weights at")
    assert "beit/dalle_encoder.pth" in said
