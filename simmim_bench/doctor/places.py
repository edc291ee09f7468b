"""Folders: free space, permissions, data sets and caches."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from simmim_bench.doctor.finding import Finding, said, size
from simmim_bench.errors import BenchError
from simmim_bench.io import cache_home

LITTLE = 10e9
"""Free bytes below which a training of full size may fill the disk."""
TOO_LITTLE = 1e9
SECONDS = 0.5
"""For adding up the files of one cache."""


def places() -> dict[str, Path]:
    """Folders that runs write to or read from, by what they are for."""
    from simmim_bench.data.layouts import data_root

    return {
        "outputs": Path("work_dirs"),
        "data": data_root(),
        "cache": cache_home(),
        "temporary files": Path(tempfile.gettempdir()),
    }


def check_places() -> Iterator[Finding]:
    """Each place has space and can be written to."""
    for name, folder in places().items():
        yield _place(name, folder)


def _place(name: str, folder: Path) -> Finding:
    if folder.is_symlink() and not folder.exists():
        text = f"{folder.absolute()} is a link to nothing"
        return Finding(name, "problem", text, "mount its target, or remove the link")
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    later = "" if folder.exists() else " (does not exist yet)"
    shown = f"{folder.absolute()}{later}"
    if not existing.is_dir():
        remedy = f"remove {existing}, or choose another folder"
        return Finding(name, "problem", f"{shown}: {existing} is no folder", remedy)
    free = shutil.disk_usage(existing).free
    text = f"{shown}: {size(free)} free"
    if reason := _refusal(existing):
        if name == "data":
            return Finding(name, "ok", f"{text}, read-only")
        remedy = f"change its permissions (ls -ld {existing}), or {_elsewhere(name)}"
        return Finding(name, "problem", f"{text}, cannot be written to ({reason})", remedy)
    if free < LITTLE:
        remedy = f"free some space, or {_elsewhere(name)}"
        return Finding(name, "problem" if free < TOO_LITTLE else "note", f"{text}: little", remedy)
    return Finding(name, "ok", f"{text}, can be written to")


def _refusal(folder: Path) -> str:
    """Why nothing can be written to a folder; empty if it can. Leaves nothing there."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".simmim_bench-doctor-") as stream:
            stream.write(b"x")
    except OSError as error:
        return error.strerror or said(error)
    return ""


def _elsewhere(name: str) -> str:
    return {
        "outputs": "start in another folder, or pass --work-dir",
        "data": "point SIMMIM_BENCH_DATA at another folder",
        "cache": "point XDG_CACHE_HOME at another folder",
        "temporary files": "point TMPDIR at another folder",
    }[name]


def check_data() -> Iterator[Finding]:
    """Data sets below the data root: of the known layouts, and own ones."""
    from simmim_bench.data.layouts import LAYOUTS, data_root, home, missing, prepare_command

    root, whole, absent = data_root(), [], []
    for name in LAYOUTS:
        folder = home(name, root)
        lacking = missing(name, folder)
        if not lacking:
            whole.append(name)
        elif len(lacking) == len(LAYOUTS[name].needed):
            absent.append(name)
        else:
            text = f"{name} is not complete: {lacking[0].absolute()} is missing"
            text += f", and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            yield Finding("data sets", "note", text, f"`{prepare_command(name)}`")
    own, wrong = _own_data(root)
    yield from wrong
    found = f"{', '.join(whole) or 'none'} found; not there: {', '.join(absent) or 'none'}"
    if whole or own or absent != [*LAYOUTS]:
        yield Finding("data sets", "ok", found)
    else:
        remedy = (
            f"`{prepare_command('demo')}` builds small data; or point SIMMIM_BENCH_DATA at yours"
        )
        yield Finding("data sets", "note", found, remedy)
    if own:
        yield Finding("own data", "ok", f"{len(own)} found: {', '.join(own)}")


def _own_data(root: Path) -> tuple[list[str], list[Finding]]:
    """Names and tasks of own data, and what is wrong with others."""
    from simmim_bench.data.own import known_datasets, read_dataset

    found, wrong = [], []
    for name in known_datasets(root):
        try:
            found.append(f"{name} ({read_dataset(root / name).task})")
        except BenchError as error:
            remedy = f"`simmim-bench data import {name} --from PATH --force`"
            wrong.append(Finding("own data", "problem", str(error).partition(";")[0], remedy))
    return found, wrong


def caches() -> dict[str, Path]:
    """Folders in which this package and the libraries keep downloads."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    hub = Path(os.environ.get("HF_HOME") or base / "huggingface") / "hub"
    return {
        "simmim_bench": cache_home(),
        "Hugging Face": Path(os.environ.get("HF_HUB_CACHE") or hub),
        "torch.hub": Path(os.environ.get("TORCH_HOME") or base / "torch"),
    }


def check_caches() -> Iterator[Finding]:
    """How much the caches hold."""
    for name, folder in caches().items():
        if folder.is_dir():
            total, whole = _size_of(folder)
            text = f"{'' if whole else 'more than '}{size(total)} in {folder}"
        else:
            text = "empty"
        yield Finding("caches", "ok", f"{name}: {text}")


def _size_of(folder: Path) -> tuple[int, bool]:
    """Bytes of the files in a folder, and whether all were counted in ``SECONDS``."""
    end, total = time.monotonic() + SECONDS, 0
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            if not path.is_symlink():  # the Hub's names lead to its files
                with suppress(OSError):  # removed meanwhile
                    total += path.stat().st_size
        if time.monotonic() > end:
            return total, False
    return total, True
