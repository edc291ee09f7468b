"""What happens to stages, told through append-only files: any process writes, one reads.

Each machine has a file of its own, since lines of two machines may mix on a network file system.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

EVENTS = "events"  # folder
# Which suite started this process, as ``measure.identity`` says it; unset where that is elsewhere.
OWNER_VARIABLE = "SIMMIM_BENCH_SUITE_OWNER"
Kind = Literal["start", "done", "cached", "failed"]


@dataclass(frozen=True)
class Event:
    """One change of state of one stage.

    Attributes:
        stage: Id of the stage.
        kind: What happened.
        time: When, in epoch seconds.
        pid: Process that watches over the stage.
        message: Why it failed, or why it starts once more.
        owner: Suite that the process was started by.
        host: Machine of the process.
    """

    stage: str
    kind: Kind
    time: float = field(default_factory=time.time)
    pid: int = field(default_factory=os.getpid)
    message: str = ""
    owner: str = field(default_factory=lambda: os.environ.get(OWNER_VARIABLE, ""))
    host: str = field(default_factory=socket.gethostname)


def tell(state: Path, event: Event) -> None:
    """Append ``event``; a line is one write, so writers on one machine do not mix."""
    line = json.dumps(asdict(event)) + "\n"
    (state / EVENTS).mkdir(exist_ok=True)
    with (state / EVENTS / f"{event.host}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line)


def clear(state: Path) -> None:
    """Forget the events of an earlier run."""
    shutil.rmtree(state / EVENTS, ignore_errors=True)


@dataclass
class Reader:
    """Reads what was appended since the last call.

    A stage of a killed suite may still tell how it ended; only events of ``owner`` count.
    """

    state: Path
    owner: str
    offsets: dict[str, int] = field(default_factory=dict)

    def new(self) -> list[Event]:
        """Events since the last call, by time; a line that is still being written waits."""
        told = [
            Event(**json.loads(line))
            for path in sorted((self.state / EVENTS).glob("*.jsonl"))
            for line in self._lines(path)
        ]
        told.sort(key=lambda event: event.time)
        return [event for event in told if event.owner == self.owner]

    def _lines(self, path: Path) -> list[bytes]:
        with path.open("rb") as stream:
            stream.seek(self.offsets.get(path.name, 0))
            text = stream.read()
        text = text[: text.rfind(b"\n") + 1]
        self.offsets[path.name] = self.offsets.get(path.name, 0) + len(text)
        return text.splitlines()
