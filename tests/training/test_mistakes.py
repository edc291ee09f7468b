"""Mistakes in a config are found before its first iteration, and not after its first epoch."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS
from simmim_bench.training.adapt import cap_neighbours
from simmim_bench.training.mistakes import (
    check_mistakes,
    config_mistakes,
    data_mistakes,
    output_size,
    training_images,
)

ROOT = Path(__file__).parents[2]
PRETRAIN = "demo/simmim_swin-demo"
CLASSES = "demo/classification_swin-demo"
KNN = "small/cifar10-knn_swin-demo"
SHOTS = "small/cifar10-5shot_swin-demo"


def load(name, *overrides, root=None, classes=None):
    path = str(ROOT / f"configs/{name}.py")
    return load_config(path, overrides=list(overrides), data_root=root, num_classes=classes)


@pytest.mark.parametrize(
    ("config", "override", "said"),
    [
        (PRETRAIN, "train_dataloader.batch_size=0", "batch_size must be an integer >= 1, got 0"),
        (CLASSES, "val_dataloader.batch_size=-1", "val_dataloader.batch_size must be an integer"),
        (CLASSES, "val_dataloader.batch_size=2.5", "must be an integer >= 1, got 2.5"),
        (CLASSES, "train_dataloader.num_workers=-1", "must be an integer >= 0, got -1"),
        (PRETRAIN, "train_cfg.max_epochs=0", "train_cfg.max_epochs must be an integer >= 1, got 0"),
        (CLASSES, "train_cfg.val_interval=0", "train_cfg.val_interval must be an integer >= 1"),
        ("ade20k/upernet_swin-b_160k", "train_cfg.max_iters=-5", "max_iters must be an integer"),
        (CLASSES, "train_cfg.val_begin=99", "is after the end of the training, 5"),
        (PRETRAIN, "optim_wrapper.accumulative_counts=0", "must be an integer >= 1, got 0"),
        (PRETRAIN, "optim_wrapper.optimizer.lr=nan", "lr must be a finite number >= 0, got nan"),
        (PRETRAIN, "optim_wrapper.optimizer.lr=inf", "lr must be a finite number >= 0, got inf"),
        (PRETRAIN, "optim_wrapper.optimizer.lr=-1e-3", "lr must be a finite number >= 0, got -0.0"),
        (PRETRAIN, "optim_wrapper.optimizer.weight_decay=nan", "weight_decay must be a finite"),
        (PRETRAIN, "param_scheduler.0.start_factor=nan", "param_scheduler.0.start_factor must be"),
        (CLASSES, "model.head.num_classes=0", "model.head.num_classes must be an integer >= 2"),
        (CLASSES, "model.head.num_classes=1", "model.head.num_classes must be an integer >= 2"),
        (CLASSES, "train_dataloader.dataset.indices=0", "dataset.indices=0 leaves no image"),
        (
            CLASSES,
            "protocol.metrics.top1=accuracy/top5",
            "protocol.metrics.top1 asks for 'accuracy/top5', which val_evaluator does not measure "
            "(Accuracy(topk=(1,)))",
        ),
        (CLASSES, "protocol.metrics.top1=accurate/top1", "which val_evaluator does not measure"),
        (CLASSES, "val_evaluator=[]", "val_evaluator is empty, so that protocol.metrics"),
        (CLASSES, "test_evaluator.topk=5", "which test_evaluator does not measure"),
        ("demo/upernet_swin-demo", "protocol.metrics.miou=mDice", "does not measure (IoUMetric("),
        ("demo/mask-rcnn_swin-demo_fpn", "val_evaluator.metric=bbox", "asks for 'coco/segm_mAP"),
        (KNN, "protocol.metrics.top1_k20=knn/top1_k30", "val_evaluator does not measure (KNNAcc"),
        (
            CLASSES,
            "default_hooks.checkpoint.save_best=mIoU",
            "default_hooks.checkpoint.save_best (mIoU) asks for 'mIoU', which val_evaluator does",
        ),
        (
            PRETRAIN,
            "pretraining.image_size=96",
            "pretraining.image_size is 96 x 96, but the pipeline of train_dataloader makes images "
            "of 64 x 64 (height x width); give both the same size",
        ),
        (CLASSES, "val_dataloader.dataset.pipeline.1.scale=32", "protocol.image_size is 64 x 64"),
        (PRETRAIN, "train_dataloader.dataset.pipeline.2.mask_patch_size=24",
         "image size 64 is not divisible by mask patch size 24; use --image-size 48 or 72"),
        (PRETRAIN, "train_dataloader.dataset.pipeline.2.token_size=7",
         "mask_patch_size must be a positive multiple of token_size 7, got 16"),
        ("demo/simmim_swin-demo", "model.backbone.pad_small_map=False",
         "window_size 4 does not fit a stage of 2 x 2 tokens; give that stage a window of"),
        ("imagenet/vit-b_8xb128_ft-100e", "model.backbone.patch_size=15",
         "image size 224 is not divisible by patch size 15; use --image-size 210 or 225"),
        (KNN, "model.neighbours=[5]", "model.neighbours is [5], val_evaluator.neighbours [10, 20]"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_told(config, override, said):
    found = list(config_mistakes(load(config, override)))
    assert any(said in text for text in found), found


def test_padded_images_and_names_of_timm_count():
    cfg = load(
        "any/demo_mask-rcnn",
        "model.data_preprocessor.pad_size_divisor=96",
        "model.backbone.model_name=vit_small_patch14_dinov2",
    )
    [said] = config_mistakes(cfg)
    assert said == "image size 96 is not divisible by patch size 14; use --image-size 84 or 98"


def test_the_name_of_the_config_is_told():
    with pytest.raises(BenchError, match=r"^my\.py: train_dataloader\.batch_size must be"):
        check_mistakes(load(CLASSES, "train_dataloader.batch_size=0"), "my.py", data=False)


@pytest.mark.parametrize(
    ("pipeline", "size"),
    [
        ([{"type": "LoadImage"}], None),
        ([{"type": "RandomResizedCrop", "scale": 64}, {"type": "PackInputs"}], (64, 64)),
        ([{"type": "ResizeEdge", "scale": 256}, {"type": "CenterCrop", "crop_size": 9}], (9, 9)),
        ([{"type": "CenterCrop", "crop_size": 224}, {"type": "ResizeEdge", "scale": 256}], None),
        ([{"type": "Resize", "scale": (128, 96), "keep_ratio": False}], (96, 128)),
        ([{"type": "Resize", "scale": (128, 96), "keep_ratio": True}], None),
        ([{"type": "mmseg.RandomCrop", "crop_size": (64, 32)}], (64, 32)),
        ([{"type": "MultiView", "transforms": [[{"type": "CenterCrop", "crop_size": 6}]]}], (6, 6)),
    ],
)  # fmt: skip
def test_the_size_of_a_pipelines_images(pipeline, size):
    assert output_size(pipeline) == size


@pytest.fixture
def folders(tmp_path):
    """Function that writes ``number`` images into each of the classes of both splits."""

    def folders(number, classes=10, splits=("train", "val")):
        for split in splits:
            for name in range(classes):
                folder = tmp_path / split / f"class{name}"
                folder.mkdir(parents=True, exist_ok=True)
                for image in range(number):
                    Image.new("RGB", (4, 4)).save(folder / f"{image}.png")
        return str(tmp_path)

    return folders


def test_folders_that_fit_are_accepted(folders):
    root = folders(5)
    for config in (KNN, SHOTS, "small/cifar10_swin-demo"):
        assert list(data_mistakes(load(config, root=root))) == []


def test_with_fewer_training_images_than_neighbours_all_of_them_vote(folders):
    cfg = load(KNN, root=folders(1))
    assert list(data_mistakes(cfg)) == []
    assert training_images(cfg, 20) == 10
    run = SimpleNamespace(is_try=False)
    assert cap_neighbours(cfg, run) == ("k = 20: all 10 training images vote, there are no more")
    assert cap_neighbours(load(KNN, root=folders(2)), run) is None


def test_more_shots_than_a_class_has_are_refused(folders):
    [said] = data_mistakes(load(SHOTS, root=folders(3)))
    assert (
        said == "train_dataloader: class class0 has 3 images, fewer than shots=5; set fewer shots"
    )


def test_other_classes_than_the_heads_are_refused(folders):
    found = list(data_mistakes(load("small/cifar10_swin-demo", root=folders(5, classes=3))))
    assert len(found) == 3  # of each loader
    assert "train_dataloader has 3 classes (folders of " in found[0]
    assert "model.head.num_classes is 10; pass --num-classes 3" in found[0]


def test_fewer_images_than_a_batch_are_refused_if_the_rest_is_dropped(folders):
    root = folders(2, splits=("train",))
    drop = ("train_dataloader.dataset.data_prefix=train", "train_dataloader.drop_last=True")
    [said] = data_mistakes(load(PRETRAIN, *drop, "train_dataloader.batch_size=21", root=root))
    assert "has 20 images, fewer than train_dataloader.batch_size=21" in said
    assert "no iteration (drop_last=True); lower it with --cfg-options" in said
    assert said.endswith(f" train_dataloader.batch_size={16}")
    assert not list(
        data_mistakes(load(PRETRAIN, *drop, "train_dataloader.batch_size=20", root=root))
    )


@pytest.mark.parametrize(
    ("batches", "validation", "said"),
    [(0, 5, "an epoch has no iteration"), (2, 0, "val_dataloader has no images")],
)
def test_an_empty_loader_is_refused_before_the_first_iteration(batches, validation, said):
    class Loader(SimpleNamespace):
        def __len__(self):
            return self.batches

    hook = HOOKS.build({"type": "simmim_bench.LoadersHook"})
    runner = SimpleNamespace(
        val_loop="any",
        train_dataloader=Loader(batches=batches, dataset=range(7)),
        val_dataloader=Loader(batches=1, dataset=range(validation)),
    )
    with pytest.raises(BenchError, match=said):
        hook.before_train(runner)
    runner.val_loop, runner.train_dataloader.batches = None, 1  # of a pretraining
    hook.before_train(runner)
