"""How a run that ends early tells whoever started it that the same command would continue it.

It leaves ``stop.json`` in its work dir and ends with the code 75 (EX_TEMPFAIL of sysexits.h).
Launchers between the two may change the code; the file stays. Imports no torch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from simmim_bench.io import atomic_write_json

AGAIN = 75
FILE = "stop.json"
Reason = Literal["preempted", "out of memory", "data worker died"]


@dataclass(frozen=True)
class Stop:
    """Why a run ended early.

    Attributes:
        reason: What happened.
        message: The same in a sentence, with what the next start will do.
        iteration: Iterations done.
    """

    reason: Reason
    message: str
    iteration: int

    def write(self, work_dir: Path) -> None:
        """Leave it in ``work_dir``."""
        atomic_write_json(work_dir / FILE, asdict(self))


def take_stop(work_dir: Path) -> Stop | None:
    """What the last run in ``work_dir`` left, if anything; it is told once."""
    path = work_dir / FILE
    try:
        told = Stop(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        told = None
    path.unlink(missing_ok=True)
    return told
