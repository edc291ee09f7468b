"""Check COCO's run-length masks before pycocotools reads them, which trusts every count.

The compressed form writes each run as digits of five bits, and from the third run on the difference
from the run before the last: rleToString in
https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c.
"""

from __future__ import annotations

from typing import Any

LONGEST = 30  # bits of a run; an image has fewer than 2 ** 30 pixels


def rle_problem(mask: dict[str, Any], height: int, width: int) -> str | None:
    """What is wrong with a run-length mask of an image; None if nothing is.

    Args:
        mask: ``size`` (height and width) and ``counts`` (a list, or compressed text).
        height: Of the image.
        width: Of the image.
    """
    size = mask.get("size")
    if size != [height, width]:
        return f"a mask of height and width {short(size)}, its image [{height}, {width}]"
    try:
        counts = _runs(mask.get("counts"))
    except ValueError as error:
        return f"a mask whose counts are damaged ({error})"
    if len(counts) < 2:
        return "an empty mask"
    if sum(counts) != height * width:
        return f"a mask of {sum(counts)} pixels, its image has {height * width}"
    return None


def _runs(counts: Any) -> list[int]:
    runs = decode_counts(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int for run in runs):
        raise ValueError("neither text nor a list of integers")
    for run in (min(runs, default=0), max(runs, default=0)):
        if not 0 <= run < 1 << LONGEST:
            raise ValueError(f"a run of {short(run)} pixels")
    return runs


def decode_counts(text: str) -> list[int]:
    """Run lengths of a compressed mask, as pycocotools reads them; they may be negative.

    Raises:
        ValueError: If a character is not part of the format, a run is too long, or the text ends
            within a run.
    """
    counts: list[int] = []
    value = shift = 0
    for position, letter in enumerate(text):
        digit = ord(letter) - 48
        if not 0 <= digit < 64:
            raise ValueError(f"character {letter!r} at {position}")
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            if shift > LONGEST:
                raise ValueError(f"a run of more than {LONGEST} bits at {position}")
            continue
        if digit & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
        value = shift = 0
    if shift:
        raise ValueError("the text ends within a run")
    return counts


def short(value: Any) -> str:
    """A value for a message."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except RecursionError:
        text = "a nested list"
    text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= 60 else f"{text[:57]}..."
