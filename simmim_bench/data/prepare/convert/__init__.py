"""Convert published archives to the layouts that configs read: one function per dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from simmim_bench.data.prepare.convert.cifar import CIFAR10, CIFAR100, write_cifar
from simmim_bench.data.prepare.convert.cityscapes import PARTS, write_cityscapes
from simmim_bench.data.prepare.convert.imagenet import write_imagenet
from simmim_bench.data.prepare.convert.nyu import TOP, write_nyu
from simmim_bench.data.prepare.convert.voc import TOP as VOC
from simmim_bench.data.prepare.convert.voc import find_voc, write_voc
from simmim_bench.data.prepare.unpack import moved, unpacked

_BATCHES = {"cifar10": CIFAR10, "cifar100": CIFAR100}

Converter = Callable[[Mapping[str, Path], Path], None]
"""Takes archives by official name, and the folder to fill."""


def _moved(archives: Mapping[str, Path], folder: Path, *, top: str = "") -> None:
    """Move what is in ``top`` of each archive; by default everything."""
    for archive in archives.values():
        with unpacked(archive, folder) as raw:
            moved(raw / top, folder)


def _cifar(archives: Mapping[str, Path], folder: Path, *, which: str) -> None:
    for archive in archives.values():
        with unpacked(archive, folder) as raw:
            write_cifar(raw / which, folder)


def _cityscapes(archives: Mapping[str, Path], folder: Path) -> None:
    images, maps = archives.values()
    with unpacked(images, folder) as raw, unpacked(maps, folder) as raw_maps:
        write_cityscapes(raw / PARTS[0], raw_maps / PARTS[1], folder, place=Path.rename)


def _nyu(archives: Mapping[str, Path], folder: Path) -> None:
    [archive] = archives.values()
    with unpacked(archive, folder) as raw:
        write_nyu(raw / TOP, folder)


def _voc(archives: Mapping[str, Path], folder: Path) -> None:
    [archive] = archives.values()
    with unpacked(archive, folder) as raw:
        write_voc(raw / VOC, folder, place=Path.rename)


CONVERTERS: dict[str, Converter] = {
    "ade20k": partial(_moved, top="ADEChallengeData2016"),
    **{name: partial(_cifar, which=which) for name, which in _BATCHES.items()},
    "cityscapes": _cityscapes,
    "coco": _moved,
    "imagenet": write_imagenet,
    "imagenet-a": partial(_moved, top="imagenet-a"),
    "imagenet-c": _moved,
    "imagenet-r": partial(_moved, top="imagenet-r"),
    "imagenet-sketch": partial(_moved, top="sketch"),
    "imagenet-v2": partial(_moved, top="imagenetv2-matched-frequency-format-val"),
    "nyu": _nyu,
    "voc": _voc,
}


def folder_converter(dataset: str, source: Path) -> Callable[[Path], None] | None:
    """Converter for ``source`` if it has the unpacked archives of ``dataset``, else None."""
    if dataset in _BATCHES:
        for raw in (source, source / _BATCHES[dataset]):
            if raw.name == _BATCHES[dataset] and raw.is_dir():
                return partial(write_cifar, raw)
    if dataset == "cityscapes" and all((source / part).is_dir() for part in PARTS):
        images, maps = (source.resolve() / part for part in PARTS)
        return partial(write_cityscapes, images, maps, place=_linked)
    if dataset == "voc" and (found := find_voc(source)):
        return partial(write_voc, found, place=_linked)
    return None


def _linked(image: Path, target: Path) -> None:
    target.symlink_to(image)
