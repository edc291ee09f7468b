"""The effective batch of a recipe on other numbers of devices, and after memory ran out."""

import json
from types import SimpleNamespace

import pytest
from mmengine.config import Config, ConfigDict

from simmim_bench.errors import BenchError
from simmim_bench.training.batch import (
    batch_norms,
    choose_same_batch,
    choose_smaller_batch,
    keep_batch,
    keep_recipe,
    use_smaller_batch,
)

SCOPE = "mmpretrain"


def recipe(**changes):
    values = {
        "model": {"type": "simmim_bench.SimMIM"},
        "default_scope": SCOPE,
        "train_dataloader": {"batch_size": 4},
        "optim_wrapper": {"type": "OptimWrapper"},
        "auto_scale_lr": {"base_batch_size": 32},
        "param_scheduler": [
            {"type": "LinearLR", "by_epoch": False, "begin": 0, "end": 10},
            {"type": "MultiStepLR", "by_epoch": True, "milestones": [8, 11]},
        ],
        "train_cfg": {"max_epochs": 12},
        "default_hooks": {"checkpoint": {"by_epoch": False, "interval": 5}},
    }
    return Config({**values, **changes})


@pytest.mark.parametrize(
    ("kind", "counts"), [("KNNClassifier", None), ("RetrievalSegmentor", None), ("LinearGrid", 4)]
)
def test_what_learns_nothing_accumulates_nothing(kind, counts):
    """The images of an incomplete optimiser step would be missing from its memory."""
    cfg = recipe(model={"type": f"simmim_bench.{kind}"})
    run = SimpleNamespace(is_try=False, world_size=2, auto_scale_lr=False)
    keep_batch(cfg, run)
    assert cfg.optim_wrapper.get("accumulative_counts") == counts


def test_fewer_devices_accumulate_to_the_same_batch():
    cfg = recipe()
    note = keep_recipe(cfg, 2, auto_scale_lr=False)
    assert cfg.optim_wrapper.accumulative_counts == 4
    assert "2 x 4 x 4 = 32" in note


def test_whatever_counts_iterations_is_stretched_and_epochs_are_not():
    cfg = recipe(train_cfg={"max_iters": 100, "val_interval": 20})
    keep_recipe(cfg, 2, auto_scale_lr=False)
    assert cfg.param_scheduler[0].end == 40
    assert cfg.param_scheduler[1].milestones == [8, 11]
    assert cfg.train_cfg.max_iters == 400
    assert cfg.train_cfg.val_interval == 80
    assert cfg.default_hooks.checkpoint.interval == 20


def test_the_full_number_of_devices_changes_nothing():
    cfg = recipe()
    before = cfg.pretty_text
    assert keep_recipe(cfg, 8, auto_scale_lr=False) is None
    assert cfg.pretty_text == before


def test_linear_scaling_is_left_to_mmengine():
    cfg = recipe()
    note = keep_recipe(cfg, 1, auto_scale_lr=True)
    assert cfg.auto_scale_lr.enable
    assert "accumulative_counts" not in cfg.optim_wrapper
    assert "0.125" in note


def test_more_devices_have_fewer_images_each():
    cfg = recipe()
    note = keep_recipe(cfg, 16, auto_scale_lr=False)
    assert cfg.train_dataloader.batch_size == 2
    assert "accumulative_counts" not in cfg.optim_wrapper
    assert "2 images per process instead of 4: 16 x 2 = 32" in note


def test_a_batch_that_does_not_divide_is_refused_with_one_that_does():
    cfg = recipe(train_dataloader={"batch_size": 3})
    with pytest.raises(BenchError, match=r"batch is 32 images.*batch_size=2$"):
        keep_recipe(cfg, 4, auto_scale_lr=False)


def test_if_no_batch_divides_the_remedy_is_linear_scaling():
    with pytest.raises(BenchError, match=r"not divisible by 3 process.*; pass --auto-scale-lr$"):
        keep_recipe(recipe(), 3, auto_scale_lr=False)


def test_steps_given_as_a_tuple_are_stretched_too():
    cfg = recipe(param_scheduler={"by_epoch": False, "warmup": 5, "milestones": (8, 11)})
    keep_recipe(cfg, 2, auto_scale_lr=False)
    assert list(cfg.param_scheduler.milestones) == [32, 44]
    assert cfg.param_scheduler.warmup == 20


ACCUMULATED = {  # 8 devices x 4 images x 2 iterations = 64
    "optim_wrapper": {"type": "OptimWrapper", "accumulative_counts": 2},
    "auto_scale_lr": {"base_batch_size": 64},
}


