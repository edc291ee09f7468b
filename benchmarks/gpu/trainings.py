"""Sections 4, 5 and 13: whole commands in every precision, overflow, bfloat16 against float32."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import sparse
from benchmarks.gpu.models import on_gpu
from benchmarks.gpu.section import Found

PRECISIONS = ("float32", "bfloat16", "float16")
FULL_TRIES = (
    "simmim/swin-b_8xb128",
    "simmim/vit-b_8xb128",
    "simmim/swinv2-b_8xb128_800e",
    "imagenet/swin-b_8xb128_ft-100e",
    "coco/mask-rcnn_swin-b_fpn_3x",
    "coco/mask-rcnn_plain-vit-b_fpn_100e",
    "ade20k/upernet_swin-b_160k",
)
SMALL_TRIES = ("demo/simmim_swin-demo", "demo/mask-rcnn_swin-demo_fpn", "demo/upernet_swin-demo")
OVERFLOWING = 2.0**60
"""First scale of the loss; gradients overflow until it is small enough."""


def command(log: Path, *words: object, **variables: str) -> subprocess.Popen[str]:
    """Start ``simmim-bench`` in the folder of its log, where all that it prints goes."""
    return in_process(log, "simmim_bench", *words, **variables)


def in_process(log: Path, module: str, *words: object, **variables: str) -> subprocess.Popen[str]:
    """Start a module of this project, found from any folder, with its output in a file."""
    paths = [str(sparse.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with log.open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words)],
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finished(process: subprocess.Popen[str], log: Path) -> None:
    """Wait for a command.

    Raises:
        RuntimeError: If it failed; the end of its output is the message.
    """
    if code := process.wait():
        raise RuntimeError(f"exit code {code}: {log.read_text().strip()[-1500:]}")


def losses_of(folder: Path, key: str = "loss") -> list[float]:
    """A scalar that a run logged, in the order of its iterations."""
    from simmim_bench.records.curves import read_scalars

    return read_scalars(folder, key)[1]


def build_data(folder: Path, small: bool) -> Path:
    """Demo data below ``folder``, as ``SIMMIM_BENCH_DATA``."""
    from simmim_bench.data.demo.build import build_demo
    from simmim_bench.data.demo.spec import DemoSpec

    spec = DemoSpec() if not small else DemoSpec(
        train_objects=64, val_objects=16, unlabelled=256, train_scenes=16, val_scenes=8
    )  # fmt: skip
    build_demo(folder, spec)
    return folder


def tries(small: bool, folder: Path) -> Iterator[Found]:
    """``--try`` of every kind of recipe; a process for each precision, all at once on a GPU."""
    configs = SMALL_TRIES if small else FULL_TRIES
    started = {}
    for name in PRECISIONS if on_gpu() else PRECISIONS[:2]:
        log = folder / f"{name}.log"
        started[name] = in_process(log, "benchmarks.gpu.try_all", name, folder, *configs)
        if not on_gpu():
            started[name].wait()
    for name, process in started.items():
        process.wait()
        lines = (folder / f"{name}.log").read_text().splitlines()
        tried = [line.split("\t")[1:] for line in lines if line.startswith("tried\t")]
        values = {config: (float(loss), float(seconds)) for config, loss, seconds in tried}
        for config in configs:
            loss, seconds = values.get(config, (math.nan, math.nan))
            what = f"{config}, {name}"
            yield Found(f"{what}: no finite loss", float(not math.isfinite(loss)), bound=0)
            yield Found(f"{what}: last loss", loss)
            yield Found(f"{what}: time", seconds, "s")


def overflow(small: bool, folder: Path) -> Iterator[Found]:  # noqa: ARG001
    """float16 whose loss scale starts far too high: steps are left out, nothing becomes NaN."""
    log = folder / "log"
    run = command(
        log, "train", "demo/simmim_swin-demo", "--try", 60, "--work-dir", folder / "run",
        "--cfg-options", "optim_wrapper.type=AmpOptimWrapper",
        f"optim_wrapper.loss_scale.init_scale={OVERFLOWING}",
    )  # fmt: skip
    finished(run, log)
    [file] = (folder / "run").glob("*/vis_data/scalars.json")
    rows = [row for row in map(json.loads, file.read_text().splitlines()) if "loss" in row]
    norms, losses = ([row[key] for row in rows] for key in ("grad_norm", "loss"))
    left_out = sum(not math.isfinite(norm) for norm in norms)
    yield Found("steps left out", float(left_out))
    yield Found("no step was left out", float(left_out == 0), bound=0)
    yield Found("the last gradient is not finite", float(not math.isfinite(norms[-1])), bound=0)
    infinite = sum(not math.isfinite(loss) for loss in losses)
    yield Found("losses that are not finite", float(infinite), bound=0)
    yield Found("last loss", losses[-1])


def precision(small: bool, folder: Path) -> Iterator[Found]:
    """The demo's pretraining in bfloat16 against float32, from the same seed."""
    data = build_data(folder / "data", small)
    options = ["train_dataloader.batch_size=16", "auto_scale_lr.base_batch_size=16"]
    workers = ["train_dataloader.num_workers=4"]
    started = {}
    for name in PRECISIONS[:2]:
        log = folder / f"{name}.log"
        started[name] = command(
            log, "train", "demo/simmim_swin-demo", "--epochs", 2, "--precision", name,
            "--work-dir", folder / name, "--cfg-options", "default_hooks.logger.interval=1",
            *(options if small else workers), SIMMIM_BENCH_DATA=str(data),
        )  # fmt: skip
        if not on_gpu():
            finished(started[name], log)
    ended = {}
    for name, process in started.items():
        finished(process, folder / f"{name}.log")
        losses = losses_of(folder / name)
        last = losses[-max(1, len(losses) // 10) :]
        ended[name] = sum(last) / len(last)
        yield Found(f"{name}: loss at the start", losses[0])
        yield Found(f"{name}: mean loss of the last tenth", ended[name])
    gap = abs(ended["bfloat16"] / ended["float32"] - 1)
    yield Found("difference at the end, relative", gap, bound=0.02)
