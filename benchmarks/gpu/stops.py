"""Section 9: a run that is stopped, or runs out of memory, and the same command again."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu.models import config_of, model_of, on_gpu
from benchmarks.gpu.section import Found
from benchmarks.gpu.trainings import build_data, command, finished

AGAIN = 75
PRETRAINING = "demo/simmim_swin-demo"
LARGE = 4096
SHARE = 0.7
"""Of the memory that the large batch needs: half of it fits."""
CONTEXT = 2**30
"""Bytes that a process needs in addition to its tensors."""


def stops(small: bool, folder: Path) -> Iterator[Found]:
    """SIGTERM and out of memory, in training and in validation; the same command continues."""
    data = str(build_data(folder / "data", small))
    yield from _preempted(small, folder / "preempted", data)
    if on_gpu():
        yield from _training_out_of_memory(folder / "training", data)
        yield from _validation_out_of_memory(folder / "validation", data)


def _preempted(small: bool, folder: Path, data: str) -> Iterator[Found]:
    folder.mkdir()
    log = folder / "log"
    options = ["train_dataloader.batch_size=16", "auto_scale_lr.base_batch_size=16"]
    words = [
        "train", PRETRAINING, "--epochs", 3, "--work-dir", folder / "run", "--resume",
        "--cfg-options", "default_hooks.logger.interval=2", *(options if small else []),
    ]  # fmt: skip
    run = command(log, *words, SIMMIM_BENCH_DATA=data)
    while run.poll() is None and not any(folder.glob("run/*/vis_data/scalars.json")):
        time.sleep(0.1)
    run.send_signal(signal.SIGTERM)
    code = run.wait()
    yield Found("SIGTERM: exit code is not 75", float(code != AGAIN), bound=0)
    stop = json.loads((folder / "run" / "stop.json").read_text())
    yield Found("SIGTERM", stop["message"])
    finished(command(log, *words, SIMMIM_BENCH_DATA=data), log)
    done = json.loads((folder / "run" / "manifest.json").read_text())
    yield Found("resumed: status", str(done["status"]))
    yield Found("resumed: not complete", float(done["status"] != "complete"), bound=0)


def _training_out_of_memory(folder: Path, data: str) -> Iterator[Found]:
    """A batch that does not fit: the same once more, then half of it, which fits."""
    import torch

    folder.mkdir()
    need = LARGE * _bytes_of_image()
    free, _ = torch.cuda.mem_get_info()
    taken = int(free - SHARE * need - CONTEXT)
    yield Found("memory of the large batch", need / 2**20, "MB")
    if taken < 0:
        yield Found("out of memory in training", "not tried: the GPU has too little memory")
        return
    kept = torch.empty(taken, dtype=torch.uint8, device="cuda")
    log, codes = folder / "log", []
    for _ in range(4):
        run = command(
            log, "train", PRETRAINING, "--epochs", 2, "--work-dir", folder / "run", "--resume",
            "--cfg-options", f"train_dataloader.batch_size={LARGE}",
            f"auto_scale_lr.base_batch_size={LARGE}", "train_dataloader.num_workers=8",
            SIMMIM_BENCH_DATA=data,
        )  # fmt: skip
        codes.append(run.wait())
        if codes[-1] != AGAIN:
            break
    del kept
    yield Found("out of memory in training: exit codes", " ".join(map(str, codes)))
    wrong = codes[:2] != [AGAIN, AGAIN] or codes[-1] != 0
    yield Found(
        "out of memory in training: it does not end with a smaller batch", float(wrong), bound=0
    )


def _bytes_of_image() -> float:
    """Peak bytes that one more image adds to a step in float32."""
    import torch

    from benchmarks.gpu.models import batch_of, step_of, wrapper_of

    cfg, peaks = config_of(f"{PRETRAINING}.py"), []
    model = model_of(cfg)
    wrapper = wrapper_of(cfg, model, "float32")
    for images in (64, 128):
        step = step_of(model, wrapper, *batch_of(model, cfg, images))
        step()
        torch.cuda.reset_peak_memory_stats()
        step()
        peaks.append(torch.cuda.max_memory_allocated())
    torch.cuda.empty_cache()
    return (peaks[1] - peaks[0]) / 64


def _validation_out_of_memory(folder: Path, data: str) -> Iterator[Found]:
    folder.mkdir()
    config = folder / "filled.py"
    config.write_text(
        '_base_ = ["simmim_bench::demo/classification_swin-demo.py"]\n'
        'custom_hooks = [dict(type="simmim_bench.FillMemoryHook")]\n'
    )
    log = folder / "log"
    run = command(
        log, "train", config, "--from-scratch", "--epochs", 2, "--work-dir", folder / "run",
        "--import", "benchmarks.gpu.hooks", "--cfg-options", "val_dataloader.batch_size=500",
        "train_dataloader.num_workers=4", SIMMIM_BENCH_DATA=data,
    )  # fmt: skip
    code, text = run.wait(), log.read_text()
    said = "out of memory in the validation" in text and "the training is kept in" in text
    yield Found("out of memory in validation: exit code", float(code))
    yield Found("out of memory in validation: it is not said", float(not said), bound=0)
