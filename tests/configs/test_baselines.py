"""Other methods' pretrainings: what they export is what the downstream ViTs load."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, default_collate
from mmengine.registry import TRANSFORMS, DefaultScope
from mmpretrain.models.selfsup.cae import DALLEEncoder

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.matrix import group_cells
from simmim_bench.weights.card import read_card
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.configs.reader import read_config, wrapper_of

ROOT = Path(__file__).parents[2] / "configs"
NARROW = {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48}
NAMES = sorted(path.name for path in (ROOT / "baselines").glob("*.py"))
BEIT = "beit_vit-b_8xb256_300e.py"
TOKENS = {"n_hid": 8, "n_blk_per_group": 1, "vocab_size": 16}
"""A stand-in for DALL-E's encoder, of the same stride."""


def downstream(backbone):
    """Every downstream config of a backbone, and how many parameters its image size resizes."""
    dense = {"vit-b": (1, 3), "plain-vit-b": (0, 1)}[backbone]
    return {
        f"imagenet/{backbone}_8xb128_ft-100e.py": 0,
        f"imagenet/{backbone}_8xb2048_linear-90e.py": 0,
        f"imagenet/{backbone}_knn.py": 0,
        f"coco/mask-rcnn_{backbone}_fpn_100e.py": dense[0],
        f"ade20k/upernet_{backbone}_160k.py": dense[1],
    }


CASES = [
    (name, task, resized)
    for name in NAMES
    for task, resized in downstream("vit-b" if name == BEIT else "plain-vit-b").items()
]


def narrow(name):
    config = read_config(ROOT / name)
    backbone = copy.deepcopy(config.model.backbone)
    backbone.arch = NARROW
    if "out_indices" in backbone:
        backbone.out_indices = [2]
    if "global_blocks" in backbone:
        backbone.global_blocks = [2]
        backbone.img_size = min(backbone.img_size, 256)  # BEiT's biases of 4096 tokens are large
    return {"_scope_": "mmpretrain", **backbone}


@pytest.mark.parametrize(("name", "task", "resized"), CASES)
def test_its_export_is_loaded_strictly_by_every_task(
    name, task, resized, save_pretraining, tmp_path
):
    torch.manual_seed(0)
    pretrained = MODELS.build(narrow(f"baselines/{name}"))
    state = {f"backbone.{key}": value for key, value in pretrained.state_dict().items()}
    checkpoint = save_pretraining(narrow(f"baselines/{name}"), state=state)
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    assert read_card(weights)["adapter"] == ("vit" if name == BEIT else "plain_vit")
    backbone = MODELS.build(narrow(task))
    report = load_pretrained(backbone, weights)
    assert len(report.resized) == resized
    final_norm = {"ln1.weight", "ln1.bias"}
    own_token = {"mask_token"} if name == BEIT else set()
    kept = final_norm if backbone.final_norm else set()
    assert set(report.unexpected) == own_token | (final_norm - kept)
    pools = backbone.out_type == "avg_featmap"
    assert set(report.missing) == ({"ln2.weight", "ln2.bias"} if pools else set())
    for key in ("cls_token", "layers.2.attn.qkv.weight", "layers.0.ln1.bias"):
        assert torch.equal(backbone.state_dict()[key], pretrained.state_dict()[key])
    if not resized and name != BEIT:
        assert torch.equal(backbone.pos_embed, pretrained.pos_embed)


def test_beits_shared_table_becomes_every_blocks_own(save_pretraining, tmp_path):
    config = narrow(f"baselines/{BEIT}")
    pretrained = MODELS.build(config)
    torch.nn.init.normal_(pretrained.rel_pos_bias.relative_position_bias_table)
    state = {f"backbone.{key}": value for key, value in pretrained.state_dict().items()}
    weights = export_backbone(save_pretraining(config, state=state), tmp_path / "export").weights
    backbone = MODELS.build(narrow("imagenet/vit-b_8xb128_ft-100e.py"))
    load_pretrained(backbone, weights)
    for layer in backbone.layers:
        own = layer.attn.relative_position_bias_table
        assert torch.equal(own, pretrained.rel_pos_bias.relative_position_bias_table)


def save_tokenizer(path, **changes):
    torch.manual_seed(1)
    tokenizer = DALLEEncoder(**{**TOKENS, **changes})
    torch.save(tokenizer.state_dict(), path)
    return tokenizer


def beit(tokenizer):
    config = read_config(ROOT / "baselines" / BEIT).model
    config.backbone.arch = NARROW
    config.head.update(embed_dims=24, num_embed=TOKENS["vocab_size"])
    config.target_generator.update(checkpoint=str(tokenizer), **TOKENS)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(config)


