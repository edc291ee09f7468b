"""``simmim-bench predict``: predict with a training for files and folders of images."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simmim_bench.analysis.predict.following import next_command
from simmim_bench.analysis.predict.given import check_exist
from simmim_bench.analysis.predict.unlike import warning
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text, check_output_folder, csv_text
from simmim_bench.progress import progress_bar
from simmim_bench.records.manifest import FILE_NAME

PRINTED = 10  # images and problems
FOLDER = Path("work_dirs") / "predict"
SKIPPED = "skipped.csv"


def predict(args: argparse.Namespace, console: Console) -> int:
    """Predict for every image that can be read.

    Args:
        args: Namespace of ``simmim-bench predict``.
        console: Where to write.

    Returns:
        The exit code: 1 if an image was skipped.

    Raises:
        BenchError: If the run or all images cannot be used.
    """
    check_run(args.run, args.checkpoint)
    check_exist(args.images)
    from simmim_bench import ops
    from simmim_bench.registry import imports

    ops.install()  # before the libraries are imported, which would warn about missing operators
    with imports():
        from simmim_bench.analysis.predict.images import Reader
        from simmim_bench.analysis.predict.results import RESULTS
        from simmim_bench.analysis.predict.trained import open_trained
        from simmim_bench.training.failures import explained

    with explained(str(args.run), less_memory="pass a smaller --batch"):
        trained = open_trained(args.run, args.checkpoint)
        out = args.out or FOLDER / trained.folder.resolve().name
        _check_output(out, args.run)
        results = RESULTS[trained.task](trained, out, top=args.top, threshold=args.threshold)
        reader = Reader(trained, args.images)
        said: list[tuple[Path, str]] = []
        unlike: list[tuple[str, Sequence[str]]] = []
        problems: list[tuple[Path, str]] = []
        with progress_bar("predicting", len(reader)) as advance:
            for batch in reader.batches(args.batch or results.batch):
                problems += [(item.given.path, item.problem) for item in batch if item.problem]
                read = [item for item in batch if not item.problem]
                unlike += [(item.given.name, item.unlike) for item in read]
                for items in _of_one_size(read):
                    predicted = results.predict([item.sample for item in items])
                    for item, each in zip(items, predicted, strict=True):
                        said.append((item.given.path, results.add(item, each)))
                advance(len(batch))
        if not said:
            raise BenchError(f"none of {len(problems)} images can be read: {problems[0][1]}")
        written = results.finish()
        list_skipped(problems, out)
    console.print(_table(said))
    lines = [problem for _, problem in problems[:PRINTED]]
    if len(problems) > PRINTED:
        lines.append(f"... and {len(problems) - PRINTED} more")
    lines += filter(None, [warning(unlike), *written])
    if problems:
        count = f"{len(problems)} of {len(reader)} images, which cannot be read"
        lines.append(f"skipped: {count}; {out / SKIPPED} has all with the reasons")
    if following := next_command(trained):
        lines.append(f"next: {following}")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    return 1 if problems else 0


def list_skipped(problems: Sequence[tuple[Path, str]], out: Path) -> None:
    """Write the images that cannot be read, and why; remove the list of an earlier call."""
    if problems:
        rows = [(str(path), reason) for path, reason in problems]
        atomic_write_text(out / SKIPPED, csv_text([("image", "reason"), *rows]))
    else:
        (out / SKIPPED).unlink(missing_ok=True)


def check_run(run: Path, checkpoint: Path | None) -> None:
    """Refuse what is neither a folder nor a checkpoint, before the libraries are imported.

    Raises:
        BenchError: What was given, and what to give.
    """
    remedy = "give the work dir of a training, or a checkpoint in it"
    if not run.exists():
        raise BenchError(f"{run} does not exist; {remedy}")
    if run.is_file() and run.suffix in (".py", ".json", ".yaml"):
        raise BenchError(f"{run} is not a checkpoint; {remedy}")
    if checkpoint is not None and not run.is_dir():
        raise BenchError(f"--checkpoint {checkpoint} chooses one of a folder; {run} is a file")
    finished = (run / FILE_NAME).is_file() or any(run.glob("*.pth"))
    if run.is_dir() and checkpoint is None and not finished:
        raise BenchError(f"{run} has no checkpoint (epoch_N.pth or iter_N.pth); {remedy}")


def _check_output(out: Path, run: Path) -> None:
    """Raise a ``BenchError`` if writing to ``out`` could change the run, or another place."""
    if run.is_dir() and run.resolve() in (out.resolve(), *out.resolve().parents):
        raise BenchError(f"--out {out} is in {run}, which stays as it is; give another folder")
    check_output_folder(out)


def _of_one_size(items: Sequence[Any]) -> Iterator[list[Any]]:
    """Neighbouring images of one size, so that none is padded and a batch changes no result."""
    for _, group in groupby(items, key=lambda item: tuple(item.sample["inputs"].shape)):
        yield list(group)


def _table(said: Sequence[tuple[Path, str]]) -> Table:
    table = Table(box=SIMPLE, show_header=False)
    table.add_column(overflow="fold")
    for path, text in said[:PRINTED]:
        table.add_row(str(path), text)
    if len(said) > PRINTED:
        table.add_row(f"... and {len(said) - PRINTED} more", "")
    return table
