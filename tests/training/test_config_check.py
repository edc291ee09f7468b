"""An override that adds an argument is compared with what the class takes."""

from pathlib import Path

import pytest
from rich.console import Console

from simmim_bench.errors import BenchError
from simmim_bench.suite.run import Options, run_suite
from simmim_bench.training.config_check import unknown_arguments, unregistered_classes

ROOT = Path(__file__).parents[2]

PRETRAINING = "configs/demo/simmim_swin-demo.py"
DETECTION = "configs/demo/mask-rcnn_swin-demo_fpn.py"


@pytest.mark.parametrize(
    ("config", "override", "message"),
    [
        (PRETRAINING, "train_cfg.max_epoch=1", "EpochBasedTrainLoop has no argument 'max_epoch'"),
        (PRETRAINING, "train_dataloader.dataset.indicess=4", "did you mean indices"),
        (PRETRAINING, "optim_wrapper.optimizer.weight_deca=0", "AdamW has no argument"),
        (DETECTION, "model.backbone.drop_path_rat=0", "did you mean drop_path_rate"),
        (DETECTION, "test_evaluator.colour=red", "it has: "),
    ],
)
def test_unknown_arguments_are_reported(config, override, message):
    (sentence,) = unknown_arguments(config, [override])
    assert sentence.startswith(f"config key {override.split('=')[0]!r}: ")
    assert message in sentence


@pytest.mark.parametrize(
    ("config", "override"),
    [
        (PRETRAINING, "train_dataloader.dataset.indices=4"),  # of a parent class
        (PRETRAINING, "train_cfg.max_epochs=1"),  # the file has it
        (PRETRAINING, "optim_wrapper.accumulative_counts=2"),
        (PRETRAINING, "default_hooks.checkpoint.priority=LOW"),  # taken out before it is built
        (DETECTION, "param_scheduler.0.verbose=True"),
    ],
)
def test_known_arguments_are_not_reported(config, override):
    assert not list(unknown_arguments(config, [override]))


def test_a_mask_takes_the_arguments_of_its_strategy():
    step = "train_dataloader.dataset.pipeline.2"
    stripes = [f"{step}.strategy=stripes", f"{step}.direction=vertical"]
    assert not list(unknown_arguments(PRETRAINING, stripes))
    (sentence,) = unknown_arguments(PRETRAINING, [stripes[0], f"{step}.directions=vertical"])
    assert "GenerateMask has no argument 'directions'; did you mean direction" in sentence
    (sentence,) = unknown_arguments(PRETRAINING, [stripes[1]])  # of a random mask
    assert "GenerateMask has no argument 'direction'" in sentence


@pytest.mark.parametrize(
    "override",
    [
        "model.backbone.type=os.system",
        "model.backbone.type=antigravity",
        "optim_wrapper.constructor=builtins.exec",
        "train_dataloader.dataset.type=mmengine.fileio.load",
        "train_dataloader.dataset.pipeline.0.type=mmpretrain.os.system",
    ],
)
def test_a_class_of_an_override_is_registered(override):
    (sentence,) = unregistered_classes(PRETRAINING, [override])
    key, _, name = override.partition("=")
    assert sentence.startswith(f"config key {key!r}: {name!r} is not a registered class")


@pytest.mark.parametrize(
    "override",
    [
        "model.backbone.type=mmpretrain.ResNet",
        "model.backbone.type=ResNet",
        "model.decoder.type=simmim_bench.LinearDecoder",
        "optim_wrapper.optimizer.type=SGD",
        "train_cfg.max_epochs=1",
    ],
)
def test_a_registered_class_may_be_named(override):
    assert not list(unregistered_classes(PRETRAINING, [override]))


def test_a_suite_runs_no_function_that_it_names(tmp_path, monkeypatch):
    """``type: os.system`` of an override would run ``command`` when the model is built."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "configs/suites/smoke.yaml").read_text("utf-8")
    attack = "model.decoder.type: os.system, model.decoder.command: touch marker"
    changed = text.replace("train_dataloader.dataset.indices: 640", attack)
    assert changed != text
    (tmp_path / "suite.yaml").write_text(changed, "utf-8")
    options = Options(suite=tmp_path / "suite.yaml", root=ROOT, work_dir=tmp_path / "runs")
    with pytest.raises(BenchError, match=r"'os.system' is not a registered class, and a suite"):
        run_suite(options, Console(quiet=True))
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "marker").exists()


def test_a_suite_is_refused_before_anything_runs(tmp_path):
    text = (ROOT / "configs/suites/smoke.yaml").read_text("utf-8")
    suite = tmp_path / "suite.yaml"
    suite.write_text(text.replace("dataset.indices: 640", "dataset.indicess: 640"), "utf-8")
    options = Options(suite=suite, root=ROOT, work_dir=tmp_path / "runs")
    with pytest.raises(BenchError, match="no argument 'indicess'; did you mean indices"):
        run_suite(options, Console(quiet=True))
    assert not (tmp_path / "runs").exists()
