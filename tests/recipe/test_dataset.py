"""``--data``: every config reads own data, whatever it named before."""

from argparse import Namespace
from pathlib import Path

import pytest

from simmim_bench.config import datasets, load_config, stated
from simmim_bench.data.expected import expected_of
from simmim_bench.data.layouts import expected_paths
from simmim_bench.data.own import Images, OwnDataset, read_dataset, write_dataset
from simmim_bench.errors import BenchError
from simmim_bench.recipe.command_line import Changes, load_recipe, own_data
from simmim_bench.recipe.dataset import BOXES_ALONE, FITTING, boxes_alone, use_dataset
from simmim_bench.recipe.first_steps import first_steps

CLASSES = ("Ähre", "Blüte", "Zweig")


def own(task, **changed):
    """A description of own data."""
    values = {
        "name": "mine",
        "task": task,
        "classes": () if task == "unlabelled" else CLASSES,
        "mean": (120.0, 110.0, 100.0),
        "std": (60.0, 50.0, 40.0),
        "reduce_zero_label": False if task == "segmentation" else None,
        "has_masks": True if task == "detection" else None,
        "images": Images(train=3, val=2),
        "fingerprint": "0" * 64,
        "origin": "a test",
    }
    return OwnDataset(**{**values, **changed}).at(Path("/data/mine"))


def load(config, dataset):
    return load_config(config, first=lambda cfg: use_dataset(cfg, dataset, config))


def parts(cfg):
    return {name.split("_")[0]: dataset for name, dataset in datasets(cfg)}


@pytest.mark.parametrize("task", FITTING)
def test_a_pretraining_reads_the_training_images_of_any_task(task):
    cfg = load("configs/simmim/swin-b_8xb128.py", own(task))
    train = parts(cfg)["train"]
    assert expected_paths(train) == [Path("/data/mine"), Path("/data/mine/train")]
    assert train.with_label is False
    assert "ann_file" not in train
    assert train.pipeline[0] == {"type": "simmim_bench.LoadImage"}


@pytest.mark.parametrize(
    "config",
    [
        "configs/imagenet/swin-b_8xb128_ft-100e.py",
        "configs/imagenet/swin-b_knn.py",
        "configs/imagenet/swin-b_8xb2048_linear-90e.py",
        "configs/small/cifar10-5shot_swin-demo.py",
    ],
)
def test_a_classification_has_the_names_and_the_number_of_the_classes(config):
    cfg = load(config, own("classification"))
    found = parts(cfg)
    assert [str(found[key].data_prefix) for key in ("train", "val", "test")] == [
        "train",
        "val",
        "val",
    ]
    assert {tuple(each.metainfo.classes) for each in found.values()} == {CLASSES}
    numbers = list(stated(cfg, "num_classes"))
    assert numbers
    assert {value for _, value in numbers} == {3}


def test_top_5_is_measured_of_fewer_classes_and_a_protocol_keeps_its_metrics():
    config = "configs/imagenet/swin-b_8xb128_ft-100e.py"
    few = load(config, own("classification"))
    many = load(config, own("classification", classes=tuple("abcdef")))
    assert few.val_evaluator.type == few.test_evaluator.type == "simmim_bench.Accuracy"
    assert many.val_evaluator.type == "Accuracy"
    assert few.protocol == many.protocol == load_config(config).protocol


def test_the_command_for_few_images_has_a_batch_that_the_recipe_s_is_a_multiple_of(tmp_path):
    write_dataset(own("unlabelled", images=Images(train=40, val=0)), tmp_path)
    command = first_steps(expected_of(read_dataset(tmp_path)))[0]
    assert command.endswith("--cfg-options train_dataloader.batch_size=32")  # of 64


def test_an_unknown_name_is_refused_with_some_that_are_there(tmp_path):
    for name in "abcdef":
        (tmp_path / name).mkdir()
        write_dataset(own("unlabelled"), tmp_path / name)
    with pytest.raises(BenchError, match=r"'other': .*there are: a, b, c, d, e, \.\.\.\)"):
        read_dataset("other", tmp_path)


def test_a_detection_reads_the_annotations_of_both_parts():
    cfg = load("configs/coco/mask-rcnn_swin-b_fpn_1x.py", own("detection"))
    found = parts(cfg)
    assert found["train"].ann_file == "annotations/instances_train.json"
    assert found["val"].ann_file == "annotations/instances_val.json"
    assert found["val"].data_prefix == {"img": "val"}
    assert {value for _, value in stated(cfg, "num_classes")} == {3}


