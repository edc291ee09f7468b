"""An override that adds an argument is compared with what the class takes."""

from pathlib import Path

import pytest
from rich.console import Console

from simmim_bench.errors import BenchError
from simmim_bench.suite.run import Options, run_suite
from simmim_bench.training.config_check import unknown_arguments

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


def test_a_suite_is_refused_before_anything_runs(tmp_path):
    text = (ROOT / "configs/suites/smoke.yaml").read_text("utf-8")
    suite = tmp_path / "suite.yaml"
    suite.write_text(text.replace("dataset.indices: 640", "dataset.indicess: 640"), "utf-8")
    options = Options(suite=suite, root=ROOT, work_dir=tmp_path / "runs")
    with pytest.raises(BenchError, match="no argument 'indicess'; did you mean indices"):
        run_suite(options, Console(quiet=True))
    assert not (tmp_path / "runs").exists()
