"""Where each dataset lies and what must be in it; imports the standard library only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from simmim_bench.errors import BenchError


@dataclass(frozen=True)
class Layout:
    """Folders and files of one dataset, in OpenMMLab's usual arrangement."""

    home: str
    """Folder below the data root."""
    entries: tuple[str, ...]
    """What must exist below ``home``."""
    prepare: str
    """Command that prepares it."""
    origin: str
    """Where a copy comes from."""
    class_folders: tuple[str, ...] = ()
    """Entries whose images must be sorted into one folder per class."""


LAYOUTS = {
    "demo": Layout(
        home="demo",
        entries=(
            "dataset.json",
            "imagenet/train",
            "imagenet/val",
            "unlabelled",
            "coco/train2017",
            "coco/val2017",
            "coco/annotations/instances_train2017.json",
            "coco/annotations/instances_val2017.json",
            "ade/ADEChallengeData2016/images/training",
            "ade/ADEChallengeData2016/images/validation",
            "ade/ADEChallengeData2016/annotations/training",
            "ade/ADEChallengeData2016/annotations/validation",
        ),
        prepare="python tools/prepare_data.py demo",
        origin="it is built from scikit-image and scikit-learn",
    ),
    "imagenet": Layout(
        home="imagenet",
        entries=("train", "val"),
        prepare="python tools/prepare_data.py imagenet --source PATH",
        origin="get ILSVRC2012 with your own licence at https://image-net.org",
        class_folders=("train", "val"),
    ),
    "coco": Layout(
        home="coco",
        entries=(
            "train2017",
            "val2017",
            "annotations/instances_train2017.json",
            "annotations/instances_val2017.json",
        ),
        prepare="python tools/prepare_data.py coco --source PATH",
        origin="get the 2017 images and annotations at https://cocodataset.org/#download",
    ),
    "ade20k": Layout(
        home="ade/ADEChallengeData2016",
        entries=(
            "images/training",
            "images/validation",
            "annotations/training",
            "annotations/validation",
        ),
        prepare="python tools/prepare_data.py ade20k --source PATH",
        origin="get ADEChallengeData2016.zip at http://sceneparsing.csail.mit.edu",
    ),
}


def data_root(given: Path | None = None) -> Path:
    """Folder that holds the datasets: ``given``, else SIMMIM_BENCH_DATA, else ``data``."""
    return given or Path(os.environ.get("SIMMIM_BENCH_DATA") or "data")


def home(dataset: str, root: Path) -> Path:
    """Folder of ``dataset`` below the data root ``root``."""
    return root / LAYOUTS[dataset].home


def missing(dataset: str, folder: Path) -> list[Path]:
    """What ``dataset`` needs and ``folder`` does not hold, as full paths."""
    return [path for entry in LAYOUTS[dataset].entries if not (path := folder / entry).exists()]


def prepare_command(dataset: str) -> str:
    """Command line that prepares ``dataset``."""
    return LAYOUTS[dataset].prepare


def require(dataset: str, root: Path) -> Path:
    """Folder of a complete ``dataset`` below the data root ``root``.

    Raises:
        BenchError: If something is missing.
    """
    folder = home(dataset, root)
    if absent := missing(dataset, folder):
        raise BenchError(
            f"no {dataset} data: looked for {absent[0].absolute()}; prepare it with "
            f"`{prepare_command(dataset)}`, or point SIMMIM_BENCH_DATA at the folder that holds "
            "your datasets"
        )
    return folder


def dataset_of(data_root: str | PurePath) -> str | None:
    """Name of the dataset that a config's ``data_root`` points into; None if it is no known one."""
    parts = PurePath(data_root).parts
    demo = LAYOUTS["demo"].home
    for name, layout in LAYOUTS.items():
        tail = PurePath(layout.home).parts
        if name != "demo" and parts[-len(tail) :] == tail:
            return "demo" if parts[-len(tail) - 1 : -len(tail)] == (demo,) else name
    return "demo" if demo in parts[-2:] else None
