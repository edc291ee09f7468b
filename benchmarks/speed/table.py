"""The table of measured works, and its comparison with an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.speed.work import OURS
from simmim_bench.errors import BenchError

HEADER = ("work", "ours", "peers", "ratio (quartiles)", "target", "of the limit", "clock")
HEADING = "## Beside the stock implementations\n"
"""Of the section of a page that holds the table."""
COMMAND = """
```bash
make bench PAGE=docs/speed.md   # our works and those of others in turn; writes this section
```
"""


EXPLAINED = """
A ratio is the median over rounds in which all implementations ran in turn, against the fastest
peer; quartiles are in brackets. `target` is the ratio that this project aims at. `of the limit`
compares our speed with that of a program that does the unavoidable part of the work alone, such as
decoding, or the matrix products and convolutions: 0.67 is two thirds of its speed. Outputs were
compared, too; `build/bench.json` says how."""


def rows(measured: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row of text for each work."""
    return [_row(one) for one in measured]


def markdown(measured: Iterable[Mapping[str, Any]]) -> str:
    """All works as one table."""
    lines = [HEADER, ("---",) + ("---:",) * 5 + ("---",), *rows(measured)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def machine(environment: Mapping[str, Any]) -> str:
    """One sentence about the machine of a measurement."""
    return (
        f"Machine: {environment['cpu']}, {environment['cores']} cores, "
        f"{environment['instructions']}, load {environment['load']:.1f} at the start; "
        f"torch {environment['torch']}."
    )


def page(text: str, measured: Iterable[Mapping[str, Any]], environment: Mapping[str, Any]) -> str:
    """A page whose section :data:`HEADING` is replaced by the table.

    Args:
        text: Markdown.
        measured: Works.
        environment: Of the measurement.

    Raises:
        BenchError: If the page has no such heading, or has it twice.
    """
    if text.count(HEADING) != 1:
        raise BenchError(
            f"the page has {text.count(HEADING)} headings {HEADING.strip()!r}, expected one; "
            "the table is written below it"
        )
    before, after = text.split(HEADING)
    following = after.find("\n## ")
    rest = after[following:] if following >= 0 else ""
    section = f"{COMMAND}\n{machine(environment)}{EXPLAINED}\n\n{markdown(measured)}"
    return before + HEADING + section + rest


def compared(now: Iterable[Mapping[str, Any]], before: Iterable[Mapping[str, Any]]) -> str:
    """Ratios of two runs beside each other; works that only one of them has are named."""
    old = {one["name"]: one for one in before}
    lines = ["| work | ratio before | ratio now |\n", "|---|---:|---:|\n"]
    for one in now:
        was = old.pop(one["name"], None)
        lines.append(f"| {one['name']} | {_ratio(was) if was else 'none'} | {_ratio(one)} |\n")
    lines += [f"| {name} | {_ratio(one)} | not run |\n" for name, one in old.items()]
    return "".join(lines)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    peers = [
        f"{name} {_number(rate)}"
        for name, rate in one["rates"].items()
        if name not in (OURS, "limit")
    ]
    return (
        one["name"],
        f"{_number(one['rates'][OURS])} {one['unit']}/s",
        ", ".join(peers) or "none",
        _ratio(one),
        f"{one['target']:g}" if one["target"] else "",
        "" if one["share"] is None else f"{one['share']:.2f}",
        f"{one['clock']}, {one['threads']} thread{'s' if one['threads'] != 1 else ''}",
    )


def _ratio(one: Mapping[str, Any]) -> str:
    if one["ratio"] is None:
        return ""
    low, high = one["spread"]
    return f"{one['ratio']:.2f} ({low:.2f} to {high:.2f})"


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
