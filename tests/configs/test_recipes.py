"""Batch, precision and devices of recipes: those of the originals in full-size configs."""

import re
from pathlib import Path

import pytest

from simmim_bench.records.environment import precision_of
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
LEAVES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.py")
    if not {"_base_", "generation", "robustness"} & set(path.relative_to(ROOT).parts)
)
FULL_OF_ANY = tuple(
    f"any/{data}" for data in ("imagenet", "coco", "ade20k", "cityscapes", "voc", "nyu")
)
SMALL = [
    name
    for name in LEAVES
    if name.startswith(("demo/", "small/", "any/")) or "-demo" in name
    if not name.startswith(FULL_OF_ANY)
]
FULL = sorted(set(LEAVES) - set(SMALL))
OF_SIMMIM = [
    name
    for name in FULL
    if read_config(ROOT / name).model.type in ("simmim_bench.SimMIM", "simmim_bench.SparseSimMIM")
    or "WarmupCosineLR" in str(read_config(ROOT / name).param_scheduler)
]
FLOAT32 = {
    "any/ade20k_upernet_160k.py": "as upernet_swin-b_160k",
    "any/coco_faster-rcnn_fpn_1x.py": "as Mask R-CNN",
    "any/coco_mask-rcnn_fpn_1x.py": "as mask-rcnn_swin-b_fpn_1x",
    "any/coco_mask-rcnn_fpn_1x_frozen.py": "the same",
    "any/ade20k_segmentation-linear_40k.py": "DINOv3, eval/segmentation/config.py",
    "any/ade20k_segmentation-linear-4_40k.py": "the same",
    "any/ade20k_segmentation-retrieval.py": "nothing is learned",
    **{
        f"any/{data}_segmentation-{probe}.py": "as on ADE20K"
        for data in ("cityscapes", "voc")
        for probe in ("linear_40k", "linear-4_40k", "retrieval")
    },
    "any/nyu_depth-linear.py": "DINOv2, dinov2/eval/depth",
    "any/imagenet-1percent_logistic.py": "scikit-learn",
    "any/imagenet_attentive.py": "ours",
    "any/imagenet_linear-grid.py": "DINOv2, eval/linear.py",
    "any/imagenet_knn.py": "nothing is learned",
    "ade20k/upernet_resnet-50_160k.py": "mmsegmentation, configs/upernet",
    "ade20k/upernet_swin-b_160k.py": "Swin-Transformer-Semantic-Segmentation",
    "ade20k/upernet_swin-b_160k_ms.py": "the same",
    "ade20k/upernet_swin-l_160k_ms.py": "the same",
    "ade20k/upernet_swinv2-h_160k_ms.py": "the same",
    "ade20k/upernet_swin-l_160k_640.py": "the same",
    "ade20k/upernet_swinv2-b_160k.py": "the same",
    "coco/mask-rcnn_resnet-50_fpn_1x.py": "mmdetection, configs/mask_rcnn",
    "coco/faster-rcnn_resnet-50_fpn_1x.py": "as Mask R-CNN",
    "coco/mask-rcnn_resnet-50_fpn_3x.py": "the same",
    "coco/faster-rcnn_resnet-50_fpn_3x.py": "as Mask R-CNN",
    "coco/mask-rcnn_swin-b_fpn_1x.py": "mmdetection, configs/swin, 1x",
    "coco/faster-rcnn_swin-b_fpn_1x.py": "as Mask R-CNN",
    "coco/mask-rcnn_swinv2-b_fpn_1x.py": "the same",
    "coco/faster-rcnn_swinv2-b_fpn_1x.py": "as Mask R-CNN",
    "coco/retrieval_swin-b_30e.py": "ours",
    "imagenet/plain-vit-b_knn.py": "nothing is learned",
    "imagenet/swin-b_knn.py": "nothing is learned",
    "imagenet/vit-b_knn.py": "nothing is learned",
    "imagenet/swinv2-b-w14-224_8xb128_ft-100e.py": "main_simmim_ft.py of Swin-Transformer",
    "imagenet/swinv2-h-w14-224_32xb32_ft-100e.py": "the same",
    "imagenet/swinv2-h-w32-512_128xb8_ft-100e.py": "the same",
    "transfer/camvid_upernet_swin-b_20k.py": "as on ADE20K",
    "transfer/cityscapes_upernet_swin-b_80k.py": "as on ADE20K",
}


