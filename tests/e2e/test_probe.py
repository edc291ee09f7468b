"""A pretraining that reports on its features, as a user calls it."""

import re

import pytest

from simmim_bench.leaderboard.web.run_report import write_run_report
from simmim_bench.records.manifest import Manifest
from simmim_bench.weights.files import load_checkpoint
from tests.e2e.conftest import CONFIGS, PRETRAIN
from tests.e2e.test_bad_input import refusal


@pytest.mark.slow
def test_a_probed_pretraining_learns_the_same(tools, pretrained, tmp_path):
    words = ("--probe-every", 1)
    manifest = tools.train(PRETRAIN, tmp_path, *words, options=["train_cfg.max_epochs=2"])
    before, after = (
        load_checkpoint(folder / "epoch_2.pth")["state_dict"] for folder in (pretrained, tmp_path)
    )
    assert before.keys() == after.keys()
    assert all(value.equal(after[key]) for key, value in before.items())
    for name in ("knn", "linear", "rankme", "lidar"):
        curve = manifest.curves[f"probe_{name}"]
        assert (curve.against, [step for step, _ in curve.points]) == ("epoch", [0, 1, 2])
    assert "probe_knn" not in Manifest.read(pretrained / "manifest.json").curves
    [log] = tmp_path.glob("*/*.log")
    line = r"probe after epoch [012]: k-NN top-1 .* \(chance 10 %\), effective rank .* \(RankMe\)"
    assert len(re.findall(line, log.read_text("utf-8"))) == 3
    assert "effective rank of the features (LiDAR)" in write_run_report(tmp_path).read_text("utf-8")


@pytest.mark.parametrize(
    ("config", "flags", "said"),
    [
        (PRETRAIN, ["--probe-data", "x"], "--probe-data needs --probe-every N"),
        (PRETRAIN, ["--probe-every", 1, "--probe-data", "x"], "--probe-data x has 0 classes in"),
        (PRETRAIN, ["--probe-every", 1, "--fsdp"], "--probe-every does not work with --fsdp"),
        (CONFIGS["detection"], ["--from-scratch", "--probe-every", 1], "is a downstream task"),
    ],
)  # fmt: skip
def test_flags_that_do_not_fit_stop_before_training(tools, config, flags, said, tmp_path):
    work = tmp_path / "work"
    assert said in refusal(tools, "tools/train.py", config, "--work-dir", work, *flags)
    assert not work.exists()
