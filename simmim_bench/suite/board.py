"""The state of every stage of a running suite, from events and the stages' progress files."""

from __future__ import annotations

import shutil
import socket
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import psutil

from simmim_bench.suite import cache, events
from simmim_bench.suite.plan import Plan

State = Literal["waiting", "running", "done", "cached", "failed", "blocked"]


@dataclass
class Row:
    """One stage as it is shown.

    Attributes:
        stage: Id.
        state: ``blocked`` is waiting for a stage that failed.
        started: Epoch seconds; 0 before the start.
        ended: Epoch seconds; 0 before the end.
        pid: Process that watches over the stage while it runs; 0 if on another machine.
        message: Why it failed, or why it runs once more.
        progress: Content of ``progress.json`` while it runs; when it is done, its metrics.
    """

    stage: str
    state: State = "waiting"
    started: float = 0.0
    ended: float = 0.0
    pid: int = 0
    message: str = ""
    progress: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall time of this run of the stage so far."""
        return (self.ended or time.time()) - self.started if self.started else 0.0

    @property
    def fraction(self) -> float | None:
        """Share that is done, 0 to 1, if the stage has said it."""
        total = self.progress.get("total")
        return min(self.progress.get("done", 0) / total, 1.0) if total else None


class Board:
    """All rows; ``refresh`` brings them up to date.

    Args:
        plan: The suite.
        shown: Ids of the stages that get a row.
        cached: Ids of stages that need not run.
        owner: Suite whose events count.
    """

    def __init__(self, plan: Plan, *, shown: set[str], cached: set[str], owner: str = "") -> None:
        self.plan = plan
        self.rows = {
            stage.id: Row(stage.id, "cached" if stage.id in cached else "waiting")
            for stage in plan.stages
            if stage.id in shown
        }
        self.started = time.time()
        self._reader = events.Reader(plan.state, owner)

    def refresh(self) -> list[Row]:
        """Read news; return copies of the rows whose state changed, in the order of events."""
        running = [row for row in self._in("running") if row.pid]
        gone = [row for row in running if not psutil.pid_exists(row.pid)]
        changed = [self._apply(event) for event in self._reader.new()]
        for row in gone:
            if row.state == "running":
                row.state, row.ended = "failed", time.time()
                row.message = f"killed{self._hint()}"
                changed.append(replace(row))
        for row in self._in("running"):
            folder = self.plan.folder / row.stage
            row.progress = cache.read_json(folder / "progress.json") or {}
        return changed

    def close(self) -> None:
        """Nothing runs any more: what waits is blocked, what runs has ended without a word."""
        for row in self._in("running"):
            row.state, row.ended, row.message = "failed", time.time(), "lost without a word"
        for row in self._in("waiting"):
            row.state = "blocked"

    def count(self) -> Counter[str]:
        """Number of stages in each state."""
        return Counter(row.state for row in self.rows.values())

    def failed(self) -> list[Row]:
        """Rows of stages that failed."""
        return self._in("failed")

    def _hint(self) -> str:
        """What may have kept a stage from saying how it ended."""
        free = shutil.disk_usage(self.plan.folder).free
        return f"; the disk of {self.plan.folder} is full" if free < 2**20 else ""

    def _in(self, state: State) -> list[Row]:
        return [row for row in self.rows.values() if row.state == state]

    def _apply(self, event: events.Event) -> Row:
        row = self.rows[event.stage]
        here = event.host == socket.gethostname()
        if event.kind == "start":
            row.started = row.started or event.time
            row.state, row.pid, row.message = "running", event.pid if here else 0, event.message
        else:
            row.state, row.ended, row.message = event.kind, event.time, event.message
            row.progress = {"metric": self._metrics(event.stage)}
        return replace(row)

    def _metrics(self, stage: str) -> dict[str, float]:
        """What the manifest of a stage that has ended measured."""
        result = self.plan.result_of(self.plan.stage(stage))
        return (cache.read_json(result) or {}).get("metrics") or {}
