"""Work in a process beside this one, where the system can fork."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MANY = 5000  # records, from which on a second process is worth it


@contextmanager
def beside(work: Callable[[], None], *, worth_it: bool) -> Iterator[None]:
    """Do ``work`` while the block runs; both are done at the end.

    A forked process sees all objects of this one as they are, nothing is copied or sent. Where
    that is not worth it or not safe (other threads run), ``work`` follows the block.

    Args:
        work: Writes files; what it returns or changes in memory is lost.
        worth_it: Whether there is enough to do for a process.

    Raises:
        Exception: What ``work`` raises, also where the block raises something, too.
    """
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    if not (worth_it and can_fork and threading.active_count() == 1):
        yield
        work()
        return
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    try:
        yield
    finally:
        process.join()
        if process.exitcode:
            work()  # again, for its exception
