"""A run that was killed and continued ends as one that was never killed."""

import signal
import time

import pytest
import torch

from tests.e2e.conftest import CONFIGS, PRETRAIN, TINY

pytestmark = pytest.mark.slow


def state_of(folder, epoch):
    return torch.load(folder / f"epoch_{epoch}.pth", weights_only=False)


def kill_after_first_checkpoint(tools, folder, *command):
    process = tools.start(*command)
    for _ in range(1200):
        if (folder / "epoch_1.pth").exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "epoch_1.pth").exists()
    assert not (folder / "manifest.json").exists()


@pytest.mark.parametrize(
    ("config", "origin"),
    [(PRETRAIN, []), (CONFIGS["classification"], ["--from-scratch"])],
    ids=["pretrain", "finetune"],
)
def test_killed_and_resumed_equals_never_killed(tools, tmp_path, config, origin):
    options = ["train_cfg.max_epochs=3"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = tools.train(config, whole, *origin, options=options)
    command = [
        "tools/train.py", config, "--work-dir", broken, "--resume", *origin, "--kind", "smoke",
        "--cfg-options", *TINY, *options,
    ]  # fmt: skip
    kill_after_first_checkpoint(tools, broken, *command)
    moved = broken.rename(tmp_path / "moved")  # a copied folder resumes from itself
    manifest = tools.train(config, moved, "--resume", *origin, options=options)
    assert manifest.metrics == expected.metrics
    assert manifest.cost.wall_seconds > 0
    ours, theirs = state_of(moved, 3), state_of(whole, 3)
    for key, value in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][key], value), key
    assert ours["meta"]["iter"] == theirs["meta"]["iter"]


def test_a_truncated_newest_checkpoint_is_passed_over(tools, pretrained, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(pretrained, folder)
    (folder / "manifest.json").unlink()
    newest = folder / "epoch_2.pth"
    newest.write_bytes(newest.read_bytes()[:1000])
    tools.train(PRETRAIN, folder, "--resume", options=["train_cfg.max_epochs=2"])
    ours, theirs = state_of(folder, 2), state_of(pretrained, 2)
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
    assert "holds manifest.json of an earlier run; pass --resume" in output
    code, output = tools.run(*command[:2], "--resume", "--seed", "1", *command[2:])
    assert code == 2
    assert "was written by a run with seed 0, this run has seed 1" in output
    assert (pretrained / "epoch_2.pth").read_bytes() == before
