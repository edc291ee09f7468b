"""Convert the archives of ILSVRC2012 (ImageNet-1k) to one folder per class."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

from scipy.io import loadmat

from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.data.prepare.unpack import (
    check_name,
    check_space,
    extract_tar,
    readable,
    unpacked,
)
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

TRAIN, VAL, DEVKIT = (
    "ILSVRC2012_img_train.tar",
    "ILSVRC2012_img_val.tar",
    "ILSVRC2012_devkit_t12.tar.gz",
)


def write_imagenet(archives: Mapping[str, Path], folder: Path) -> None:
    """Write ``train/<wnid>/*`` and ``val/<wnid>/*``.

    Args:
        archives: Paths of the three archives by official name.
        folder: Existing folder.

    Raises:
        BenchError: If an archive is damaged, or the numbers of labels and images differ.
    """
    with unpacked(archives[DEVKIT], folder) as raw:
        labels = validation_labels(raw)
    with unpacked(archives[VAL], folder) as raw:
        _sort_validation(raw, labels, folder / "val")
    with progress_bar("unpacking classes", None) as advance:
        _unpack_classes(archives[TRAIN], folder / "train", advance)


def validation_labels(devkit: Path) -> list[str]:
    """WordNet id of each validation image, in the order of their names.

    Args:
        devkit: The unpacked development kit.

    Raises:
        BenchError: If a file is missing, or a label is not a class.
    """
    truth = next(devkit.rglob("ILSVRC2012_validation_ground_truth.txt"), None)
    meta = next(devkit.rglob("meta.mat"), None)
    if truth is None or meta is None:
        lacking = "meta.mat" if truth else "ILSVRC2012_validation_ground_truth.txt"
        raise BenchError(f"{DEVKIT} has no {lacking}; download it again")
    try:
        synsets = loadmat(meta, squeeze_me=True)["synsets"]
        wnids = {
            int(each["ILSVRC2012_ID"]): str(each["WNID"])
            for each in synsets
            if not each["num_children"]  # the others are groups of classes
        }
        numbers = [int(line) for line in truth.read_text("ascii").split()]
    except Exception as error:  # scipy's reader raises any for a damaged file
        raise BenchError(f"{DEVKIT} cannot be read ({error!r}); download it again") from error
    if strange := set(numbers) - wnids.keys():
        raise BenchError(
            f"{truth.name} has label {min(strange)}, {meta.name} has no such class; download "
            f"{DEVKIT} again"
        )
    return [wnids[number] for number in numbers]


def _sort_validation(raw: Path, labels: list[str], folder: Path) -> None:
    images = sorted(raw.rglob("*.JPEG"), key=lambda path: path.name)
    if len(images) != len(labels):
        raise BenchError(
            f"{VAL} has {len(images)} images, {DEVKIT} has {len(labels)} labels; download "
            "both again from https://image-net.org"
        )
    for image, wnid in zip(images, labels, strict=True):
        check_name(wnid, DEVKIT)
        (folder / wnid).mkdir(parents=True, exist_ok=True)
        image.rename(folder / wnid / image.name)


def _unpack_classes(archive: Path, folder: Path, advance: Advance) -> None:
    """Unpack a tar with one tar per class, without writing the inner tars."""
    folder.mkdir()
    with readable(archive), tarfile.open(archive, "r:") as outer:
        members = outer.getmembers()
        check_space(folder, archive.stat().st_size, archive.name)
        for member in members:
            check_name(member.name, archive.name)
            name = Path(member.name)
            inner = outer.extractfile(member) if member.isreg() else None
            if inner is None or name.suffix != ".tar":
                raise BenchError(
                    f"{archive} has {member.name!r}, expected one tar per class; download it again"
                )
            with tarfile.open(fileobj=inner) as opened:
                target = folder / name.stem
                target.mkdir()
                extract_tar(opened, target, f"{archive.name}/{member.name}")
            advance(1)
