"""Grids of plain text, which every rendering shows, and functions that format values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simmim_bench.leaderboard.aggregate import TIMES, Row, Stat, Table
from simmim_bench.leaderboard.columns import ColumnKey, label_of
from simmim_bench.records.manifest import Pretraining
from simmim_bench.records.names import counted
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.schema import ImageSize

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SYMBOLS = "†‡§¶◊ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
"""Marks of footnotes: a character for each note, as long as there are no more than these."""
NEAR, TOP = "≈", "★"


@dataclass(frozen=True)
class Entry:
    """One table cell: text, emphasis, the mark of its note, the first line of a header.

    ``bold`` is the best of a group, ``top`` that of all groups, ``near`` what is not told apart
    from the best.
    """

    text: str = ""
    bold: bool = False
    near: bool = False
    top: bool = False
    italic: bool = False
    mark: str = ""
    above: str = ""

    @property
    def signs(self) -> str:
        """What stands behind the text."""
        return f"{TOP if self.top else ''}{NEAR if self.near else ''}{self.mark}"


@dataclass(frozen=True)
class Note:
    """A footnote; ``term`` is its subject, ``url`` its source."""

    mark: str
    text: str
    term: str = ""
    url: str | None = None


@dataclass(frozen=True)
class Grid:
    """Headers and rows; the columns in ``text_columns`` are text, the others numbers."""

    title: str
    headers: list[Entry]
    rows: list[list[Entry]]
    text_columns: frozenset[int]


@dataclass(frozen=True)
class Section:
    """Everything about runs of one kind: ``grids`` are the results, ``costs`` what they took.

    ``is_cited`` says that nothing in it was measured here.
    """

    heading: str
    warning: str | None
    grids: list[Grid]
    notes: list[Note]
    costs: tuple[Grid, ...] = ()
    is_cited: bool = False


@dataclass(frozen=True)
class Page:
    """A leaderboard; ``earlier`` of its ``count`` records state neither data nor precision."""

    title: str
    legend: str
    sections: list[Section]
    count: int
    earlier: int = 0

    def remarks(self) -> list[str]:
        """What to say once about all records."""
        if not self.earlier:
            return []
        return [
            f"note: {self.earlier} of {self.count} records are from an earlier version, which did "
            f"not state the fingerprint of the data and the precision"
        ]


class Notes:
    """Footnotes of one section; equal notes share a mark.

    Args:
        table: What the section shows; its protocols are numbered in the order of columns.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = table.columns
        self._symbols: dict[tuple[str, str | None], str] = {}

    def number(self, key: ColumnKey) -> str:
        """Mark of a protocol."""
        return str(list(self._columns).index(key) + 1).translate(SUPERSCRIPTS)

    def symbol(self, text: str, url: str | None = None) -> str:
        """Mark of the note that says ``text``."""
        index = len(self._symbols)
        unused = SYMBOLS[index % len(SYMBOLS)] * (index // len(SYMBOLS) + 1)
        return self._symbols.setdefault((text, url), unused)

    def listed(self) -> Iterator[Note]:
        """All notes: protocols, then the others."""
        for key in self._columns:
            label = label_of(key, self._columns)
            yield Note(self.number(key), describe_protocol(self._table, key), label)
        for (text, url), mark in self._symbols.items():
            yield Note(mark, text, url=url)


def name_entry(row: Row, notes: Notes) -> Entry:
    """The method of a row; a cited result is marked with its source."""
    origin = row.provenance
    if origin.kind == "measured":
        return Entry(row.method)
    text = f"{origin.kind}, not measured here: {origin.table}"
    return Entry(row.method, mark=notes.symbol(text, origin.url))


def describe_protocol(table: Table, key: ColumnKey) -> str:
    """One line about the protocol of a column: data, image size, schedule, search of all runs."""
    protocol = table.columns[key]
    parts = [f"{protocol.dataset} ({protocol.split})", *schedule_of(protocol)]
    if table.has_own_protocol(key):
        parts.append("own protocol, not one of simmim_bench")
    if tuning := table.tuning_of(key):
        parts.append(f"{tuning.described()} ({tuning.explained()})")
    return ", ".join(parts)


def schedule_of(protocol: Protocol) -> Iterator[str]:
    """Image size, epochs and iterations, as far as a protocol states them."""
    if protocol.image_size is not None:
        yield show_size(protocol.image_size)
    if protocol.epochs is not None:
        yield counted(protocol.epochs, "epoch")
    if protocol.iterations is not None:
        yield f"{protocol.iterations:,} iterations".replace(",", " ")


def show_stat(
    stat: Stat, *, cited: bool = False, usual: int | None = None, decimals: int = 1
) -> str:
    """``84.1 ± 0.3 (3)``, ``84.1 (1)``.

    Args:
        stat: What to show.
        cited: Whether it is from a source, which rarely says how many runs it made.
        usual: Number of seeds that need not be said.
        decimals: See ``metrics.decimals_of``.
    """
    value = f"{stat.mean:.{decimals}f}"
    if stat.sd is not None:
        value += f" ± {stat.sd:.{decimals}f}"
    unsaid = stat.n == usual or (cited and stat.sd is None)
    return value if unsaid else f"{value} ({stat.n})"


def show_size(size: ImageSize) -> str:
    """``224 px``, ``800 x 1333 px`` (height, width)."""
    return f"{size} px" if isinstance(size, int) else f"{size[0]} {TIMES} {size[1]} px"


def show_gain(points: float, decimals: int = 1) -> str:
    """``+12.0``, with a real minus sign below zero, and no sign at what is shown as zero."""
    shown = f"{points:+.{decimals}f}"
    return shown[1:] if float(shown) == 0 else shown.replace("-", "\N{MINUS SIGN}")


def show_minutes(minutes: float) -> str:
    """``8.2``, ``2468``."""
    return f"{minutes:.1f}" if minutes < 100 else f"{minutes:.0f}"


def show_origin(pretraining: Pretraining | None) -> str:
    """One line about a pretraining: data, epochs, image size."""
    if pretraining is None:
        return "none"
    parts = [pretraining.dataset]
    if pretraining.epochs is not None:
        parts.append(f"{pretraining.epochs:g} ep")
    if pretraining.image_size is not None:
        parts.append(show_size(pretraining.image_size))
    return ", ".join(parts)


def states_precision(deviations: Iterable[str]) -> bool:
    """Whether one of the deviations says the precision of a run."""
    return any(text.startswith("precision ") for text in deviations)
