"""Which protocols there are: ids that configs define, read without running a config."""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.results.record import Record

CONFIGS = Path(__file__).parents[2] / "configs"
PROTOCOL_ID = re.compile(r"^\s*protocol\s*=\s*dict\(\s*id=\"([^\"]+)\"", re.MULTILINE)


@cache
def known_protocols(folder: Path = CONFIGS) -> frozenset[str]:
    """Ids of all protocols that a config under ``folder`` defines."""
    texts = (path.read_text("utf-8") for path in folder.rglob("*.py"))
    return frozenset(found for text in texts for found in PROTOCOL_ID.findall(text))


def check_known(record: Record, source: Path) -> None:
    """Refuse a measured record of a protocol that no config defines.

    Raises:
        BenchError: Naming near ids.
    """
    known = known_protocols()
    if record.protocol.id in known or not known:
        return
    near = difflib.get_close_matches(record.protocol.id, sorted(known), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "add its config under configs/"
    raise BenchError(
        f"{source}: protocol.id is {record.protocol.id!r}, which no config defines; {hint}"
    )
