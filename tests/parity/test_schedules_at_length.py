"""Schedules of all configs at their real length, against formulas that stand here in closed form.

The originals' numbers are repeated, per batch of 512, where the schedule is one of SimMIM.
"""

import functools
import json
import math
from pathlib import Path

import mmengine.optim  # noqa: F401  (registers its schedules)
import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
ALL = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.py")
    if not {"_base_", "generation", "robustness"} & set(path.relative_to(ROOT).parts)
)
IMAGES = {"imagenet": 1281167, "coco": 117266, "demo": 4000, "small": 800}
LOWER = 0.5  # rate of a second parameter group, as layer-wise decay makes them


def cosine(step, epoch, base, low, warmup, end, *, prefix):
    """lr_scheduler.py of microsoft/SimMIM; with ``prefix`` that of microsoft/Swin-Transformer."""
    start = warmup * epoch if prefix else 0
    phase = (step - start) / (end * epoch - start)
    after = low + (base - low) * (1 + np.cos(np.pi * phase)) / 2
    return np.where(step < warmup * epoch, low + (base - low) * step / (warmup * epoch), after)


def original(name):
    """Rate by step, steps in an epoch and base rate, for a batch of 2048; None: not SimMIM's."""
    cfg = read_config(ROOT / name)
    kind = cfg.param_scheduler.type.split(".")[-1] if isinstance(cfg.param_scheduler, dict) else ""
    if cfg.train_cfg.get("max_epochs") == 800 and kind == "WarmupMultiStepLR":

        def steps(step, epoch, base):
            start = 5e-7 * 4
            climbing = start + (base - start) * step / (10 * epoch)
            after = base * np.where(step < 700 * epoch, 1.0, 0.1)
            return np.where(step < 10 * epoch, climbing, after)

        return steps, 1e-4 * 4
    if kind != "WarmupCosineLR" or cfg.auto_scale_lr.base_batch_size != 2048:
        return None
    if "pretraining" in cfg:

        def pretraining(step, epoch, base):
            after = cosine(step, epoch, base, 1e-5 * 4, 10, 100, prefix=False)
            start = 1e-6 * 4
            climbing = start + (base - start) * step / (10 * epoch)
            return np.where(step < 10 * epoch, climbing, after)

        return pretraining, 2e-4 * 4
    prefix = "swinv2" in name
    return (
        lambda step, epoch, base: cosine(step, epoch, base, 2.5e-7 * 4, 20, 100, prefix=prefix),
        1.25e-3 * 4,
    )


def used(cfg, base, epoch, updates, accumulated):
    """Rates at each update, of a group with the base rate and one with a lower rate."""
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (base, base * LOWER)
    ]
    wrapper = OptimWrapper(torch.optim.SGD(groups, lr=1.0), accumulative_counts=accumulated)
    schedules = cfg.param_scheduler
    defaults = {"optimizer": wrapper, "epoch_length": epoch * accumulated}
    built, by_epoch = [], []
    for schedule in [schedules] if isinstance(schedules, dict) else schedules:
        found = PARAM_SCHEDULERS.build(dict(schedule), default_args=dict(defaults))
        (by_epoch if found.by_epoch else built).append(found)
    rates = np.empty((2, updates))
    for update in range(updates):
        rates[:, update] = [group["lr"] for group in groups_of(wrapper)]
        for _ in range(accumulated):
            for schedule in built:
                schedule.step()
        if (update + 1) % epoch == 0:
            for schedule in by_epoch:
                schedule.step()
    return rates


def groups_of(wrapper):
    return wrapper.optimizer.param_groups[:2]


def length(name, cfg):
    """Updates in an epoch and in the training."""
    if "max_iters" in cfg.train_cfg:
        return cfg.train_cfg.max_iters, cfg.train_cfg.max_iters
    root = cfg.train_dataloader.dataset.get("data_root", "")
    kind = name.split("/")[0]
    kind = kind if kind in ("demo", "small") else next((k for k in IMAGES if k in root), "demo")
    base = cfg.get("auto_scale_lr", {}).get("base_batch_size", cfg.train_dataloader.batch_size)
    epoch = IMAGES[kind] // base
    return epoch, epoch * cfg.train_cfg.max_epochs


