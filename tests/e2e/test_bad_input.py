"""What a user sees who got something wrong: one sentence, code 2, nothing half-written."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import CONFIGS, PRETRAIN, TINY, Tools
from tests.weights.cards import reseal

MASK = "train_dataloader.dataset.pipeline.2"


def refusal(tools, *words):
    """The one line that starts with ``error:``."""
    code, output = tools.call(*words)
    assert code == 2, output[-3000:]
    assert "Traceback" not in output
    assert "OneDL" not in output  # what the libraries print while they are imported
    [line] = [line for line in output.splitlines() if line.startswith("error: ")]
    return line


def finetune(tools, work_dir, checkpoint, *options):
    return refusal(
        tools, "tools/train.py", CONFIGS["classification"], "--pretrained", checkpoint,
        "--work-dir", work_dir, "--kind", "smoke", "--cfg-options", *TINY, *options,
    )  # fmt: skip


@pytest.fixture
def export(backbone, tmp_path):
    """A copy of the export that a test may damage."""
    folder = tmp_path / "export"
    shutil.copytree(backbone.parent, folder)
    return folder / "backbone.pth"


def test_another_architecture(tools, export, tmp_path):
    said = finetune(tools, tmp_path / "run", export, "model.backbone.arch.depths=[2,2,4,2]")
    assert "depths" in said
    assert "same architecture" in said


def test_a_window_that_does_not_fit(tools, export, tmp_path):
    said = finetune(
        tools, tmp_path / "run", export,
        "model.backbone.window_size=5", "model.backbone.pad_small_map=False",
    )  # fmt: skip
    assert "window_size 5 does not fit a stage of 4 x 4 tokens; give that stage a window" in said


def test_renamed_keys(tools, export, tmp_path):
    def rename(state):
        for key in list(state):
            state[f"encoder.{key}"] = state.pop(key)

    reseal(export, rename)
    assert "missing" in finetune(tools, tmp_path / "run", export)
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_a_truncated_checkpoint(tools, export, tmp_path):
    export.write_bytes(export.read_bytes()[:5000])
    assert "truncated or damaged" in finetune(tools, tmp_path / "run", export)


def test_a_pretraining_checkpoint_that_was_not_exported(tools, pretrained, tmp_path):
    said = finetune(tools, tmp_path / "run", pretrained / "epoch_2.pth")
    assert "simmim-bench export" in said


def test_a_corrupt_image(tools, data, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    victim = sorted((copy / "demo" / "unlabelled").glob("*.jpg"))[0]
    victim.write_bytes(victim.read_bytes()[:300])
    said = refusal(
        Tools(copy), "tools/train.py", PRETRAIN, "--work-dir", tmp_path / "run",
        "--cfg-options", *TINY,
    )  # fmt: skip
    assert victim.name in said
    assert "--verify" in said


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_a_corrupt_image_of_a_detector_and_the_same_command_after_it_is_repaired(
    tools, data, tmp_path, split
):
    copy, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(data, copy)
    victim = sorted((copy / "demo" / "coco" / split).glob("*.jpg"))[1]
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) // 2])  # its header is whole
    command = [
        "tools/train.py", CONFIGS["detection"], "--from-scratch", "--resume", "--work-dir", run,
        "--kind", "smoke", "--cfg-options", *TINY, "train_cfg.max_epochs=1",
        "train_cfg.val_interval=1", "train_dataloader.num_workers=1",
    ]  # fmt: skip
    said = refusal(Tools(copy), *command)
    assert victim.name in said
    assert "--verify" in said
    assert not (run / "manifest.json").exists()
    assert (run / "epoch_1.pth").exists() == (split == "val2017")  # the epoch is not lost
    victim.write_bytes(content)
    Tools(copy).succeed(*command)
    assert (run / "manifest.json").exists()


@pytest.mark.parametrize("split", ["training", "validation"])
def test_a_label_that_is_no_class(data, tmp_path, split):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    maps = copy / "demo" / "ade" / "ADEChallengeData2016" / "annotations" / split
    victim = sorted(maps.glob("*.png"))[0]
    with Image.open(victim) as image:
        labels = np.array(image)
    labels[:3] = 37
    Image.fromarray(labels).save(victim)
    said = refusal(
        Tools(copy), "tools/train.py", CONFIGS["segmentation"], "--from-scratch", "--kind", "smoke",
        "--work-dir", tmp_path / "run", "--cfg-options", *TINY, "train_cfg.max_epochs=1",
        "train_cfg.val_interval=1",
    )  # fmt: skip
    assert victim.stem in said
    assert "has label 37, but there are 11 classes, 1 to 11 (0 and 255 ignored)" in said


def test_an_image_size_that_the_mask_patch_does_not_divide(tools, tmp_path):
    said = refusal(
        tools, "tools/train.py", PRETRAIN, "--work-dir", tmp_path / "run", "--cfg-options", *TINY,
        "train_dataloader.dataset.pipeline.1.scale=72",
    )  # fmt: skip
    assert "image size 72 is not divisible by mask patch size 16; use --image-size 64 or 80" in said


def test_an_unknown_backbone(tools, tmp_path):
    said = refusal(
        tools, "tools/train.py", PRETRAIN, "--work-dir", tmp_path / "run",
        "--cfg-options", *TINY, "model.backbone.type=mmpretrain.SwinTransfomer",
    )  # fmt: skip
    assert "did you mean SwinTransformer" in said


TIMM = ["model.backbone._delete_=True", "model.backbone.type=simmim_bench.TimmFeatures",
        "model.backbone.model_name=resnet5O"]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ([f"{MASK}.mask_ratio=0"], "mask ratio 0 is not between 0 and 1 (exclusive); SimMIM uses"),
        ([f"{MASK}.mask_ratio=1"], "mask ratio 1 is not between 0 and 1 (exclusive); SimMIM uses"),
        (TIMM, "unknown timm model 'resnet5O'; did you mean resnet50"),
    ],
)
def test_parts_of_a_pretraining_that_cannot_be(tools, tmp_path, options, answer):
    said = refusal(
        tools, "tools/train.py", PRETRAIN, "--work-dir", tmp_path / "run",
        "--cfg-options", *TINY, *options,
    )  # fmt: skip
    assert answer in said
    assert not list((tmp_path / "run").rglob("*.pth"))


def test_a_teacher_that_is_missing(tools, data, tmp_path):
    """``--try`` stands in for images, not for the files of the model."""
    said = refusal(
        tools, "tools/train.py", "configs/ablations/target-teacher_swin-b.py", "--try", 1,
        "--work-dir", tmp_path / "run",
    )  # fmt: skip
    file = data / "teachers" / "vit_base_patch16_224.safetensors"
    assert f"of the frozen network {file} does not exist; give the path of a .pth" in said


def test_a_loss_that_is_not_finite(tools, tmp_path):
    said = refusal(
        tools, "tools/train.py", PRETRAIN, "--work-dir", tmp_path / "run",
        "--cfg-options", *TINY, "model.data_preprocessor.std=[0,0,0]",
    )  # fmt: skip
    assert "at iteration" in said
    assert not list((tmp_path / "run").glob("epoch_*.pth"))


def test_more_processes_than_there_are(tools):
    code, output = tools.run("bash", "tools/dist_train.sh", PRETRAIN, "999")
    assert code == 2
    assert output.startswith("error: GPUS must be at most ")


def test_a_checkpoint_of_another_config_is_not_tested(tools, pretrained, tmp_path):
    said = refusal(
        tools, "tools/test.py", CONFIGS["classification"], pretrained / "epoch_2.pth",
        "--work-dir", tmp_path,
    )  # fmt: skip
    assert "does not fit" in said
