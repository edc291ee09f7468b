"""What the command line may change in a config, and what it refuses."""

from pathlib import Path

import pytest

from simmim_bench import shipped
from simmim_bench.config import (
    check_start,
    load_config,
    load_stated_config,
    resolved_hash,
)
from simmim_bench.errors import BenchError

CONFIG = """
model = dict(type='X', head=dict(type='H', num_classes=10))
train_dataloader = dict(batch_size=2, dataset=dict(type='D', data_root='data/coco/', ann_file='a'))
val_evaluator = dict(type='E', ann_file='data/coco/annotations/val.json')
train_cfg = dict(max_epochs=3)
schedule = [dict(type='LinearLR', end=5)]
resize = dict(type='Resize', scale=(96, 96), sizes=[1, 2])
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(CONFIG)
    return str(path)


def test_overrides_reach_nested_values_and_lists(config):
    cfg = load_config(config, overrides=["train_cfg.max_epochs=1", "schedule.0.end=7"])
    assert cfg.train_cfg.max_epochs == 1
    assert cfg.schedule[0].end == 7


def test_a_list_that_replaces_a_tuple_becomes_a_tuple(config):
    cfg = load_config(config, overrides=["resize.scale=[64,32]", "resize.sizes=[3]"])
    assert cfg.resize.scale == (64, 32)
    assert cfg.resize.sizes == [3]


def test_a_new_argument_is_allowed_only_where_a_type_takes_it(config):
    cfg = load_config(config, overrides=["train_dataloader.dataset.indices=4"])
    assert cfg.train_dataloader.dataset.indices == 4
    with pytest.raises(BenchError, match=r"no 'max_epoch'; did you mean max_epochs\?"):
        load_config(config, overrides=["train_cfg.max_epoch=1"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("My 1000 photos", "My 1000 photos"),
        ("photos, the first 10", "photos, the first 10"),
        ("my  folder/a b.json", "my  folder/a b.json"),
        ("[my photos, yours]", ["my photos", "yours"]),
        ("[ (1, 2), (a b, 3) ]", [(1, 2), ("a b", 3)]),
        ("a,b", ["a", "b"]),
        ("7", 7),
        ("None", None),
    ],
)
def test_a_value_keeps_the_spaces_that_are_its_own(config, value, expected):
    """mmengine's parser removes all of them, so that names and paths were altered."""
    cfg = load_config(config, overrides=[f"train_dataloader.dataset.ann_file={value}"])
    assert cfg.train_dataloader.dataset.ann_file == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("resize.scale=[1,(2", "is given '.1,.2': Imbalanced brackets .*; close them"),
        ("modle.head.num_classes=3", "did you mean model"),
        ("schedule.3.end=1", "a list of 1"),
        ("max_epochs", "KEY=VALUE"),
        ("train_cfg.max_epochs=three", "must be a number .it is 3., got 'three'"),
    ],
)
def test_a_wrong_override_is_refused_with_a_hint(config, override, message):
    with pytest.raises(BenchError, match=message):
        load_config(config, overrides=[override])


def test_data_root_moves_every_path_below_it(config):
    cfg = load_config(config, data_root="/elsewhere/coco")
    assert cfg.train_dataloader.dataset.data_root == "/elsewhere/coco/"
    assert cfg.val_evaluator.ann_file == "/elsewhere/coco/annotations/val.json"
    assert cfg.train_dataloader.dataset.ann_file == "a"


def test_num_classes_reaches_every_head(config):
    assert load_config(config, num_classes=3).model.head.num_classes == 3


def test_the_hash_ignores_the_data_folder_only(config):
    here = resolved_hash(load_config(config))
    assert resolved_hash(load_config(config, data_root="/elsewhere")) == here
    assert resolved_hash(load_config(config, num_classes=11)) != here


