"""Of several processes, the metrics in the manifest are those of the checkpoint."""

import json
import os

import pytest
import torch

from simmim_bench.records.manifest import Manifest
from tests.e2e.conftest import CONFIGS, ROOT

pytestmark = pytest.mark.slow
PROBE = """
_base_ = ["{base}"]
custom_imports = dict(imports=["faults"], allow_failed_imports=False)
custom_hooks = [
    dict(type="mmengine.EMAHook", momentum=0.2),
    dict(type="mmengine.KeepRanks"),
]
model = dict(
    type="simmim_bench.LinearProbe",
    head=dict(type="simmim_bench.LinearProbeHead"),
)
"""


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")
def test_the_batch_norm_of_a_probe_is_validated_as_it_is_saved(tools, tmp_path, monkeypatch):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "e2e")])
    monkeypatch.setitem(tools.env, "PYTHONPATH", path)
    config, run = tmp_path / "probe.py", tmp_path / "run"
    config.write_text(PROBE.format(base=CONFIGS["classification"]), "utf-8")
    options = ["train_dataloader.batch_size=4", "auto_scale_lr.base_batch_size=8"]
    tools.succeed(
        "bash", "tools/dist_train.sh", config, 2, "--work-dir", run, "--kind", "smoke",
        "--from-scratch", "--cfg-options", *options, "train_cfg.max_epochs=1",
    )  # fmt: skip
    saved = torch.load(run / "epoch_1.pth", weights_only=False)["state_dict"]
    for name in ("head.norm.running_mean", "head.norm.running_var"):
        assert not torch.equal(saved[name], torch.full_like(saved[name], saved[name][0]))
        for rank in (0, 1):
            held = torch.load(run / f"rank{rank}.pt")
            assert torch.equal(held[f"module.{name}"], saved[name]), (rank, name)
    tools.succeed("tools/test.py", config, run / "epoch_1.pth", "--work-dir", tmp_path / "test")
    tested = json.loads((tmp_path / "test" / "test.json").read_text())
    assert Manifest.read(run / "manifest.json").metrics == {"top1": tested["accuracy/top1"]}
