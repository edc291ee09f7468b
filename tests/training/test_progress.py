"""progress.json of a run."""

import json
from types import SimpleNamespace

import torch

from simmim_bench.training.hooks.manifest import ProgressHook


def test_training_and_validation_take_turns(tmp_path):
    runner = SimpleNamespace(work_dir=tmp_path, iter=4, max_iters=20, val_dataloader=range(8))
    hook = ProgressHook(seconds=0)

    def written():
        return json.loads((tmp_path / "progress.json").read_text("utf-8"))

    hook.before_train(runner)
    hook.after_train_iter(runner, 4, outputs={"loss": torch.tensor(0.5)})
    trained = written()
    assert (trained["done"], trained["total"], trained["metric"]) == (5, 20, {"loss": 0.5})
    hook.before_val(runner)
    assert written() == {**trained, "validated": 0, "to_validate": 8}
    hook.after_val_iter(runner, 2)
    assert written()["validated"] == 3
    runner.iter = 5
    hook.after_train_iter(runner, 5, outputs={"loss": torch.tensor(0.25)})
    assert "validated" not in written()
    patient = ProgressHook(seconds=1000)
    patient.before_val(runner)
    patient.after_val_iter(runner, 6)
    assert written() == {"validated": 0, "to_validate": 8}
