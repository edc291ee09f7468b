"""Recognise the layout of a data set: ``recognise(path)`` says what it is and why.

Every kind of layout has a function that returns what it found, or None. Labels decide: a folder
with XML files is Pascal VOC even if its folders could be classes. Needs no torch.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from simmim_bench.data.bands import BAND_SUFFIXES, read_band_header
from simmim_bench.data.image_files import SUFFIXES, Listing, list_images
from simmim_bench.data.inspect.boxes import find_coco, find_voc, find_yolo
from simmim_bench.data.inspect.found import (
    KINDS,
    LABEL_WORDS,
    Found,
    Split,
    by_split,
    counted,
    name_of,
    split_in,
    split_of,
    stem_of,
)
from simmim_bench.data.inspect.masks import find_masks
from simmim_bench.data.inspect.parquet import SUFFIXES as PARQUET
from simmim_bench.data.inspect.parquet import find_parquet
from simmim_bench.data.inspect.tables import find_tables
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.errors import BenchError
from simmim_bench.io import kind_of
from simmim_bench.plugins import HINT, Table, caller

IMAGE_SUFFIXES = (*SUFFIXES, *BAND_SUFFIXES)
ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".7z", ".rar")
MEMBERS = 200  # of a shard that are looked at
LMDB_FILES = (".mdb", ".lmdb")
TABLES = (".csv", ".tsv", ".json")


def recognise(path: Path, layout: str | None = None) -> Found:
    """What ``path`` holds.

    Args:
        path: Folder, or one file: an image, a table, a JSON, Parquet or tar file, an LMDB.
        layout: One of ``KINDS``, or a layout of a user, if the kind is known; None: find out.
            Layouts of users are tried first.

    Raises:
        BenchError: If there is nothing that could be data, or not what ``layout`` says.
    """
    finders = _FINDERS.all()
    if layout is not None and layout not in finders:
        known = ", ".join([*KINDS, *_FINDERS.added()])
        raise BenchError(f"--layout must be one of {known}, got {layout!r}; {HINT}")
    listing = _list(path)
    if layout is not None:
        found = finders[layout](listing)
        if found is None:
            what = f" ({KINDS[layout]})" if layout in KINDS else ""
            raise BenchError(
                f"{path} does not fit --layout {layout}{what}; found: {_counted(listing)}"
            )
        return replace(found, root=path, listing=listing)
    for finder in _FINDERS.added().values():
        if found := finder(listing):
            return replace(found, root=path, listing=listing)
    fitting = [found for kind in STRONG if (found := FINDERS[kind](listing))]
    fitting = _without_tables(fitting)
    if not fitting:
        weak = (FINDERS[kind](listing) for kind in FINDERS if kind not in STRONG)
        fitting = [found for found in weak if found][:1]
    if not fitting:
        raise BenchError(_nothing(path, listing))
    also = tuple(found.kind for found in fitting[1:])
    return replace(fitting[0], root=path, also=also, listing=listing)


def _list(path: Path) -> Listing:
    """Files below a folder; of a file, itself, or what is beside a table."""
    if not os.path.lexists(path):
        raise BenchError(f"{path} does not exist; check the path")
    if path.is_dir():
        return list_images(path, IMAGE_SUFFIXES)
    if not path.is_file():
        raise BenchError(f"{path} is {kind_of(path)}, expected a folder or a file; check the path")
    if path.name.lower().endswith(ARCHIVES):
        raise BenchError(f"{path} is an archive; unpack it and give the folder")
    if path.suffix.lower() in TABLES:
        beside, name = list_images(path.parent, IMAGE_SUFFIXES), path.name
        if not beside.images and path.parent.name.lower() in LABEL_WORDS:
            beside, name = (
                list_images(path.parent.parent, IMAGE_SUFFIXES),
                f"{path.parent.name}/{name}",
            )
        return replace(beside, skipped=[name])
    listing = Listing(path.parent, IMAGE_SUFFIXES)
    if path.suffix.lower() in (".tar", *PARQUET, *LMDB_FILES):
        listing.skipped.append(path.name)
        return listing
    try:
        read_band_header(path)
    except UnreadableImageError as error:
        raise BenchError(
            f"{path} is not an image ({error}), nor a table, a JSON, Parquet or tar file or an "
            "LMDB; give one of these, or a folder"
        ) from error
    listing.images.append(path.name)
    return listing


def find_class_folders(listing: Listing) -> Found | None:
    """One folder per class, in folders of splits or without."""
    names = sorted(listing.images)
    if not names:
        return None
    start = len(_common([name.split("/")[:-1] for name in names]))
    groups = by_split(names)
    if _is_a_class(groups):
        groups = {"": names}
    above = 0
    if set(groups) != {""}:  # the folder of the split, and all above it
        above = max(_split_depth(name) for name in names)
    start = max(start, above)
    splits: list[Split] = []
    classes: set[str] = set()
    loose = 0
    for split, group in groups.items():
        of = {name: folders[0] for name in group if (folders := _folders(name, start))}
        deep = sum(len(_folders(name, start)) > 1 for name in group)
        if deep > len(group) / 2:
            return None
        loose += len(group) - len(of)
        classes.update(of.values())
        splits.append(
            Split(
                split,
                tuple(Path(listing.folder, name) for name in group),
                class_names={Path(listing.folder, name): of[name] for name in of},
            )
        )
    if len(classes) < 2 or loose > len(names) / 2:
        return None
    where = " in each split" if len(splits) > 1 else ""
    why = f"the images are in {len(classes)} folders{where}, each a class"
    return Found(
        "class-folders", listing.folder, why, tuple(splits), classes=tuple(sorted(classes))
    )


def _is_a_class(groups: Mapping[str, Sequence[str]]) -> bool:
    """Whether the only folder named like a split is a class, such as pictures of trains."""
    named = [name for split, group in groups.items() if split for name in group]
    beside = {name.split("/")[0] for name in groups.get("", ()) if "/" in name}
    direct = all(len(name.split("/")) - 1 == _split_depth(name) for name in named)
    return len(groups) == 2 and direct and len(beside) > 1


def find_images(listing: Listing) -> Found | None:
    """Images without anything that could be their labels."""
    if not listing.images:
        return None
    splits = tuple(
        Split(split, tuple(Path(listing.folder, name) for name in sorted(names)))
        for split, names in by_split(listing.images).items()
    )
    return Found("images", listing.folder, "there are images and no labels", splits)


def find_shards(listing: Listing) -> Found | None:
    """Tar files with images in them."""
    files = [name for name in sorted(listing.skipped) if name.lower().endswith(".tar")]
    if not files or listing.images:
        return None
    inside = _members(Path(listing.folder, files[0]))
    image = next((each for each in inside if each in IMAGE_SUFFIXES), None)
    if image is None:
        shown = ", ".join(sorted(set(inside))) or "nothing"
        raise BenchError(
            f"{Path(listing.folder, files[0])} has no images among its first files (found: "
            f"{shown}); give shards with images in them"
        )
    label = "cls" if ".cls" in inside else ""
    groups: dict[str, list[Path]] = {}
    for name in files:
        split = split_of(stem_of(name)) or split_in(name)
        groups.setdefault(split, []).append(Path(listing.folder, name))
    splits = tuple(Split(split, tuple(paths)) for split, paths in groups.items())
    why = f"{len(files)} tar files hold images" if len(files) > 1 else f"{files[0]} holds images"
    return Found("shards", listing.folder, why, splits, columns=(image.lstrip("."), label))


def find_lmdb(listing: Listing) -> Found | None:
    """LMDBs: folders with data.mdb, or files."""
    files = [name for name in sorted(listing.skipped) if name.lower().endswith(LMDB_FILES)]
    files = [name for name in files if name_of(name) != "lock.mdb"]
    if not files:
        return None
    groups: dict[str, list[Path]] = {}
    for name in files:
        path = Path(listing.folder, name)
        is_folder = path.name == "data.mdb"
        split = split_of(path.stem) or split_in(name)
        groups.setdefault(split, []).append(path.parent if is_folder else path)
    splits = tuple(Split(split, tuple(paths)) for split, paths in groups.items())
    return Found("lmdb", listing.folder, f"{files[0]} is the file of an LMDB", splits)


FINDERS: dict[str, Callable[[Listing], Found | None]] = {
    "coco": find_coco,
    "voc": find_voc,
    "yolo": find_yolo,
    "masks": find_masks,
    "csv": find_tables,
    "parquet": find_parquet,
    "shards": find_shards,
    "lmdb": find_lmdb,
    "class-folders": find_class_folders,
    "images": find_images,
}
_FINDERS = Table("layout of data", FINDERS)
STRONG = tuple(FINDERS)[:-2]
"""Kinds with files other than images, which decide."""


def register_data_layout(name: str, find: Callable[[Listing], Found | None]) -> None:
    """Let ``inspect`` and ``import`` recognise one more arrangement of files.

    Args:
        name: Value of ``--layout``.
        find: From the listing of a folder (``images`` and ``skipped``: paths below ``folder``) to
            what it holds, or None if it is another layout. ``Found.kind`` is one of ``KINDS`` and
            says where images and labels are: ``class-folders`` reads ``Split.class_names``,
            ``masks`` ``Split.label_files``, ``coco`` ``Split.annotations``.

    Raises:
        BenchError: If the name is taken.
    """

    def checked(listing: Listing) -> Found | None:
        found = find(listing)
        if found is not None and found.kind not in KINDS:
            raise BenchError(
                f"the layout of data {name!r} found the kind {found.kind!r}, expected one of "
                f"{', '.join(KINDS)}; correct its function"
            )
        return found

    _FINDERS.add(name, checked, caller())


def _without_tables(fitting: list[Found]) -> list[Found]:
    """Label files of images say more than a table beside them."""
    has_label_files = any(found.kind in ("coco", "voc", "yolo", "masks") for found in fitting)
    return [found for found in fitting if not (has_label_files and found.kind == "csv")]


def _members(shard: Path) -> list[str]:
    """Suffixes of the first files in a tar."""
    if not shard.is_file():
        raise BenchError(f"{shard} is {kind_of(shard)}, not a shard; remove it")
    found: list[str] = []
    try:
        with tarfile.open(shard, "r:") as tar:
            while len(found) < MEMBERS and (member := tar.next()):
                if member.isreg():
                    found.append(PurePosixPath(member.name.lower()).suffix)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BenchError(f"{shard} is not a tar, or is damaged ({error}); restore it") from error
    return found


def _common(paths: list[list[str]]) -> list[str]:
    first, last = min(paths), max(paths)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[:same]


def _split_depth(name: str) -> int:
    """Number of folders down to the one that states the split; 0 if none does."""
    folders = name.split("/")[:-1]
    return next((i for i, each in enumerate(folders, 1) if split_of(each)), 0)


def _folders(name: str, start: int) -> list[str]:
    return name.split("/")[start:-1]


def _counted(listing: Listing) -> str:
    images = counted(len(listing.images), "image")
    text = listing.nothing().partition("found ")[2].partition(", supported")[0]
    return f"{images}, {text}" if listing.skipped else images


def _nothing(path: Path, listing: Listing) -> str:
    if not path.is_dir():
        return f"{path} has nothing that could be data"
    if archives := [name for name in sorted(listing.skipped) if name.lower().endswith(ARCHIVES)]:
        return f"{path} has no images, but the archive {archives[0]}; unpack it"
    return listing.nothing()
