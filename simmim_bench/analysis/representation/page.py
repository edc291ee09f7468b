"""The page of an analysis: one file that needs no other."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from simmim_bench.analysis.models import Subject
from simmim_bench.io import atomic_write_text


def render(
    subjects: Sequence[Subject], sections: Sequence[Section], *, title: str, subtitle: str
) -> str:
    """HTML of the page; every text is escaped.

    Args:
        subjects: Models that were looked at.
        sections: In the page's order.
        title: Of the page.
        subtitle: Said below the title.
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
    """What the page says of a model."""
    count = sum(value.numel() for value in subject.backbone.parameters())
    return {
        "name": subject.name,
        "what": subject.what,
        "backbone": type(subject.backbone).__name__,
        "parameters": f"{count / 1e6:.2f}",
        "size": " x ".join(str(side) for side in subject.image_size),
    }


# A section of the page, with the file that holds its figures.


@dataclass(frozen=True)
class Picture:
    """An embedded picture: address that holds it, what it shows, words below it."""

    source: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """What one question of an analysis was answered by.

    Args:
        heading: Of the section.
        text: What the charts show and how to read them; one paragraph each.
        charts: Caption and inline SVG.
        pictures: Embedded pictures.
        rows: Figures, header first, as they are written beside the page; the page shows none.
        file: Name of that CSV file; empty without rows.
    """

    heading: str
    text: tuple[str, ...]
    charts: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    rows: Sequence[Sequence[Any]] = ()
    file: str = ""


def write_rows(section: Section, folder: Path) -> None:
    """Write the figures of a section as CSV, if it has any."""
    if section.file:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(section.rows)
        atomic_write_text(folder / section.file, text.getvalue())
