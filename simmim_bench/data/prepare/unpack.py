"""Unpack zip and tar archives safely: all or nothing, and never outside the folder.

All names are checked before the first file is written. Every link and device is refused: the
datasets have none, and links can get around the filter of ``tarfile`` (CVE-2025-4517).
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

_TAR_TYPES = {
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "named pipe",
}
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)


def unpack(archive: Path, folder: Path, advance: Advance = lambda _: None) -> Path:
    """Unpack ``archive`` as ``folder``, which appears when it is complete.

    Args:
        archive: zip, tar, or compressed tar; recognised by its content.
        folder: Does not exist yet.
        advance: Called with numbers of bytes written.

    Raises:
        BenchError: If the file is no such archive, is damaged, does not fit on the disk, or has
            a link, a device, or a path outside the folder.
    """
    with unfinished(folder) as building, readable(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _extract_zip(opened, building, archive, advance)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                extract_tar(opened, building, archive.name, advance)
        else:
            raise BenchError(
                f"{archive} is neither a zip nor a tar archive, or is truncated; download it again"
            )
    return folder


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Temporary folder, renamed to ``folder`` when the block succeeds, else removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        building.chmod(0o755)
        yield building
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def readable(archive: Path) -> Iterator[None]:
    """Turn errors of a damaged ``archive`` into a ``BenchError``."""
    try:
        yield
    except _DAMAGED as error:
        raise BenchError(
            f"{archive} is truncated or damaged ({error}); download it again"
        ) from error
    except FileNotFoundError as error:
        raise BenchError(f"{archive} does not exist ({error}); check the path") from error


def extract_tar(
    tar: tarfile.TarFile, folder: Path, label: str, advance: Advance = lambda _: None
) -> None:
    """Extract every file of an open tar archive into ``folder``.

    Args:
        tar: Seekable.
        folder: Exists.
        label: Name of the archive in messages.
        advance: Called with numbers of bytes written.

    Raises:
        BenchError: As ``unpack``.
    """
    members = tar.getmembers()
    check_end(tar, label)
    for member in members:
        check_name(member.name, label)
        if not (member.isreg() or member.isdir()):
            kind = _TAR_TYPES.get(member.type, "special file")
            raise _refused(label, member.name, f"is a {kind}", member.linkname)
    check_space(folder, sum(member.size for member in members), label)
    for member in members:
        tar.extract(member, folder, set_attrs=False, filter="data")
        advance(member.size)


def check_end(tar: tarfile.TarFile, label: str) -> None:
    """Raise for a tar cut between two files, or with a damaged header: there its list ends.

    Raises:
        BenchError: With the number of complete entries.
    """
    if tar.fileobj is None:
        return
    tar.fileobj.seek(tar.offset)
    end = tar.fileobj.read(tarfile.BLOCKSIZE)
    if end != bytes(tarfile.BLOCKSIZE):
        what = "damaged" if len(end) == tarfile.BLOCKSIZE else "truncated"
        raise BenchError(
            f"{label} is {what} after {len(tar.getmembers())} entries; download or make it again"
        )


def check_name(name: str, label: str) -> None:
    """Raise for a path that is absolute or leads out of the folder.

    Raises:
        BenchError: With the archive and the entry.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or PureWindowsPath(name).drive:
        raise _refused(label, name, "is an absolute path")
    if ".." in path.parts:
        raise _refused(label, name, "leads out of the folder")
    if "\0" in name:
        raise _refused(label, name, "has a null byte")


def check_space(folder: Path, needed: int, label: str) -> None:
    """Raise if the disk has fewer than ``needed`` bytes free.

    Raises:
        BenchError: With both sizes.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BenchError(
            f"{label} needs {needed / 1e9:.1f} GB unpacked, {folder.parent.absolute()} has "
            f"{free / 1e9:.1f} GB free; choose another disk with --out"
        )


@contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[Path]:
    """Temporary folder inside ``folder`` with the content of ``archive``."""
    raw = folder / f".{archive.name}"
    with progress_bar(f"unpacking {archive.name}", None, data=True) as advance:
        unpack(archive, raw, advance)
    try:
        yield raw
    finally:
        shutil.rmtree(raw, ignore_errors=True)


def moved(source: Path, folder: Path) -> None:
    """Move everything in ``source`` into ``folder``.

    Raises:
        BenchError: If ``source`` is not a folder.
    """
    if not source.is_dir():
        raise BenchError(
            f"{source.parent.name.lstrip('.')} has no folder {source.name}; download it again"
        )
    for entry in source.iterdir():
        entry.rename(folder / entry.name)


def _extract_zip(opened: zipfile.ZipFile, folder: Path, archive: Path, advance: Advance) -> None:
    entries = opened.infolist()
    for entry in entries:
        check_name(entry.filename, archive.name)
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            kind = "symbolic link" if stat.S_ISLNK(mode) else "special file"
            raise _refused(archive.name, entry.filename, f"is a {kind}")
        if entry.flag_bits & 1:
            raise BenchError(f"{archive} is encrypted; unpack it and give the folder")
    check_space(folder, sum(entry.file_size for entry in entries), archive.name)
    for entry in entries:
        opened.extract(entry, folder)
        advance(entry.file_size)


def _refused(label: str, name: str, why: str, target: str = "") -> BenchError:
    to = f" to {target!r}" if target else ""
    return BenchError(
        f"{label}: entry {name!r} {why}{to}; nothing was unpacked. Get the archive from its "
        "official source"
    )
