"""Unpack zip and tar archives: nothing outside the folder, nothing half-done in its place.

Every name is looked at before the first file is written. Links and devices are refused, not only
those that point outside: no dataset holds any, and a link can be built to mislead even Python's
own filter (CVE-2025-4517).

Unpack an archive beside a dataset that is being built, and take what is needed from it.
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
    """Unpack ``archive`` as ``folder``, which appears when all of it is there.

    Args:
        archive: zip, tar, or compressed tar; told by its content.
        folder: Does not exist yet.
        advance: Told of bytes written.

    Raises:
        BenchError: If it is no such archive, damaged, larger than the disk, or holds an entry
            that does not belong into a folder of its own.
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
                f"{archive} is neither a zip nor a tar archive, or it is truncated; get it again"
            )
    return folder


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its name when the block succeeds, else vanishes."""
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
    """Turn what a damaged ``archive`` raises into a sentence."""
    try:
        yield
    except _DAMAGED as error:
        raise BenchError(
            f"{archive} is truncated or damaged ({error}); get it again and check its size"
        ) from error
    except FileNotFoundError as error:
        raise BenchError(f"{archive} does not exist ({error}); check the path") from error


def extract_tar(
    tar: tarfile.TarFile, folder: Path, said: str, advance: Advance = lambda _: None
) -> None:
    """Extract every file of an open tar archive into ``folder``.

    Args:
        tar: Seekable.
        folder: Exists.
        said: How messages call the archive.
        advance: Told of bytes written.

    Raises:
        BenchError: As ``unpack``.
    """
    members = tar.getmembers()
    check_end(tar, said)
    for member in members:
        check_name(member.name, said)
        if not (member.isreg() or member.isdir()):
            kind = _TAR_TYPES.get(member.type, "special file")
            raise _refused(said, member.name, f"is a {kind}", member.linkname)
    check_space(folder, sum(member.size for member in members), said)
    for member in members:
        tar.extract(member, folder, set_attrs=False, filter="data")
        advance(member.size)


def check_end(tar: tarfile.TarFile, said: str) -> None:
    """Refuse a tar cut between two files: it looks whole but for the missing block of zeros.

    Raises:
        BenchError: With the number of entries that are left.
    """
    if tar.fileobj is None:
        return
    tar.fileobj.seek(tar.offset)
    if len(tar.fileobj.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
        raise BenchError(f"{said} is truncated after {len(tar.getmembers())} entries; get it again")


def check_name(name: str, said: str) -> None:
    """Refuse a path that is absolute or climbs out.

    Raises:
        BenchError: Naming the archive and the entry.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or PureWindowsPath(name).drive:
        raise _refused(said, name, "is an absolute path")
    if ".." in path.parts:
        raise _refused(said, name, "leads out of the folder")
    if "\0" in name:
        raise _refused(said, name, "holds a null byte")


def check_space(folder: Path, needed: int, said: str) -> None:
    """Refuse what the disk cannot hold.

    Raises:
        BenchError: With both sizes.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BenchError(
            f"{said} needs {needed / 1e9:.1f} GB unpacked, {folder.parent.absolute()} has "
            f"{free / 1e9:.1f} GB free; choose another disk with --out"
        )


@contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[Path]:
    """Content of ``archive`` in a folder inside ``folder`` that vanishes afterwards."""
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
        BenchError: If there is no ``source``.
    """
    if not source.is_dir():
        raise BenchError(
            f"{source.parent.name.lstrip('.')} holds no folder {source.name}; get it again"
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
            raise BenchError(f"{archive} is encrypted; unpack it yourself and give the folder")
    check_space(folder, sum(entry.file_size for entry in entries), archive.name)
    for entry in entries:
        opened.extract(entry, folder)
        advance(entry.file_size)


def _refused(said: str, name: str, why: str, target: str = "") -> BenchError:
    to = f" to {target!r}" if target else ""
    return BenchError(
        f"{said}: entry {name!r} {why}{to}, and nothing was unpacked; get the archive from its "
        "official source"
    )
