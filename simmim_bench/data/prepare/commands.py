"""Commands of ``simmim-bench data``: prepare, verify or pack a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from simmim_bench.data.fingerprint import fingerprint_folder, keep_fingerprint
from simmim_bench.data.image_files import list_images
from simmim_bench.data.layouts import LAYOUTS, check_data, data_root, home, require
from simmim_bench.data.prepare.check import Part, unreadable
from simmim_bench.data.prepare.obtain import obtain
from simmim_bench.data.prepare.unpack import check_space, unfinished
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.progress import progress_bar

_SHOWN = 20  # problems to print

_DATASETS = {"shards": "UnlabelledShards", "lmdb": "UnlabelledLMDB"}


def prepare(
    dataset: str,
    *,
    out: Path | None,
    sources: list[str],
    link: bool,
    verify: bool,
    console: Console,
) -> int:
    """Prepare or verify ``dataset``; returns the exit code.

    Args:
        dataset: A key of ``LAYOUTS``.
        out: Data root; None: SIMMIM_BENCH_DATA, else ``data``.
        sources: A folder, or archives by path or address; empty: download the official ones.
        link: Only link a folder.
        verify: Check the dataset instead of preparing it.
        console: Where to write.

    Raises:
        BenchError: If the dataset cannot be prepared or, to be verified, does not exist.
    """
    root = data_root(out)
    if dataset == "demo" and (sources or link):
        raise BenchError("the demo data are built, not linked; remove --source and --link")
    if verify and (sources or link):
        raise BenchError("--verify checks prepared data; remove --source and --link")
    if verify:
        return _verify(dataset, root, console)
    if dataset == "demo":
        _build_demo(root, console)
        return 0
    target = obtain(
        dataset, sources, root, link=link, say=lambda text: console.print(text, soft_wrap=True)
    )
    arrow = f" -> {target.resolve()}" if target.is_symlink() else ""
    console.print(f"{target}{arrow}", soft_wrap=True)
    return 0


def verify_unlabelled(
    kind: str, *, sources: list[str], channels: int | None = None, console: Console
) -> int:
    """Open every image of a pretraining source; returns the exit code.

    Args:
        kind: ``images``, ``shards`` or ``lmdb``.
        sources: The folder.
        channels: Number of bands, of any depth; None: RGB of 8 bits.
        console: Where to write.

    Raises:
        BenchError: If there is not exactly one folder, or it has no such source.
    """
    from simmim_bench.data.prepare.check_unlabelled import check_sources, list_sources

    if len(sources) != 1:
        raise BenchError(f"{kind} --verify needs exactly one --source FOLDER")
    listed = list_sources(kind, Path(sources[0]))
    with progress_bar("verifying", sum(len(each.pieces) for each in listed)) as advance:
        parts = check_sources(listed, advance, channels)
    code = _report(sources[0], parts, console)
    if kind == "images":
        _print_fingerprints([Path(sources[0])], console)
    return code


def verify_config(cfg: Any, *, console: Console) -> int:
    """Read all label maps and annotations of a config, and the headers of all images.

    Args:
        cfg: Config.
        console: Where to write.

    Returns:
        The exit code, 1 if something is wrong.

    Raises:
        BenchError: If a folder or file is missing.
    """
    from simmim_bench.data.content import content_mistakes

    check_data(cfg)
    notes: list[str] = []
    seen: set[Any] = set()
    wrong = list(content_mistakes(cfg, notes, None, seen))
    for text in (*wrong, *notes):
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    console.print(f"mistakes: {len(wrong)}, in {len(seen)} sets")
    return 1 if wrong else 0


def pack(
    kind: str,
    *,
    sources: list[str],
    out: Path | None,
    channels: int | None = None,
    short_side: int | None = None,
    console: Console,
) -> int:
    """Copy every image below a folder, sorted by path, into ``out``; returns the exit code.

    Args:
        kind: ``shards`` or ``lmdb``.
        sources: The folder.
        out: New folder, created when it is complete.
        channels: Number of bands, of any depth; None: RGB of 8 bits.
        short_side: Reduce larger images to this shorter side, in pixels; runs on them deviate from
            their recipe.
        console: Where to write.

    Raises:
        BenchError: If there is no image, both ``short_side`` and ``channels`` are given, ``out``
            exists, or the disk is too small.
    """
    from simmim_bench.data.lmdb import lmdb_contents, lmdb_package, write_lmdb
    from simmim_bench.data.shards import shard_contents, write_shards

    if len(sources) != 1 or out is None:
        raise BenchError(f"{kind} needs one --source FOLDER with images and a new --out FOLDER")
    if os.path.lexists(out):
        raise BenchError(f"{out} exists; choose a new --out")
    if short_side and channels:
        raise BenchError(
            "--short-side writes JPEGs, which are RGB of 8 bits, and --channels asks for other "
            "images; leave one of them out"
        )
    listing = list_images(Path(sources[0])).checked()
    images = listing.paths()
    if not images:
        raise BenchError(f"--source {listing.nothing()}")
    if kind == "lmdb":
        lmdb_package()  # raises before anything is written
    with progress_bar("checking", len(images)) as advance:
        problems = unreadable(images, advance, channels)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise BenchError(f"{problems[0]}{more}; restore or remove it, nothing was packed")
    size = sum(image.stat().st_size for image in images)
    source = fingerprint_folder(Path(sources[0]))
    with unfinished(out) as building, progress_bar("packing", len(images)) as advance:
        check_space(building, size, sources[0])
        write = {"shards": write_shards, "lmdb": write_lmdb}[kind]
        write(images, building, advance, short_side=short_side)
        contents = {"shards": shard_contents, "lmdb": lmdb_contents}[kind](building)
        keep_fingerprint(building, source, contents, short_side=short_side)
    if note := listing.note():
        console.print(note, soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"{out}: {len(images)} images; read it with dataset type simmim_bench.{_DATASETS[kind]}",
        soft_wrap=True,
    )
    return 0


def _build_demo(root: Path, console: Console) -> None:
    from simmim_bench.data.demo.build import build_demo, image_count
    from simmim_bench.data.demo.contact_sheet import CONTACT_SHEET
    from simmim_bench.data.demo.spec import DemoSpec

    with progress_bar("building", image_count(DemoSpec())) as advance:
        built = build_demo(root, advance=advance)
    speed = built.images / built.seconds if built.seconds else 0
    how = f"built in {built.seconds:.0f} s ({speed:.0f}/s)" if built.seconds else "already there"
    console.print(
        f"{built.folder}: {built.images} images, {how}; content {built.content_sha256[:12]}\n"
        f"look at {built.folder / CONTACT_SHEET}",
        soft_wrap=True,
    )


def _verify(dataset: str, root: Path, console: Console) -> int:
    folder = home(dataset, root)
    if dataset == "demo":
        from simmim_bench.data.demo.verify import verify_demo

        with progress_bar("verifying", len(list_images(folder).images)) as advance:
            parts = verify_demo(folder, advance)
    else:
        from simmim_bench.data.prepare.check import check_layout, image_total

        if not folder.exists():
            require(dataset, root)  # raises with the command to run
        with progress_bar("verifying", image_total(dataset, folder)) as advance:
            parts = check_layout(dataset, folder, advance)
    code = _report(str(folder), parts, console)
    entries = [folder / entry for entry in LAYOUTS[dataset].entries]
    _print_fingerprints([path for path in entries if path.exists()], console)
    return code


def _print_fingerprints(paths: list[Path], console: Console) -> None:
    """Print what two copies of the same data have in common."""
    for path in paths:
        if path.is_file():
            text = f"content {sha256_file(path)}"
        else:
            names, content = (fingerprint_folder(path, content=full) for full in (False, True))
            text = f"names and sizes {names.sha256}, content {content.sha256}"
        console.print(f"{path}: {text}", soft_wrap=True, highlight=False, markup=False)


def _report(title: str, parts: list[Part], console: Console) -> int:
    """Print a table and the first problems; the exit code."""
    problems = [problem for part in parts for problem in part.problems]
    console.print(_table(title, parts))
    for note in (note for part in parts for note in part.notes):
        console.print(note, soft_wrap=True, highlight=False, markup=False)
    for problem in problems[:_SHOWN]:
        console.print(problem, soft_wrap=True, highlight=False, markup=False)
    if len(problems) > _SHOWN:
        console.print(f"... and {len(problems) - _SHOWN} more")
    return 1 if problems else 0


def _table(title: str, parts: list[Part]) -> Table:
    table = Table("part", title=title)
    for heading in ("expected", "found", "problems"):
        table.add_column(heading, justify="right")
    for part in parts:
        table.add_row(part.name, _expected(part), str(part.found), str(len(part.problems)))
    return table


def _expected(part: Part) -> str:
    if part.expected is not None:
        return str(part.expected)
    if part.full is None:
        return ""
    return f"subset of {part.full}" if part.found < part.full else str(part.full)
