"""Which hooks a run has."""

import pytest

from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.training.train import _folder_of_training, hooks_of, what_next

PRETRAIN = "configs/demo/simmim_swin-demo.py"
FINETUNE = "configs/demo/classification_swin-demo.py"
EVERY_RUN = [
    *("SeedHook", "LoadersHook", "MeanLossHook", "SameStatisticsHook", "FiniteLossHook"),
    *("IdentityHook", "PeakMemoryHook", "EnergyHook", "ProgressHook", "PreemptionHook"),
]
REPORTS = ["ClassesHook", "ImageListHook", "ClassReportHook", "SamplePredictionsHook"]


@pytest.fixture
def hooks(command_line):
    """Function from arguments to the names of the hooks."""

    def names(*arguments, **options):
        cfg, run = command_line(*arguments, **options)
        return [hook["type"].removeprefix("simmim_bench.") for hook in hooks_of(cfg, run, [])]

    return names


def test_a_pretraining(hooks):
    assert hooks(PRETRAIN) == [*EVERY_RUN, "ManifestHook", "ReconstructionHook"]


def test_a_downstream_run(hooks):
    assert hooks(FINETUNE, "--from-scratch") == [*EVERY_RUN, "ManifestHook", *REPORTS]


def test_a_trial_checks_classes_and_writes_no_reports(hooks, command_line):
    trial = (FINETUNE, "--from-scratch", "--held-out", 0.2, "--work-dir", "runs/3")
    assert hooks(*trial) == [*EVERY_RUN, "ManifestHook", "ClassesHook"]
    _, run = command_line(*trial)
    assert (run.stage, run.held_out) == ("trial", {"share": 0.2, "seed": 0})
    assert what_next(run) == (
        "the results are in runs/3; next: train without --held-out, on all training data, for a "
        "record"
    )


def test_flags_for_speed_act_first(hooks):
    found = hooks(PRETRAIN, "--compile", "--fsdp", world_size=2)
    assert found[:3] == ["SpeedHook", "FullyShardHook", "SeedHook"]


def test_a_try_writes_no_manifest_and_no_reports(hooks):
    assert hooks(FINETUNE, "--from-scratch", "--try") == EVERY_RUN


def test_the_class_of_the_model_says_whether_reconstructions_are_shown(hooks, monkeypatch):
    class Toy:
        predicts_images = True

    monkeypatch.setitem(MODELS.module_dict, "Toy", Toy)
    toy = ["--cfg-options", "model.type=simmim_bench.Toy"]
    assert "ReconstructionHook" in hooks(PRETRAIN, *toy)
    monkeypatch.setattr(Toy, "predicts_images", False)
    assert "ReconstructionHook" not in hooks(PRETRAIN, *toy)


def test_a_run_ends_with_the_command_that_takes_its_results(command_line, monkeypatch):
    _, run = command_line(PRETRAIN, "--work-dir", "my runs/1")
    assert what_next(run) == (
        "the results are in my runs/1; next: simmim-bench export 'my runs/1' --out "
        "'my runs/1/export'"
    )
    _, run = command_line(FINETUNE, "--from-scratch", "--work-dir", "runs/2")
    assert what_next(run) == (
        "the results are in runs/2; next: simmim-bench leaderboard build --work-dir runs/2, or "
        "simmim-bench predict runs/2 IMAGES"
    )
    monkeypatch.setenv("SIMMIM_BENCH_IMPORTS", "my_masks")
    assert what_next(run).endswith(
        "--work-dir runs/2 --import my_masks, or simmim-bench predict runs/2 IMAGES "
        "--import my_masks"
    )


def test_of_several_folders_none_is_probed_by_itself():
    cfg = load_config(PRETRAIN)
    loader = cfg.train_dataloader.to_dict()
    cfg.val_dataloader = {**loader, "dataset": {**loader["dataset"], "data_root": "other"}}
    with pytest.raises(BenchError, match=r"reads 2 folders .*; name one with --probe-data"):
        _folder_of_training(cfg)


def test_a_config_of_another_run_brings_none_of_its_hooks(command_line):
    config = "configs/demo/classification_swin-demo.py"
    cfg, run = command_line(config, "--from-scratch")
    before = hooks_of(cfg, run, [])
    own = {"type": "mmengine.EMAHook", "momentum": 0.1}
    other = {"type": "simmim_bench.PretrainedBackboneHook", "checkpoint": "other.pth"}
    cfg.custom_hooks = [own, other, *before]  # as a work dir has them
    assert hooks_of(cfg, run, []) == [own, *before]
