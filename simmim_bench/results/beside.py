"""Work in a process beside this one, where the system can fork."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

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
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, theirs))
    process.start()
    theirs.close()
    try:
        yield
    finally:
        if not _is_done(ours):
            process.join()
            work()  # again, for its exception


def _work(work: Callable[[], None], theirs: Connection) -> None:
    work()
    theirs.send(True)


def _is_done(ours: Connection) -> bool:
    """Wait for the work, not for the end of its process, which takes a second of much memory."""
    with ours:
        try:
            return bool(ours.recv())
        except EOFError:
            return False
