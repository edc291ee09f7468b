"""Findings as text, JSON, and Markdown for a bug report."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from simmim_bench.cli import printable
from simmim_bench.doctor.finding import STATUSES, Finding, Status
from simmim_bench.doctor.places import places
from simmim_bench.doctor.privacy import Private
from simmim_bench.doctor.software import OPENCV, OPENCV_VERSION, versions
from simmim_bench.io import atomic_write_text
from simmim_bench.records.names import counted

TOPIC = 18
"""Columns of a topic."""
INDENT = 10 + TOPIC
"""Columns before a text."""
STYLES: dict[Status, str] = {"ok": "green", "note": "yellow", "problem": "bold red"}


def lines_of(finding: Finding, width: int | None = None) -> list[str]:
    """A finding as lines of text: status, topic, text; then its remedy.

    Args:
        finding: What was found.
        width: Columns of a terminal; None: each sentence in one line.
    """
    head = f"{finding.status:<8}  {finding.topic:<{TOPIC - 1}} "
    lines = _wrapped(head, printable(finding.text), width)
    if finding.remedy and finding.status != "ok":
        lines += _wrapped(" " * INDENT, f"remedy: {printable(finding.remedy)}", width)
    return lines


def show(finding: Finding) -> None:
    """Print a finding: coloured and wrapped in a terminal, else a line for each sentence."""
    if not sys.stdout.isatty():
        sys.stdout.write("\n".join(lines_of(finding)) + "\n")
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    text = Text("\n".join(lines_of(finding, console.width)))
    text.stylize(STYLES[finding.status], 0, len(finding.status))
    console.print(text, soft_wrap=True)


def _wrapped(head: str, text: str, width: int | None) -> list[str]:
    text = " ".join(text.split())
    if width is None:
        return [f"{head}{text}"]
    return textwrap.wrap(
        text,
        max(width, INDENT + 20),
        initial_indent=head,
        subsequent_indent=" " * INDENT,
        break_on_hyphens=False,
    )


def summary(findings: Sequence[Finding]) -> str:
    """How many findings are of each status."""
    counts = {status: sum(one.status == status for one in findings) for status in STATUSES}
    some = [counted(counts[status], status) for status in ("note", "problem")]
    return ", ".join([f"{counts['ok']} ok", *some])


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """All findings, with the full paths of this machine, and whether there is no problem."""
    return {
        "ok": all(one.status != "problem" for one in findings),
        "findings": [one.as_json() for one in findings],
    }


def write_markdown(findings: Sequence[Finding], path: Path) -> str:
    """Write ``as_markdown`` of this machine; returns the text.

    Raises:
        BenchError: If the path is not that of an ordinary file.
    """
    folders, names = places(), list[str]()
    with suppress(ImportError, OSError):  # then no finding names them
        from simmim_bench.data.own import known_datasets

        names = known_datasets(folders["data"])
    like_addresses = {OPENCV_VERSION, *versions(OPENCV).values()}
    text = as_markdown(findings, Private.of_this_machine(folders, names, like_addresses))
    atomic_write_text(path, text)
    return text


def as_markdown(findings: Iterable[Finding], private: Private) -> str:
    """A section of an issue: problems first, then all, without what is private.

    The findings stand in code blocks, so that nothing in them is markup, a mention or a link.
    """
    cleaned = [
        Finding(one.topic, one.status, private.without(one.text), private.without(one.remedy))
        for one in findings
    ]
    wrong = [one for one in cleaned if one.status != "ok"]
    title = f"### simmim-bench doctor: {summary(cleaned)}"
    blocks = [title, *([_block(wrong)] if wrong else [])]
    blocks += ["<details><summary>all checks</summary>", _block(cleaned), "</details>"]
    return "\n\n".join(blocks) + "\n"


def _block(findings: Sequence[Finding]) -> str:
    lines: Iterator[str] = (line for one in findings for line in lines_of(one))
    text = "\n".join(lines).replace("```", "'''")
    return f"```text\n{text}\n```"