def test_a_missing_config_names_the_nearest(tmp_path, monkeypatch):
    (tmp_path / "configs" / "coco").mkdir(parents=True)
    (tmp_path / "configs" / "coco" / "mask-rcnn_swin-b.py").write_text("a = 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match=r"did you mean configs/coco/mask-rcnn_swin-b\.py"):
        load_config("configs/coco/mask-rcn_swin-b.py")


def test_a_broken_config_is_named(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("model = dict(")
    with pytest.raises(BenchError, match="cannot be read"):
        load_config(str(path))


@pytest.mark.parametrize(
    "code", ["import os\nos.system('touch marker')\n", "_base_ = 'base.py'\n", "filename = 1\n"]
)
@pytest.mark.parametrize("place", ["mine.py", "configs/../mine.py", "configs/link.py"])
def test_only_configs_of_the_project_are_executed_for_a_file(tmp_path, monkeypatch, code, place):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "HOME", tmp_path)
    monkeypatch.setattr(shipped, "CONFIGS", tmp_path / "configs")
    (tmp_path / "configs").mkdir()
    (tmp_path / "base.py").write_text("import os\nos.system('touch marker')\n")
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "configs" / "link.py").symlink_to(tmp_path / "mine.py")
    assert not shipped.is_shipped(Path(place))
    with pytest.raises(BenchError, match=r"mine\.py|link\.py"):
        load_stated_config(place)
    assert not (tmp_path / "marker").exists()


def test_a_config_that_a_file_names_is_found_in_the_project(tmp_path, monkeypatch):
    name = "configs/demo/simmim_swin-demo.py"
    here = resolved_hash(load_config(name))
    monkeypatch.chdir(tmp_path)
    assert resolved_hash(load_stated_config(name)) == here
    (tmp_path / "plain.py").write_text(CONFIG)
    assert load_stated_config("plain.py").train_cfg.max_epochs == 3


@pytest.mark.parametrize(
    ("override", "flag"),
    [
        ("load_from=a.pth", "--init FILE"),
        ("resume=True", "--resume"),
        ("resume_from=a", "--resume"),
    ],
)
def test_an_override_that_mmengine_would_start_from(config, override, flag):
    with pytest.raises(BenchError, match=rf"^--cfg-options {override}: .* does not use .*{flag}"):
        load_config(config, overrides=[override])


@pytest.mark.parametrize(
    ("key", "flag"),
    [
        ("load_from = 'a.pth'", "pass --init FILE .* or --pretrained BACKBONE.PTH"),
        ("resume = True", "pass --resume"),
        ("resume_from = 'a.pth'", "pass --resume"),
    ],
)
def test_a_key_that_mmengine_would_start_from(config, key, flag):
    Path(config).write_text(CONFIG + key)
    said = rf"^this.py has {key.replace(' ', '')}, which a run does not use; remove it, and {flag}"
    with pytest.raises(BenchError, match=said):
        check_start(load_config(config), "this.py")


def test_keys_of_a_config_that_mmengine_writes_itself_are_accepted(config):
    Path(config).write_text(f"{CONFIG}load_from = None\nresume = False\n")
    check_start(load_config(config), "this.py")


INIT = "dict(type='Pretrained', checkpoint='a.pth')"


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (f"dict(type='X', init_cfg={INIT})", r"model.init_cfg of type Pretrained"),
        (
            f"dict(type='X', parts=[dict(type='Y', init_cfg=[dict(type='Xavier'), {INIT}])])",
            r"model.parts\[0\].init_cfg\[1\] of type Pretrained",
        ),
        (
            "dict(type='X', init_cfg=dict(type='mmengine.PretrainedInit', checkpoint='a.pth'))",
            "model.init_cfg of type mmengine.PretrainedInit",
        ),
        (
            "dict(type='X', backbone=dict(type='Y', pretrained=True))",
            "model.backbone.pretrained=True",
        ),
        ("dict(type='X', pretrained='a.pth')", "model.pretrained='a.pth'"),
        ("dict(type='X', checkpoint_path='a.pth')", "model.checkpoint_path='a.pth'"),
    ],
)
def test_a_model_that_would_load_weights_without_a_check(config, model, place):
    Path(config).write_text(f"model = {model}")
    with pytest.raises(BenchError, match=f"has {place}, which loads weights without checking"):
        load_config(config)


def test_an_override_that_makes_a_model_load_weights(config):
    Path(config).write_text("model = dict(type='X', init_cfg=dict(type='Xavier', a=1))")
    with pytest.raises(BenchError, match=r"has model.init_cfg of type Pretrained, which loads"):
        load_config(config, overrides=["model.init_cfg.type=Pretrained"])
    with pytest.raises(BenchError, match=r"has model.pretrained=True, which loads weights"):
        load_config(config, overrides=["model.pretrained=True"])
