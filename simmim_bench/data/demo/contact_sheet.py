"""One picture of the demo data: objects, scenes with outlines, label maps, unlabelled images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from simmim_bench.data.demo.files import ADE, ADE_SPLITS, decode_mask
from simmim_bench.data.demo.spec import CLASSES
from simmim_bench.data.tiles import CELL, COLUMNS, PALETTE, Tile, lay_out, outline
from simmim_bench.io import atomic_path

CONTACT_SHEET = "contact_sheet.png"


def write_contact_sheet(folder: Path) -> None:
    """Draw examples of every part of ``folder`` into its ``contact_sheet.png``."""
    sections = (
        ("imagenet/train: one digit, its class is the folder", _objects(folder / "imagenet/train")),
        ("imagenet/val: other photographs, other writers", _objects(folder / "imagenet/val")),
        ("coco/train2017: visible pixels and box of each digit", _scenes(folder, "coco/train2017")),
        ("ade training: the same scenes, semantic maps", _maps(folder, "coco/train2017")),
        ("coco/val2017", _scenes(folder, "coco/val2017")),
        ("ade validation", _maps(folder, "coco/val2017")),
        ("unlabelled: both kinds, training photographs and writers", _unlabelled(folder)),
    )
    sheet = lay_out([(title, list(tiles)) for title, tiles in sections])
    with atomic_path(folder / CONTACT_SHEET) as temporary:
        sheet.save(temporary, format="PNG")


def _objects(folder: Path) -> Iterator[Tile]:
    """Two images of each class."""
    for place in range(2):
        for name in CLASSES:
            files = sorted((folder / name).glob("*.jpg"))
            if place < len(files):
                yield _enlarged(files[place]), name


def _scenes(folder: Path, split: str) -> Iterator[Tile]:
    part = Path(split).name
    path = folder / "coco" / "annotations" / f"instances_{part}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for image in document["images"][: 2 * COLUMNS]:
        tile = _enlarged(folder / split / image["file_name"])
        scale = CELL / image["width"]
        objects = [each for each in document["annotations"] if each["image_id"] == image["id"]]
        for each in objects:
            _draw_object(tile, each, scale)
        yield tile, " ".join(CLASSES[each["category_id"] - 1][-1] for each in objects)


def _draw_object(tile: Image.Image, each: dict[str, Any], scale: float) -> None:
    colour, segmentation = PALETTE[each["category_id"] - 1], each["segmentation"]
    mask = Image.fromarray(decode_mask(segmentation["counts"], tuple(segmentation["size"])))
    large = np.asarray(mask.resize(tile.size, Image.Resampling.NEAREST))
    tile.paste(colour, mask=Image.fromarray(outline(large)))
    x, y, width, height = (value * scale for value in each["bbox"])
    ImageDraw.Draw(tile).rectangle((x, y, x + width - 1, y + height - 1), outline=colour)


def _maps(folder: Path, split: str) -> Iterator[Tile]:
    colours = np.zeros((256, 3), np.uint8)
    colours[1] = 60
    colours[2 : 2 + len(CLASSES)] = PALETTE
    place = folder / ADE / "annotations" / ADE_SPLITS[split]
    for path in sorted(place.glob("*.png"))[: 2 * COLUMNS]:
        with Image.open(path) as opened:
            values = np.asarray(opened)
        present = [str(value - 2) for value in np.unique(values) if value > 1]
        image = Image.fromarray(colours[values])
        yield image.resize((CELL, CELL), Image.Resampling.NEAREST), " ".join(present)


def _unlabelled(folder: Path) -> Iterator[Tile]:
    for path in sorted((folder / "unlabelled").glob("*.jpg"))[: 3 * COLUMNS]:
        yield _enlarged(path), ""


def _enlarged(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        image: Image.Image = opened.convert("RGB")
    return image.resize((CELL, CELL), Image.Resampling.BICUBIC)
