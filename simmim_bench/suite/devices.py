"""Share this machine's GPUs among stages that run at once: one lock for each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from simmim_bench import launch

_SECONDS_BETWEEN_LOOKS = 1.0


@contextmanager
def hold_gpus(folder: Path, count: int) -> Iterator[list[str]]:
    """Hold ``count`` GPUs until the block ends; wait until so many are free.

    Args:
        folder: Where the locks lie.
        count: At most as many as there are.

    Yields:
        Their names for CUDA_VISIBLE_DEVICES.
    """
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        with ExitStack() as held:
            names: list[str] = []
            for name in launch.visible_gpus():
                if len(names) == count:
                    break
                try:
                    held.enter_context(FileLock(folder / f"gpu.{name}.lock", timeout=0))
                except Timeout:
                    continue
                names.append(name)
            if len(names) == count:
                yield names
                return
        time.sleep(_SECONDS_BETWEEN_LOOKS)