@pytest.fixture
def batch():
    """Two random images through the config's own pipeline, and their masks."""
    np.random.seed(0)
    pipeline = read_config(ROOT / "baselines" / BEIT).train_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        steps = Compose([TRANSFORMS.build(step) for step in pipeline[1:]])  # after reading
    images = np.random.default_rng(0).integers(256, size=(2, 240, 240, 3), dtype=np.uint8)
    data = default_collate([steps({"img": image}) for image in images])
    return data, torch.stack([sample.mask for sample in data["data_samples"]]).bool()


def test_beits_pipeline_gives_two_sizes_and_masks_75_patches(batch):
    data, masks = batch
    assert [tuple(images.shape) for images in data["inputs"]] == [
        (2, 3, 224, 224),
        (2, 3, 112, 112),
    ]
    assert masks.sum(dim=(1, 2)).tolist() == [75, 75]


def test_beit_predicts_the_tokens_of_masked_patches(batch, tmp_path):
    """Cross entropy by hand: tokenizer on 0.8 x + 0.1, classes by argmax, masked patches."""
    tokenizer = save_tokenizer(tmp_path / "tokenizer.pth")
    model = beit(tmp_path / "tokenizer.pth")
    model.init_weights()
    model.eval()  # no drop path
    data, masks = batch
    with torch.no_grad():
        inputs = model.data_preprocessor(data, True)
        loss = model(**inputs, mode="loss")["loss"]
        tokens = model.backbone(inputs["inputs"][0], masks)[0][:, 1:]
        logits = model.head.cls_head(tokens).log_softmax(dim=-1)  # (2, 196, 16)
        pixels = data["inputs"][1].flip(1) / 255 * 0.8 + 0.1
        classes = tokenizer(pixels).argmax(dim=1).flatten(1)  # (2, 196)
    picked = logits.gather(2, classes[..., None])[..., 0]
    assert len(classes.unique()) > 1
    assert loss == pytest.approx(-picked[masks.flatten(1)].mean().item(), rel=1e-4)


def test_beit_trains_and_its_tokenizer_does_not(batch, tmp_path):
    save_tokenizer(tmp_path / "tokenizer.pth")
    model = beit(tmp_path / "tokenizer.pth")
    model.init_weights()
    optim_wrapper = wrapper_of(read_config(ROOT / "baselines" / BEIT), model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = model.train_step(batch[0], optim_wrapper)["loss"]
    after = model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed >= {"backbone.mask_token", "head.cls_head.weight", "backbone.ln1.weight"}
    assert not any(key.startswith("target_generator") for key in changed)
    for _ in range(5):
        last = model.train_step(batch[0], optim_wrapper)["loss"]
    assert last < first


def test_a_missing_tokenizer_says_where_it_is_from_and_how_to_give_it(tmp_path):
    message = r"absent.pth does not exist; download https://\S+/dalle_encoder.pth, and give its "
    model = beit(tmp_path / "absent.pth")
    with pytest.raises(BenchError, match=message + r"path by --cfg-options model.target_gen"):
        model.init_weights()


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    save_tokenizer(tmp_path / "other.pth", n_blk_per_group=2)
    with pytest.raises(BenchError, match="does not fully match its model: 0 of "):
        beit(tmp_path / "other.pth").init_weights()


@pytest.mark.parametrize("name", NAMES)
def test_it_uses_our_data(name):
    config = read_config(ROOT / "baselines" / name)
    simmim = read_config(ROOT / "simmim" / "vit-b_8xb128.py")
    own, other = (cfg.train_dataloader.dataset for cfg in (config, simmim))
    for key in ("type", "data_root", "data_prefix", "with_label"):
        assert own[key] == other[key]
    assert own.pipeline[0] == other.pipeline[0]
    assert config.pretraining.dataset == simmim.pretraining.dataset
    assert config.pretraining.method == name.split("_")[0]


def test_the_suite_has_every_method_and_compares_on_one_backbone():
    suite = load_suite(ROOT / "suites" / "baselines.yaml")
    methods = {backbone: set() for backbone in suite.backbones}
    for _, backbone, method in group_cells(suite):
        methods[backbone].add(method)
        if step := suite.methods().get(method):
            stated = read_config(ROOT.parent / step.path(backbone)).pretraining
            assert (stated.method, stated.backbone) == (method, backbone)
    assert methods == {
        "plain-vit-b": {"scratch", "supervised", "mae", "mocov3", "simmim"},
        "vit-b": {"scratch", "beit", "simmim"},
    }
    for backbone in methods:
        protocols = [
            read_config(ROOT.parent / task.path(backbone)) for task in suite.tasks.values()
        ]
        assert {config.backbone_name for config in protocols} == {backbone}
        assert {config.protocol.task for config in protocols} == {
            "classification",
            "detection",
            "segmentation",
        }
