"""Configs that compare features or views: they say what they are, train a step, and export."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, default_collate
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmengine.registry import TRANSFORMS, DefaultScope

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Pretraining
from simmim_bench.registry import MODELS
from simmim_bench.training.batch import batch_norms, has_in_batch_negatives
from simmim_bench.weights.card import read_card
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
METHODS = {
    "cosine_swin-demo.py": "simmim-cosine",
    "perceptual_swin-demo.py": "simmim-perceptual",
    "infonce_swin-demo.py": "simmim-infonce",
    "multiview_swin-demo.py": "multiview-contrast",
    "multiview-simmim_swin-demo.py": "simmim-multiview",
    "multiview-simmim-momentum_swin-demo.py": "simmim-multiview-momentum",
    "simclr_swin-demo.py": "simclr",
    "byol_swin-demo.py": "byol",
    "mocov3_swin-demo.py": "mocov3",
    "mae_plain-vit-demo.py": "mae",
    "beit_vit-demo.py": "beit-colour",
}
BACKBONES = {"mae_plain-vit-demo.py": "plain-vit-demo", "beit_vit-demo.py": "vit-demo"}
SIMMIMS = {name for name, method in METHODS.items() if method.startswith("simmim")}
PERCEPTUAL = "perceptual_swin-demo.py"
BATCH_NORM = {"simclr_swin-demo.py", "byol_swin-demo.py", "mocov3_swin-demo.py"}
NEGATIVES = {
    *(name for name in METHODS if name.startswith(("multiview", "infonce"))),
    "simclr_swin-demo.py",
    "mocov3_swin-demo.py",
}
UNUSED = {"backbone.ln1.weight", "backbone.ln1.bias"}  # none of MAE's
SAME = {"train_cfg", "param_scheduler", "auto_scale_lr", "randomness", "default_hooks"}


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


@pytest.fixture
def cfg(name, tmp_path, save_pretraining, monkeypatch):
    """The config; its frozen network is there."""
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    found = read_config(ROOT / "variants" / name)
    if name == PERCEPTUAL:
        swin = {"_scope_": "mmpretrain", **found.model.backbone}
        export_backbone(save_pretraining(swin), tmp_path / "teachers" / "simmim_swin-demo")
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        yield found


def test_the_files_are_these():
    files = {path.name for path in (ROOT / "variants").glob("*.py")}
    assert files >= METHODS.keys()
    assert len(set(METHODS.values())) == len(METHODS)


def test_recipe_and_data_are_the_demos(name, cfg):
    demo = read_config(ROOT / "demo" / "simmim_swin-demo.py")
    assert {key for key in SAME if cfg[key] != demo[key]} == set()
    differing = {
        key for key in demo.optim_wrapper if cfg.optim_wrapper[key] != demo.optim_wrapper[key]
    }
    assert differing == ({"optimizer"} if name in BACKBONES else set())
    for own, other in ((cfg.train_dataloader, demo.train_dataloader),):
        pipeline, steps = own.dataset.pop("pipeline"), other.dataset.pop("pipeline")
        assert own == other
        assert pipeline[0] == steps[0]
    preprocessor = demo.model.data_preprocessor
    assert {key: cfg.model.data_preprocessor[key] for key in preprocessor if key != "type"} == {
        key: value for key, value in preprocessor.items() if key != "type"
    }
    if name in SIMMIMS:
        for key in ("backbone", "decoder", "loss", "init_cfg"):
            assert cfg.model[key] == demo.model[key]
    stated = Pretraining(**cfg.pretraining)
    assert stated.method == METHODS[name]
    assert stated.backbone == BACKBONES.get(name, "swin-demo")
    assert any(batch_norms(cfg.model, cfg.default_scope)) == (name in BATCH_NORM)
    assert has_in_batch_negatives(cfg) == (name in NEGATIVES)


def test_it_trains_a_step_and_its_backbone_loads(name, cfg, tmp_path):
    torch.manual_seed(0)
    hub = MessageHub.get_instance(f"hub of {name}")
    hub.update_info("max_iters", 10)
    hub.update_info("iter", 5)
    np.random.seed(0)
    images = np.random.default_rng(0).integers(256, size=(4, 70, 70, 3), dtype=np.uint8)
    steps = Compose([TRANSFORMS.build(step) for step in cfg.train_dataloader.dataset.pipeline[1:]])
    data = default_collate(
        [steps({"img": image, "sample_idx": number}) for number, image in enumerate(images)]
    )
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    logged = model.train_step(data, build_optim_wrapper(model, cfg.optim_wrapper))
    assert all(value.isfinite() for value in logged.values())
    moved = {key for key, value in model.state_dict().items() if not value.equal(before[key])}
    trained = {key for key, value in model.named_parameters() if value.requires_grad}
    assert trained - moved <= UNUSED
    assert not {key.split(".")[0] for key in moved} & {"features"}
    check_export(cfg, model, tmp_path)


def check_export(cfg, model, folder):
    """The backbone is a downstream backbone's, to the last key."""
    meta = {"cfg": cfg.pretty_text, "epoch": 1, "iter": 1, "seed": 0}
    run = {"kind": "full", "method": cfg.pretraining.method, "seed": 0}
    content = {"meta": meta, "simmim_bench": {"run": run}, "state_dict": model.state_dict()}
    torch.save(content, folder / "epoch_1.pth")
    weights = export_backbone(folder / "epoch_1.pth", folder / "exported").weights
    assert read_card(weights)["method"] == cfg.pretraining.method
    file = f"classification_{cfg.pretraining.backbone}.py"
    config = read_config(ROOT / "demo" / file).model.backbone
    if cfg.pretraining.backbone != "swin-demo":
        # what a pretraining ends in; an average has a norm of its own
        config.update(final_norm=True, out_type="featmap")
    report = load_pretrained(MODELS.build(config), weights)
    own = ("mask_token",) if cfg.model.type == "BEiT" else ()  # of mmpretrain's class
    assert (report.missing, report.unexpected, report.resized) == ((), own, ())


def test_without_its_frozen_network_the_perceptual_one_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    cfg = read_config(ROOT / "variants" / PERCEPTUAL)
    with (
        DefaultScope.overwrite_default_scope("mmpretrain"),
        pytest.raises(
            BenchError,
            match=r"teachers/simmim_swin-demo/backbone.pth does not exist; give the path",
        ),
    ):
        MODELS.build(cfg.model)
