"""What a table of the web page consists of, as its template shows it."""

from __future__ import annotations

from dataclasses import dataclass

from simmim_bench.leaderboard.web.facts import Detail, Facts

MANY = 6
"""Rows or primary metrics from which a table leaves out what its notes or details say, and says
which method is best."""


@dataclass(frozen=True)
class Head:
    """A column: two lines of its header, and what the page filters and sorts by.

    ``kind`` is ``result`` for a primary metric, ``other`` for other ones, ``rank`` or ``cost``.
    ``foot`` is the smallest significant difference.
    """

    key: str
    above: str
    text: str
    kind: str
    title: str = ""
    task: str = ""
    data: str = ""
    foot: str = ""
    rising: bool = False


@dataclass(frozen=True)
class Shown:
    """A number with what stands beside it; ``bar`` are percent of the column's range.

    ``marks`` are CSS classes: ``best``, ``top``, ``near`` as in ``Standing``, ``deviates``,
    ``seen``, ``precision``. ``order`` is the number by which the column is sorted, None if it is
    blank.
    """

    value: str = ""
    spread: str = ""
    order: float | None = None
    interval: str = ""
    gain: str = ""
    gain_interval: str = ""
    sure: bool = False
    marks: str = ""
    bar: tuple[float, ...] = ()


@dataclass(frozen=True)
class Line:
    """A row; ``cells`` are as many as columns, ``weights`` the hash of what it started from."""

    method: str
    backbone: str
    pretraining: str
    provenance: str
    url: str | None
    deviates: bool
    weights: str | None
    cells: tuple[Shown, ...]
    facts: Facts
    details: tuple[Detail, ...]


@dataclass(frozen=True)
class Group:
    """Rows that compete: of a backbone, or cited ones of a protocol and its data."""

    heading: str
    lines: tuple[Line, ...]
    data: str = ""

    @property
    def best(self) -> tuple[str, ...]:
        """Best method of each column, in a group of so many rows that it is not seen at once."""
        if len(self.lines) <= MANY:
            return ()
        columns = zip(*(line.cells for line in self.lines), strict=True)
        return tuple(
            ", ".join(
                line.method
                for line, cell in zip(self.lines, cells, strict=True)
                if "best" in cell.marks.split()
            )
            for cells in columns
        )


@dataclass(frozen=True)
class Board:
    """A table. ``grouping`` says what its groups are."""

    id: str
    heading: str
    grouping: str
    heads: tuple[Head, ...]
    groups: tuple[Group, ...]
    notes: tuple[tuple[str, str], ...]
    warning: str = ""

    @property
    def is_dense(self) -> bool:
        """Whether it has many columns."""
        return sum(head.kind == "result" for head in self.heads) > MANY
