"""Show a running suite: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from simmim_bench.suite.events import Board, Row

SECONDS_BETWEEN_LINES = 30.0
WIDE, BAR = 110, 12  # columns: least width of a terminal with progress bars, width of a bar
MOST_METRICS = 3  # shown of a stage; a manifest may have a dozen
VALIDATING = "validating"
STYLES = {
    "waiting": "dim",
    "running": "cyan",
    "done": "green",
    "cached": "dim green",
    "failed": "bold red",
    "blocked": "yellow",
}


class View(Protocol):
    """Shows a running suite."""

    def __enter__(self) -> View:
        """Start."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""

    def update(self, changed: list[Row]) -> None:
        """Show the board; ``changed`` rows are new."""


def open_view(console: Console, board: Board) -> View:
    """A live view if ``console`` is a terminal, else a plain one."""
    return LiveView(console, board) if console.is_terminal else PlainView(console, board)


class LiveView:
    """A table that is redrawn in place and removed at the end, when the costs are printed.

    Names of stages are links to their logs, in terminals that support links.
    """

    def __init__(self, console: Console, board: Board) -> None:
        self.board = board
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveView:
        self.live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def update(self, changed: list[Row]) -> None:
        """Redraw."""
        del changed
        self.live.update(self._draw(), refresh=True)

    def _draw(self) -> Group:
        # Only the last column is cut: a long message must not hide the state.
        table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
        table.add_column("stage", no_wrap=True)
        table.add_column("state", no_wrap=True, min_width=7)
        table.add_column("", no_wrap=True, width=BAR if self.console.width >= WIDE else 4)
        table.add_column("time", no_wrap=True, justify="right", min_width=4)
        table.add_column("left", no_wrap=True, justify="right", min_width=4)
        table.add_column("latest", no_wrap=True, ratio=1)
        for row in self._visible():
            log = self.board.plan.log_of(self.board.plan.stage(row.stage)).absolute()
            table.add_row(
                Text(row.stage, Style(link=log.as_uri()) if row.started else ""),
                Text(row.state, STYLES[row.state]),
                self._share(row),
                duration(row.seconds) if row.started else "",
                _left(row),
                Text(row.message or _metric(row)),
            )
        return Group(table, Text(_totals(self.board), "bold"))

    def _share(self, row: Row) -> str | ProgressBar:
        """How much of a running stage is done: a bar, or a percentage on a narrow terminal."""
        if row.fraction is None or row.state != "running":
            return ""
        if self.console.width < WIDE:
            return f"{row.fraction:.0%}"
        return ProgressBar(1.0, row.fraction, width=BAR)

    def _visible(self) -> list[Row]:
        """All rows, or the most relevant ones if the terminal is too low for all."""
        rows = list(self.board.rows.values())
        space = self.console.height - 4
        if len(rows) <= space:
            return rows
        order = {"running": 0, "failed": 1, "done": 2, "waiting": 3, "blocked": 4, "cached": 5}
        return sorted(rows, key=lambda row: (order[row.state], -row.ended))[:space]


class PlainView:
    """A line for each start and end, and regularly one for each running stage."""

    def __init__(self, console: Console, board: Board) -> None:
        self.board = board
        self.console = console
        self.printed = time.monotonic()

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def update(self, changed: list[Row]) -> None:
        """Print new states."""
        for row in changed:
            self._print(f"{row.state:8}{row.stage}{_ending(row)}")
        if time.monotonic() - self.printed < SECONDS_BETWEEN_LINES:
            return
        running = [row for row in self.board.rows.values() if row.state == "running"]
        for row in running:
            self._print(f"        {row.stage}: {_status(row)}")
        self._print(f"        {_totals(self.board)}")

    def _print(self, line: str) -> None:
        self.printed = time.monotonic()
        stamp = time.strftime("%H:%M:%S")
        self.console.print(f"{stamp} {line}", markup=False, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``; tenths below ten seconds."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _ending(row: Row) -> str:
    if row.state == "running":
        return f": {row.message}" if row.message else ""
    took = f" after {duration(row.seconds)}" if row.started else ""
    detail = row.message or _metric(row)
    return f"{took}: {detail}" if detail else took


def _status(row: Row) -> str:
    parts = [duration(row.seconds)]
    if row.fraction is not None:
        left = _left(row)
        parts = [f"{row.fraction:.0%}", left if left.startswith(VALIDATING) else f"{left} left"]
    return ", ".join([*parts, *([_metric(row)] if _metric(row) else [])])


def _left(row: Row) -> str:
    """Time that a running stage still trains, or how far its validation is."""
    if row.state != "running":
        return ""
    if batches := row.progress.get("to_validate"):
        return f"{VALIDATING} {row.progress.get('validated', 0) / batches:.0%}"
    seconds = row.progress.get("eta_seconds")
    return "" if seconds is None else duration(seconds)


def _metric(row: Row) -> str:
    """The loss of a running stage; the metrics of a fine-tuning that is done."""
    metrics = row.progress.get("metric") or {}
    return ", ".join(f"{name} {value:.4g}" for name, value in [*metrics.items()][:MOST_METRICS])


def _totals(board: Board) -> str:
    counts = board.count()
    states = [f"{counts[state]} {state}" for state in STYLES if counts[state]]
    return f"{', '.join(states)}; {duration(time.time() - board.started)}"