@pytest.mark.parametrize(
    ("devices", "batch", "count", "said"),
    [
        (8, 4, 2, None),
        (4, 4, 4, "accumulated over 4 iterations: 4 x 4 x 4 = 64"),
        (1, 4, 16, "accumulated over 16 iterations: 1 x 4 x 16 = 64"),
        (16, 4, 1, "no accumulation of gradients: 16 x 4 = 64"),
        (32, 2, 1, "2 images per process instead of 4: 32 x 2 = 64"),
    ],
)
def test_a_recipe_that_accumulates_keeps_its_batch_on_any_devices(devices, batch, count, said):
    cfg = recipe(**ACCUMULATED, train_cfg={"max_iters": 100, "val_interval": 20})
    note = keep_recipe(cfg, devices, auto_scale_lr=False)
    assert (said in note) if said else note is None
    assert (cfg.train_dataloader.batch_size, cfg.optim_wrapper.accumulative_counts) == (
        batch,
        count,
    )
    assert devices * batch * count == 64
    # iterations of the recipe come in pairs
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (50 * count, 10 * count)
    assert cfg.param_scheduler[0].end == 5 * count
    assert cfg.default_hooks.checkpoint.interval == int(5 * count / 2)


def test_linear_scaling_counts_what_is_accumulated():
    """mmengine compares the images of one iteration with ``base_batch_size``."""
    cfg = recipe(**ACCUMULATED)
    note = keep_recipe(cfg, 4, auto_scale_lr=True)
    assert "learning rate x 0.5" in note
    assert "batch 32 (4 x 4 x 2) instead of 64" in note
    assert 4 * 4 / cfg.auto_scale_lr.base_batch_size == 0.5
    assert cfg.optim_wrapper.accumulative_counts == 2


def test_after_memory_ran_out_a_recipe_that_accumulates_keeps_its_batch(tmp_path):
    cfg = recipe(**ACCUMULATED)
    assert choose_smaller_batch(cfg, tmp_path, 8) == 2
    cfg = recipe(**ACCUMULATED)
    use_smaller_batch(cfg, resumed(tmp_path, 8))
    keep_recipe(cfg, 8, auto_scale_lr=False)
    assert (cfg.train_dataloader.batch_size, cfg.optim_wrapper.accumulative_counts) == (2, 4)


def test_batch_norm_is_found_at_any_depth():
    assert list(batch_norms({"head": [{"norm_cfg": {"type": "SyncBN"}}]}, SCOPE)) == ["SyncBN"]
    other = {"head": [{"norm_cfg": {"type": "LN"}}], "type": "BNHead"}
    assert list(batch_norms(other, SCOPE)) == []
    built = {"head": {"type": "simmim_bench.LinearProbeHead"}}
    assert list(batch_norms(built, SCOPE)) == ["BN1d"]


@pytest.mark.parametrize(
    ("kind", "devices", "said"),
    [("BN", 1, None), ("BN", 16, "fewer"), ("SyncBN", 1, "fewer"), ("SyncBN", 16, None)],
)
def test_batch_norm_counts_the_images_that_it_sees_at_a_time(kind, devices, said):
    model = {"type": "simmim_bench.SimMIM", "norm_cfg": {"type": kind}}
    cfg = recipe(model=model)
    run = SimpleNamespace(is_try=False, world_size=devices, auto_scale_lr=False)
    found = keep_batch(cfg, run)
    assert (f"batch norm sees {said} images" in found) if said else "batch norm" not in found


def test_a_smaller_batch_holds_where_more_devices_had_smaller_ones_already(tmp_path):
    cfg = recipe()
    keep_recipe(cfg, 16, auto_scale_lr=False)
    assert cfg.train_dataloader.batch_size == 2
    choose_same_batch(cfg, tmp_path, 16)
    assert choose_smaller_batch(cfg, tmp_path, 16) == 1
    cfg = recipe()
    assert "1 at a time" in use_smaller_batch(cfg, resumed(tmp_path, 16))
    keep_recipe(cfg, 16, auto_scale_lr=False)
    assert (cfg.train_dataloader.batch_size, cfg.optim_wrapper.accumulative_counts) == (1, 2)


def resumed(work_dir, processes):
    return SimpleNamespace(is_try=False, resume=True, work_dir=work_dir, world_size=processes)


def config(batch, base=None):
    cfg = ConfigDict(
        model={"type": "simmim_bench.SimMIM"},
        default_scope=SCOPE,
        train_dataloader={"batch_size": batch},
        optim_wrapper={},
        train_cfg={"max_epochs": 1},
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
