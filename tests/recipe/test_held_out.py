"""``--held-out``: a config trains and is evaluated on its training data alone."""

from pathlib import Path

import pytest

from simmim_bench.config import datasets, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.recipe.held_out import CONSTRUCTOR, DECAY, TYPES, hold_out
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
LEAVES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("demo", "imagenet", "coco", "ade20k", "transfer", "small", "any")
    for path in (ROOT / folder).glob("*.py")
)
CLASSES = "configs/demo/classification_swin-demo.py"
SOURCES = ("data_root", "data_prefix", "ann_file", "list_file", "indices", "filter_cfg")


def recipe(config, *overrides, held_out=0.2, seed=0):
    changes = Changes(overrides=overrides, held_out=held_out, held_out_seed=seed)
    return load_recipe(config, changes)


def texts(node):
    """Every text in a config."""
    if isinstance(node, str):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from texts(child)


@pytest.mark.parametrize("name", LEAVES)
def test_every_downstream_config_names_its_evaluation_data_nowhere(name):
    cfg = read_config(ROOT / name)
    before = dict(datasets(cfg))
    if (
        "protocol" not in cfg
        or str(before["train_dataloader"].type).rpartition(".")[2] not in TYPES
    ):
        with pytest.raises(BenchError):
            hold_out(cfg, 0.2, 0, name)
        return
    evaluation, training = before["val_dataloader"], before["train_dataloader"]
    training, evaluation = training.to_dict(), evaluation.to_dict()
    hold_out(cfg, 0.2, 3, name)
    for loader, dataset in datasets(cfg):
        found = {key: dataset.get(key) for key in SOURCES}
        assert found == {key: training.get(key) for key in SOURCES}, loader
    after = dict(datasets(cfg))
    assert after["val_dataloader"].pipeline == evaluation["pipeline"]
    assert after["train_dataloader"].pipeline == training["pipeline"]
    assert cfg.test_dataloader.to_dict() == cfg.val_dataloader.to_dict()
    assert not after["val_dataloader"].get("test_mode")  # filters act as in training
    only = {str(evaluation.get("ann_file")), *texts(evaluation["data_prefix"])}
    only -= {str(training.get("ann_file")), *texts(training["data_prefix"]), "None", ""}
    assert only or name.startswith("small/eight")  # which are evaluated on what they train on
    loaders = [cfg[key].to_dict() for key in cfg if key.endswith(("_dataloader", "_evaluator"))]
    assert not only & set(texts(loaders))


def test_evaluators_that_name_a_file_read_that_of_the_training_data():
    name = "configs/demo/mask-rcnn_swin-demo_fpn.py"
    cfg = recipe(name, "val_evaluator.ann_file=x/instances_val2017.json")
    assert cfg.val_evaluator.ann_file.endswith("/coco/annotations/instances_train2017.json")
    assert "ann_file" not in recipe(name).val_evaluator


def test_wrappers_of_the_training_data_stay():
    cfg = read_config(ROOT.parent / CLASSES)
    plain = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = {"type": "RepeatDataset", "times": 2, "dataset": plain}
    hold_out(cfg, 0.2, 0, CLASSES)
    assert cfg.train_dataloader.dataset.type == "RepeatDataset"
    assert cfg.train_dataloader.dataset.dataset.part == "kept"
    assert cfg.val_dataloader.dataset.type == "simmim_bench.HeldOut"


def test_share_and_seed_are_a_part_of_the_config():
    hashes = {
        resolved_hash(recipe(CLASSES, held_out=share, seed=seed))
        for share, seed in ((0.2, 0), (0.2, 1), (0.3, 0), (None, 0))
    }
    assert len(hashes) == 4
    (kept,) = (recipe(CLASSES, "train_dataloader.dataset.indices=40").train_dataloader.dataset,)
    assert kept.dataset.indices == 40


@pytest.mark.parametrize("share", [0.0, -0.1, 0.51, float("nan")])
def test_a_share_that_leaves_too_little_is_refused(share):
    with pytest.raises(BenchError, match="--held-out must be a share of the training data above 0"):
        recipe(CLASSES, held_out=share)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("configs/demo/simmim_swin-demo.py", "has no training and validation data of a downstr"),
        ("configs/demo/vqa-concat_swin-demo.py", "trains on QuestionsDataset, of which no part"),
    ],
)
def test_data_of_which_no_part_can_be_held_out(config, message):
    with pytest.raises(BenchError, match=message):
        recipe(config)


def test_layer_decay_can_be_set_where_the_constructor_has_it():
    cfg = recipe(CLASSES, f"{DECAY}=0.8")
    assert cfg.optim_wrapper.paramwise_cfg.layer_decay == 0.8
    plain = recipe(CLASSES, held_out=None)
    assert "paramwise_cfg" not in plain.optim_wrapper
    stated = recipe("configs/imagenet/swin-b_8xb128_ft-100e.py", f"{DECAY}=0.7")
    assert stated.optim_wrapper.paramwise_cfg.layer_decay == 0.7
    with pytest.raises(BenchError, match=rf"has no layer decay.*only simmim_bench.{CONSTRUCTOR}"):
        recipe("configs/small/cifar10-knn_swin-demo.py", f"{DECAY}=0.7")
