"""After memory ran out the effective batch is the recipe's, with fewer images at a time."""

import json
from types import SimpleNamespace

import pytest
from mmengine.config import ConfigDict

from simmim_bench.training.batch import choose_smaller_batch, keep_recipe, use_smaller_batch


def resumed(work_dir, processes):
    return SimpleNamespace(is_try=False, resume=True, work_dir=work_dir, world_size=processes)


def config(batch, base=None):
    cfg = ConfigDict(
        train_dataloader={"batch_size": batch}, optim_wrapper={}, train_cfg={"max_epochs": 1}
    )
    if base:
        cfg.auto_scale_lr = {"base_batch_size": base}
    return cfg


@pytest.mark.parametrize(
    ("batch", "base", "processes", "sizes"),
    [
        (128, 1024, 8, [64, 32, 16, 8, 4, 2, 1]),
        (128, 1024, 2, [64, 32, 16, 8, 4, 2, 1]),
        (6, 12, 1, [3, 1]),
        (25, None, 1, [5, 1]),
        (1, 8, 1, []),
    ],
)
def test_each_time_at_most_half_until_one_image(tmp_path, batch, base, processes, sizes):
    found = []
    while len(found) < 9:
        cfg = config(batch, base)
        use_smaller_batch(cfg, resumed(tmp_path, processes))
        size = choose_smaller_batch(cfg, tmp_path, processes)
        if size is None:
            break
        found.append(size)
        cfg = config(batch, base)
        sentence = use_smaller_batch(cfg, resumed(tmp_path, processes))
        assert f"with {batch} images per process: {size} at a time" in sentence
        keep_recipe(cfg, processes, auto_scale_lr=False)
        count = cfg.optim_wrapper.accumulative_counts
        assert size * count * processes == (base or batch * processes)
    assert found == sizes


def test_old_checkpoints_are_put_aside_not_deleted(tmp_path):
    (tmp_path / "epoch_1.pth").write_bytes(b"x")
    choose_smaller_batch(config(4, 8), tmp_path, 1)
    assert not (tmp_path / "epoch_1.pth").exists()
    assert (tmp_path / "larger_batch" / "epoch_1.pth").read_bytes() == b"x"


def test_two_processes_that_choose_at_once_choose_the_same(tmp_path, monkeypatch):
    (tmp_path / "epoch_1.pth").write_bytes(b"x")
    listed = [tmp_path / "epoch_1.pth"]
    monkeypatch.setattr(type(tmp_path), "glob", lambda *_: iter(listed))
    assert [choose_smaller_batch(config(4, 8), tmp_path, 2) for _ in range(2)] == [2, 2]
    assert (tmp_path / "larger_batch" / "epoch_1.pth").read_bytes() == b"x"
    assert json.loads((tmp_path / "batch.json").read_text()) == {"from": 4, "to": 2, "processes": 2}


def test_a_choice_for_another_batch_or_machine_does_not_count(tmp_path):
    choose_smaller_batch(config(4, 8), tmp_path, 1)
    assert json.loads((tmp_path / "batch.json").read_text())["to"] == 2
    for batch, processes in ((8, 1), (4, 2)):
        cfg = config(batch, 8)
        assert use_smaller_batch(cfg, resumed(tmp_path, processes)) is None
        assert cfg.train_dataloader.batch_size == batch
