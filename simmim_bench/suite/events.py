"""What happens to stages, told through an append-only file: any process writes, one reads."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

EVENTS = "events.jsonl"
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
        message: Why it failed.
        owner: Suite that the process was started by.
    """

    stage: str
    kind: Kind
    time: float = field(default_factory=time.time)
    pid: int = field(default_factory=os.getpid)
    message: str = ""
    owner: str = field(default_factory=lambda: os.environ.get(OWNER_VARIABLE, ""))


def tell(state: Path, event: Event) -> None:
    """Append ``event``; a line is one write, so writers do not mix."""
    line = json.dumps(asdict(event)) + "\n"
    with (state / EVENTS).open("a", encoding="utf-8") as stream:
        stream.write(line)


def clear(state: Path) -> None:
    """Forget the events of an earlier run."""
    (state / EVENTS).unlink(missing_ok=True)


@dataclass
class Reader:
    """Reads what was appended since the last call.

    A stage of a killed suite may still tell how it ended; only events of ``owner`` count.
    """

    state: Path
    owner: str
    offset: int = 0

    def new(self) -> list[Event]:
        """Events since the last call; a line that is still being written waits."""
        path = self.state / EVENTS
        if not path.is_file():
            return []
        with path.open("rb") as stream:
            stream.seek(self.offset)
            text = stream.read()
        text = text[: text.rfind(b"\n") + 1]
        self.offset += len(text)
        told = [Event(**json.loads(line)) for line in text.splitlines()]
        return [event for event in told if event.owner == self.owner]
