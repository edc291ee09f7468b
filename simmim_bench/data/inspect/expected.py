"""What an import of inspected data will give."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections import Counter
from pathlib import Path

from simmim_bench.data.expected import Expected, expected_of
from simmim_bench.data.inspect.labels import Labels
from simmim_bench.data.inspect.look import Look
from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.own import CARD, OwnDataset, read_dataset
from simmim_bench.plugins import flags, imported

VAL_SHARE = 0.2  # of an import without --split


def expected(seen: Look, path: Path) -> Expected:
    """From what ``inspect`` saw at ``path``."""
    if own := own_dataset(path):
        return expected_of(own)
    name = usual_name(path)
    words = ["simmim-bench", "data", "import", name, "--from", str(path)]
    words += ["--layout", seen.found.kind] if seen.found.also else []
    words += flags(imported())
    words += ["--channels", str(seen.channels)] if seen.channels else []
    train, val = _parts(seen)
    detects = seen.found.task == "detection"
    return Expected(
        name=name,
        given=name,
        task=seen.found.task,
        train=train,
        val=val,
        has_masks=bool(seen.labels and _has_masks(seen.labels)) if detects else None,
        bring=shlex.join(words),
    )


def own_dataset(folder: Path) -> OwnDataset | None:
    """The description in a folder of own data; None for other data."""
    return read_dataset(folder.resolve()) if (folder / CARD).is_file() else None


def usual_name(path: Path) -> str:
    """A name for the data, from that of their folder: letters, digits, hyphens, underscores."""
    given = path.resolve()
    stem = given.name if given.is_dir() else given.stem
    text = unicodedata.normalize("NFC", stem).lower()
    name = re.sub(r"\W+", "-", text).strip("-_") or "data"
    return f"my-{name}" if name in ("data", *LAYOUTS) else name


def _parts(seen: Look) -> tuple[int, int]:
    """Training and validation images of an import, without those that cannot be read."""
    unreadable = Counter(each.split for each in seen.opened if each.problem)
    counts = {split: count - unreadable[split] for split, count in seen.counts.items()}
    total = sum(counts.values())
    validation = next((split for split in ("val", "test") if counts.get(split)), None)
    if validation and (counts.get("train") or counts.get("")):
        return counts.get("train", 0) + counts.get("", 0), counts[validation]
    if seen.found.task == "unlabelled":
        return total, 0
    of_classes = bool(seen.labels and seen.labels.unit == "images")
    groups = [*seen.labels.counts.values()] if seen.labels and of_classes else [total]
    val = sum(max(round(VAL_SHARE * group), 1) for group in groups if group > 1)
    return max(1, total - val), val


def _has_masks(labels: Labels) -> bool:
    return labels.with_masks >= max(1, labels.counts.total())
