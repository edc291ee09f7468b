"""Learning rate at every iteration, from the configs' own schedules, against the original's."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from tests.configs.reader import golden_folder, read_config

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((golden_folder() / "schedules.json").read_text("utf-8"))
CASES = [
    ("pretrain_swin_base_100ep", "configs/simmim/swin-b_8xb128.py"),
    ("pretrain_800ep", "configs/simmim/vit-b_8xb128.py"),
    ("pretrain_800ep", "configs/simmim/swin-b_8xb128_800e.py"),
    ("pretrain_800ep", "configs/simmim/swin-l_8xb128_800e.py"),
    ("finetune_100ep", "configs/imagenet/swin-b_8xb128_ft-100e.py"),
    ("finetune_100ep", "configs/imagenet/swin-b-w6-192_8xb128_ft-100e.py"),
    ("finetune_100ep", "configs/imagenet/swin-b-pt800_8xb128_ft-100e.py"),
    ("finetune_100ep", "configs/imagenet/swin-l-w14-224_8xb128_ft-100e.py"),
    ("finetune_100ep", "configs/imagenet/vit-b_8xb128_ft-100e.py"),
]


def run(optimizer, scheduler, count):
    """Learning rate of the first group in each of ``count`` iterations."""
    used = []
    for _ in range(count):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return used


def rates(schedule, group_rates, epoch_length, updates, accumulated=1):
    """Learning rates of all groups at each update, as mmengine's hook would set them."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in group_rates]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, group_rates, strict=True)]
    wrapper = OptimWrapper(torch.optim.SGD(groups, lr=1.0), accumulative_counts=accumulated)
    defaults = {"optimizer": wrapper, "epoch_length": epoch_length * accumulated}
    scheduler = PARAM_SCHEDULERS.build(dict(schedule), default_args=defaults)
    used = []
    for iteration in range(1, updates * accumulated + 1):
        if iteration % accumulated == 0:
            used.append([group["lr"] for group in wrapper.param_groups][: len(group_rates)])
            wrapper.optimizer.step()
        scheduler.step()
    return used


@pytest.mark.parametrize(("name", "path"), CASES)
def test_every_update_of_2048_images_equals_the_original(name, path, equal):
    golden = GOLDEN[name]
    cfg = read_config(ROOT / path)
    expected = golden["lr_used_at_iter"]
    assert cfg.train_cfg.max_epochs == golden["epochs"]
    base, count = cfg.optim_wrapper.optimizer.lr, cfg.optim_wrapper.accumulative_counts
    assert cfg.train_dataloader.batch_size * 8 * count == 2048
    assert base == pytest.approx(golden["base_lr"], rel=1e-12)
    used = rates(cfg.param_scheduler, [base], golden["iters_per_epoch"], len(expected), count)
    errors = [abs(lr - wanted) / wanted for (lr,), wanted in zip(used, expected, strict=True)]
    equal(f"schedules.json: {name}", f"learning rates of {path}", errors, bound=1e-10)


@pytest.mark.parametrize("path", [path for _, path in CASES[:5]])
def test_accumulation_does_not_change_the_rate_of_an_update(path):
    cfg = read_config(ROOT / path)
    base = cfg.optim_wrapper.optimizer.lr
    wanted = rates(cfg.param_scheduler, [base, base / 4], 3, 300)
    for count in (2, 16):
        used = rates(cfg.param_scheduler, [base, base / 4], 3, 300, count)
        assert used == [pytest.approx(values, rel=1e-12) for values in wanted]


def test_lower_groups_start_and_end_at_the_same_rate_as_the_highest():
    cfg = read_config(ROOT / "configs/imagenet/swin-b_8xb128_ft-100e.py")
    base = cfg.optim_wrapper.optimizer.lr
    used = rates(cfg.param_scheduler, [base, base / 16], 50, 5000)
    first, peak, last = used[0], used[50 * 20], used[-1]
    assert first[0] == first[1]
    assert peak[1] / peak[0] == pytest.approx(1 / 16, rel=0.01)
    assert last[1] == pytest.approx(last[0], rel=0.01)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_scaled_rates_keep_the_shape(ratio):
    """``--auto-scale-lr``: mmengine multiplies the groups before the schedule is built."""

    def build(scale):
        parameter = torch.nn.Parameter(torch.zeros(1))
        wrapper = OptimWrapper(torch.optim.AdamW([parameter], lr=8e-4))
        for group in wrapper.optimizer.param_groups:
            group["lr"] *= scale
        schedule = read_config(ROOT / "configs/simmim/swin-b_8xb128.py").param_scheduler
        defaults = {"optimizer": wrapper, "epoch_length": 3}
        return wrapper, PARAM_SCHEDULERS.build(dict(schedule), default_args=defaults)

    whole, scaled = run(*build(1.0), 300), run(*build(ratio), 300)
    assert scaled == pytest.approx([ratio * lr for lr in whole])


def test_resumed_in_the_middle_it_goes_on_as_if_never_stopped():
    schedule = dict(read_config(ROOT / "configs/simmim/swin-b_8xb128.py").param_scheduler)

    def build():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=4e-4)
        return optimizer, PARAM_SCHEDULERS.build(
            dict(schedule), default_args={"optimizer": optimizer, "epoch_length": 3}
        )

    whole = run(*build(), 300)
    optimizer, scheduler = build()
    first = run(optimizer, scheduler, 137)
    states = optimizer.state_dict(), scheduler.state_dict()
    optimizer, scheduler = build()
    optimizer.load_state_dict(states[0])
    scheduler.load_state_dict(states[1])
    assert first + run(optimizer, scheduler, 163) == whole


def test_warmup_longer_than_the_schedule_is_refused():
    schedule = {"type": "simmim_bench.WarmupCosineLR", "warmup": 5, "warmup_factor": 0.1}
    with pytest.raises(ValueError, match="warmup must be from 0 to end=4, got 5"):
        rates({**schedule, "min_factor": 0.1, "end": 4}, [1.0], 1, 1)
