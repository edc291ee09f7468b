"""Atomic writes, checks of output paths, CSV text, file hashes; imports no torch, no mmengine.

Only ordinary files are written or replaced. A link to a file may only lead to its own folder: what
lies elsewhere belongs to something else. Links to folders are followed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError

USER = re.compile(r"(?<=://)[^\s/@'\"<>]*@|[^\s/@'\"(<>]*:[^\s/@'\"]*@")
"""``user:password@`` or ``token@`` in an address."""
QUERY = re.compile(r"\?[^\s#'\")]*=[^\s#'\")]*")
LARGEST, MOST_DIGITS = 2**64 - 1, 21
"""Integer that JSON files may hold, and its length with a sign."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of a cell that a spreadsheet would compute; the last four are full-width."""


def check_output(path: Path) -> None:
    """Refuse to write to a path that exists and is not an ordinary file.

    Raises:
        BenchError: If it is a folder, device, named pipe or socket, or a link that leaves the
            folder it stands in.
    """
    if path.exists() and not path.is_file():
        raise BenchError(f"{path} is {kind_of(path)}, expected a file; give another path")
    if path.is_symlink():
        _check_link(path, path.parent)


def check_output_folder(folder: Path) -> None:
    """Refuse a folder, with those in it, in which writing could reach another place.

    For folders in which libraries write, which follow links and open devices.

    Raises:
        BenchError: Names the first link that leaves the folder, device, named pipe or socket.
    """
    for where, folders, names in os.walk(folder):
        for path in (Path(where, name) for name in (*folders, *names)):
            if path.is_symlink():
                _check_link(path, folder)
            if path.exists() and not path.is_file() and not path.is_dir():
                raise BenchError(
                    f"{path} is {kind_of(path)}, expected a file; remove it or give another folder"
                )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block succeeds.

    Readers see the old file or the new one, never a part of it. If the block fails, the old file
    stays.

    Raises:
        BenchError: As ``check_output``.
    """
    check_output(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def atomic_write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; raises ``ValueError`` for NaN and infinity."""
    atomic_write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Indented JSON, as files have it; raises ``ValueError`` for NaN and infinity."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def cache_home() -> Path:
    """Folder of all that is kept between runs: in ``XDG_CACHE_HOME``, else in ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simmim_bench"


def without_secrets(text: str) -> str:
    """``text`` without passwords and tokens in addresses, which may be on the command line.

    ``https://me:secret@host/x.pth?token=secret`` becomes ``https://host/x.pth?...``.
    """
    return QUERY.sub("?...", USER.sub("", text))


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV; text that a spreadsheet would compute gets an apostrophe in front."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises:
        ValueError: If it is not JSON, nested too deeply, or has an integer of more than 64 bits,
            with which later computations would overflow.
    """
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(text, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text: byte {error.start} is wrong") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_bytes(path: Path) -> bytes:
    """Content of a file.

    Raises:
        BenchError: If it is a folder, device, named pipe or socket, whose reading may never end.
        OSError: If it is missing or cannot be read.
    """
    if path.exists() and not path.is_file():
        raise BenchError(f"{path} is {kind_of(path)}, expected a file; remove it or give another")
    return path.read_bytes()


def read_text(path: Path) -> str:
    """Content of a text file.

    Raises:
        BenchError: If it is not UTF-8 text, or not an ordinary file.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BenchError(
            f"{path} is not UTF-8 text (byte {error.start} is wrong); save it as UTF-8"
        ) from error


def read_json(path: Path) -> dict[str, Any] | None:
    """Content of a file with a JSON object; None if it is missing, damaged or something else."""
    try:
        value = parse_json(read_bytes(path))
    except (OSError, ValueError, BenchError):
        return None
    return value if isinstance(value, dict) else None


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def kind_of(path: Path) -> str:
    """What a path is, with its article."""
    if path.is_dir():
        return "a folder"
    if path.is_file():
        return "a file"
    if not path.exists():
        return "a link to nothing"
    if path.is_fifo():
        return "a named pipe"
    return "a socket" if path.is_socket() else "a device"


def _check_link(path: Path, folder: Path) -> None:
    target = os.path.realpath(path)
    if Path(os.path.realpath(folder)) not in Path(target).parents:
        raise BenchError(
            f"{path} is a link to {target}, which is not in {folder}, so it is neither written to "
            f"nor replaced; remove the link or give another path"
        )


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _integer(digits: str) -> int:
    if len(digits) <= MOST_DIGITS and abs(number := int(digits)) <= LARGEST:
        return number
    raise ValueError(f"the integer {digits[:MOST_DIGITS]}... has more than 64 bits")
