"""NYU Depth v2 as Monocular-Depth-Estimation-Toolbox publishes it: to mmseg's layout.

As mmseg 1.2, tools/dataset_converters/nyu.py.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from simmim_bench.errors import BenchError
from simmim_bench.io import read_text

TOP = "nyu"
SPLITS = ("train", "test")
PLACES = {"images": "/rgb", "annotations": "/sync_depth"}
"""Folders, and what names lose: ``kitchen/rgb_00045.jpg`` becomes ``kitchen_00045.jpg``."""


def write_nyu(source: Path, folder: Path) -> None:
    """Move images and depth maps to ``images/`` and ``annotations/``, each with both splits.

    Args:
        source: Unpacked ``nyu``, with ``nyu_train.txt`` and ``nyu_test.txt``: image, depth map and
            focal length, one image a line.
        folder: Existing folder.

    Raises:
        BenchError: If a list is missing, or names a file that is not there.
    """
    for split in SPLITS:
        listing = source / f"nyu_{split}.txt"
        if not listing.is_file():
            raise BenchError(f"{TOP}.zip has no {TOP}/{listing.name}; download it again")
        lines = [line.split() for line in read_text(listing).splitlines() if line.strip()]
        for place, (kind, lost) in enumerate(PLACES.items()):
            for line in lines:
                name = line[place].strip("/") if place < len(line) else ""
                if ".." in PurePosixPath(name).parts or not (source / name).is_file():
                    raise BenchError(
                        f"{listing.name} lists {name}, which {TOP}.zip does not have; download it "
                        "again"
                    )
                target = folder / kind / split / name.replace(lost, "")
                target.parent.mkdir(parents=True, exist_ok=True)
                (source / name).rename(target)
