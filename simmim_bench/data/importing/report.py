"""What an import did, as lines for the user."""

from __future__ import annotations

from collections.abc import Iterator

from simmim_bench.data.importing.bring_in import Report
from simmim_bench.data.inspect.found import KINDS, counted
from simmim_bench.data.own import OwnDataset

MOST_NAMED = 10


def lines_of(report: Report) -> Iterator[str]:
    """What was imported, what was decided, and what was skipped and why."""
    dataset = report.dataset
    yield f"{dataset.folder}: {dataset.task}, from {KINDS[report.found.kind]}"
    yield f"  {report.found.why}"
    yield (
        f"  {dataset.images.train} training and {dataset.images.val} validation images "
        f"({report.how})"
    )
    if dataset.classes:
        named = ", ".join(dataset.classes[:MOST_NAMED])
        more = ", ..." if len(dataset.classes) > MOST_NAMED else ""
        count = len(dataset.classes)
        yield f"  {count} class{'es' if count > 1 else ''}: {named}{more}"
    if dataset.has_masks is not None:
        yield "  every object has a mask" if dataset.has_masks else "  boxes without masks"
    yield f"  {_values(dataset)}"
    for note in report.notes:
        yield f"  {note}"
    for sentence in report.skipped.sentences():
        yield f"  skipped: {sentence}"


def _values(dataset: OwnDataset) -> str:
    low, high = dataset.range
    kind = "" if dataset.kind == "unsigned" else f" ({dataset.kind})"
    channels = counted(dataset.channels, "channel")
    return (
        f"{channels} of {dataset.bits} bits{kind}, {low:g} to {high:g}; "
        f"mean {_numbers(dataset.mean)}, std {_numbers(dataset.std)} on the scale from 0 to 255"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in values) + ")"
