"""Look at a data set: sizes, bands and depth from headers, labels, what is skipped, problems."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from simmim_bench.data.alpha import is_a_band, varies_like_an_image, what_happens
from simmim_bench.data.bands import read_values
from simmim_bench.data.image_files import not_images, read_regular, shown
from simmim_bench.data.inspect.boxes import NAME_FILES
from simmim_bench.data.inspect.found import Found, counted, folder_of, name_of, stem_of
from simmim_bench.data.inspect.labels import Labels, label_total, look_at_labels
from simmim_bench.data.inspect.samples import Opened, Sample, count_images, open_header, pick
from simmim_bench.data.labels import spread
from simmim_bench.data.own import CARD
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.data.prepare.parallel import in_parallel
from simmim_bench.data.rasters import SIGNED, UNSIGNED
from simmim_bench.progress import progress_bar

OPENED = 2000  # images whose headers are read
SHOWN = 3  # names in a sentence
NAMED = 10  # images that cannot be read
JUDGED = 100  # images whose alpha is read
SETTINGS = ("data.yaml", CARD, *NAME_FILES)
FEW = 5  # images or objects of a class
IGNORED = "255"


@dataclass
class Look:
    """What was seen.

    Attributes:
        found: The layout.
        counts: Images of each split.
        size: Of all image files, in bytes; of a sample if there are many.
        opened: Headers that were read.
        labels: What the labels say; None if there are none.
        channels: Bands with a declared alpha that varies like an image; None if there is none.
        skipped: Sentence about other files; empty if there are none.
        problems: What to correct before training; sentences.
        notes: What may surprise; sentences.
    """

    found: Found
    counts: dict[str, int]
    opened: list[Opened]
    labels: Labels | None = None
    channels: int | None = None
    skipped: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(self.counts.values())

    @property
    def depths(self) -> Counter[tuple[int, int, str]]:
        """Bands, bits and kind of values of the images that were opened."""
        heads = [each.header for each in self.opened if each.header]
        return Counter((head.channels, head.bits, head.kind) for head in heads)

    def sizes(self) -> list[tuple[int, int]]:
        """Width and height of the images that were opened, by their number of pixels."""
        sizes = [each.header.size for each in self.opened if each.header]
        return sorted(sizes, key=lambda size: (size[0] * size[1], size))


def look(found: Found) -> tuple[Look, list[Sample]]:
    """Read headers and labels; also returns the images that were opened.

    Raises:
        BenchError: If a file that holds images or labels cannot be read at all.
    """
    samples = list(pick(found, OPENED))
    with progress_bar("reading headers", len(samples)) as advance:
        opened = in_parallel(open_header, samples, advance)
    with progress_bar("reading labels", label_total(found)) as advance:
        labels = look_at_labels(found, advance)
    seen = Look(found, count_images(found), opened, labels, _kept_alpha(opened, samples))
    seen.skipped = _skipped(found)
    seen.problems = [*_unreadable(opened), *_mixed(seen), *_label_problems(seen), *_names(found)]
    seen.notes = [*found.notes, *_bare(found), *_unusual(seen), *_balance(seen), *_meaning(seen)]
    return seen, samples


def listed(names: list[str]) -> str:
    """``a, b, c, ...``."""
    more = ", ..." if len(names) > SHOWN else ""
    return ", ".join(map(shown, names[:SHOWN])) + more


def _unreadable(opened: list[Opened]) -> list[str]:
    wrong = [each for each in opened if each.problem]
    if not wrong:
        return []
    named = ", ".join(f"{each.name} ({each.problem})" for each in wrong[:NAMED])
    more = f", and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    return [f"{len(wrong)} of {counted(len(opened), 'image')} cannot be read: {named}{more}"]


def _mixed(seen: Look) -> list[str]:
    """Images with other bands or another depth than the most have."""
    problems: list[str] = []
    usual = seen.depths.most_common(1)
    if _are_photographs(seen):
        return problems
    for position, what in enumerate(("channels", "bits", "kinds of values")):
        counts: Counter[object] = Counter()
        for depth, number in seen.depths.items():
            counts[depth[position]] += number
        if len(counts) > 1:
            rare = [
                each.name
                for each in seen.opened
                if each.header and _depth(each)[position] != usual[0][0][position]
            ]
            text = ", ".join(f"{value} in {number}" for value, number in counts.most_common())
            problems.append(f"mixed {what}: {text} (such as {listed(rare)})")
    signed = [each.name for each in seen.opened if each.header and each.header.kind == SIGNED]
    if signed:
        problems.append(
            f"{counted(len(signed), 'image')} with signed integers (such as {listed(signed)}): "
            "save them unsigned or as floating point"
        )
    return problems


def _are_photographs(seen: Look) -> bool:
    """Whether all images can be read as RGB of 8 bits."""
    return seen.channels is None and all(
        _colours(each) in (1, 3) and each.header.bits == 8 and each.header.kind == UNSIGNED
        for each in seen.opened
        if each.header
    )


def _colours(each: Opened) -> int:
    """Bands without alpha."""
    return each.header.channels - each.header.alpha if each.header else 0


def _depth(each: Opened) -> tuple[int, int, str]:
    header = each.header
    return (header.channels, header.bits, header.kind) if header else (0, 0, "")


def _label_problems(seen: Look) -> list[str]:
    found, problems = seen.found, []
    if seen.labels:
        problems += grouped(seen.labels.problems)
    if found.unmatched:
        count = counted(len(found.unmatched), "label file")
        problems.append(f"{count} without an image: {listed(list(found.unmatched))}")
    return problems


def _bare(found: Found) -> list[str]:
    """Images without labels; a test split may have none."""
    if found.task == "unlabelled" or found.is_packed or found.kind == "coco":
        return []
    bare = [
        path
        for split in found.splits
        for path in split.images
        if path not in split.label_files and path not in split.class_names
        if split.name != "test" or split.label_files or split.class_names
    ]
    if not bare:
        return []
    names = [str(path.relative_to(found.listing.folder)) for path in bare[:10]]
    what = "they count as without objects" if found.kind == "yolo" else "they are left out"
    return [f"{counted(len(bare), 'image')} without labels, {what}: {listed(names)}"]


def grouped(problems: list[str]) -> list[str]:
    """The first few problems, and how many there are."""
    if len(problems) <= SHOWN:
        return problems
    return [*problems[:SHOWN], f"... and {len(problems) - SHOWN} more such labels"]


def _names(found: Found) -> list[str]:
    """Names that say the same, and images that two splits share."""
    problems = list(found.listing.problems[:SHOWN])
    if found.is_packed:
        return problems
    images = {str(path.relative_to(found.listing.folder)) for path in found.images()}
    stems = Counter(f"{folder_of(name)}/{stem_of(name).lower()}" for name in images)
    twice = sorted(name.removeprefix("./") for name, number in stems.items() if number > 1)
    if twice:
        problems.append(f"{counted(len(twice), 'name')} of several images each: {listed(twice)}")
    for one, other in combinations(found.splits, 2):
        if one.name == other.name:
            continue
        ours, theirs = _by_name_and_size(one.images), _by_name_and_size(other.images)
        same = sorted(key[0] for key in ours.keys() & theirs if _equal(ours[key], theirs[key]))
        if same:
            problems.append(
                f"{counted(len(same), 'image')} of {other.name or 'the others'} with name and "
                f"content of an image of {one.name or 'the others'}: {listed(same)}"
            )
    return problems


def _by_name_and_size(paths: Iterable[Path]) -> dict[tuple[str, int], Path]:
    found = {}
    for path in paths:
        with suppress(OSError):
            found[path.name, os.stat(path).st_size] = path  # noqa: PTH116  (many)
    return found


def _equal(one: Path, other: Path) -> bool:
    try:
        return read_regular(one) == read_regular(other)
    except OSError:
        return False


def _skipped(found: Found) -> str:
    """Sentence about files that are neither images nor labels of this kind."""
    used = {str(p.relative_to(found.listing.folder)) for s in found.splits for p in _files(s)}
    unmatched = {*found.unmatched}
    suffix = {"parquet": (".parquet", ".arrow"), "shards": (".tar",), "lmdb": (".mdb", ".lmdb")}
    own = suffix.get(found.kind, ())
    names = [
        name
        for name in found.listing.skipped
        if name not in used
        and name not in unmatched
        and not _is_setting(name)
        and not (own and name.lower().endswith(own))
    ]
    texts = [not_images(names)] if names else []
    kinds = Counter(_suffix(name) for name in names)
    if len(kinds) > 1:
        texts.append("by suffix: " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
    return "; ".join(texts)


def _is_setting(name: str) -> bool:
    """Whether a file names classes or splits."""
    return "ImageSets" in name.split("/") or name_of(name) in SETTINGS


def _files(split: object) -> list[Path]:
    labels = [*getattr(split, "label_files", {}).values()]
    annotations = getattr(split, "annotations", None)
    return [*labels, annotations] if annotations else labels


def _suffix(name: str) -> str:
    last = name_of(name)
    return f".{last.rpartition('.')[2].lower()}" if "." in last.lstrip(".") else "without suffix"


def suffixes(found: Found) -> Counter[str]:
    """Number of images of each suffix, in small letters."""
    return Counter(path.suffix.lower() for path in found.images())


def _unusual(seen: Look) -> list[str]:
    opened = seen.opened
    turned = [each.name for each in opened if each.is_turned]
    frames = [each.name for each in opened if each.frames > 1]
    alpha = [each.name for each in opened if each.header and each.header.alpha]
    grey = [each.name for each in opened if _colours(each) == 1]
    tiny = [each.name for each in opened if each.header and min(each.header.size) < 32]
    found = {
        "with an orientation tag, which is not applied": turned,
        "with several frames, of which the first is read": frames,
        f"with a band that is declared to be alpha, {_what_happens(seen)}": alpha,
        "in grey, which are read as RGB": grey if len(grey) < len(opened) else [],
        "smaller than 32 pixels": tiny,
    }
    return [
        f"{counted(len(names), 'image')} {what}: {listed(names)}"
        for what, names in found.items()
        if names
    ]


def _kept_alpha(opened: list[Opened], samples: list[Sample]) -> int | None:
    """Bands of images whose declared alpha varies like an image; None if an import drops it."""
    pairs = zip(opened, samples, strict=True)
    readable = [(each.header, sample) for each, sample in pairs if each.header]
    channels = Counter(header.channels for header, _ in readable if header.alpha)
    if not channels:
        return None
    varies = []
    for header, sample in spread(readable, JUDGED):
        with suppress(UnreadableImageError):
            given = header.alpha and varies_like_an_image(read_values(sample.source)[..., -1])
            varies.append(given)
    return channels.most_common(1)[0][0] if is_a_band(varies) else None


def _what_happens(seen: Look) -> str:
    kept = seen.channels is not None
    heads = [each.header for each in seen.opened if each.header and each.header.alpha]
    channels = Counter(head.channels - 1 for head in heads).most_common(1)
    return what_happens(kept=kept, channels=channels[0][0] if channels else 0)


def _balance(seen: Look) -> list[str]:
    """Classes that are rare, or missing in a split."""
    labels = seen.labels
    if labels is None or labels.unit == "pixels":
        return []
    notes = []
    rare = [name for name, number in labels.counts.items() if number < FEW]
    if rare:
        count = f"{len(rare)} class{'es' if len(rare) > 1 else ''}"
        notes.append(f"{count} with fewer than {FEW} {labels.unit}: {listed(sorted(rare))}")
    splits = {split: names for split, names in labels.by_split.items() if names}
    for split, names in splits.items():
        lacking = sorted(set().union(*splits.values()) - names)
        if lacking:
            notes.append(f"{split or 'the data'} has no image of {len(lacking)} of "
                         f"{len(labels.counts)} classes: {listed(lacking)}")  # fmt: skip
    return notes


def _meaning(seen: Look) -> list[str]:
    """What labels 0 and 255 of label maps may mean."""
    labels = seen.labels
    if labels is None or labels.unit != "pixels":
        return []
    notes = []
    if labels.counts[IGNORED]:
        share = labels.share(IGNORED)
        notes.append(f"label 255 is in {100 * share:.2g} % of the pixels; it is ignored")
    if labels.counts["0"]:
        notes.append(
            f"label 0 is in {100 * labels.share('0'):.2g} % of the pixels: it is a class, or it "
            "means unlabelled; --zero class or --zero ignored of the import decides"
        )
    return notes


def quartiles(values: list[int]) -> str:
    """Smallest, median and largest value."""
    if not values:
        return "none"
    return f"{min(values)} / {np.median(values):g} / {max(values)}"
