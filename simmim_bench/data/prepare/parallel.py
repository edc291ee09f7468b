"""The same function on many files, in several processes when there are enough of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TypeVar

_FEW = 500  # files that are done sooner than processes start
_CHUNK = 64

Advance = Callable[[int], None]
"""Told how many more there are."""

Given = TypeVar("Given")
Result = TypeVar("Result")


def in_parallel(
    function: Callable[[Given], Result], given: Sequence[Given], advance: Advance
) -> list[Result]:
    """``[function(each) for each in given]``, by as many processes as there are CPUs.

    Args:
        function: Of a module, so that it can be sent to a process.
        given: Small values, such as paths.
        advance: Told of results, one at a time.
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
    """Leave Ctrl-C to the parent, and end with it even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
