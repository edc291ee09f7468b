"""Where each dataset is stored and which files it must have; needs no third-party library."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from simmim_bench.config import datasets
from simmim_bench.errors import BenchError
from simmim_bench.io import kind_of

FILES = ("ann_file", "question_file", "image_file")  # keys of a dataset that name files


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
    full: Mapping[str, int] = field(default_factory=dict)
    """Images that each entry of the published dataset has."""
    first_class: str | None = None
    """First class folder, where the class folders lie in ``home`` itself (entry ``.``)."""

    @property
    def needed(self) -> tuple[str, ...]:
        """Paths below ``home`` by which a copy is recognised."""
        return (self.first_class,) if self.first_class else self.entries


def _pairs(
    training: int, validation: int, names: tuple[str, str] = ("training", "validation")
) -> dict[str, int]:
    """Images and maps in ADE20K's arrangement."""
    counts = dict(zip(names, (training, validation), strict=True))
    return {f"{kind}/{s}": n for kind in ("images", "annotations") for s, n in counts.items()}


def _class_set(name: str, first_class: str, images: int, origin: str) -> Layout:
    """A test set with one folder per class and no other parts."""
    return Layout(
        home=name,
        entries=(".",),
        prepare=f"simmim-bench data {name}",
        origin=origin,
        class_folders=(".",),
        full={".": images},
        first_class=first_class,
    )


CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate",
    "jpeg_compression",
)  # fmt: skip
"""Folders of ImageNet-C; ``extra.tar`` has four more, which its mean does not count."""
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
        prepare="simmim-bench data demo",
        origin="it is built from scikit-image and scikit-learn",
    ),
    "imagenet": Layout(
        home="imagenet",
        entries=("train", "val"),
        prepare="simmim-bench data imagenet --source PATH",
        origin="get ILSVRC2012 with your own licence at https://image-net.org",
        class_folders=("train", "val"),
        full={"train": 1_281_167, "val": 50_000},
    ),
    "coco": Layout(
        home="coco",
        entries=(
            "train2017",
            "val2017",
            "annotations/instances_train2017.json",
            "annotations/instances_val2017.json",
        ),
        prepare="simmim-bench data coco",
        origin="get the 2017 images and annotations at https://cocodataset.org/#download",
        full={"train2017": 118_287, "val2017": 5_000},
    ),
    "ade20k": Layout(
        home="ade/ADEChallengeData2016",
        entries=(
            "images/training",
            "images/validation",
            "annotations/training",
            "annotations/validation",
        ),
        prepare="simmim-bench data ade20k",
        origin="get ADEChallengeData2016.zip at http://sceneparsing.csail.mit.edu",
        full=_pairs(20_210, 2_000),
    ),
    "cifar10": Layout(
        home="cifar10",
        entries=("train", "val"),
        prepare="simmim-bench data cifar10",
        origin="get the python version at https://www.cs.toronto.edu/~kriz/cifar.html",
        class_folders=("train", "val"),
        full={"train": 50_000, "val": 10_000},
    ),
    "cifar100": Layout(
        home="cifar100",
        entries=("train", "val"),
        prepare="simmim-bench data cifar100",
        origin="get the python version at https://www.cs.toronto.edu/~kriz/cifar.html",
        class_folders=("train", "val"),
        full={"train": 50_000, "val": 10_000},
    ),
    "cityscapes": Layout(
        home="cityscapes",
        entries=("classes.txt", *_pairs(0, 0)),
        prepare="simmim-bench data cityscapes --source PATH",
        origin="get leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip with your own account "
        "at https://www.cityscapes-dataset.com/downloads",
        full=_pairs(2_975, 500),
    ),
    "nyu": Layout(
        home="nyu",
        entries=tuple(_pairs(0, 0, ("train", "test"))),
        prepare="simmim-bench data nyu --source PATH",
        origin="get nyu.zip as https://github.com/open-mmlab/mmsegmentation/blob/v1.2.2/docs/en/"
        "user_guides/2_dataset_prepare.md says",
        full=_pairs(24_231, 654, ("train", "test")),
    ),
    "voc": Layout(
        home="voc",
        entries=("classes.txt", *_pairs(0, 0)),
        prepare="simmim-bench data voc",
        origin="get VOCtrainval_11-May-2012.tar at http://host.robots.ox.ac.uk/pascal/VOC/voc2012",
        full=_pairs(1_464, 1_449),
    ),
    "imagenet-a": _class_set(
        "imagenet-a",
        "n01498041",
        7_500,
        "get imagenet-a.tar at https://github.com/hendrycks/natural-adv-examples",
    ),
    "imagenet-r": _class_set(
        "imagenet-r",
        "n01443537",
        30_000,
        "get imagenet-r.tar at https://github.com/hendrycks/imagenet-r",
    ),
    "imagenet-v2": _class_set(
        "imagenet-v2",
        "0",
        10_000,
        "get imagenetv2-matched-frequency.tar.gz at https://github.com/modestyachts/ImageNetV2",
    ),
    "imagenet-sketch": _class_set(
        "imagenet-sketch",
        "n01440764",
        50_889,
        "get ImageNet-Sketch.zip at https://github.com/HaohanWang/ImageNet-Sketch",
    ),
    "imagenet-c": Layout(
        home="imagenet-c",
        entries=CORRUPTIONS,
        prepare="simmim-bench data imagenet-c",
        origin="get noise.tar, blur.tar, weather.tar and digital.tar at "
        "https://zenodo.org/records/2235448",
        class_folders=CORRUPTIONS,
        full=dict.fromkeys(CORRUPTIONS, 250_000),
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
    return [path for entry in LAYOUTS[dataset].needed if not (path := folder / entry).exists()]


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
    """Name of the dataset that a config's ``data_root`` points into; None if unknown."""
    parts = PurePath(data_root).parts
    demo = LAYOUTS["demo"].home
    for name, layout in LAYOUTS.items():
        tail = PurePath(layout.home).parts
        if name != "demo" and parts[-len(tail) :] == tail:
            return "demo" if parts[-len(tail) - 1 : -len(tail)] == (demo,) else name
    return "demo" if demo in parts[-2:] else None


def check_data(cfg: Any) -> None:
    """Check that every folder and annotation file that ``cfg`` reads exists.

    Raises:
        BenchError: If one is missing; names it and the command that prepares it.
    """
    for _, message in missing_data(cfg):
        raise BenchError(message)


def missing_data(cfg: Any) -> Iterator[tuple[Path, str]]:
    """Yield each missing path that ``cfg`` reads, with the error message about it."""
    for loader, dataset in datasets(cfg):
        for path in expected_paths(dataset):
            if not path.exists():
                yield path, _missing_message(loader, path, dataset)
        for path in _files(dataset):
            if path.exists() and not path.is_file():
                what = f"{loader}: {path} is {kind_of(path)}, expected an annotation file"
                yield path, f"{what}; give another path"


def expected_paths(dataset: Any) -> list[Path]:
    """Paths that a dataset dict names: its root, prefixes and annotation files."""
    root = Path(dataset.get("data_root") or ".")
    prefix = dataset.get("data_prefix") or {}
    if not isinstance(prefix, str) and not hasattr(prefix, "values"):
        raise BenchError(f"data_prefix must be a folder or a dict of folders, got {prefix!r:.80}")
    parts = [prefix] if isinstance(prefix, str) else list(prefix.values())
    return [root, *(root / part for part in parts if part), *_files(dataset)]


def _files(dataset: Any) -> list[Path]:
    root = Path(dataset.get("data_root") or ".")
    return [root / dataset[key] for key in FILES if dataset.get(key)]


def _missing_message(loader: str, path: Path, dataset: Any) -> str:
    name = dataset_of(str(dataset.get("data_root", "")))
    command = prepare_command(name) if name else None
    remedy = f"prepare it with `{command}`, or " if command else ""
    current = os.environ.get("SIMMIM_BENCH_DATA")
    note = f" (SIMMIM_BENCH_DATA is {current})" if current else ""
    return (
        f"{loader}: no data at {path.absolute()}{note}; {remedy}point SIMMIM_BENCH_DATA at the "
        "folder that holds your datasets, or --data-root at this dataset"
    )
