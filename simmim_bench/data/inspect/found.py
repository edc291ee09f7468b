"""What a folder of data holds: the result of ``recognise``, and what its parts share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from simmim_bench.data.image_files import Listing, read_regular

KINDS = {
    "images": "a folder of images without labels",
    "class-folders": "one folder per class",
    "coco": "COCO: JSON with boxes or masks",
    "voc": "Pascal VOC: an XML file per image",
    "yolo": "YOLO: a text file of boxes or polygons per image",
    "masks": "a label map per image",
    "csv": "a table that names images and their labels",
    "parquet": "Parquet or Arrow files with images in them, as of Hugging Face datasets",
    "shards": "tar shards, as of webdataset",
    "lmdb": "an LMDB",
}
"""Kinds of layout, the values of ``--layout``."""

TASKS = {
    "images": "unlabelled",
    "class-folders": "classification",
    "coco": "detection",
    "voc": "detection",
    "yolo": "detection",
    "masks": "segmentation",
    "csv": "classification",
    "parquet": "classification",
    "shards": "unlabelled",
    "lmdb": "unlabelled",
}

SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "valset"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "testset"), "test"),
}
"""Usual names of splits, and ours."""

IMAGE_WORDS = frozenset((
    "images", "image", "img", "imgs", "img_dir", "jpegimages", "leftimg8bit", "rgb", "photos",
    "pictures",
))  # fmt: skip
LABEL_WORDS = frozenset((
    "annotations", "annotation", "anns", "ann", "ann_dir", "labels", "label", "labelids",
    "label_maps", "masks", "mask", "gt", "gtfine", "ground_truth", "groundtruth", "seg",
    "segmentation", "segmentations", "segmentationclass", "targets", "xml", "xmls", "txt",
))  # fmt: skip
"""Folders of images and of labels; a label and its image have the same path without them."""


@dataclass(frozen=True)
class Split:
    """One part of the data. Several parts may have the same name; together they are that split.

    Attributes:
        name: ``train``, ``val`` or ``test``; empty if the data have no splits.
        images: Image files, sorted. Of ``parquet``, ``shards`` and ``lmdb``: the files that hold
            them.
        label_files: Label file of each image that has one (``voc``, ``yolo``, ``masks``).
        class_names: Class of each image that has one (``class-folders``, ``csv``).
        annotations: Its JSON file (``coco``) or table (``csv``).
        folder: Folder to which the file names in a JSON file are relative (``coco``).
    """

    name: str
    images: tuple[Path, ...]
    label_files: Mapping[Path, Path] = field(default_factory=dict)
    class_names: Mapping[Path, str] = field(default_factory=dict)
    annotations: Path | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class Found:
    """A recognised data set.

    Attributes:
        kind: One of ``KINDS``.
        root: The path that was given.
        why: What was seen that decides for this kind; a sentence without its full stop.
        splits: Its parts; never empty.
        classes: Names of the classes as far as files state them, in the order of their numbers;
            of ``class-folders`` and ``csv`` sorted. Empty: they are only in the label files
            (``voc``), or not stated.
        columns: Columns with the image and its label (``csv``, ``parquet``), or the suffixes of
            both (``shards``); the second is empty if there are no labels.
        also: Other kinds that fit as well; ``--layout`` decides.
        notes: What may surprise, such as files that were left out; sentences.
        keypoints: Numbers of keypoints after each box (``yolo``).
        unmatched: Label files without an image, relative to the root.
        listing: Every file below the root.
    """

    kind: str
    root: Path
    why: str
    splits: tuple[Split, ...]
    classes: tuple[str, ...] = ()
    columns: tuple[str, str] | None = None
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    keypoints: int = 0
    unmatched: tuple[str, ...] = ()
    listing: Listing = field(default_factory=lambda: Listing(Path()), repr=False)

    @property
    def task(self) -> str:
        """``unlabelled``, ``classification``, ``detection`` or ``segmentation``."""
        if self.columns:
            return "classification" if self.columns[1] else "unlabelled"
        return TASKS[self.kind]

    @property
    def is_packed(self) -> bool:
        """Whether images are inside of larger files."""
        return self.kind in ("parquet", "shards", "lmdb")

    def images(self) -> list[Path]:
        """All images (or the files that hold them), sorted, each once."""
        return sorted({path for split in self.splits for path in split.images})


@lru_cache(maxsize=1 << 16)
def split_of(name: str) -> str | None:
    """Our name of the split that a file or folder name states: ``val`` for ``images_val2017``."""
    words = re.findall("[a-z]+", name.lower())
    words = [word for word in words if word not in IMAGE_WORDS | LABEL_WORDS | _FILLING]
    names = [SPLITS.get(word) for word in words]
    return names[0] if names and all(names) else None


_FILLING = frozenset(
    ("data", "set", "split", "of", "coco", "instances", "list", "lists", "file", "files")
)


def split_in(path: str) -> str:
    """The split that a folder in a path states; empty if none does."""
    return _split_below(folder_of(path))


@lru_cache(maxsize=1 << 16)
def _split_below(folder: str) -> str:
    return next((split for each in folder.split("/") if (split := split_of(each))), "")


def folder_of(name: str) -> str:
    """Folder of a file below the root; ``.`` for the root."""
    return name.rpartition("/")[0] or "."


def name_of(name: str) -> str:
    """Last part of a path."""
    return name.rpartition("/")[2]


def stem_of(name: str) -> str:
    """Last part of a path without its suffix."""
    last = name_of(name)
    return last.rpartition(".")[0] or last


def by_split(names: Iterable[str]) -> dict[str, list[str]]:
    """File names by the split in their path: ``train``, ``val``, ``test``, others."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(split_in(name), []).append(name)
    order = ["train", "val", "test", ""]
    return {split: found[split] for split in order if split in found}


