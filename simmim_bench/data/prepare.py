"""What ``tools/prepare_data.py`` does: build, link or verify a dataset, and say so."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from simmim_bench.data.check import Part, check_layout, image_files
from simmim_bench.data.layouts import LAYOUTS, data_root, home, require
from simmim_bench.data.link import link_dataset
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

_SHOWN = 20  # problems; the rest are counted


def prepare(
    dataset: str, *, out: Path | None, source: Path | None, verify: bool, console: Console
) -> int:
    """Prepare or verify ``dataset``; returns the exit code.

    Args:
        dataset: ``demo``, ``imagenet``, ``coco`` or ``ade20k``.
        out: Data root; None: SIMMIM_BENCH_DATA, else ``data``.
        source: Existing copy of a licensed dataset, to be linked.
        verify: Check what is there instead of preparing it.
        console: Where to write.

    Raises:
        BenchError: If the dataset cannot be prepared, or is not there to be verified.
    """
    root = data_root(out)
    if dataset == "demo" and source is not None:
        raise BenchError("the demo data are built, not linked; leave --source out")
    if verify:
        return _verify(dataset, root, console)
    if dataset == "demo":
        _build_demo(root, console)
        return 0
    target = link_dataset(dataset, source, root)
    console.print(f"{target} -> {target.resolve()}", soft_wrap=True)
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

        with progress_bar("verifying", len(image_files(folder))) as advance:
            parts = verify_demo(folder, advance)
    else:
        require(dataset, root)
        with progress_bar("verifying", None) as advance:
            parts = check_layout(folder, LAYOUTS[dataset].entries, advance)
    problems = [problem for part in parts for problem in part.problems]
    console.print(_table(folder, parts))
    for problem in problems[:_SHOWN]:
        console.print(problem, soft_wrap=True, highlight=False)
    if len(problems) > _SHOWN:
        console.print(f"... and {len(problems) - _SHOWN} more")
    return 1 if problems else 0


def _table(folder: Path, parts: list[Part]) -> Table:
    table = Table("part", title=str(folder))
    for heading in ("expected", "found", "problems"):
        table.add_column(heading, justify="right")
    for part in parts:
        expected = "" if part.expected is None else str(part.expected)
        table.add_row(part.name, expected, str(part.found), str(len(part.problems)))
    return table
