"""What happens to stages: any process writes events, the suite reads them into a board.

Events are lines of append-only files. Each machine has a file of its own, since lines of two
machines may mix on a network file system.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import psutil

from simmim_bench.io import parse_json
from simmim_bench.suite.plan import Plan
from simmim_bench.suite.state import read_metrics, read_progress

EVENTS = "events"  # folder
# The suite that started this process (``processes.identity``); not set if it runs elsewhere.
OWNER_VARIABLE = "SIMMIM_BENCH_SUITE_OWNER"
Kind = Literal["start", "done", "cached", "failed"]
State = Literal["waiting", "running", "done", "cached", "failed", "blocked"]


@dataclass(frozen=True)
class Event:
    """One change of state of one stage.

    Attributes:
        stage: Id of the stage.
        kind: What happened.
        time: When, in epoch seconds.
        pid: Process that runs the stage.
        message: Why it failed, or why it starts again.
        owner: Suite that started the process.
        host: Machine of the process.
    """

    stage: str
    kind: Kind
    time: float = field(default_factory=time.time)
    pid: int = field(default_factory=os.getpid)
    message: str = ""
    owner: str = field(default_factory=lambda: os.environ.get(OWNER_VARIABLE, ""))
    host: str = field(default_factory=socket.gethostname)


def _event(line: bytes) -> Event | None:
    """The event in a line; None if the line is damaged, as after a full disk."""
    try:
        event = Event(**parse_json(line))
    except (ValueError, TypeError):
        return None
    texts = (event.stage, event.message, event.owner, event.host)
    numbers = (event.time, event.pid)
    good = all(isinstance(text, str) for text in texts) and event.kind in get_args(Kind)
    return event if good and all(isinstance(number, int | float) for number in numbers) else None


def write_event(state: Path, event: Event) -> None:
    """Append ``event``; a line is one write, so processes of one machine do not mix lines."""
    line = json.dumps(asdict(event)) + "\n"
    (state / EVENTS).mkdir(exist_ok=True)
    with (state / EVENTS / f"{event.host}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line)


def clear_events(state: Path) -> None:
    """Remove the events of an earlier run."""
    shutil.rmtree(state / EVENTS, ignore_errors=True)


@dataclass
class Reader:
    """Reads the events of one suite; stages of an earlier, killed suite may still write some."""

    state: Path
    owner: str
    offsets: dict[str, int] = field(default_factory=dict)

    def new(self) -> list[Event]:
        """Events since the last call, by time; a line that is still being written comes later."""
        found = [
            event
            for path in sorted((self.state / EVENTS).glob("*.jsonl"))
            for line in self._lines(path)
            if (event := _event(line))
        ]
        found.sort(key=lambda event: event.time)
        return [event for event in found if event.owner == self.owner]

    def _lines(self, path: Path) -> list[bytes]:
        with path.open("rb") as stream:
            stream.seek(self.offsets.get(path.name, 0))
            text = stream.read()
        text = text[: text.rfind(b"\n") + 1]
        self.offsets[path.name] = self.offsets.get(path.name, 0) + len(text)
        return text.splitlines()


@dataclass
class Row:
    """One stage as it is shown.

    Attributes:
        stage: Id.
        state: ``blocked`` means that a stage which it needs has failed.
        started: Epoch seconds; 0 before the start.
        ended: Epoch seconds; 0 before the end.
        pid: Process that runs the stage; 0 if on another machine.
        message: Why it failed, or why it started again.
        progress: Content of ``progress.json`` while it runs; its metrics when it is done.
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
        """Wall time in this run of the suite so far."""
        return (self.ended or time.time()) - self.started if self.started else 0.0

    @property
    def fraction(self) -> float | None:
        """Share that is done, 0 to 1, if known."""
        total = self.progress.get("total")
        return min(self.progress.get("done", 0) / total, 1.0) if total else None


class Board:
    """The state of every stage of a running suite; ``refresh`` updates it.

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
        self._reader = Reader(plan.state, owner)

    def refresh(self) -> list[Row]:
        """Read new events; return copies of the changed rows, in the order of the events."""
        running = [row for row in self._in("running") if row.pid]
        gone = [row for row in running if not psutil.pid_exists(row.pid)]
        known = (event for event in self._reader.new() if event.stage in self.rows)
        changed = [self._apply(event) for event in known]
        for row in gone:
            if row.state == "running":
                row.state, row.ended = "failed", time.time()
                row.message = f"killed{self._hint()}"
                changed.append(replace(row))
        for row in self._in("running"):
            folder = self.plan.folder / row.stage
            row.progress = read_progress(folder)
        return changed

    def close(self) -> None:
        """Set the final states: nothing runs any more, and waiting stages are blocked."""
        for row in self._in("running"):
            row.state, row.ended, row.message = "failed", time.time(), "exited without a result"
        for row in self._in("waiting"):
            row.state = "blocked"

    def count(self) -> Counter[str]:
        """Number of stages in each state."""
        return Counter(row.state for row in self.rows.values())

    def failed(self) -> list[Row]:
        """Rows of stages that failed."""
        return self._in("failed")

    def _hint(self) -> str:
        """A likely reason why a stage could not report its end."""
        free = shutil.disk_usage(self.plan.folder).free
        return f"; the disk of {self.plan.folder} is full" if free < 2**20 else ""

    def _in(self, state: State) -> list[Row]:
        return [row for row in self.rows.values() if row.state == state]

    def _apply(self, event: Event) -> Row:
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
        """Metrics in the manifest of a stage that has ended."""
        result = self.plan.result_of(self.plan.stage(stage))
        return read_metrics(result)
