"""Fingerprints of data: what a config reads, whatever its place, file system or order of files.

Covered are the bytes of annotation files, and the names and sizes of images and label maps; with
``content``, their bytes as well. Times and other files do not count. Images are not opened.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.config import DATALOADERS, datasets
from simmim_bench.data.image_files import SUFFIXES, is_there
from simmim_bench.data.layouts import FILES, LAYOUTS, dataset_of
from simmim_bench.io import atomic_write_json, read_json, sha256_file

CARD = "fingerprint.json"
"""File in a folder of packed images with the fingerprint of the folder that they came from."""
PACKED = {
    "UnlabelledShards": ("simmim_bench.data.shards", "shard_contents"),
    "UnlabelledLMDB": ("simmim_bench.data.lmdb", "lmdb_contents"),
}
"""Dataset types of packed images: module and function that list names and sizes."""

Item = tuple[str, int]
"""Name and size in bytes of an image."""


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of some data, and their number of images."""

    sha256: str
    images: int


@dataclass(frozen=True)
class ConfigData:
    """What the dataloaders of a config read.

    Attributes:
        parts: SHA-256 of ``train``, ``val`` and ``test``; ``test`` only if it is not ``val``.
        images: Number of images; those of a folder that several dataloaders read count once.
        is_published: Whether each folder has as many images as that of the published dataset;
            None if its number is not known.
    """

    parts: dict[str, str]
    images: int
    is_published: bool | None


def fingerprint_config(
    cfg: Any,
    loaders: Collection[str] = DATALOADERS,
    known: dict[Path, Fingerprint] | None = None,
) -> ConfigData:
    """Fingerprints of everything that the dataloaders of ``cfg`` read.

    Args:
        cfg: Config.
        loaders: Names of the dataloaders that count.
        known: Fingerprints of folders that are not listed again; new ones are added.

    Raises:
        OSError: If a file or folder cannot be read.
    """
    found: dict[Path, Fingerprint] = {} if known is None else known
    counted: dict[Path, bool | None] = {}
    parts = {}
    for loader, dataset in datasets(cfg):
        if loader not in loaders:
            continue
        root = Path(dataset.get("data_root") or ".")
        layout = LAYOUTS.get(dataset_of(root) or "")
        kind = _type_of(dataset)
        seen = {key: sha256_file(path) for key, path in _files(dataset, root)}
        for key, part in _prefixes(dataset):
            place = (root / part).resolve()
            if place not in found:
                found[place] = _listed(kind, place)
            seen[key] = found[place].sha256
            if key == "img":
                full = layout.full.get(part.strip("/") or ".") if layout else None
                counted[place] = None if full is None else found[place].images == full
        parts[loader.removesuffix("_dataloader")] = sha256_of(seen)
    if "val" in parts and parts.get("test") == parts["val"]:
        del parts["test"]
    same = [equal for equal in counted.values() if equal is not None]
    return ConfigData(
        parts, sum(found[place].images for place in counted), all(same) if same else None
    )


def is_packed(cfg: Any) -> bool:
    """Whether a dataset of ``cfg`` is packed; its fingerprint needs torch."""
    return any(_type_of(dataset) in PACKED for _, dataset in datasets(cfg))


