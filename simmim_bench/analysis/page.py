"""The page of an analysis: one file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from simmim_bench.analysis.models import Subject
from simmim_bench.analysis.section import Section


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
        (files("simmim_bench.analysis") / "page.html").read_text("utf-8")
    )
    return template.render(
        title=title,
        subtitle=subtitle,
        style=(files("simmim_bench.results.web") / "page.css").read_text("utf-8"),
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
