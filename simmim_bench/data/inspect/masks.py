"""Layouts of segmentation: each image has a label map with the same name, as in ADE20K."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PIL import Image

from simmim_bench.data.image_files import Listing, open_regular
from simmim_bench.data.inspect.found import (
    LABEL_WORDS,
    Found,
    Split,
    by_split,
    folder_of,
    in_folders,
    lines_of,
    listed_splits,
    paired,
    stem_of,
)

MAP_ENDINGS = (
    "_gtfine_labeltrainids", "_gtfine_labelids", "_labeltrainids", "_labelids", "_label_map",
    "_segmentation", "_masks", "_mask", "_labels", "_label", "_gt", "_seg", "_l",
)  # fmt: skip
"""Ends of the names of label maps."""
IMAGE_ENDINGS = ("_leftimg8bit", "_image", "_img", "_rgb", "_sat")
OTHER_ENDINGS = ("_color", "_colour", "_instanceids", "_gtfine_instancetrainids")
OTHER_FOLDERS = ("segmentationobject",)
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def find_masks(listing: Listing) -> Found | None:
    """Images and label maps with the same names, in other folders or with other endings."""
    everything = [name for name in sorted(listing.images) if not _is_other(name)]
    labels = [name for name in everything if _is_map(name)]
    maps = _preferred(labels)
    images = sorted({*everything} - {*labels})
    pairs = paired(maps, images, MAP_ENDINGS, IMAGE_ENDINGS)
    if not pairs or 2 * len(pairs) < len(maps):
        return None
    place = listing.folder
    map_of = {image: label for label, image in pairs.items()}
    folders = in_folders(map_of)
    used = [name for name in images if folder_of(name) in folders]
    groups = by_split(used)
    if set(groups) == {""}:
        lists = dict(listed_splits(listing, "Segmentation"))
        groups = {
            split: [name for name in used if stem_of(name) in stems]
            for split, stems in lists.items()
        } or groups
    splits = tuple(
        Split(
            split,
            tuple(Path(place, name) for name in names),
            {Path(place, name): Path(place, map_of[name]) for name in names if name in map_of},
        )
        for split, names in groups.items()
        if names
    )
    where = ", ".join(f"{folder}/" for folder, _ in in_folders(pairs).most_common(3))
    why = f"{len(pairs)} of {len(maps)} files in {where} have the names of images"
    others = len(listing.images) - len(used) - len(maps)
    notes = [f"{others} other images are not used, such as instance or colour maps"] * (others > 0)
    if colours := _in_colours(place, list(pairs)):
        notes.append(
            f"{colours} has several bands: a label map has one, which holds the number of the "
            "class; replace each colour by its number"
        )
    unmatched = tuple(name for name in maps if name not in pairs)
    classes = tuple(line.strip() for line in lines_of(listing, "classes.txt"))
    return Found(
        "masks", place, why, splits, classes=classes, notes=tuple(notes), unmatched=unmatched
    )


def _is_map(name: str) -> bool:
    folders = folder_of(name).lower().split("/")
    return any(part in LABEL_WORDS for part in folders) or _ending_of(name) is not None


def _is_other(name: str) -> bool:
    folders = folder_of(name).lower().split("/")
    is_other = stem_of(name).lower().endswith(OTHER_ENDINGS)
    return is_other or any(part in OTHER_FOLDERS for part in folders)


def _ending_of(name: str) -> str | None:
    stem = stem_of(name).lower()
    if not stem.endswith(MAP_ENDINGS):
        return None
    return next((each for each in MAP_ENDINGS if stem.endswith(each) and stem != each), None)


def _preferred(maps: list[str]) -> list[str]:
    """Of several maps of one image (``_labelTrainIds``, ``_labelIds``) those of one kind."""
    endings = Counter(_ending_of(name) for name in maps)
    several = [each for each in MAP_ENDINGS if "ids" in each and endings[each]]
    if len(several) < 2:
        return maps
    return [name for name in maps if _ending_of(name) not in several[1:]]


def _in_colours(folder: Path, maps: list[str]) -> str | None:
    """The first of a few maps that has several bands."""
    for name in maps[:: max(1, len(maps) // 3)]:
        try:
            with open_regular(Path(folder, name)) as stream, Image.open(stream) as opened:
                if len(opened.getbands()) > 1:
                    return name
        except BROKEN:
            continue
    return None
