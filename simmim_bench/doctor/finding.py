"""What a check finds, and how checks are run so that one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simmim_bench.errors import BenchError

Status = Literal["ok", "note", "problem"]
STATUSES: tuple[Status, ...] = ("ok", "note", "problem")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes:
        topic: What was looked at, in a word or two.
        status: ``ok``; ``note``: works, but worth knowing; ``problem``: does not work.
        text: What was found.
        remedy: What to do about a note or a problem.
    """

    topic: str
    status: Status
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """A JSON value that ``read`` takes."""
        return {
            "topic": self.topic,
            "status": self.status,
            "text": self.text,
            "remedy": self.remedy,
        }

    @classmethod
    def read(cls, value: dict[str, Any]) -> Finding:
        """The finding that ``as_json`` described.

        Raises:
            ValueError: If it is of no known status, or something is missing.
        """
        try:
            found = cls(**value)
        except TypeError as error:
            raise ValueError(f"not a finding: {error}") from error
        if found.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {found.status!r}")
        return found


Check = Callable[[], Iterable[Finding]]


def run_checks(checks: Mapping[str, Check]) -> Iterator[Finding]:
    """Yield what the checks find; a check that raises is a problem of its own.

    Args:
        checks: Topic to check; the topic is shown for a check that raises.
    """
    for topic, check in checks.items():
        try:
            yield from check()
        except BenchError as error:
            text, _, remedy = str(error).partition("; ")
            yield Finding(topic, "problem", text, remedy)
        except Exception as error:  # whatever is broken here is what the user wants to know
            yield Finding(
                topic,
                "problem",
                f"this check failed: {said(error)}",
                "repair what the message names; if it names nothing, report it with --report FILE",
            )


def said(error: BaseException) -> str:
    """Kind and first line of an error, at most 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    return f"{name}: {lines[0]}"[:300] if lines else name


def size(count: float) -> str:
    """A number of bytes with three digits, in decimal units as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB" if count < 1000 else f"{count:.0f} TB"
