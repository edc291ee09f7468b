"""A progress bar for tools that process many files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress_bar(
    what: str, total: int | None, *, data: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a bar with the time left if stderr is a terminal.

    Args:
        what: Text before the bar.
        total: Number of items; None: unknown.
        data: Whether the items are bytes.

    Yields:
        Function that advances the bar by a number of items.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if data else MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
