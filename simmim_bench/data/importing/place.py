"""Names, links and labels of imported images in their folder."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simmim_bench.data.bands import BAND_SUFFIXES
from simmim_bench.data.fingerprint import sha256_of
from simmim_bench.data.importing.boxes import Boxes, coco_document
from simmim_bench.data.importing.label_maps import Meaning, write_map
from simmim_bench.data.importing.measure import Look
from simmim_bench.data.importing.samples import Sample, safe_name
from simmim_bench.data.own import TRAIN, VAL, annotations_of, labels_of
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.progress import progress_bar


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where everything goes.

    Attributes:
        names: File name of each image below its part.
        parts: ``train`` or ``val``.
        classes: Names, in the order of labels.
        looks: Of each image.
        boxes: Of a detection set.
        meaning: Of the label maps of a segmentation set.
    """

    names: Mapping[Sample, str]
    parts: Mapping[Sample, str]
    classes: tuple[str, ...]
    looks: Mapping[Sample, Look]
    boxes: Boxes | None = None
    meaning: Meaning | None = None

    def in_part(self, part: str) -> dict[Sample, str]:
        """File name of each image of a part."""
        return {s: name for s, name in self.names.items() if self.parts[s] == part}


def class_names(parts: Mapping[Sample, str]) -> tuple[dict[Sample, str], tuple[str, ...]]:
    """Names of images in folders of their classes, and the classes in the order of labels."""
    folders = class_folders({sample.label or "" for sample in parts})
    wanted = {
        sample: f"{folders[sample.label or '']}/{safe_name(PurePosixPath(sample.name).name)}"
        for sample in parts
    }
    return _unique(wanted, parts), tuple(sorted(folders, key=lambda label: folders[label]))


def names_below(parts: Mapping[Sample, str]) -> dict[Sample, str]:
    """Names of images as in the source, without the folders that all images of a part share."""
    wanted = {}
    for part in set(parts.values()):
        here = [sample for sample in parts if parts[sample] == part]
        above = os.path.commonpath([PurePosixPath(f"/{sample.name}").parent for sample in here])
        for sample in here:
            below = PurePosixPath(f"/{sample.name}").relative_to(above)
            wanted[sample] = "/".join(map(safe_name, below.parts))
    return _unique(wanted, parts)


def class_folders(labels: set[str]) -> dict[str, str]:
    """Folder of each class: its name, without what no folder can be called."""
    folders: dict[str, str] = {}
    used: Counter[str] = Counter()
    for label in sorted(labels):
        folder = safe_name(label)
        used[folder.casefold()] += 1
        again = used[folder.casefold()]
        folders[label] = folder if again == 1 else f"{folder}-{again}"
    return folders


def check_classes(classes: Sequence[str]) -> None:
    """Refuse names that two classes share, or that cannot be shown.

    Raises:
        BenchError: Names the class.
    """
    for name in classes:
        if not name.strip() or not name.isprintable():
            raise BenchError(f"a class is named {name!r:.80}; give it a name that can be printed")
    if twice := [name for name, count in Counter(classes).items() if count > 1]:
        raise BenchError(f"two classes are named {twice[0]!r}; rename one")


def _unique(wanted: Mapping[Sample, str], parts: Mapping[Sample, str]) -> dict[Sample, str]:
    """Names that differ in more than their suffix, which a label map does not share.

    What only ``data.bands`` reads is called .tif: folders are searched for the usual suffixes, and
    the content decides how a file is read.
    """
    used: dict[str, Counter[str]] = defaultdict(Counter)
    last: dict[tuple[str, str], int] = {}  # of many files of one name
    names = {}
    for sample, name in wanted.items():
        path = first = _usual(PurePosixPath(name))
        taken = used[parts[sample]]
        key = (parts[sample], _key(first))
        number = last.get(key, 1)
        while taken[_key(path)]:
            number += 1
            path = first.with_stem(f"{first.stem}-{number}")
        last[key] = number
        taken[_key(path)] += 1
        names[sample] = str(path)
    return names


def _usual(path: PurePosixPath) -> PurePosixPath:
    return path.with_suffix(".tif") if path.suffix.lower() in BAND_SUFFIXES else path


def _key(path: PurePosixPath) -> str:
    return str(path.with_suffix("")).casefold()


def place(building: Path, places: Places, *, copy: bool) -> None:
    """Link or copy the images into ``building``, and write the labels."""
    parts = sorted({places.parts[sample] for sample in places.names})
    for folder in {PurePosixPath(name).parent for name in places.names.values()}:
        for part in parts:  # a class without an image in a part has a folder there, too
            (building / part / folder).mkdir(parents=True, exist_ok=True)
    put = _putter(copy=copy)
    with progress_bar("files", len(places.names)) as advance:
        for sample, name in places.names.items():
            part = places.parts[sample]
            if sample.is_ours:
                sample.path.rename(building / part / name)
            else:
                put(sample.path, building / part / name)
            if places.meaning and sample.label_file:
                written = building / labels_of(part) / PurePosixPath(name).with_suffix(".png")
                written.parent.mkdir(parents=True, exist_ok=True)
                if not write_map(sample.label_file, written, binary=places.meaning.binary):
                    put(sample.label_file, written)
            advance(1)
    for part in parts if places.boxes else ():
        document = coco_document(places.boxes, places.in_part(part), places.looks)  # type: ignore[arg-type]
        atomic_write_json(building / annotations_of(part), document)


def _putter(*, copy: bool) -> Callable[[Path, Path], None]:
    def put(source: Path, target: Path) -> None:
        if not copy:
            try:
                target.symlink_to(os.path.realpath(source))
            except OSError:  # a file system without links
                pass
            else:
                return
        shutil.copyfile(source, target)

    return put


def fingerprint(building: Path, places: Places) -> str:
    """Hash of all images, by their names and content, and of all labels."""
    lines = [
        f"{places.parts[sample]}/{name} {places.looks[sample].sha256}"
        for sample, name in places.names.items()
    ]
    labels = [building / annotations_of(part) for part in (TRAIN, VAL)]
    labels += (building / "labels").rglob("*.png")
    hashes = [
        f"{path.relative_to(building).as_posix()} {sha256_file(path)}"
        for path in labels
        if path.is_file()
    ]
    return sha256_of(sorted([*lines, *hashes]))