def sha256_of(value: Any) -> str:
    """SHA-256 of plain values, the same for every order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint_folder(folder: Path, *, content: bool = False) -> Fingerprint:
    """Fingerprint of all images in ``folder`` and below; links are followed.

    Args:
        folder: Folder; its own name does not count.
        content: Read every image instead of taking its size.
    """
    listed = sorted(_folders(folder, content=content))
    return Fingerprint(sha256_of(listed), sum(count for _, _, count in listed))


def keep_fingerprint(
    folder: Path,
    source: Fingerprint,
    contents: Iterable[Item],
    *,
    short_side: int | None = None,
) -> None:
    """Write the fingerprint of ``source`` beside the images that were packed from it.

    Reduced images have the fingerprint of their source and ``short_side`` together.

    Args:
        folder: Folder of the packed images.
        source: Fingerprint of the folder that they came from.
        contents: Names and sizes of the packed images; if they change, the file is ignored.
        short_side: To which larger images were reduced, in pixels.
    """
    sha256 = sha256_of([source.sha256, short_side]) if short_side else source.sha256
    value = {"sha256": sha256, "images": source.images, "packed": sha256_of([*contents])}
    atomic_write_json(folder / CARD, {**value, "short_side": short_side})


def fingerprint_packed(place: Path, contents: Iterable[Item]) -> Fingerprint:
    """Fingerprint of the folder that ``contents`` were packed from, else of their own.

    Args:
        place: Folder, or file, of the packed images.
        contents: Names and sizes of the images in it.
    """
    listed = [*contents]
    own = sha256_of(listed)
    kept = read_json(place / CARD) or {}
    sha256, images = kept.get("sha256"), len(listed)
    is_source = kept.get("packed") == own and kept.get("images") == images
    if is_source and isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256):
        return Fingerprint(sha256, images)
    return Fingerprint(own, images)


def reduced_images(cfg: Any) -> Iterator[str]:
    """A sentence for each dataset of ``cfg`` whose images were reduced when they were packed."""
    for loader, dataset in datasets(cfg):
        if _type_of(dataset) in PACKED:
            root = Path(dataset.get("data_root") or ".")
            for _, part in _prefixes(dataset):
                side = (read_json(root / part / CARD) or {}).get("short_side")
                if isinstance(side, int) and side:
                    name = loader.removesuffix("_dataloader")
                    yield f"{name} images were reduced to a shorter side of {side} px"


def _files(dataset: Any, root: Path) -> Iterator[tuple[str, Path]]:
    """Files of a dataset dict, each with its key."""
    for key in FILES:
        if name := dataset.get(key):
            yield key, root / name
    if chosen := dataset.get("list_file"):  # of FewShotDataset
        yield "list_file", Path(chosen)


def _type_of(dataset: Any) -> str:
    return str(dataset.get("type", "")).rpartition(".")[2]


def _listed(kind: str, place: Path) -> Fingerprint:
    if kind not in PACKED:
        return fingerprint_folder(place)
    module, function = PACKED[kind]
    return fingerprint_packed(place, getattr(importlib.import_module(module), function)(place))


def _prefixes(dataset: Any) -> list[tuple[str, str]]:
    """Folders of a dataset dict below its root, each with what it is for; ``img``: images."""
    prefix = dataset.get("data_prefix") or ""
    if isinstance(prefix, str):
        return [("img", prefix)]
    return sorted((str(key).removesuffix("_path"), str(part)) for key, part in prefix.items())


def _folders(top: Path, *, content: bool) -> Iterator[tuple[str, str, int]]:
    """Path of each folder below ``top``, hash of its images, and their number.

    Names are in Unicode's form NFC, since some file systems store others. Hidden files and
    folders do not count, as no data set reads them.
    """
    waiting = [("", str(top))]
    while waiting:
        below, place = waiting.pop()
        lines = []
        with os.scandir(place) as entries:
            for entry in entries:
                name = entry.name
                name = name if name.isascii() else unicodedata.normalize("NFC", name)
                if name.startswith("."):
                    continue
                if is_there(entry.is_dir):
                    if not (entry.is_symlink() and _is_above(entry.path, place)):
                        waiting.append((f"{below}{name}/", entry.path))
                elif name.lower().endswith(SUFFIXES) and is_there(entry.is_file):
                    last = sha256_file(Path(entry.path)) if content else entry.stat().st_size
                    lines.append(f"{name}\0{last}\n")
        text = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
        yield below, hashlib.sha256(text).hexdigest(), len(lines)


def _is_above(link: str, place: str) -> bool:
    """Whether a link leads to a folder that contains ``place``: following it would not end."""
    target, inside = os.path.realpath(link), os.path.realpath(place)
    return inside == target or inside.startswith(f"{target}/")