@pytest.mark.parametrize("reduced", [False, True])
def test_a_segmentation_ignores_zero_as_the_data_say(reduced):
    cfg = load("configs/demo/upernet_swin-demo.py", own("segmentation", reduce_zero_label=reduced))
    found = parts(cfg)
    assert found["val"].data_prefix == {"img_path": "val", "seg_map_path": "labels/val"}
    assert {value for _, value in stated(cfg, "reduce_zero_label")} == {reduced}
    assert found["train"].metainfo.classes == CLASSES
    weights = [value for key, value in stated(cfg, "class_weight")]
    assert weights  # of the demo's eleven classes
    assert set(weights) == {None}


def test_a_pretraining_with_masks_from_labels_reads_label_maps():
    train = parts(load("configs/variants/semantic_swin-demo.py", own("segmentation")))["train"]
    assert train.data_prefix == {"img_path": "train", "seg_map_path": "labels/train"}
    assert train.num_classes == 3


@pytest.mark.parametrize(
    ("config", "dataset", "message"),
    [
        (
            "configs/small/cifar10_swin-demo.py",
            own("detection"),
            rf"class folders .*, --data mine is detection; .* {FITTING['detection']}",
        ),
        ("configs/small/upernet_swin-demo.py", own("unlabelled"), FITTING["unlabelled"]),
        ("configs/demo/vqa-concat_swin-demo.py", own("unlabelled"), "of the task 'vqa'"),
        (
            "configs/variants/semantic_swin-demo.py",
            own("classification"),
            rf"reads SegLayoutDataset.*{FITTING['classification']}",
        ),
        (
            "configs/small/cifar10_swin-demo.py",
            own("classification", images=Images(train=3, val=0)),
            "no validation images.*--split 0.8",
        ),
        (
            "configs/small/mask-rcnn_swin-demo_fpn.py",
            own("detection", has_masks=False),
            "has boxes alone; use configs/small/faster-rcnn",
        ),
    ],
)
def test_data_that_do_not_fit_the_config_are_refused_with_one_that_fits(config, dataset, message):
    with pytest.raises(BenchError, match=message):
        load(config, dataset)


def test_named_configs_exist():
    assert all(Path(config).is_file() for config in FITTING.values())


def test_boxes_alone_names_a_config_beside_the_given_one_if_it_exists(tmp_path):
    masks, boxes = tmp_path / "cascade-mask-rcnn_x.py", tmp_path / "faster-rcnn_x.py"
    assert boxes_alone(str(masks)) == BOXES_ALONE
    boxes.touch()
    assert boxes_alone(str(masks)) == str(boxes)


def test_data_are_found_by_name_below_the_root_and_by_path(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    folder = tmp_path / "mine"
    write_dataset(own("classification"), folder)
    for given in ("mine", str(folder)):
        found = read_dataset(given)
        assert (found.folder, found) == (folder, own("classification").at(folder))
    cfg = load_recipe("configs/small/cifar10_swin-demo.py", Changes(data="mine"))
    assert parts(cfg)["val"].data_root == str(folder)
    with pytest.raises(BenchError, match="did you mean mine"):
        read_dataset("mein")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ('{"format": "simmim_bench dataset", "version": 2}', "version"),
        ("[]", "is no description"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path, text, message):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(BenchError, match=message):
        read_dataset(tmp_path)


def test_a_description_is_checked_as_a_whole():
    for wrong in (
        {"mean": (1.0,)},
        {"classes": ()},
        {"classes": ("a", "a")},
        {"reduce_zero_label": True},
        {"name": "../x"},
        {"range": (1.0, 0.0)},
    ):
        with pytest.raises(ValueError, match=r"should|name"):
            own("classification", **wrong)


def test_a_folder_or_a_number_of_classes_besides_the_data_is_refused():
    for other in ({"data_root": "x"}, {"num_classes": 3}):
        with pytest.raises(BenchError, match="leave out --"):
            own_data(Changes(data="mine", **other))


def test_the_name_in_tables_is_that_of_the_data(tmp_path):
    from simmim_bench.training.data import check_name, data_of

    folder = tmp_path / "mine"
    write_dataset(own("unlabelled"), folder)
    (folder / "train").mkdir()
    (folder / "train" / "a.png").write_bytes(b"x")
    config = "configs/small/simmim_swin-demo.py"
    args = Namespace(config=config, launcher="none", data=str(folder), dataset_name=None)
    cfg = load_recipe(config, Changes(data=str(folder)))
    check_name(args)
    assert data_of(args, cfg).name == "mine"
    args.dataset_name = "another"
    assert data_of(args, cfg).name == "another"
