"""Make a small project of your own: a method, a mask, a backbone, configs, a suite and tests."""

from __future__ import annotations

import argparse
import keyword
import re
import shlex
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from simmim_bench import cli
from simmim_bench.errors import BenchError

PROJECT = Path(__file__).parent / "project"
PLACEHOLDER = "my_method"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a new project."""
    parser.add_argument("folder", type=cli.folder, metavar="FOLDER", help="new or empty folder")
    parser.add_argument(
        "--name", help="name of its Python package (default: made from the name of the folder)"
    )


def run(args: argparse.Namespace) -> None:
    """Write the project."""
    name = args.name or re.sub(r"\W+", "_", args.folder.absolute().name.lower()).strip("_")
    write_project(args.folder, name)
    sys.stdout.write(
        f"{args.folder} has the project {name}; README.md says what is where; next:\n"
        f"  cd {shlex.quote(str(args.folder))}\n  simmim-bench suite suite.yaml\n"
    )


def write_project(folder: Path, name: str) -> None:
    """Write all files, or none.

    Args:
        folder: New or empty.
        name: Of the Python package.

    Raises:
        BenchError: If ``folder`` has files, or ``name`` cannot name a new package.
    """
    _check_name(name)
    if folder.is_dir() and any(folder.iterdir()):
        raise BenchError(f"{folder} is not empty; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "project"
        shutil.copytree(PROJECT, made, ignore=shutil.ignore_patterns("__pycache__"))
        for path in sorted(made.rglob("*"), reverse=True):  # a folder after what is in it
            if path.is_file():
                path.write_text(path.read_text("utf-8").replace(PLACEHOLDER, name), "utf-8")
            path.rename(path.with_name(path.name.replace(PLACEHOLDER, name)))
        for path in made.iterdir():
            path.rename(folder / path.name)


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise BenchError(
            f"{name!r} cannot name a Python package; add --name NAME with letters, digits and _"
        )
    if name != PLACEHOLDER and find_spec(name) is not None:
        raise BenchError(f"a package {name} is installed already; add --name NAME with another")