def key_of(name: str, endings: tuple[str, ...] = ()) -> str:
    """What the paths of an image and of its label have in common.

    Folders that only say "images" or "labels" are left out, and ``endings`` of the name.
    """
    stem = stem_of(name)
    if stem.lower().endswith(endings):
        for ending in endings:
            if stem.lower().endswith(ending) and len(stem) > len(ending):
                stem = stem[: -len(ending)]
                break
    return f"{_without_words(folder_of(name))}/{stem}"


@lru_cache(maxsize=1 << 16)
def _without_words(folder: str) -> str:
    words = IMAGE_WORDS | LABEL_WORDS
    return "/".join(part for part in folder.split("/") if part.lower() not in words)


def paired(
    labels: Iterable[str],
    images: Iterable[str],
    label_endings: tuple[str, ...] = (),
    image_endings: tuple[str, ...] = (),
) -> dict[str, str]:
    """Image of each label file: the same path, else the same name if only one image has it."""
    whole: dict[str, str] = {}
    stems: dict[str, list[str]] = {}
    for image in images:
        key = key_of(image, image_endings)
        whole.setdefault(key, image)
        stems.setdefault(key.rpartition("/")[2], []).append(image)
    pairs = {}
    for label in labels:
        key = key_of(label, label_endings)
        partner = whole.get(key)
        if partner is None:
            same = stems.get(key.rpartition("/")[2], ())
            partner = same[0] if len(same) == 1 else None
        if partner is not None:
            pairs[label] = partner
    return pairs


def counted(number: int, what: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def in_folders(names: Iterable[str]) -> Counter[str]:
    """Number of files in each folder."""
    return Counter(map(folder_of, names))


def listed_splits(listing: Listing, below: str) -> Iterator[tuple[str, set[str]]]:
    """Splits that text files state, and the file stems that they list.

    Args:
        listing: Of the data.
        below: Name of a folder above these files, as ``ImageSets``.
    """
    lists: dict[str, list[str]] = {}
    for name in listing.skipped:
        split = split_of(stem_of(name))
        if split and name.lower().endswith(".txt") and below in name.split("/")[:-1]:
            lists.setdefault(split, []).append(name)
    for split, files in sorted(lists.items()):
        lines = [line for name in sorted(files) for line in lines_of(listing, name)]
        words = [line.split()[0].replace("\\", "/") for line in lines]
        stems = {stem for word in words for stem in (name_of(word), stem_of(word))}
        if stems:
            yield split, stems


def lines_of(listing: Listing, name: str) -> list[str]:
    """Lines of a text file that are not blank; none if it cannot be read."""
    try:
        text = read_regular(Path(listing.folder, name)).decode("utf-8-sig", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()]
