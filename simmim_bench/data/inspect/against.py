"""Compare two data sets: which images of one are, nearly, also in the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

from simmim_bench.data.bands import read_values
from simmim_bench.data.fingerprint import sha256_of
from simmim_bench.data.image_files import shown
from simmim_bench.data.inspect.duplicates import (
    ALL,
    METHOD,
    THRESHOLD,
    Hashed,
    Pair,
    hash_images,
    nearest_pairs,
)
from simmim_bench.data.inspect.expected import own_dataset
from simmim_bench.data.inspect.found import Found, counted
from simmim_bench.data.inspect.report import print_trimmed
from simmim_bench.data.inspect.samples import count_images, pick
from simmim_bench.data.inspect.sheet import visible
from simmim_bench.data.own import Overlap, write_dataset
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.data.tiles import CELL, Tile, lay_out
from simmim_bench.io import atomic_path, atomic_write_text, csv_text
from simmim_bench.progress import progress_bar

PAIRS, PICTURE = "near_duplicates.csv", "near_duplicates.png"
DRAWN = 20  # pairs in the picture, from both ends
SMALLEST = 96  # px of the longer side of a picture
HEADER = ("image", "part", "other image", "other part", "different bits")


@dataclass(frozen=True)
class Shared:
    """What two parts have in common.

    Attributes:
        part: Of the inspected data; empty if they have no splits.
        of: Of the other data.
        pairs: Images of ``part``, each with its nearest in ``of``.
        images: Number of images of ``part``.
        back: Number of images of ``of`` that have a near-duplicate in ``part``.
        others: Number of images of ``of``.
    """

    part: str
    of: str
    pairs: list[Pair]
    images: int
    back: int
    others: int


def compare(found: Found, other: Found, out: Path, console: Console) -> None:
    """Print what both share; write the pairs, a picture of some, and the note of own data.

    Args:
        found: The inspected data.
        other: The data to compare with; may be the same.
        out: Folder for the table and the picture.
        console: Where to write.
    """
    same = found.root.resolve() == other.root.resolve()
    hashed = _hashed(found)
    others = hashed if same else _hashed(other)
    shared = list(_shared(hashed, others, same=same))
    pairs = [pair for each in shared for pair in each.pairs]
    console.print(f"\nnear-duplicates ({METHOD}, at most {THRESHOLD} bits differ):", style="bold")
    print_trimmed(_table(found, other, shared), console)
    for what, each in ((found, hashed), (other, others))[: 1 if same else 2]:
        for count, why in ((each.unreadable, "cannot be read"), (each.flat, "have one colour")):
            if count:
                text = f"not compared, as they {why}: {counted(count, 'image')} of {what.root.name}"
                console.print(text, markup=False, highlight=False)
    rows = [
        (pair.image.name, pair.image.split, pair.other.name, pair.other.split, pair.distance)
        for pair in pairs
    ]
    atomic_write_text(out / PAIRS, csv_text([HEADER, *rows]))
    console.print(f"pairs: {out / PAIRS}", soft_wrap=True, markup=False, highlight=False)
    if pairs:
        _draw(found, other, pairs, out / PICTURE)
        text = f"look at {out / PICTURE}, whose last pairs are the least alike"
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    if not same and (path := _note(found, other, shared)):
        text = (
            f"noted in {path}: records of a pretraining on one and a validation on the other say it"
        )
        console.print(text, soft_wrap=True, markup=False, highlight=False)


def _hashed(found: Found) -> Hashed:
    number = sum(count_images(found).values())
    with progress_bar(f"hashing {found.root.name}", number) as advance:
        return hash_images(found, advance)


def _shared(one: Hashed, other: Hashed, *, same: bool) -> Iterator[Shared]:
    seen = set()
    for part in one.parts:
        for of in other.parts:
            if same and (of, part) in seen:
                continue
            seen.add((part, of))
            here, there = one.part(part), other.part(of)
            itself = same and part == of
            pairs = nearest_pairs(here, there, same=itself)
            back = len(pairs) if itself else len(nearest_pairs(there, here))
            yield Shared(part, of, pairs, len(here.samples), back, len(there.samples))


def _table(found: Found, other: Found, shared: list[Shared]) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for title in ("of", "are in", "images", "share", "the other way", "share"):
        table.add_column(title, justify="left" if title in ("of", "are in") else "right")
    for each in shared:
        table.add_row(
            shown(f"{found.root.name} {each.part}"),
            shown(f"{other.root.name} {each.of}"),
            f"{len(each.pairs)} of {each.images}",
            _percent(len(each.pairs), each.images),
            f"{each.back} of {each.others}",
            _percent(each.back, each.others),
        )
    return table


def _percent(count: int, total: int) -> str:
    return f"{100 * count / max(1, total):.1f} %"


def _note(found: Found, other: Found, shared: list[Shared]) -> Path | None:
    """Write the shares into the ``dataset.json`` of own data; its path, None for other data."""
    own = own_dataset(found.root)
    if own is None:
        return None
    partner = own_dataset(other.root)
    name = partner.name if partner else other.root.resolve().name
    content = partner.fingerprint if partner else _fingerprint(other)
    notes = [
        Overlap.model_validate(
            {
                "with": name,
                "fingerprint": content,
                "method": METHOD,
                "threshold": THRESHOLD,
                "part": each.part,
                "of": each.of,
                "images": len(each.pairs),
                "share": len(each.pairs) / max(1, each.images),
                "back": each.back,
                "share_back": each.back / max(1, each.others),
            }
        )
        for each in shared
        if each.part in ("train", "val")
    ]
    kept = [each for each in own.overlaps if each.with_ != name]
    return write_dataset(own.model_copy(update={"overlaps": (*kept, *notes)}), found.root)


def _fingerprint(found: Found) -> str:
    """SHA-256 of the names and sizes of the images, or of the files that hold them."""
    paths = found.images()
    listed = [[str(p.relative_to(found.listing.folder)), p.stat().st_size] for p in paths]
    return sha256_of(listed)


def _draw(found: Found, other: Found, pairs: list[Pair], path: Path) -> None:
    """Draw the most and the least alike pairs side by side."""
    ordered = sorted(pairs, key=lambda pair: pair.distance)
    most = ordered[:DRAWN]
    least = ordered[max(len(most), len(ordered) - DRAWN) :]
    one = _opener(found, {pair.image.name for pair in (*most, *least)})
    two = _opener(other, {pair.other.name for pair in (*most, *least)})
    sections = []
    for title, chosen in (("most alike pairs", most), ("least alike pairs", least)):
        tiles: list[Tile] = []
        for pair in chosen:
            tiles.append((one(pair.image.name), f"{pair.image.split} {_end(pair.image.name)}"))
            tiles.append((two(pair.other.name), f"{pair.distance} bits, {_end(pair.other.name)}"))
        if tiles:
            sections.append((f"{title}: {found.root.name}, {other.root.name}", tiles))
    with atomic_path(path) as temporary:
        lay_out(sections).save(temporary, format="PNG")


def _opener(found: Found, names: set[str]) -> Callable[[str], Image.Image]:
    """Function that gives the picture of an image by its name."""
    sources = {each.name: each.source for each in pick(found, ALL) if each.name in names}

    def open_image(name: str) -> Image.Image:
        try:
            image = Image.fromarray(visible(read_values(sources[name])))
        except UnreadableImageError:
            return Image.fromarray(np.full((CELL, CELL, 3), 128, np.uint8))
        side = min(CELL, max(SMALLEST, *image.size))
        return ImageOps.contain(image, (side, side))

    return open_image


def _end(name: str) -> str:
    return shown(name)[-16:]
