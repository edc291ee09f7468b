"""What a training does when memory, a worker, the loss or the node goes: each with real tools."""

import json
import os
import re
import subprocess

import pytest
import torch

from simmim_bench.records.manifest import Manifest
from tests.e2e.conftest import CONFIGS, PRETRAIN, ROOT, TINY
from tests.e2e.test_resume import EACH_STEP, steps_of
from tests.slurm_cluster import free_ports

pytestmark = pytest.mark.slow
AGAIN = 75
FAULT = """
_base_ = ["{base}"]
custom_imports = dict(imports=["faults"], allow_failed_imports=False)
custom_hooks = [
    dict(type="mmengine.Fault", kind="{kind}", at={at}),
    dict(type="mmengine.KeepRanks"),
    *{more},
]
"""


@pytest.fixture
def start(tools, tmp_path, monkeypatch):
    """Start a training that has a fault; return exit code and output."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "e2e")])
    monkeypatch.setitem(tools.env, "PYTHONPATH", path)

    def run(kind, at, *options, base=PRETRAIN, origin=(), processes=1, folder="run", more=()):
        monkeypatch.setitem(tools.env, "PORT", str(free_ports(1)[0]))
        config = tmp_path / f"{kind}.py"
        config.write_text(FAULT.format(base=base, kind=kind, at=at, more=more), "utf-8")
        launched = ["bash", "tools/dist_train.sh", config, str(processes)]
        return tools.run(
            *(launched if processes > 1 else ["tools/train.py", config]),
            "--work-dir", tmp_path / folder, "--resume", "--kind", "smoke", *origin,
            "--cfg-options", *TINY, *EACH_STEP, *options,
        )  # fmt: skip

    return run


def weights(folder, name):
    return torch.load(folder / name, weights_only=False)["state_dict"]


def assert_equal_weights(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], value) for key, value in theirs.items())


@pytest.mark.parametrize("task", ["pretrain", "detection"])  # whose batches are sorted by shape
def test_preempted_inside_an_epoch_it_continues_with_the_next_batch(tools, start, tmp_path, task):
    base, origin = (PRETRAIN, []) if task == "pretrain" else (CONFIGS[task], ["--from-scratch"])
    epochs = "train_cfg.max_epochs=2"
    per_epoch = 4 if task == "pretrain" else 2
    at = per_epoch + per_epoch // 2 - 1  # the first half of the second epoch
    code, output = start("preempted", at, epochs, base=base, origin=origin)
    assert code == AGAIN, output[-3000:]
    assert f"stopped by SIGUSR1; the checkpoint is from iteration {at + 1}" in output
    run = tmp_path / "run"
    assert json.loads((run / "stop.json").read_text())["iteration"] == at + 1
    assert (run / "epoch_1_stopped.pth").exists()
    code, output = start("preempted", at, epochs, base=base, origin=origin)
    assert code == 0, output[-3000:]
    assert not (run / "epoch_1_stopped.pth").exists()
    whole = tmp_path / "whole"
    expected = tools.train(base, whole, *origin, options=[epochs, *EACH_STEP])
    assert steps_of(run) == steps_of(whole)
    assert_equal_weights(weights(run, "epoch_2.pth"), weights(whole, "epoch_2.pth"))
    assert Manifest.read(run / "manifest.json").metrics == expected.metrics


def test_of_two_processes_one_is_asked_and_both_leave_after_the_same_iteration(start, tmp_path):
    """Saving takes a while: neither process exits before the checkpoint is complete."""
    options = ["train_cfg.max_epochs=4", "train_dataloader.batch_size=4"]
    slow = [{"type": "mmengine.SlowDisk"}]
    code, output = start("preempted", 5, *options, processes=2, more=slow)
    assert code == 1, output[-3000:]  # torchrun's
    assert len(re.findall(rf"exitcode +: {AGAIN} ", output)) == 2, output[-3000:]
    run = tmp_path / "run"
    for rank in (0, 1):
        assert (run / f"exit{rank}.txt").read_text().endswith(" epoch_2_stopped.pth")
    assert json.loads((run / "stop.json").read_text())["iteration"] == 10
    assert (run / "epoch_2_stopped.pth").exists()
    code, output = start("preempted", 5, *options, processes=2, more=slow)
    assert code == 0, output[-3000:]
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "fault").touch()  # which spares this run
    code, output = start("preempted", 5, *options, processes=2, folder="whole", more=slow)
    assert code == 0, output[-3000:]
    assert_equal_weights(weights(run, "epoch_4.pth"), weights(tmp_path / "whole", "epoch_4.pth"))
    assert steps_of(run) == steps_of(tmp_path / "whole")
    first, second = (torch.load(run / f"rank{rank}.pt") for rank in (0, 1))
    assert_equal_weights(first, second)  # what each process holds after training


def test_of_two_processes_both_run_out_of_memory_at_once(start, tmp_path):
    options = ["train_cfg.max_epochs=1", "train_dataloader.batch_size=4"]
    run = tmp_path / "run"
    for then in ("continues from the last checkpoint with the same batch", "starts again with 2"):
        code, output = start("out_of_memory", 1, *options, processes=2)
        assert code == 1, output[-3000:]  # torchrun's
        assert "FileNotFoundError" not in output
        stop = json.loads((run / "stop.json").read_text())
        assert stop["reason"] == "out of memory"
        assert then in stop["message"]
    code, output = start("out_of_memory", 1, *options, processes=2)
    assert code == 0, output[-3000:]
    assert "gradients accumulated over 2 iterations: 2 x 2 x 2 = 8 images" in output
    assert Manifest.read(run / "manifest.json").cost.device_count == 2


def test_out_of_memory_it_continues_then_begins_anew_with_half_the_images(start, tmp_path):
    run = tmp_path / "run"
    options = ["train_cfg.max_epochs=2", "train_dataloader.batch_size=4"]
    at = 10  # in the second epoch
    for then, kept in (
        ("continues from the last checkpoint with the same batch", True),
        ("starts again with 2, gradients accumulated to the same", False),
    ):
        code, output = start("out_of_memory", at, *options)
        assert code == AGAIN, output[-3000:]
        assert f"out of memory at iteration {at + 1} with 4 images per process" in output
        assert then in output
        assert json.loads((run / "stop.json").read_text())["reason"] == "out of memory"
        assert (run / "epoch_1.pth").exists() == kept
    code, output = start("out_of_memory", at, *options)
    assert code == 0, output[-3000:]
    assert "gradients accumulated over 4 iterations: 1 x 2 x 4 = 8 images" in output
    manifest = Manifest.read(run / "manifest.json")
    assert any(
        "memory ran out with 4 images per process: 2 at a time" in text
        for text in manifest.deviations
    )


def test_out_of_memory_in_the_validation_it_keeps_batch_and_checkpoint(start, tmp_path):
    fault = ("out_of_memory_in_validation", 0, "train_cfg.max_epochs=1")
    task = {"base": CONFIGS["classification"], "origin": ["--from-scratch"]}
    code, output = start(*fault, **task)
    assert code == 2, output[-3000:]
    run = tmp_path / "run"
    said = (
        "out of memory in the validation after iteration 4, 100 images at a time; the training is "
        f"kept in {run / 'epoch_1.pth'}; free memory of the device"
    )
    assert said in output
    assert {path.name for path in run.glob("*.*")}.isdisjoint({"batch.json", "stop.json"})
    code, output = start(*fault, **task)
    assert code == 0, output[-3000:]
    assert Manifest.read(run / "manifest.json").metrics


def test_a_dead_data_worker_means_start_again(start, tmp_path):
    workers = "train_dataloader.num_workers=1"
    code, output = start("worker", 2, "train_cfg.max_epochs=2", workers)
    assert code == AGAIN, output[-3000:]
    assert "a data worker died" in output
    code, output = start("worker", 2, "train_cfg.max_epochs=2", workers)
    assert code == 0, output[-3000:]


def test_a_nan_loss_is_recorded_with_its_iteration(start, tmp_path):
    every = "train_cfg.max_epochs=3"
    code, output = start("nan", 5, every)
    assert code == 2
    assert "error: " in output
    manifest = Manifest.read(tmp_path / "run" / "manifest.json")
    assert manifest.status == "failed"
    assert manifest.failure.iteration == 6  # which was seen at the end of the epoch
    assert "epoch_1.pth" in manifest.failure.reason
    assert not (tmp_path / "run" / "epoch_2.pth").exists()
    last = weights(tmp_path / "run", "epoch_1.pth")
    assert all(value.isfinite().all() for value in last.values() if value.is_floating_point())


def test_a_full_disk_keeps_the_last_checkpoint(tools, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    try:
        code, output = tools.run(
            "tools/train.py", PRETRAIN, "--work-dir", disk / "run", "--kind", "smoke",
            "--cfg-options", *TINY, "train_cfg.max_epochs=3",
        )  # fmt: skip
        assert code == 2, output[-3000:]
        error = next(line for line in output.splitlines() if line.startswith("error: "))
        assert "the disk is full: epoch_2.pth does not fit" in error
        assert "epoch_1.pth is the last checkpoint" in error
        assert weights(disk / "run", "epoch_1.pth")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
