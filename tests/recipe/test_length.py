"""A training of another length has a schedule of that length."""

from pathlib import Path

import pytest

from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.recipe.length import check_longer, length_of, set_length

LEAVES = sorted(path for path in Path("configs").rglob("*.py") if "_base_" not in path.parts)
TRAINED = [path for path in LEAVES if load_config(str(path)).get("param_scheduler")]


def schedules(cfg):
    stated = cfg.param_scheduler
    return stated if isinstance(stated, list) else [stated]


def test_every_recipe_can_be_twice_as_long():
    assert len(TRAINED) > 100
    for path in TRAINED:
        cfg, before = (load_config(str(path)) for _ in range(2))
        option, length = length_of(cfg)
        set_length(cfg, 2 * length, "epochs" if option == "max_epochs" else "iterations")
        assert cfg.train_cfg[option] == 2 * length
        ends = [schedule.end for schedule in schedules(cfg)]
        assert 2 * length in ends, path
        for ours, theirs in zip(schedules(cfg), schedules(before), strict=True):
            assert ours.get("begin") == theirs.get("begin")
            assert ours.get("warmup") == theirs.get("warmup")
            assert ours.end in (theirs.end, 2 * theirs.end)


def test_milestones_are_scaled_and_warm_ups_stay():
    cfg = load_config("configs/coco/mask-rcnn_swin-b_fpn_1x.py")
    set_length(cfg, 36, "epochs")
    warmup, steps = cfg.param_scheduler
    assert warmup.end == 1000
    assert (steps.milestones, steps.end) == ([24, 33], 36)  # of 8, 11 and 12
    assert cfg.train_cfg.max_epochs == 36


def test_what_happens_at_the_end_happens_at_the_new_end():
    cfg = load_config("configs/small/upernet_swin-demo.py")
    assert cfg.train_cfg.val_interval == cfg.train_cfg.max_epochs
    set_length(cfg, 5, "epochs")
    assert cfg.train_cfg.val_interval == 5
    cfg = load_config("configs/simmim/swin-b_8xb128.py")
    set_length(cfg, 300, "epochs")
    assert (cfg.pretraining.epochs, cfg.param_scheduler.end) == (300, 300)


@pytest.mark.parametrize(
    ("config", "length", "unit", "message"),
    [
        ("simmim/swin-b_8xb128", 10, "epochs", "warm-up of this config, 10 epochs; .* 11"),
        ("demo/simmim_swin-demo", 1, "epochs", "warm-up of this config, 1 epoch; .* 2"),
        ("ade20k/upernet_swin-b_160k", 9, "epochs", "counts iterations .160000.; .*--iterations N"),
        ("ade20k/upernet_swin-b_160k", 1500, "iterations", "pass at least --iterations 1501"),
        ("coco/mask-rcnn_swin-b_fpn_1x", 9, "iterations", "counts epochs"),
    ],
)
def test_lengths_that_cannot_be(config, length, unit, message):
    with pytest.raises(BenchError, match=message):
        set_length(load_config(f"configs/{config}.py"), length, unit)


def test_a_schedule_that_ends_at_zero_cannot_be_prolonged():
    check_longer(load_config("configs/simmim/swin-b_8xb128.py"), 200)
    check_longer(load_config("configs/coco/mask-rcnn_swin-b_fpn_1x.py"), 24)
    for config in ("ade20k/upernet_swin-b_160k", "baselines/mocov3_vit-b_16xb256_300e"):
        with pytest.raises(BenchError, match=r"is 0 at the end .* from the start with"):
            check_longer(load_config(f"configs/{config}.py"), 10**6)
    cfg = load_config("configs/simmim/swin-b_8xb128.py")
    cfg.param_scheduler.type = "OneCycleLR"
    with pytest.raises(BenchError, match="of type OneCycleLR is not known"):
        check_longer(cfg, 200)
