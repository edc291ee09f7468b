"""Apply a function to many files, in several processes if there are many."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TypeVar

_FEW = 500  # fewer files are done sooner than processes start
_CHUNK = 64

Advance = Callable[[int], None]
"""Called with the number of items done since the last call."""

Given = TypeVar("Given")
Result = TypeVar("Result")


def in_parallel(
    function: Callable[[Given], Result], given: Sequence[Given], advance: Advance
) -> list[Result]:
    """``[function(each) for each in given]``, with one process per CPU.

    Args:
        function: Defined at the top of a module, so that it can be pickled.
        given: Small values, such as paths.
        advance: Called with 1 after each result.
    """
    results = []
    if len(given) < _FEW:
        for each in given:
            results.append(function(each))
            advance(1)
        return results
    context = multiprocessing.get_context("spawn")  # the progress bar is a thread
    count = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(count, context, initializer=start_worker) as pool:
        for result in pool.map(function, given, chunksize=_CHUNK):
            results.append(result)
            advance(1)
    return results


def start_worker() -> None:
    """Ignore Ctrl-C, which the parent handles, and exit when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


def _exit_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