@functools.cache
def distinct():
    """One config of each schedule and length."""
    found = {}
    for name in ALL:
        cfg = read_config(ROOT / name)
        if cfg.param_scheduler:
            key = json.dumps([cfg.param_scheduler, length(name, cfg)], default=dict)
            found.setdefault(key, name)
    return sorted(found.values())


def test_all_configs_are_looked_at():
    assert len(ALL) > 150
    assert 25 < len(distinct()) < 60


@pytest.mark.parametrize("name", [name for name in distinct() if original(name)])
def test_simmims_schedules_equal_the_originals_at_every_update(name, equal):
    formula, base = original(name)
    cfg = read_config(ROOT / name)
    count = cfg.optim_wrapper.accumulative_counts
    assert cfg.auto_scale_lr.base_batch_size == 2048
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(base, rel=1e-12)
    epoch, updates = length(name, cfg)
    rates = used(cfg, base, epoch, updates, count)
    # the original updates the rate after the step, with the index of that step
    step = np.maximum(np.arange(updates) - 1, 0)
    errors = np.concatenate(
        [
            abs(rates[group] - formula(step, epoch, rate)) / formula(step, epoch, rate)
            for group, rate in enumerate((base, base * LOWER))
        ]
    )
    equal("lr_scheduler.py at real length", f"learning rates of {name}", errors, bound=1e-10)


def factor(schedule, step, epoch, end):
    """What a schedule of mmengine makes of a rate of 1, in closed form."""
    unit = epoch if schedule.get("convert_to_iter_based") or schedule.get("by_epoch", True) else 1
    begin, last = schedule.get("begin", 0) * unit, schedule.get("end", end) * unit
    if schedule.type == "LinearLR":
        part = np.clip((step - begin) / (last - begin - 1), 0, 1)
        return schedule.start_factor + (1 - schedule.start_factor) * part
    part = np.clip((step - begin) / (last - begin), 0, 1)
    if schedule.type == "MultiStepLR":
        return schedule.gamma ** sum(step >= milestone * epoch for milestone in schedule.milestones)
    if schedule.type == "PolyLR":
        part = np.clip((step - begin) / (last - begin - 1), 0, 1)
        return (1 - part) ** schedule.power
    assert schedule.type == "CosineAnnealingLR"
    return (1 + np.cos(math.pi * part)) / 2


@pytest.mark.parametrize("name", [name for name in distinct() if not original(name)])
def test_the_other_schedules_have_their_closed_form(name):
    cfg = read_config(ROOT / name)
    if isinstance(cfg.param_scheduler, dict):  # retrieval, on SimMIM's schedule
        assert name == "coco/retrieval_swin-b_30e.py"
        return
    base = cfg.optim_wrapper.optimizer.lr
    epoch, updates = length(name, cfg)
    rates = used(cfg, base, epoch, updates, 1)
    step = np.arange(updates)
    end = cfg.train_cfg.get("max_epochs", updates)
    warmup = [s for s in cfg.param_scheduler if s.type == "LinearLR"]
    [decay] = [s for s in cfg.param_scheduler if s.type != "LinearLR"]
    low = decay.get("eta_min", 0.0)
    for group, rate in enumerate((base, base * LOWER)):
        wanted = low + (rate - low) * factor(decay, step, epoch, end)
        for schedule in warmup:
            wanted = wanted * factor(schedule, step, epoch, end)
        overlap = warmup and low and not decay.get("begin", 0)  # they do not commute
        allowed = 0.05 if overlap else 1e-3
        np.testing.assert_allclose(rates[group], wanted, rtol=allowed, atol=rate * 1e-4)
