"""How a run that ends early says that the same command would continue it.

It writes ``stop.json`` into its work dir and exits with code 75 (EX_TEMPFAIL of sysexits.h).
Launchers in between may change the code, so the file counts. Imports no torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from simmim_bench.io import atomic_write_json, parse_json

AGAIN = 75
FILE = "stop.json"
Reason = Literal["preempted", "out of memory", "data worker died"]


@dataclass(frozen=True)
class Stop:
    """Why a run ended early.

    Attributes:
        reason: What happened.
        message: What happened, and what the next start will do.
        iteration: Iterations done.
    """

    reason: Reason
    message: str
    iteration: int

    def write(self, work_dir: Path) -> None:
        """Write it into ``work_dir``."""
        atomic_write_json(work_dir / FILE, asdict(self))


def take_stop(work_dir: Path) -> Stop | None:
    """Read and remove what the last run in ``work_dir`` wrote, if anything."""
    path = work_dir / FILE
    found: Stop | None
    try:
        found = Stop(**parse_json(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        found = None
    path.unlink(missing_ok=True)
    if found and isinstance(found.message, str) and found.reason in get_args(Reason):
        return found
    return None
