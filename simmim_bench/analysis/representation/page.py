"""The page of an analysis: sections with charts and pictures, in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from simmim_bench.analysis.models import Subject
from simmim_bench.io import atomic_write_text, csv_text


def render(
    subjects: Sequence[Subject], sections: Sequence[Section], *, title: str, subtitle: str
) -> str:
    """HTML of the page; every text is escaped.

    Args:
        subjects: Analysed models.
        sections: Sections in order.
        title: Title of the page.
        subtitle: Text below the title.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(
        (files("simmim_bench.analysis.representation") / "page.html").read_text("utf-8")
    )
    return template.render(
        title=title,
        subtitle=subtitle,
        style=(files("simmim_bench.leaderboard.web") / "page.css").read_text("utf-8"),
        models=[facts(subject) for subject in subjects],
        sections=sections,
    )


def facts(subject: Subject) -> dict[str, Any]:
    """Facts about a model for the page."""
    count = sum(value.numel() for value in subject.backbone.parameters())
    return {
        "name": subject.name,
        "what": subject.what,
        "backbone": type(subject.backbone).__name__,
        "parameters": f"{count / 1e6:.2f}",
        "size": " x ".join(str(side) for side in subject.image_size),
    }


@dataclass(frozen=True)
class Picture:
    """An embedded picture: data address, alternative text, caption."""

    source: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One section of the page, and its values as a table.

    Args:
        heading: Heading of the section.
        text: Paragraphs that explain the charts.
        charts: Caption and inline SVG.
        pictures: Embedded pictures.
        rows: Values for the CSV file, header first; not shown on the page.
        file: Name of the CSV file; empty without rows.
    """

    heading: str
    text: tuple[str, ...]
    charts: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    rows: Sequence[Sequence[Any]] = ()
    file: str = ""


def write_rows(section: Section, folder: Path) -> None:
    """Write the rows of a section as CSV, if it has any."""
    if section.file:
        atomic_write_text(folder / section.file, csv_text(section.rows))
