"""Find the archives of a dataset: the user's by path or address, the others at their owners."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from simmim_bench.data.prepare.download import download
from simmim_bench.data.prepare.sources import (
    ALGORITHMS,
    ARCHIVES,
    Archive,
    Checksum,
    archives_of,
    licence_needed,
    mismatch,
    parse_checksum,
)
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar


def gather(
    dataset: str, sources: list[str], downloads: Path, say: Callable[[str], None]
) -> dict[str, Path]:
    """Archives of ``dataset`` by their official names, each checked.

    Args:
        dataset: A key of ``ARCHIVES``.
        sources: Paths and ``file://``, ``http://``, ``https://`` addresses. The last part is the
            archive's official name; ``#sha256=...``, ``#md5=...`` or ``#sha1=...`` behind it takes
            the place of the published checksum.
        downloads: Folder for what is downloaded.
        say: Told where downloads are kept.

    Raises:
        BenchError: If an archive is unknown, missing, or not the published one.
    """
    given = dict(_named(dataset, source) for source in sources)
    for archive in ARCHIVES[dataset]:
        if archive.name not in given and archive.url is None:
            raise licence_needed(dataset, archive)
    found = {}
    for archive in ARCHIVES[dataset]:
        url, stated = _split(given.get(archive.name, archive.url or ""))
        checksum = stated or archive.checksum
        path = _local(url)
        if path is None:
            path = _download(url, downloads / archive.name, archive, checksum)
            say(f"{path} is kept; remove it when the dataset is verified")
        else:
            check_local(path, checksum)
        found[archive.name] = path
    return found


def gather_folder(dataset: str, folder: Path) -> dict[str, Path]:
    """Archives of ``dataset`` that lie in ``folder`` under their names; checked, all or none.

    Raises:
        BenchError: If one of them is not the published one.
    """
    archives = ARCHIVES[dataset]
    if not all((folder / archive.name).is_file() for archive in archives):
        return {}
    for archive in archives:
        check_local(folder / archive.name, archive.checksum)
    return {archive.name: folder / archive.name for archive in archives}


def check_local(path: Path, checksum: Checksum | None) -> None:
    """Compare a file of the user's with the checksum.

    Raises:
        BenchError: If it is missing or another one.
    """
    if not path.is_file():
        raise BenchError(f"--source {path} is no file; check the path")
    if checksum is None:
        return
    with progress_bar(f"checking {path.name}", path.stat().st_size, data=True) as advance:
        found = mismatch(path, checksum, advance)
    if found:
        raise BenchError(
            f"{path} has {checksum.algorithm} {found}, expected {checksum.digest}; get it again, "
            f"or, if it is an archive of your own, give it as {path}#{checksum.algorithm}={found}"
        )


def _named(dataset: str, source: str) -> tuple[str, str]:
    """The archive that ``source`` is, by the last part of its path."""
    address, _ = _split(source)
    path = unquote(urlsplit(address).path) if "://" in address else address
    name = path.rpartition("/")[2]
    known = archives_of(dataset)
    if name not in known:
        raise BenchError(
            f"--source {source} is no archive of {dataset}; expected {' or '.join(known)}, or the "
            "folder of a copy"
        )
    return name, source


def _split(source: str) -> tuple[str, Checksum | None]:
    """Address, and the checksum that is stated behind it."""
    address, mark, stated = source.rpartition("#")
    if mark and stated.partition("=")[0].lower() in ALGORITHMS:
        return address, parse_checksum(stated)
    return source, None


def _local(url: str) -> Path | None:
    if "://" not in url:
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None


def _download(url: str, target: Path, archive: Archive, checksum: Checksum | None) -> Path:
    with progress_bar(f"downloading {archive.name}", archive.size, data=True) as advance:
        return download(url, target, checksum=checksum, advance=advance)
