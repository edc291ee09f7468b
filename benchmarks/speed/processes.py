"""Two processes under DDP, one core each, beside one process with one thread: the same batch.

Gradients go through gloo. With two idle cores and no cost of sending, the ratio would be 2.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.speed.steps import masked_batch, our_model, train_step
from benchmarks.speed.work import OURS, Work
from simmim_bench.errors import BenchError

PROCESSES = 2
NAME, SIZE, TOKEN = "swin-b", 192, 4


def works(small: bool) -> Iterator[Work]:
    """SimMIM's step of Swin-B."""
    import torch

    from simmim_bench.training.process import prepare

    torch.set_num_threads(1)
    prepare("none", "mmpretrain")
    images = PROCESSES if small else 4 * PROCESSES
    model, batch = our_model(NAME), masked_batch(SIZE, images, TOKEN)
    with _started(images) as step:
        losses = step()
        with torch.no_grad():
            whole = float(model(*batch, mode="loss")["loss"])
        difference = abs(sum(losses) / PROCESSES - whole) / whole
        if difference > 1e-5:
            raise BenchError(f"the losses {losses} of the processes are not those of one, {whole}")
        yield Work(
            name=f"SimMIM step, {NAME} at {SIZE} px, batch {images}, {PROCESSES} processes",
            unit="images",
            amount=images,
            runs={OURS: step, "one process, one thread": train_step(model, batch, fused=True)},
            target=1.7,
            wall=True,
            equal=f"the mean loss of the processes agrees to {difference:.0e} of its value",
        )


@contextmanager
def _started(images: int) -> Iterator[Callable[[], list[float]]]:
    """Start the processes; a call runs a step in all of them and returns their losses."""
    from torch import multiprocessing

    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(PROCESSES)]
    with tempfile.TemporaryDirectory() as folder:
        started = [
            context.Process(target=_serve, args=(rank, folder, images, pipe[1]), daemon=True)
            for rank, pipe in enumerate(pipes)
        ]
        for process in started:
            process.start()
        for _, theirs in pipes:
            theirs.close()  # so that a process that has failed is noticed

        def step() -> list[float]:
            for ours, _ in pipes:
                ours.send(True)
            return [ours.recv() for ours, _ in pipes]

        yield step
        for ours, _ in pipes:
            ours.send(False)
        for process in started:
            process.join()


def _serve(rank: int, folder: str, images: int, pipe: Connection) -> None:
    """Take a step on this process's share of the batch whenever the other end asks for one."""
    import torch
    from mmengine.registry import MODEL_WRAPPERS
    from torch import distributed

    from simmim_bench.training.process import prepare
    from simmim_bench.training.runner import ddp_options

    torch.set_num_threads(1)
    prepare("none", "mmpretrain")
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES
    )
    share = images // PROCESSES
    inputs, samples = masked_batch(SIZE, images, TOKEN)
    own = slice(rank * share, (rank + 1) * share)
    model = MODEL_WRAPPERS.build({**ddp_options({}), "module": our_model(NAME)})
    losses: list[Any] = []

    def compute(*batch: Any) -> dict[str, Any]:
        found: dict[str, Any] = model(*batch, mode="loss")
        losses.append(found["loss"].detach())
        return found

    step = train_step((compute, model), (inputs[own], samples[own]), fused=True)
    for _ in iter(pipe.recv, False):
        step()
        pipe.send(float(losses.pop()))
    distributed.destroy_process_group()
