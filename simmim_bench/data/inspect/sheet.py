"""A contact sheet of a data set: examples of its images with boxes, masks or classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from simmim_bench.data.annotations import ODD, read_document
from simmim_bench.data.bands import read_values
from simmim_bench.data.image_files import shown
from simmim_bench.data.inspect.boxes import Box, from_zero, numbered, read_voc, read_yolo
from simmim_bench.data.inspect.found import Found, Split, counted
from simmim_bench.data.inspect.samples import Sample
from simmim_bench.data.labels import read_labels, spread
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.data.rasters import Values
from simmim_bench.data.rle import decode_counts, rle_problem
from simmim_bench.data.tiles import CELL, PALETTE, Tile, lay_out, outline
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path

TILES = 20  # of each split
LONGEST = 22  # letters of a caption
STRETCH = (1, 99)  # percentiles of deep images that become black and white
BLEND = 0.5  # of the colours of label maps

Object = tuple[Box, NDArray[np.bool_] | None]
"""A box in pixels, and its mask if it has one."""


def write_sheet(found: Found, samples: list[Sample], path: Path, *, first: int = 0) -> None:
    """Draw examples of each split into ``path``, a PNG.

    Args:
        found: From ``recognise``.
        samples: Images.
        path: The picture.
        first: From which number corners of VOC are counted.
    """
    by_split: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_split[sample.split].append(sample)
    sections = []
    for split, given in by_split.items():
        tiles = list(_tiles(found, split, spread(given, TILES), first))
        sections.append(
            (f"{split or 'all'}: {counted(len(tiles), 'image')} of {found.kind}", tiles)
        )
    with atomic_path(path) as temporary:
        lay_out(sections).save(temporary, format="PNG")


def _tiles(found: Found, split: str, samples: list[Sample], first: int) -> Iterator[Tile]:
    parts = [part for part in found.splits if part.name == split]
    listed = _coco_objects(parts, samples) if found.kind == "coco" else {}
    for sample in samples:
        try:
            image = Image.fromarray(visible(read_values(sample.source)))
        except UnreadableImageError:
            yield Image.new("RGB", (CELL, CELL), "gray"), "cannot be read"
            continue
        factor = CELL / max(image.size)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        tile = image.resize(size, Image.Resampling.BICUBIC)
        caption = sample.label
        try:
            if found.kind == "masks":
                caption = _draw_map(tile, _label_of(parts, sample))
            elif found.task == "detection":
                objects = listed.get(sample.source) or _objects(
                    found, parts, sample, image.size, first
                )
                caption = _draw_objects(tile, image.size, objects)
        except (BenchError, OSError, *ODD):
            caption = "label cannot be read"
        yield tile, _short(caption)


def visible(values: Values) -> NDArray[np.uint8]:
    """The first three bands as RGB (the first alone as grey), deep ones stretched: (H, W, 3)."""
    bands = values[..., :3] if values.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)
    if bands.dtype == np.uint8:
        return np.ascontiguousarray(bands)
    exact = np.nan_to_num(bands.astype(np.float64))
    low, high = np.percentile(exact, STRETCH, axis=(0, 1))
    grey = np.clip((exact - low) / np.maximum(high - low, 1e-12), 0, 1)
    return np.rint(255 * grey).astype(np.uint8)


def _label_of(parts: list[Split], sample: Sample) -> Path | None:
    if not isinstance(sample.source, Path):
        return None
    path = sample.source
    return next((part.label_files[path] for part in parts if path in part.label_files), None)


def _objects(
    found: Found, parts: list[Split], sample: Sample, size: tuple[int, int], first: int
) -> list[Object]:
    """Objects of an image of VOC or YOLO, in pixels."""
    label = _label_of(parts, sample)
    if label is None:
        return []
    if found.kind == "voc":
        return [(replace(box, box=from_zero(box, first)), None) for box in read_voc(label)[1]]
    return [
        (_in_pixels(box, size, found.classes), None)
        for box in read_yolo(label, keypoints=found.keypoints)
    ]


def _in_pixels(box: Box, size: tuple[int, int], classes: tuple[str, ...]) -> Box:
    number, (width, height) = int(box.label), size
    x, y, across, down = box.box
    return Box(
        classes[number] if number < len(classes) else box.label,
        (x * width, y * height, across * width, down * height),
        tuple(value * size[i % 2] for i, value in enumerate(box.polygon)),
    )


def _draw_objects(tile: Image.Image, size: tuple[int, int], objects: list[Object]) -> str:
    """Draw boxes, polygons and outlines of masks; returns the names of the classes."""
    draw = ImageDraw.Draw(tile)
    across, down = tile.width / size[0], tile.height / size[1]
    for box, mask in objects:
        colour = _colour(box.label)
        if mask is not None:
            small = Image.fromarray(mask).resize(tile.size, Image.Resampling.NEAREST)
            tile.paste(colour, mask=Image.fromarray(outline(np.asarray(small))))
        if len(box.polygon) >= 6:
            pairs = zip(box.polygon[::2], box.polygon[1::2], strict=True)
            draw.polygon([(x * across, y * down) for x, y in pairs], outline=colour)
        x, y, width, height = box.box
        left, top, right, bottom = x, y, x + max(0, width), y + max(0, height)
        corners = (left * across, top * down, right * across - 1, bottom * down - 1)
        draw.rectangle((*corners[:2], *map(max, corners[:2], corners[2:])), outline=colour)
    return ", ".join(dict.fromkeys(box.label for box, _ in objects)) or "no objects"


def _coco_objects(parts: list[Split], samples: list[Sample]) -> dict[Path | bytes, list[Object]]:
    """Boxes, and masks if there are some, of the chosen images."""
    chosen = {sample.source for sample in samples}
    found: dict[Path | bytes, list[Object]] = {}
    for part in parts:
        if part.annotations is None or part.folder is None:
            continue
        document = read_document(part.annotations)
        names = numbered(document["categories"], "name")
        places = numbered(document["images"], "file_name")
        for each in document["annotations"]:
            number = each.get("image_id")
            path = part.folder / places[number] if _is_key(number, places) else None
            if path in chosen:
                found.setdefault(path, []).append(_coco_object(each, names))
    return found


def _coco_object(each: dict[str, Any], names: dict[Any, str]) -> Object:
    """Box, polygon and mask of an annotation that was not checked."""
    mask: NDArray[np.bool_] | None = None
    polygon: tuple[float, ...] = ()
    segmentation = each.get("segmentation")
    try:
        x, y, width, height = map(float, each["bbox"])
        if isinstance(segmentation, list) and segmentation:
            polygon = tuple(map(float, segmentation[0]))
        elif isinstance(segmentation, dict):
            mask = _mask(segmentation)
    except (KeyError, *ODD):
        return Box("", (0, 0, 0, 0)), None
    number = each.get("category_id")
    label = names[number] if _is_key(number, names) else str(number)
    return Box(label, (x, y, width, height), polygon if len(polygon) % 2 == 0 else ()), mask


def _is_key(number: Any, known: dict[int, str]) -> bool:
    return type(number) is int and number in known


def _mask(segmentation: dict[str, Any]) -> NDArray[np.bool_] | None:
    height, width = segmentation["size"]
    if rle_problem(segmentation, height, width):
        return None
    counts = segmentation["counts"]
    runs = decode_counts(counts) if isinstance(counts, str) else counts
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return values.reshape(width, height).T


def _draw_map(tile: Image.Image, path: Path | None) -> str:
    """Colour an image by its labels, except 255; returns the labels."""
    if path is None:
        return "no label map"
    values = read_labels(path)
    colours = np.zeros((256, 3), np.uint8)
    for number in range(255):
        colours[number] = PALETTE[number % len(PALETTE)]
    labels = np.asarray(Image.fromarray(values).resize(tile.size, Image.Resampling.NEAREST))
    mixed = Image.blend(tile, Image.fromarray(colours[labels]), BLEND)
    mixed.paste(tile, mask=Image.fromarray(labels == 255))
    tile.paste(mixed)
    return " ".join(str(value) for value in np.unique(values))


def _colour(label: str) -> tuple[int, int, int]:
    """A colour that only depends on the name."""
    return PALETTE[sum(label.encode()) % len(PALETTE)]


def _short(text: str) -> str:
    text = shown(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
