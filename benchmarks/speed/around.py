"""Time around the steps: logged values, hooks, masks, checkpoints."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.work import OURS, Work

ITERATION = 125_000
"""Of 800 epochs of ImageNet-1k in batches of 2048 it is the 200th epoch."""
VALUES = ("base_lr", "lr", "data_time", "grad_norm", "loss", "time")
STEP_HOOKS = (
    *("SeedHook", "MeanLossHook", "FiniteLossHook", "PeakMemoryHook", "EnergyHook"),
    *("ProgressHook", "PreemptionHook"),
)
"""Hooks that ``train.hooks_of`` adds to every run and that act at each step."""
BASE_SWIN = {"embed_dims": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]}
TINY_SWIN = {"embed_dims": 32, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 4, 8]}


def works(small: bool) -> Iterator[Work]:
    """Logging, hooks, masks and checkpoints; inputs are made here."""
    from simmim_bench.training.process import prepare

    prepare("none", "mmpretrain")
    yield _logging(2000 if small else ITERATION)
    with tempfile.TemporaryDirectory() as folder:
        yield _hooks(Path(folder), 2000 if small else ITERATION)
    yield _masks(50 if small else 500)
    with tempfile.TemporaryDirectory() as folder:
        yield _checkpoint(Path(folder), TINY_SWIN if small else BASE_SWIN)


def _logging(iteration: int) -> Work:
    """Append the values of 50 steps and read the means that a line of the log shows."""
    from mmengine.logging import MessageHub

    from simmim_bench.training.history import LazyMessageHub

    steps = 50
    hubs = {OURS: LazyMessageHub("ours"), "mmengine": MessageHub("stock")}
    for hub in hubs.values():
        _fill(hub, iteration)

    def log(hub: Any) -> list[float]:
        for step in range(steps):
            for name in VALUES:
                hub.update_scalar(f"train/{name}", step / 7)
        return [float(hub.get_scalar(f"train/{name}").mean(steps)) for name in VALUES]

    if log(hubs[OURS]) != log(hubs["mmengine"]):
        raise AssertionError("the logged means differ")
    return Work(
        name=f"logging at iteration {iteration}",
        unit="values",
        amount=steps * len(VALUES),
        runs={name: (lambda hub=hub: log(hub)) for name, hub in hubs.items()},
        target=100,
        equal="means of all values equal",
    )


def _fill(hub: Any, iteration: int) -> None:
    from mmengine.logging import HistoryBuffer

    values = np.random.default_rng(0).random(iteration)
    for name in VALUES:
        hub.update_scalar(f"train/{name}", 0.0)
        hub.log_scalars[f"train/{name}"] = HistoryBuffer(values, np.ones(iteration, np.int64))


def _hooks(folder: Path, iteration: int) -> Work:
    """All hooks before and after 50 steps; mmengine's runner has fewer of them."""
    from mmengine.runner import Runner

    from simmim_bench.training.runner import BenchRunner

    steps = 50
    ours = [{"type": f"simmim_bench.{name}"} for name in STEP_HOOKS]
    runs = {
        OURS: _steps(_runner(BenchRunner, folder / "ours", ours), iteration, steps),
        "mmengine, its hooks alone": _steps(
            _runner(Runner, folder / "stock", []), iteration, steps
        ),
    }
    return Work(
        name=f"hooks of a step at iteration {iteration}",
        unit="steps",
        amount=steps,
        runs=runs,
        target=1,
        equal="none: our runner has seven hooks more",
    )


