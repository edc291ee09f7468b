"""``simmim-bench data import``: from a folder of any usual layout to own data with a name.

``bring_in`` is the outline. All is written into a hidden folder beside the target, which takes its
name when it is complete: an import that fails or is interrupted leaves nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from filelock import FileLock

from simmim_bench.data.importing.boxes import Boxes, boxes_of
from simmim_bench.data.importing.label_maps import Meaning, understand
from simmim_bench.data.importing.measure import Look, Values, common_values, look_at, statistics
from simmim_bench.data.importing.parts import absent_classes, divide
from simmim_bench.data.importing.place import (
    Places,
    check_classes,
    class_names,
    fingerprint,
    names_below,
    place,
)
from simmim_bench.data.importing.samples import Sample, Skipped, safe_name, samples_of
from simmim_bench.data.inspect.found import KINDS, Found
from simmim_bench.data.inspect.recognise import recognise
from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.own import (
    CARD,
    TRAIN,
    VAL,
    Images,
    OwnDataset,
    Task,
    checked_folder_name,
    read_dataset,
    write_dataset,
)
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

PACKED = ".packed"
WITHOUT_FILES = ("images", "class-folders")
"""Layouts of images alone: other files may be labels that were not recognised."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Options of the command.

    Attributes:
        layout: Kind of layout; None: recognise it.
        share: For training; None: as the data say, else 0.8.
        seed: Of the split.
        copy: Copy images instead of linking them.
        force: Replace own data of the same name.
        channels: Of each image; None: as the most have, grey as three (``measure``).
        zero: Whether label 0 of label maps is a class; None: decide.
    """

    layout: str | None = None
    share: float | None = None
    seed: int = 0
    copy: bool = False
    force: bool = False
    channels: int | None = None
    zero: bool | None = None


@dataclass
class Report:
    """What was done, for the user.

    Attributes:
        dataset: The data, at their place.
        found: What the source was recognised as.
        how: How the parts came about.
        notes: What was decided.
        skipped: What was left out.
    """

    dataset: OwnDataset
    found: Found
    how: str
    notes: list[str]
    skipped: Skipped


@dataclass
class _Content:
    """What is read of the source.

    Attributes:
        found: The layout.
        samples: Images that are used.
        looks: Of each image.
        values: What the images have in common.
        boxes: Of a detection set.
        meaning: Of the label maps of a segmentation set.
        notes: What was decided.
    """

    found: Found
    samples: list[Sample]
    looks: Mapping[Sample, Look]
    values: Values
    boxes: Boxes | None = None
    meaning: Meaning | None = None
    notes: list[str] = field(default_factory=list)


def bring_in(name: str, source: Path, root: Path, wishes: Wishes) -> Report:
    """Import the data at ``source`` as ``root/name``.

    Args:
        name: Of the data.
        source: Folder or file.
        root: Data root.
        wishes: Options.

    Raises:
        BenchError: If the name cannot be used, or the source holds no data that can be.
    """
    target = _target(name, root, force=wishes.force)
    _check_apart(source, target)
    skipped = Skipped()
    with _building(target) as building:
        content = _read(source, building / PACKED, wishes, skipped)
        task = _task(content)
        contents = {sample: content.looks[sample].sha256 for sample in content.samples}
        parts, how = divide(
            content.samples,
            contents,
            share=wishes.share,
            seed=wishes.seed,
            labelled=task != "unlabelled",
            skipped=skipped,
        )
        if TRAIN not in parts.values():
            why = next(iter(skipped.sentences()), "its own parts have none")
            raise BenchError(f"no image of {source} is left for training: {why}; give --split 0.8")
        with progress_bar("statistics", None) as advance:
            mean, std, count = statistics(parts, content.values, skipped, advance)
        places = _places(content, parts, task)
        place(building, places, copy=wishes.copy)
        numbers = Counter(parts.values())
        dataset = OwnDataset(
            name=name,
            task=task,
            classes=places.classes,
            channels=content.values.channels,
            bits=content.values.bits,
            kind=content.values.kind,
            range=content.values.range,
            mean=mean,
            std=std,
            reduce_zero_label=content.meaning.reduced if content.meaning else None,
            has_masks=content.boxes.has_masks if content.boxes else None,
            images=Images(train=numbers[TRAIN], val=numbers[VAL]),
            fingerprint=fingerprint(building, places),
            origin=f"{content.found.kind}, {safe_name(source.resolve().name)}",
        )
        write_dataset(dataset, building)
        shutil.rmtree(building / PACKED, ignore_errors=True)
    content.notes += absent_classes(_classes_of(content), parts, places.classes)
    content.notes.append(f"mean and std are of {count} training images")
    notes = [*content.found.notes, *content.notes]
    return Report(dataset.at(target), content.found, how, notes, skipped)


def _target(name: str, root: Path, *, force: bool) -> Path:
    try:
        checked_folder_name(name)
    except ValueError as error:
        raise BenchError(f"{name!r} cannot be the name of data: {error}") from error
    taken = {PurePosixPath(layout.home).parts[0] for layout in LAYOUTS.values()}
    if name in taken:
        raise BenchError(
            f"{name} is the folder of a published data set; give another name, such as my-{name}"
        )
    target = root / name
    if not os.path.lexists(target):
        return target
    if not force:
        raise BenchError(f"{target} exists; give another name, or replace it with --force")
    if target.is_symlink() or not (target / CARD).is_file():
        raise BenchError(f"{target} was not imported, so --force does not replace it; remove it")
    read_dataset(target)
    return target


def _check_apart(source: Path, target: Path) -> None:
    """Refuse to link a folder into itself."""
    above, below = Path(os.path.realpath(target)), Path(os.path.realpath(source))
    if below == above or above in below.parents or below in above.parents:
        raise BenchError(
            f"{target} and {source} are one in the other; give another --from, or another data "
            "root with --out"
        )


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``target`` when the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:40]}-"))
    made.chmod(0o777 & ~_umask())
    replaces = target.exists()
    try:
        yield made
        old = made.with_name(f"{made.name}-old")
        lock = target.with_name(f".{target.name[:40]}.lock")
        with FileLock(lock):
            if target.exists() != replaces:
                raise BenchError(
                    f"another process made or removed {target} meanwhile; see what it is, and "
                    "import again"
                )
            if replaces:
                target.rename(old)
            try:
                made.rename(target)
            except OSError:
                if replaces:
                    old.rename(target)
                raise
            lock.unlink(missing_ok=True)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _read(source: Path, scratch: Path, wishes: Wishes, skipped: Skipped) -> _Content:
    """Recognise the source and read all images and labels once."""
    found = recognise(source, wishes.layout)
    if found.also and wishes.layout is None:
        fits = [f"--layout {kind} ({KINDS[kind]})" for kind in (found.kind, *found.also)]
        raise BenchError(f"{source} fits several layouts; say which: {' or '.join(fits)}")
    for name in found.unmatched:
        skipped.add("label files have no image", name)
    for problem in found.listing.problems:
        skipped.add("entries cannot be read as an image", problem)
    for name in found.listing.skipped if found.kind in WITHOUT_FILES else ():
        skipped.add("files of other kinds are not used", name)
    samples = samples_of(found, scratch, skipped)
    found = _with_labels(found, samples, skipped)
    if not samples:
        first = next(iter(skipped.sentences()), "it has no images")
        raise BenchError(f"{source} has nothing to import as {KINDS[found.kind]}: {first}")
    with progress_bar("images", len(samples)) as advance:
        looks = look_at(samples, advance)
    values, kept, notes = common_values(looks, wanted=wishes.channels, skipped=skipped)
    content = _Content(found, kept, looks, values, notes=notes)
    if found.task == "detection":
        content.boxes = boxes_of(found, kept, looks, skipped)
        content.samples = [sample for sample in kept if sample in content.boxes.objects]
        content.notes += content.boxes.notes
    elif found.task == "segmentation":
        with progress_bar("label maps", len(kept)) as advance:
            content.meaning, content.samples = understand(
                kept, looks, found.classes, zero=wishes.zero, skipped=skipped, advance=advance
            )
        content.notes += content.meaning.notes
    return content


def _with_labels(found: Found, samples: list[Sample], skipped: Skipped) -> Found:
    """An LMDB has labels if its keys say so, which only its content shows."""
    labelled = [sample for sample in samples if sample.label is not None]
    if found.is_packed and labelled and found.task == "unlabelled":
        found = replace(found, columns=("image", "label"))
    if found.is_packed and found.task == "classification":
        for sample in samples:
            if sample.label is None:
                skipped.add("images without a class", sample.name)
        samples[:] = labelled
    return found


def _task(content: _Content) -> Task:
    task: Task = content.found.task  # type: ignore[assignment]
    if task == "classification" and len({each.label for each in content.samples}) < 2:
        content.notes.append("there is a single class, so the images are imported without labels")
        return "unlabelled"
    return task


def _classes_of(content: _Content) -> dict[Sample, set[str]]:
    """Classes of each image, of label maps none."""
    if content.boxes:
        objects = content.boxes.objects
        return {sample: {each["category"] for each in objects[sample]} for sample in objects}
    return {sample: {sample.label} for sample in content.samples if sample.label}


def _places(content: _Content, parts: Mapping[Sample, str], task: Task) -> Places:
    if task == "classification":
        names, classes = class_names(parts)
    else:
        names, classes = names_below(parts), ()
    if content.boxes:
        classes = content.boxes.classes
    if content.meaning:
        classes = content.meaning.classes
    check_classes(classes)
    return Places(
        names=names,
        parts=parts,
        classes=classes,
        looks=content.looks,
        boxes=content.boxes,
        meaning=content.meaning,
    )
