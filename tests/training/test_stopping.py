"""When and how a run ends early: on a signal, or because memory ran out."""

import json
import signal
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict

from simmim_bench.errors import BenchError
from simmim_bench.training import stopping
from simmim_bench.training.batch import has_tried_again
from simmim_bench.training.stopping import PreemptionHook

MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize(
    ("accumulated", "asked_after"),
    [(1, [10, 20, 30]), (3, [9, 18, 27]), (8, [8, 16, 24]), (16, [16])],
)
def test_they_ask_after_optimiser_steps(monkeypatch, accumulated, asked_after):
    """Asking every 10 iterations, of which each 8th is a step, would be asking every 40."""
    asked = []
    monkeypatch.setattr(stopping, "get_world_size", lambda: 2)
    monkeypatch.setattr(stopping, "all_reduce", lambda _: asked.append(runner.iter + 1))
    runner = SimpleNamespace(
        iter=0,
        max_iters=100,
        epoch=0,
        cfg=ConfigDict(optim_wrapper={"accumulative_counts": accumulated}),
        model=torch.nn.Linear(1, 1),
        train_loop=None,
        train_dataloader=range(100),
    )
    runner.optim_wrapper = SimpleNamespace(
        should_update=lambda: (runner.iter + 1) % accumulated == 0
    )
    hook = PreemptionHook()
    for runner.iter in range(31):
        hook.after_train_iter(runner, runner.iter)
    assert asked == asked_after


@pytest.mark.parametrize("first", [True, False])
def test_no_process_leaves_before_the_checkpoint_and_the_note_are_written(
    monkeypatch, tmp_path, first
):
    """If another process exits while the first one saves, torchrun kills the first after 30 s."""
    done = []
    monkeypatch.setattr(stopping, "is_main_process", lambda: first)
    monkeypatch.setattr(stopping, "_save", lambda _: done.append("save"))
    monkeypatch.setattr(
        stopping, "barrier", lambda: done.append(f"wait {(tmp_path / 'stop.json').exists()}")
    )
    monkeypatch.setattr(stopping, "leave", lambda: done.append("leave"))
    ignored = {}
    monkeypatch.setattr(stopping.signal, "signal", lambda *pair: ignored.update([pair]))
    hook = PreemptionHook()
    hook.received = signal.SIGTERM
    monkeypatch.setattr(hook, "_ends_epoch", lambda *_: False)
    runner = SimpleNamespace(
        iter=4,
        work_dir=str(tmp_path),
        logger=SimpleNamespace(info=lambda _: done.append("log")),
        optim_wrapper=SimpleNamespace(should_update=lambda: True),
    )
    with pytest.raises(SystemExit) as ended:
        hook.after_train_iter(runner, 4)
    assert ended.value.code == 75
    assert done == ["save", f"wait {first}", "log", "leave"]
    assert set(ignored.values()) == {signal.SIG_IGN}


@pytest.fixture
def runner(tmp_path):
    """A runner of which ``model.training`` says what it is doing."""
    batches = SimpleNamespace(batch_sampler=SimpleNamespace(batch_size=8))
    cfg = ConfigDict(
        train_dataloader={"batch_size": 8}, auto_scale_lr={"base_batch_size": 8}, optim_wrapper={}
    )
    return SimpleNamespace(
        iter=6,
        cfg=cfg,
        world_size=1,
        work_dir=str(tmp_path),
        model=torch.nn.Linear(1, 1),
        train_dataloader=batches,
        val_loop=True,
        val_dataloader=batches,
        logger=SimpleNamespace(error=lambda _: None),
    )


def run_out_of_memory(runner, tmp_path, **rights):
    tried = has_tried_again(runner.cfg, tmp_path, 1)
    may = {"may_restart": True, "may_shrink": True, **rights}
    with stopping.stopping(runner, **may, tried_again=tried):
        raise MEMORY


def test_out_of_memory_in_training_the_batch_stays_once_and_is_halved_then(runner, tmp_path):
    torch.save({}, tmp_path / "epoch_1.pth")
    for then, kept in (
        ("continues from the last checkpoint", True),
        ("starts again with 4", False),
    ):
        with pytest.raises(SystemExit):
            run_out_of_memory(runner, tmp_path)
        stop = json.loads((tmp_path / "stop.json").read_text())
        assert stop["message"].startswith("out of memory at iteration 7 with 8 images per process")
        assert then in stop["message"]
        assert (tmp_path / "epoch_1.pth").exists() == kept


def test_two_processes_out_of_memory_in_the_same_start_both_keep_the_batch(runner, tmp_path):
    rights = {"may_restart": True, "may_shrink": True}
    tried = [has_tried_again(runner.cfg, tmp_path, 1) for _ in range(2)]  # before either trains
    for one in tried:
        with pytest.raises(SystemExit), stopping.stopping(runner, **rights, tried_again=one):
            raise MEMORY
    written = json.loads((tmp_path / "batch.json").read_text())
    assert written == {"from": 8, "to": 8, "processes": 1}


def test_a_run_that_may_not_shrink_is_continued_once(runner, tmp_path):
    with pytest.raises(SystemExit):
        run_out_of_memory(runner, tmp_path, may_shrink=False)
    with pytest.raises(torch.OutOfMemoryError):
        run_out_of_memory(runner, tmp_path, may_shrink=False)


@pytest.mark.parametrize("may_restart", [True, False])
def test_out_of_memory_in_validation_the_batch_of_training_stays(runner, tmp_path, may_restart):
    torch.save({}, tmp_path / "epoch_1.pth")
    runner.model.eval()
    said = (
        r"out of memory in the validation after iteration 6, 8 images at a time; the training is "
        r"kept in .*epoch_1\.pth; free memory of the device, .* continue with --resume, or start "
        r"in another --work-dir with --cfg-options val_dataloader\.batch_size=4"
    )
    for _ in range(2):
        with pytest.raises(BenchError, match=said):
            run_out_of_memory(runner, tmp_path, may_restart=may_restart)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_out_of_memory_in_a_reconstruction_the_batch_stays(runner, tmp_path):
    """A pretraining has no validation, and asking mmengine's runner for its loader is an error."""
    runner.model.eval()
    runner.val_loop = None
    del runner.val_dataloader
    with pytest.raises(BenchError, match="reconstructions were drawn after iteration 6; free"):
        run_out_of_memory(runner, tmp_path)
    assert not list(tmp_path.iterdir())
