"""Draw predictions upon images: names of classes, boxes and masks, label maps."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from simmim_bench.data.pixels import Pixels
from simmim_bench.fonts import font_for
from simmim_bench.io import atomic_path

Colour: TypeAlias = tuple[int, int, int]
DISTINCT = (
    "e6194b 3cb44b 4363d8 ffe119 f58231 911eb4 46f0f0 f032e6 bcf60c fabebe "
    "008080 9a6324 e6beff 800000 aaffc3 808000 ffd8b1 000075 fffac8 a9a9a9"
)
"""Colours of the first classes: https://sashamaps.net/docs/resources/20-colors."""
GOLDEN = 0.618034  # of a turn between the hues of further classes
LEAST_SIDE = 320  # pixels of a drawn image's shorter side: names stay readable
TEXT = 13  # pixels, for images of up to LEAST_SIDE ...
TEXT_SHARE = 1 / 40  # ... and of the shorter side of larger ones
BLEND = 0.5  # of a mask's colour
GAP = 6  # pixels between parts of a picture
TILE = 160  # pixels of an image in a sheet
COLUMNS, ROWS = 6, 5  # of a sheet


@dataclass(frozen=True)
class Objects:
    """Objects of an image.

    Args:
        boxes: (N, 4), left, top, right, bottom in pixels of the image.
        labels: (N,).
        scores: (N,); None for the truth.
        masks: (N, H, W), bool; None if there are only boxes.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32] | None = None
    masks: NDArray[np.bool_] | None = None


def objects_of(instances: Any, least: float = 0.0, most: int | None = None) -> Objects:
    """Objects of mmdet's instances.

    Args:
        instances: ``InstanceData``.
        least: Score below which objects are left out.
        most: Number of objects with the highest scores that are kept; None: all.
    """
    boxes = getattr(instances["bboxes"], "tensor", instances["bboxes"])
    masks = instances.get("masks")
    if masks is not None:
        masks = masks.to_ndarray() if hasattr(masks, "to_ndarray") else _array(masks)
    scores = _array(instances["scores"]) if "scores" in instances else None
    kept: Any = slice(None)
    if scores is not None:
        order = np.argsort(-scores, kind="stable")[:most] if most else np.arange(len(scores))
        kept = order[scores[order] >= least]
    return Objects(
        boxes=_array(boxes)[kept],
        labels=_array(instances["labels"])[kept],
        scores=None if scores is None else scores[kept],
        masks=None if masks is None else masks.astype(bool)[kept],
    )


def top_classes(scores: Any, classes: Sequence[str], count: int) -> list[tuple[str, float]]:
    """Names and probabilities of the ``count`` most probable classes."""
    values = _array(scores)
    order = np.argsort(-values, kind="stable")[:count]
    return [(classes[label], float(values[label])) for label in order]


def _array(values: Any) -> NDArray[Any]:
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)


@cache
def colours(count: int) -> tuple[Colour, ...]:
    """A colour for each of ``count`` classes; the first twenty are easy to tell apart."""
    first: list[Colour] = [
        (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code in DISTINCT.split()
    ]
    for number in range(count - len(first)):
        hue, pale, dark = number * GOLDEN % 1, 0.3 * (number % 2), 0.25 * (number % 3)
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.9 - pale, 1 - dark)
        first.append((round(255 * red), round(255 * green), round(255 * blue)))
    return tuple(first[:count])


def draw_objects(pixels: Pixels, objects: Objects, classes: Sequence[str]) -> Pixels:
    """Draw masks, boxes, names and scores; a small image is enlarged.

    Args:
        pixels: (H, W, 3), uint8, RGB.
        objects: Of the image.
        classes: Names, in the order of labels.
    """
    palette = colours(len(classes))
    drawn = pixels.astype(np.float32)
    for mask, label in zip(() if objects.masks is None else objects.masks, objects.labels,
                           strict=False):  # fmt: skip
        drawn[mask] = (1 - BLEND) * drawn[mask] + BLEND * np.array(palette[label])
    image, scale = enlarged(drawn.round().astype(np.uint8))
    draw, line = ImageDraw.Draw(image), max(2, _text_size(image) // 6)
    sides = objects.boxes[:, 2:] - objects.boxes[:, :2]
    order = np.argsort(-sides.prod(1), kind="stable")  # small objects above large ones
    boxes = (objects.boxes * scale).tolist()
    for number in order:
        colour = palette[objects.labels[number]]
        draw.rectangle(_ordered(boxes[number]), outline=colour, width=line)
    for number in order if objects.scores is None else np.argsort(objects.scores):
        label = objects.labels[number]
        score = "" if objects.scores is None else f" {objects.scores[number]:.2f}"
        _tag(image, boxes[number], f"{classes[label]}{score}", palette[label])
    return np.asarray(image)


def draw_label_map(pixels: Pixels, labels: NDArray[np.int64], classes: Sequence[str]) -> Pixels:
    """Blend the colours of classes into an image, with a legend of those that it has, and shares.

    Args:
        pixels: (H, W, 3), uint8, RGB.
        labels: (H, W); pixels of other labels than classes stay as they are.
        classes: Names, in the order of labels.
    """
    palette = np.array(colours(len(classes)), np.float32)
    known = (labels >= 0) & (labels < len(classes))
    drawn = pixels.astype(np.float32)
    drawn[known] = (1 - BLEND) * drawn[known] + BLEND * palette[labels[known]]
    image, _ = enlarged(drawn.round().astype(np.uint8))
    counts = np.bincount(labels[known], minlength=len(classes))
    present = sorted(np.flatnonzero(counts), key=lambda label: -counts[label])
    entries = [
        (f"{classes[label]} {100 * counts[label] / labels.size:.1f} %", palette[label])
        for label in present
    ]
    return np.asarray(_with_legend(image, entries))


def draw_names(pixels: Pixels, lines: Sequence[str], path: str | None = None) -> Pixels:
    """An image of TILE pixels above lines of text, of which the first is emphasised.

    Args:
        pixels: (H, W, 3), uint8, RGB.
        lines: A long one is drawn without its end.
        path: Last line; a long one is drawn without its start, so that the name is kept.
    """
    size, width = TEXT, TILE - 4
    texts = [_shortened(line, size, width) for line in lines]
    texts += [] if path is None else [_shortened(path, size, width, left=True)]
    tile = Image.new("RGB", (TILE, TILE + (size + 3) * len(texts) + 2), "white")
    image = Image.fromarray(pixels)
    factor = TILE / max(image.size)
    width, height = (max(1, round(side * factor)) for side in image.size)
    how = Image.Resampling.NEAREST if factor >= 2 else Image.Resampling.BICUBIC
    tile.paste(image.resize((width, height), how), ((TILE - width) // 2, (TILE - height) // 2))
    draw = ImageDraw.Draw(tile)
    for number, text in enumerate(texts):
        place = (2, TILE + 1 + number * (size + 3))
        colour = "black" if number == 0 else "#666666"
        draw.text(place, text, fill=colour, font=font_for(text, size))
    return np.asarray(tile)


def side_by_side(parts: Sequence[Pixels], titles: Sequence[str]) -> Pixels:
    """Pictures beside each other, each below its title."""
    top = TEXT + 7
    width = sum(part.shape[1] for part in parts) + GAP * (len(parts) - 1)
    picture = Image.new("RGB", (width, max(part.shape[0] for part in parts) + top), "white")
    draw, left = ImageDraw.Draw(picture), 0
    for part, title in zip(parts, titles, strict=True):
        draw.text((left + 2, 2), title, fill="black", font=font_for(title, TEXT))
        picture.paste(Image.fromarray(part), (left, top))
        left += part.shape[1] + GAP
    return np.asarray(picture)


def sheet(tiles: Sequence[Pixels]) -> Pixels:
    """Tiles of one width in rows of COLUMNS."""
    width, height = tiles[0].shape[1], max(tile.shape[0] for tile in tiles)
    columns = min(COLUMNS, len(tiles))
    size = ((width + GAP) * columns, (height + GAP) * -(-len(tiles) // columns))
    picture = Image.new("RGB", size, "white")
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        picture.paste(Image.fromarray(tile), (column * (width + GAP), row * (height + GAP)))
    return np.asarray(picture)


def save_picture(pixels: Pixels, path: str | Path) -> None:
    """Write a PNG, atomically."""
    with atomic_path(Path(path)) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", compress_level=3)


def enlarged(pixels: Pixels) -> tuple[Image.Image, float]:
    """The image with a shorter side of at least LEAST_SIDE, and by how much it was enlarged."""
    image = Image.fromarray(pixels)
    scale = max(1.0, LEAST_SIDE / min(image.size))
    scale = min(scale, max(1.0, 4 * LEAST_SIDE / max(image.size)))  # of a long strip
    if scale == 1:
        return image, 1.0
    width, height = (round(side * scale) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC), scale


def _ordered(box: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def _text_size(image: Image.Image) -> int:
    return max(TEXT, round(min(image.size) * TEXT_SHARE))


def _tag(image: Image.Image, box: Sequence[float], text: str, colour: Colour) -> None:
    """A name above the corner of a box, moved so that it is inside the image."""
    draw, size = ImageDraw.Draw(image), _text_size(image)
    font = font_for(text, size)
    width, height = draw.textlength(text, font=font) + 4, size + 4
    left = min(max(box[0], 0), max(image.width - width, 0))
    top = min(max(box[1] - height, 0), max(image.height - height, 0))
    draw.rectangle((left, top, left + width, top + height), fill=colour)
    draw.text((left + 2, top + 1), text, fill=_readable(colour), font=font)


def _readable(colour: Colour) -> str:
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"


def _with_legend(image: Image.Image, entries: Sequence[tuple[str, Any]]) -> Image.Image:
    """A column of colours and names at the right of the image, as tall as it needs."""
    size = _text_size(image)
    line, lengths = size + 8, [font_for(text, size).getlength(text) for text, _ in entries]
    width = round(max(lengths, default=0)) + size + 24
    height = max(image.height, line * len(entries))
    picture = Image.new("RGB", (image.width + width, height), "white")
    picture.paste(image, (0, 0))
    draw = ImageDraw.Draw(picture)
    for number, (text, colour) in enumerate(entries):
        left, top = image.width + 8, number * line + 4
        square = (left, top, left + size, top + size)
        draw.rectangle(square, fill=tuple(int(part) for part in colour), outline="black")
        draw.text((left + size + 6, top - 1), text, fill="black", font=font_for(text, size))
    return picture


def _shortened(text: str, size: int, width: int, *, left: bool = False) -> str:
    """A text that fits, without its end, or without its start."""
    font = font_for(text, size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[1:] if left else text[:-1]
    return f"…{text}" if left else f"{text}…"
