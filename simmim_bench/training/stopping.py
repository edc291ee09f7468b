"""What a training leaves when it ends early: a note that it can go on, or a failed manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simmim_bench.stop import AGAIN, Stop
from simmim_bench.training.batch import choose_smaller_batch
from simmim_bench.training.failures import out_of_memory
from simmim_bench.training.hooks.manifest import ManifestHook
from simmim_bench.training.hooks.steps import DivergedError

_WORKER = re.compile(r"DataLoader worker \(pid.*?(exited unexpectedly|is killed by signal)")


@contextmanager
def stopping(runner: Any, *, may_restart: bool, may_shrink: bool) -> Iterator[None]:
    """Turn what another start can mend into code 75, and mark the record of what diverged.

    Args:
        runner: The training's runner.
        may_restart: Whether the same command continues this run.
        may_shrink: Whether gradients may be accumulated over more, smaller batches.

    Raises:
        SystemExit: If the same command should be started again.
    """
    try:
        yield
    except DivergedError as error:
        _mark_failed(runner, error)
        raise
    except RuntimeError as error:
        stop = _stop_of(runner, error, may_shrink=may_shrink) if may_restart else None
        if stop is None:
            raise
        runner.logger.error(stop.message)
        stop.write(Path(runner.work_dir))
        raise SystemExit(AGAIN) from error


def _stop_of(runner: Any, error: RuntimeError, *, may_shrink: bool) -> Stop | None:
    if found := _WORKER.search(str(error)):
        message = f"a data worker died ({found.group()}); the same command continues"
        return Stop("data worker died", message, runner.iter)
    if not out_of_memory(str(error)) or not may_shrink:
        return None
    before = runner.train_dataloader.batch_sampler.batch_size
    images = choose_smaller_batch(runner.cfg, Path(runner.work_dir), runner.world_size)
    if images is None:
        return None
    message = (
        f"memory ran out at iteration {runner.iter + 1} with {before} images per process; begins "
        f"anew with {images}, gradients accumulated to the same batch"
    )
    return Stop("out of memory", message, runner.iter)


def _mark_failed(runner: Any, error: DivergedError) -> None:
    for hook in runner.hooks:
        if isinstance(hook, ManifestHook):
            hook.write_failed(runner, str(error), error.iteration)