def _runner(kind: Any, folder: Path, hooks: list[dict[str, Any]]) -> Any:
    """A runner that is ready to train, with a model of one layer."""
    import torch
    from mmengine.config import Config
    from mmengine.model import BaseModel

    from simmim_bench.config import load_config

    class OneLayer(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, inputs: Any, mode: str = "loss") -> Any:  # noqa: ARG002
            return {"loss": self.layer(inputs).mean()}

    recipe = load_config(str(Path(__file__).parents[2] / "configs/demo/simmim_swin-demo.py"))
    recipe.default_hooks.logger.interval = 50
    optimizer = {"type": "AdamW", "lr": 1e-4, "weight_decay": 0.05}
    runner = kind(
        model=OneLayer(),
        work_dir=str(folder),
        train_dataloader=torch.utils.data.DataLoader(torch.zeros(64, 1)),
        train_cfg={"by_epoch": False, "max_iters": 10_000_000},
        optim_wrapper={"type": "OptimWrapper", "optimizer": optimizer},
        param_scheduler=[{"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "end": 1000}],
        default_hooks=dict(recipe.default_hooks),
        custom_hooks=hooks,
        default_scope="mmpretrain",
        experiment_name=folder.name,
        log_level="WARNING",
        cfg=Config({"optim_wrapper": {}}),
    )
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    for stage in ("before_run", "before_train", "before_train_epoch"):
        runner.call_hook(stage)
    return runner


def _steps(runner: Any, iteration: int, steps: int) -> Callable[[], None]:
    import torch

    loop = runner.train_loop
    loop._iter = iteration
    _fill(runner.message_hub, iteration)

    def run() -> None:
        for _ in range(steps):
            position = loop._iter % 50
            runner.call_hook("before_train_iter", batch_idx=position, data_batch=None)
            outputs = {"loss": torch.tensor(0.5)}
            runner.call_hook(
                "after_train_iter", batch_idx=position, data_batch=None, outputs=outputs
            )
            loop._iter += 1

    return run


def _masks(count: int) -> Work:
    """Masks of SimMIM at 192 px: patches of 32 px, 0.6 of them, tokens of 4 px."""
    from mmpretrain.datasets.transforms import SimMIMMaskGenerator

    from simmim_bench.masking.transform import GenerateMask

    ours = GenerateMask(mask_patch_size=32, mask_ratio=0.6, token_size=4)
    stock = SimMIMMaskGenerator(
        input_size=192, mask_patch_size=32, model_patch_size=4, mask_ratio=0.6
    )
    image = np.zeros((192, 192, 3), np.uint8)

    def draw(transform: Any) -> Any:
        for index in range(count):
            mask = transform.transform({"img": image, "sample_idx": index})["mask"]
        return mask

    shares = [float(np.asarray(draw(each), bool).mean()) for each in (ours, stock)]
    if shares[0] != shares[1]:
        raise AssertionError(f"the masked shares differ: {shares}")
    return Work(
        name="masks, 192 px",
        unit="masks",
        amount=count,
        runs={OURS: lambda: draw(ours), "mmpretrain": lambda: draw(stock)},
        target=1,
        equal="masked shares equal; ours are seeded by sample, mmpretrain's are not",
    )


def _checkpoint(folder: Path, arch: dict[str, Any]) -> Work:
    """Weights and moments of AdamW; ours is checked for NaN, written whole, and on the disk."""
    import torch
    from mmengine.runner import Runner

    from simmim_bench.registry import MODELS
    from simmim_bench.training.runner import BenchRunner

    backbone = {"type": "mmpretrain.SwinTransformer", "arch": arch, "img_size": 192}
    model = MODELS.parent.build({**backbone, "window_size": 6})
    runners = {}
    for name, kind in ((OURS, BenchRunner), ("mmengine", Runner)):
        hooks = [{"type": "simmim_bench.FiniteLossHook"}] if name == OURS else []
        runner = runners[name] = _runner(kind, folder / name, hooks)
        runner.model = model
        optimizer = torch.optim.AdamW(model.parameters())
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        runner.optim_wrapper.optimizer = optimizer
        optimizer.zero_grad()

    def save(name: str) -> None:
        runners[name].save_checkpoint(
            str(folder), f"{name}.pth", save_param_scheduler=False, by_epoch=False
        )

    for name in runners:
        save(name)
    mine, theirs = (
        torch.load(folder / f"{name}.pth", weights_only=False)["state_dict"] for name in runners
    )
    if any(not torch.equal(mine[key], value) for key, value in theirs.items()):
        raise AssertionError("the saved weights differ")
    plain = {"state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}
    weights = sum(parameter.numel() for parameter in model.parameters())
    return Work(
        name=f"checkpoint of a Swin, {weights / 1e6:.0f} M weights",
        unit="checkpoints",
        amount=1,
        runs={name: (lambda name=name: save(name)) for name in runners},
        target=0.9,
        limit=lambda: torch.save(plain, folder / "plain.pth"),
        equal="weights equal",
    )
