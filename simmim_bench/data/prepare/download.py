"""Download a large file: resumed where it stopped, checked, and in its place only when whole.

Through ``requests``. torchvision's ``download_url`` writes to the final name and begins anew each
time, and so does pooch; huggingface_hub resumes, but only from its own service.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3
from filelock import FileLock

from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json

ALGORITHMS = {"md5": 32, "sha1": 40, "sha256": 64}
"""Names, as ``hashlib`` has them, and hex digits."""

ATTEMPTS = 6  # without a byte between them: with the waits, about half a minute
TIMEOUT = (20, 60)  # seconds to connect, and between two packets
_CHUNK = 1 << 18
_AGAIN = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Checksum:
    """What the bytes of a file must hash to."""

    algorithm: str
    """``md5``, ``sha1`` or ``sha256``."""
    digest: str
    """Lower-case hex."""


def download(
    url: str,
    target: Path,
    *,
    checksum: Checksum | None = None,
    advance: Advance = lambda _: None,
    wait: float = 1.0,
) -> Path:
    """Download ``url`` to ``target``, unless it is there already.

    What has arrived is kept in ``target.part`` and continued by the next attempt or the next call,
    if the server still has the same file.

    Args:
        url: ``http://`` or ``https://``.
        target: Where the whole file goes.
        checksum: What it must hash to.
        advance: Told how many more bytes are there.
        wait: Seconds before the second attempt; doubled for each further one.

    Raises:
        BenchError: If it cannot be had, the disk is too small, or the checksum is another.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if target.is_file():
            _check(target, url, checksum)
            return target
        part = target.with_name(f"{target.name}.part")
        _complete(url, part, advance, wait, may_resume_unseen=checksum is not None)
        try:
            _check(part, url, checksum)
        except BenchError:
            part.unlink()  # or every later call would find it complete and wrong
            raise
        finally:
            _note(part).unlink(missing_ok=True)
        part.replace(target)
    return target


def parse_checksum(text: str) -> Checksum:
    """Read ``md5=...``, ``sha1=...`` or ``sha256=...``.

    Raises:
        BenchError: If it is nothing of that kind.
    """
    algorithm, _, digest = text.lower().partition("=")
    if ALGORITHMS.get(algorithm) != len(digest) or set(digest) - set("0123456789abcdef"):
        raise BenchError(
            f"#{text} is no checksum; expected #md5=, #sha1= or #sha256= and its hex digits"
        )
    return Checksum(algorithm, digest)


def file_digest(path: Path, algorithm: str, advance: Advance = lambda _: None) -> str:
    """Hex digest of a file; ``advance`` is told of bytes."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def mismatch(path: Path, expected: Checksum, advance: Advance = lambda _: None) -> str | None:
    """The digest that ``path`` has instead of the ``expected`` one; None if it is that."""
    found = file_digest(path, expected.algorithm, advance)
    return None if found == expected.digest else found


@dataclass(frozen=True)
class _Version:
    """What tells two contents of one address apart."""

    url: str
    size: int | None
    etag: str | None
    modified: str | None

    @classmethod
    def of(cls, url: str, response: requests.Response) -> _Version:
        headers = response.headers
        total = headers.get("Content-Length")
        if response.status_code == 206:
            total = headers.get("Content-Range", "").rpartition("/")[2]
        size = int(total) if total and total.isdigit() else None
        return cls(url, size, headers.get("ETag"), headers.get("Last-Modified"))

    @property
    def validator(self) -> str | None:
        """For ``If-Range``, which takes no weak tag (RFC 9110, section 13.1.5)."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.modified


class _InterruptedError(Exception):
    """The transfer failed in a way that another attempt may not."""


def _check(path: Path, url: str, checksum: Checksum | None) -> None:
    if checksum is not None and (found := mismatch(path, checksum)):
        raise BenchError(
            f"{url} came as {path} with {checksum.algorithm} {found}, expected {checksum.digest}; "
            f"remove what is left of it and run the command again"
        )


def _complete(
    url: str, part: Path, advance: Advance, wait: float, *, may_resume_unseen: bool
) -> None:
    """Attempts until ``part`` is whole; those that come further than any before do not count."""
    told = failures = furthest = 0
    while True:
        before = _length(part)
        if told < before:
            advance(before - told)
            told = before
        try:
            with _opened(url, part, may_resume_unseen) as (response, start):
                advance(start - told)  # less than before where the server begins anew
                told = start
                for count in _receive(response, part, start):
                    advance(count)
                    told += count
            return
        except _InterruptedError as error:
            failures = 0 if _length(part) > max(before, furthest) else failures + 1
            furthest = max(furthest, _length(part))
            if failures >= ATTEMPTS:
                raise BenchError(
                    f"{url} cannot be downloaded ({error}); {_length(part)} bytes are kept in "
                    f"{part}, run the command again when the network is there, or give the file "
                    "with --source"
                ) from error
            time.sleep(wait * 2**failures)


@contextmanager
def _opened(url: str, part: Path, may_resume_unseen: bool) -> Iterator[tuple[Any, int]]:
    """A response and the byte that it starts with."""
    start, known = _length(part), _read_note(part, url)
    headers = {"Accept-Encoding": "identity"}  # lengths and ranges are the file's own
    if start and known and (known.validator or may_resume_unseen):
        headers["Range"] = f"bytes={start}-"
        if known.validator:
            headers["If-Range"] = known.validator
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            yield response, _start(url, part, response, start, known)
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise BenchError(
            f"{url} is no address that can be downloaded; give a http(s) one"
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _InterruptedError(f"{type(error).__name__}: {error}") from error


def _start(
    url: str, part: Path, response: requests.Response, have: int, known: _Version | None
) -> int:
    """Where the answer begins; ``part`` is cut to that, and the version noted."""
    code = response.status_code
    if code == 416:  # nothing behind what is there
        if known and known.size == have:
            return have
        part.unlink(missing_ok=True)
        raise _InterruptedError("the server has a shorter file than before")
    if code in _AGAIN:
        raise _InterruptedError(f"HTTP {code}")
    if code not in {200, 206}:
        raise BenchError(
            f"{url} answers HTTP {code} ({response.reason}); check the address, or give the file "
            "with --source"
        )
    now = _Version.of(url, response)
    start = 0
    if code == 206:
        wanted = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not wanted or known is None or known.size not in {None, now.size}:
            part.unlink(missing_ok=True)
            raise _InterruptedError("the server sent another part than was asked for")
        start = have
    _check_space(part, url, (now.size or 0) - start)
    with part.open("ab") as stream:
        stream.truncate(start)
    atomic_write_json(_note(part), asdict(now))
    return start


def _receive(response: requests.Response, part: Path, start: int) -> Iterator[int]:
    """Append the body to ``part``; yields byte counts."""
    if response.status_code == 416:
        return
    expected = _Version.of("", response).size
    with part.open("ab") as stream:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            stream.write(chunk)
            start += len(chunk)
            yield len(chunk)
    if expected is not None and start != expected:
        raise _InterruptedError(f"the connection ended after {start} of {expected} bytes")


def _check_space(part: Path, url: str, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise BenchError(
            f"{url} needs {needed / 1e9:.1f} GB more, {part.parent.absolute()} has "
            f"{free / 1e9:.1f} GB free; choose another disk with --out"
        )


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path, url: str) -> _Version | None:
    """Version that ``part`` is the beginning of, if it was noted and is of ``url``."""
    try:
        version = _Version(**json.loads(_note(part).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return version if version.url == url else None