def devices(name):
    found = re.search(r"(\d+)xb(\d+)", name)
    return int(found.group(1)) if found else 8


def test_there_are_recipes_of_both_kinds():
    assert len(SMALL) > 60
    assert len(FULL) > 80
    assert len(OF_SIMMIM) > 50
    assert set(FLOAT32) < set(FULL)


@pytest.mark.parametrize("name", OF_SIMMIM)
def test_recipes_of_simmim_have_its_batch_and_say_how(name):
    if name == "coco/retrieval_swin-b_30e.py":
        return
    cfg = read_config(ROOT / name)
    batch, count = cfg.train_dataloader.batch_size, cfg.optim_wrapper.accumulative_counts
    assert devices(name) * batch * count == cfg.auto_scale_lr.base_batch_size == 2048
    text = (ROOT / name).read_text("utf-8")
    assert f"x {devices(name)} devices x {count} iterations = 2048" in text


@pytest.mark.parametrize("name", FULL)
def test_full_size_recipes_have_the_precision_of_their_originals(name):
    cfg = read_config(ROOT / name)
    assert precision_of(cfg.optim_wrapper) == ("float32" if name in FLOAT32 else "float16")
    tuned = not name.endswith(("_knn.py", "_logistic.py")) and "retrieval" not in name
    assert cfg.env_cfg.get("tf32", False) is tuned
    # images of one size, as in SimMIM and mmsegmentation; mmdetection's differ
    assert cfg.env_cfg.cudnn_benchmark is (tuned and not name.startswith(("coco/", "any/coco_")))


@pytest.mark.parametrize("name", SMALL)
def test_demo_and_small_recipes_are_float32_everywhere(name):
    cfg = read_config(ROOT / name)
    assert precision_of(cfg.optim_wrapper) == "float32"
    assert "tf32" not in cfg.env_cfg
    assert cfg.env_cfg.cudnn_benchmark is False
    assert "accumulative_counts" not in cfg.optim_wrapper


def test_configs_with_one_protocol_have_one_version_of_it():
    versions = {}
    for name in LEAVES:
        cfg = read_config(ROOT / name)
        if "protocol" in cfg:
            versions.setdefault(cfg.protocol.id, set()).add(cfg.protocol.version)
    assert all(len(found) == 1 for found in versions.values())
    changed = [name for name in versions if name.startswith(("imagenet-finetune", "coco-mask"))]
    assert len(changed) >= 5
    later = [name for name in changed if name.endswith(("-lsj-36e", "-frozen"))]
    assert len(later) == 3
    assert all(versions[name] == {1 if name in later else 2} for name in changed)


def test_beits_rate_on_ade20k_has_a_protocol_of_its_own():
    own = read_config(ROOT / "ade20k/upernet-beit_vit-b_160k.py")
    other = read_config(ROOT / "ade20k/upernet_vit-b_160k.py")
    assert (own.optim_wrapper.optimizer.lr, other.optim_wrapper.optimizer.lr) == (7e-4, 1e-4)
    assert own.protocol.id != other.protocol.id
    for key in ("model", "train_dataloader", "param_scheduler", "train_cfg"):
        assert own[key] == other[key]


def test_released_configs_are_cited_where_they_are():
    """microsoft/SimMIM has those of Swin, microsoft/Swin-Transformer those of Swin V2."""
    cited = {}
    for name in LEAVES:
        text = (ROOT / name).read_text("utf-8").replace("/\n# ", "/")
        for url in re.findall(r"https://\S+/simmim_(?:pretrain|finetune)__\w+\.yaml", text):
            repository, path = url.split("/blob/main/configs/")
            cited.setdefault(name, []).append((repository, path))
    large = [name for name, found in cited.items() if "swin_large" in str(found)]
    assert len(large) == 4
    for name, found in cited.items():
        for repository, path in found:
            folder, file = path.split("/")
            if "swinv2" in file:
                assert (repository, folder) == (
                    "https://github.com/microsoft/Swin-Transformer", "simmim"
                ), name  # fmt: skip
            else:
                kind = re.search(r"__(swin_large|swin_base|vit_base)__", file).group(1)
                epochs = re.search(r"(\d+)ep", file).group(1)
                assert repository == "https://github.com/microsoft/SimMIM", name
                assert folder == f"{kind}__{epochs}ep", name
