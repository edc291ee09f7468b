"""A run that was killed and continued ends as one that was never killed."""

import json
import signal
import time

import pytest
import torch

from tests.e2e.conftest import CONFIGS, PRETRAIN, TINY

pytestmark = pytest.mark.slow


BY_ITERATION = """
_base_ = ["{base}"]
protocol = dict(epochs=None, iterations=9)
train_dataloader = dict(
    num_workers=2,
    persistent_workers=True,
    sampler=dict(_delete_=True, type="simmim_bench.EndlessSampler", shuffle=True),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=4),
    dict(type="PolyLR", eta_min=0.0, power=1.0, by_epoch=False, begin=4, end=9),
]
train_cfg = dict(_delete_=True, type="IterBasedTrainLoop", max_iters=9, val_interval=9)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=3), logger=dict(log_metric_by_epoch=False)
)
log_processor = dict(by_epoch=False)
"""
EMA = """
_base_ = ["{base}"]
custom_hooks = [dict(type="mmengine.EMAHook", momentum=0.2)]
"""
WORKERS = ["train_dataloader.num_workers=2"]
EACH_STEP = ["default_hooks.logger.interval=1", "log_processor.window_size=1"]


def state_of(folder, name):
    return torch.load(folder / f"{name}.pth", weights_only=False)


def steps_of(folder):
    """Step to (learning rate, loss); of a resumed run, the last word on each step."""
    logs = sorted(folder.glob("*/vis_data/scalars.json"))
    lines = [json.loads(line) for log in logs for line in log.read_text("utf-8").splitlines()]
    return {line["step"]: (line["lr"], line["loss"]) for line in lines if "loss" in line}


def assert_same(ours, theirs, place):
    """Nested states are equal to the bit."""
    assert type(ours) is type(theirs), place
    if isinstance(theirs, torch.Tensor):
        assert torch.equal(ours, theirs), place
    elif isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), place
        for key, value in theirs.items():
            assert_same(ours[key], value, f"{place}.{key}")
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), place
        for number, value in enumerate(theirs):
            assert_same(ours[number], value, f"{place}.{number}")
    else:
        assert ours == theirs, place


def kill_after(checkpoint, tools, *command):
    process = tools.start(*command)
    deadline = time.monotonic() + 400  # as Tools.run
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    assert checkpoint.exists(), output
    assert not (checkpoint.parent / "manifest.json").exists()


@pytest.mark.parametrize(
    ("task", "options", "first", "last"),
    [
        ("pretrain", ["train_cfg.max_epochs=3"], "epoch_1", "epoch_3"),
        ("classification", ["train_cfg.max_epochs=3", *WORKERS], "epoch_1", "epoch_3"),
        ("detection", ["train_cfg.max_epochs=3"], "epoch_1", "epoch_3"),
        ("segmentation", ["train_cfg.max_epochs=3"], "epoch_1", "epoch_3"),
        ("segmentation by iteration", [], "iter_3", "iter_9"),  # two iterations are a lap
        ("classification with EMA", ["train_cfg.max_epochs=3"], "epoch_1", "epoch_3"),
    ],
)
def test_killed_and_resumed_equals_never_killed(tools, tmp_path, task, options, first, last):
    config, origin = PRETRAIN, []
    if task != "pretrain":
        config, origin = CONFIGS[task.split()[0]], ["--from-scratch"]
    if " " in task:
        text = (EMA if task.endswith("EMA") else BY_ITERATION).format(base=config)
        config = tmp_path / "config.py"
        config.write_text(text, "utf-8")
    options = [*options, *EACH_STEP]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = tools.train(config, whole, *origin, options=options)
    command = [
        "tools/train.py", config, "--work-dir", broken, "--resume", *origin, "--kind", "smoke",
        "--cfg-options", *TINY, *options,
    ]  # fmt: skip
    kill_after(broken / f"{first}.pth", tools, *command)
    moved = broken.rename(tmp_path / "moved")  # a copied folder resumes from itself
    manifest = tools.train(config, moved, "--resume", *origin, options=options)
    assert manifest.metrics == expected.metrics
    assert manifest.cost.wall_seconds > 0
    ours, theirs = state_of(moved, last), state_of(whole, last)
    assert ours.keys() == theirs.keys()
    assert ("ema_state_dict" in theirs) == task.endswith("EMA")
    for part in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers"):
        assert_same(ours.get(part), theirs.get(part), part)
    assert ours["meta"]["iter"] == theirs["meta"]["iter"]
    assert steps_of(moved) == steps_of(whole)
    assert len(steps_of(whole)) == theirs["meta"]["iter"]


def test_a_truncated_newest_checkpoint_is_passed_over(tools, pretrained, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(pretrained, folder)
    (folder / "manifest.json").unlink()
    newest = folder / "epoch_2.pth"
    newest.write_bytes(newest.read_bytes()[:1000])
    tools.train(PRETRAIN, folder, "--resume", options=["train_cfg.max_epochs=2"])
    ours, theirs = state_of(folder, "epoch_2"), state_of(pretrained, "epoch_2")
    assert all(
        torch.equal(ours["state_dict"][key], value) for key, value in theirs["state_dict"].items()
    )


def test_another_run_neither_continues_nor_overwrites(tools, pretrained):
    before = (pretrained / "epoch_2.pth").read_bytes()
    command = [
        "tools/train.py", PRETRAIN, "--work-dir", pretrained, "--kind", "smoke",
        "--cfg-options", *TINY, "train_cfg.max_epochs=2",
    ]  # fmt: skip
    code, output = tools.run(*command)
    assert code == 2
    assert "contains manifest.json of an earlier run; pass --resume" in output
    code, output = tools.run(*command[:2], "--resume", "--seed", "1", *command[2:])
    assert code == 2
    assert "was written with seed 0, this run has seed 1" in output
    assert (pretrained / "epoch_2.pth").read_bytes() == before


def test_a_finished_run_trains_longer_at_its_last_rate(tools, tmp_path):
    folder, options = tmp_path / "run", EACH_STEP
    tools.train(PRETRAIN, folder, "--epochs", "3", "--name", "mine", options=options)
    first = steps_of(folder)
    manifest = tools.train(
        PRETRAIN, folder, "--epochs", "4", "--name", "mine", "--resume", options=options
    )
    later = steps_of(folder)
    assert len(first) == 12  # 32 images in batches of 8
    assert {step: later[step] for step in first} == first
    assert {later[step][0] for step in range(13, 17)} == {first[12][0]}
    assert first[12][0] > 0
    assert (manifest.method, manifest.pretraining.epochs) == ("mine", 4)
    assert "4 epochs: the schedule has 3, the others have its last learning rate" in (
        manifest.deviations
    )
    for words, message in (
        (["--epochs", "2"], "has a schedule of 3 epochs; pass --epochs 3 or more"),
        (["--epochs", "3"], "was trained for 4 epochs, this run has 3; pass --epochs 4 or more"),
    ):
        code, output = tools.run(
            "tools/train.py", PRETRAIN, "--work-dir", folder, "--name", "mine", "--resume",
            "--kind", "smoke", *words, "--cfg-options", *TINY, *options,
        )  # fmt: skip
        assert code == 2
        assert message in output
