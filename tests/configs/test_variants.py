"""Variants of the demo: each says what it is, differs where it says so, and trains a step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, TRANSFORMS, DefaultScope
from mmpretrain.datasets.transforms import PackInputs

from simmim_bench.records.manifest import Pretraining
from simmim_bench.registry import MODELS
from tests.configs.reader import read_config, wrapper_of
from tests.configs.test_similarity_configs import METHODS

ROOT = Path(__file__).parents[2] / "configs"
MODEL, MASK, DATA = "model", "mask", "data"
VARIANTS = {
    # masking
    "pixel_swin": {MODEL, MASK},
    "stripes_swin": {MASK},
    "blockwise_swin": {MASK},
    "hierarchical_swin": {MASK},
    "free-form_swin": {MASK},
    "free-form-pixel_swin": {MODEL, MASK},
    "adaptive-edge_swin": {MASK},
    "adaptive-error_swin": {MODEL, MASK},
    "adaptive-attention_plain-vit": {MODEL, MASK},
    "semantic_swin": {MASK, DATA},
    "fill-mean_resnet": {MODEL},
    "fill-noise_resnet": {MODEL},
    # encoders
    "simmim_plain-vit": {MODEL, MASK},
    "simmim_vit": {MODEL, MASK},
    "simmim_resnet": {MODEL},
    "simmim_cnn": {MODEL},
    "sparse_resnet": {MODEL, MASK},
    "sparse_cnn": {MODEL, MASK},
    # decoders
    "transposed_swin": {MODEL},
    "unet_swin": {MODEL},
    "transformer_swin": {MODEL},
    # losses
    "psnr_swin": {MODEL},
}
PSNR = {"type": "simmim_bench.MaskedPSNRLoss", "data_range": 4.42, "floor": 1e-4}
LOSSES = {"psnr_swin": PSNR}
"""What differs from the demo's pretraining."""


def load(name):
    return read_config(ROOT / name)


@pytest.fixture(params=VARIANTS)
def name(request):
    return request.param


@pytest.fixture
def cfg(name):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        yield load(f"variants/{name}-demo.py")


def mask_step(cfg):
    return next(s for s in cfg.train_dataloader.dataset.pipeline if s.type.endswith("GenerateMask"))


def test_it_changes_what_is_listed(name, cfg):
    own, demo = cfg.to_dict(), load("demo/simmim_swin-demo.py").to_dict()
    changed = {key for key in own if key not in demo or own[key] != demo[key]}
    changed -= {"pretraining", "vit_demo", "plain_vit_demo", "resnet_demo", "cnn_demo"}
    allowed = {MODEL: {"model"}, MASK: {"train_dataloader"}}
    allowed[DATA] = {"train_dataloader", "param_scheduler", "train_cfg"}
    assert changed == set().union(*(allowed[part] for part in VARIANTS[name]))
    loaders = [config["train_dataloader"] for config in (own, demo)]
    steps = [loader["dataset"].pop("pipeline") for loader in loaders]
    if DATA not in VARIANTS[name]:
        assert loaders[0] == loaders[1]
        kept = ("GenerateMask", "PackInputs")
        others = [[s for s in found if not s["type"].endswith(kept)] for found in steps]
        assert others[0] == others[1]
    assert own["model"]["loss"] == LOSSES.get(name, {"type": "simmim_bench.MaskedL1Loss"})
    assert mask_step(cfg).mask_ratio == cfg.model.get("mask_ratio", 0.6) == 0.6


def test_it_says_what_it_is(name, cfg):
    stated = Pretraining(**cfg.pretraining)
    what, backbone = name.split("_")
    assert stated.backbone == f"{backbone}-demo"
    assert stated.method == ("simmim" if what == "simmim" else f"simmim-{what}")
    assert stated.epochs == cfg.train_cfg.max_epochs == cfg.param_scheduler[-1].end
    scenes, images = 2000, 12000  # of simmim_bench.data.demo.DemoSpec
    steps = stated.epochs * (scenes if DATA in VARIANTS[name] else images) // 64
    assert abs(steps / 937 - 1) < 0.02  # the demo's budget


def test_the_dataset_can_be_built(cfg):
    with DATASETS.switch_scope_and_registry(None) as registry:
        assert registry.get(cfg.train_dataloader.dataset.type) is not None
    for step in cfg.train_dataloader.dataset.pipeline:
        assert callable(TRANSFORMS.build(step))


def test_it_trains(cfg):
    """Masks by the config's own steps, of images and maps that are drawn here."""
    torch.manual_seed(0)
    model, masks = MODELS.build(cfg.model), TRANSFORMS.build(mask_step(cfg))
    model.init_weights()
    keys = next(s for s in cfg.train_dataloader.dataset.pipeline if s.type == "PackInputs")
    assert mask_step(cfg).token_size == model.mask_size
    wrapper = wrapper_of(cfg, model)
    generator = np.random.default_rng(0)
    classes = np.repeat(np.repeat(generator.integers(0, 3, (4, 4)), 16, 0), 16, 1)
    packed = []
    for index in range(4):
        image = generator.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        sample = masks({"sample_idx": index, "img": image, "gt_seg_map": classes})
        packed.append(PackInputs(algorithm_keys=keys["algorithm_keys"])(sample))
    batch = {
        "inputs": torch.stack([sample["inputs"] for sample in packed]),
        "data_samples": [sample["data_samples"] for sample in packed],
    }
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for _ in range(2):  # a ResNet's blocks start as their shortcut
        logged = model.train_step(batch, wrapper)
    assert logged["loss"].isfinite()
    moved = {key for key, value in model.state_dict().items() if not value.equal(before[key])}
    learned = {key for key, value in model.named_parameters() if value.requires_grad}
    assert learned <= moved


def test_blocks_leave_room_for_several():
    """BEiT's smallest block, 16 of its 14 x 14 patches, in the same share of the image."""
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        masks = TRANSFORMS.build(mask_step(load("variants/blockwise_swin-demo.py")))
    patches = (64 // masks.strategy.mask_patch_size) ** 2
    assert masks.strategy.min_block == round(16 / 14**2 * patches)
    image = np.zeros((64, 64, 3))
    drawn = [masks({"sample_idx": index, "img": image})["mask"] for index in range(8)]
    assert {int(mask.sum()) for mask in drawn} == {39 * 2**2}  # tokens of 4 px in patches of 8


def test_every_variant_is_tested():
    """Here, in ``test_similarity_configs.py`` or in ``test_sparse.py``."""
    files = {path.stem for path in (ROOT / "variants").glob("*.py")}
    here = {f"{name}-demo" for name in VARIANTS} | {Path(name).stem for name in METHODS}
    assert here <= files
    assert {name for name in files - here if not name.startswith("sparse_")} == set()
