"""Download a large file: resume after interruptions, check its hash, then rename it into place.

Uses ``requests``: ``download_url`` of torchvision and pooch start from the first byte each time,
and huggingface_hub resumes downloads from its own service only.
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
from simmim_bench.io import atomic_write_json, check_output, without_secrets

ALGORITHMS = {"md5": 32, "sha1": 40, "sha256": 64}
"""Name in ``hashlib``: number of hex digits."""

FIRST_ATTEMPTS = 3  # to reach a host from which nothing was received yet
ATTEMPTS = 6  # in a row without progress; about half a minute with the waits
TIMEOUT = (20, 60)  # seconds to connect, and between two packets
NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)
_CHUNK = 1 << 18
_RETRIED = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Checksum:
    """Expected hash of a file."""

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
    """Download ``url`` to ``target``, unless that exists.

    Received bytes are kept in ``target.part``. The next attempt or call continues there if the
    server still has the same file.

    Args:
        url: ``http://`` or ``https://``.
        target: Path of the complete file.
        checksum: Expected hash.
        advance: Called with the number of new bytes.
        wait: Seconds before the second attempt; doubled for each further one.

    Raises:
        BenchError: If the download fails, the disk is too small, or the checksum differs.
    """
    if not url.startswith(("http://", "https://")):
        raise BenchError(
            f"{without_secrets(url)} cannot be downloaded; give an address with http:// or https://"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if target.is_file():
            _check(target, url, checksum)
            return target
        part = target.with_name(f"{target.name}.part")
        check_output(part)
        _complete(url, part, advance, wait, may_resume_unseen=checksum is not None)
        try:
            _check(part, url, checksum)
        except BenchError:
            part.unlink()  # the next call would take it for complete
            raise
        finally:
            _version_file(part).unlink(missing_ok=True)
        part.replace(target)
    return target


def parse_checksum(text: str) -> Checksum:
    """Read ``md5=...``, ``sha1=...`` or ``sha256=...``.

    Raises:
        BenchError: If the text has another form.
    """
    algorithm, _, digest = text.lower().partition("=")
    if ALGORITHMS.get(algorithm) != len(digest) or set(digest) - set("0123456789abcdef"):
        raise BenchError(
            f"invalid checksum #{text}; expected #md5=, #sha1= or #sha256= and the hex digits"
        )
    return Checksum(algorithm, digest)


def file_digest(path: Path, algorithm: str, advance: Advance = lambda _: None) -> str:
    """Hex digest of a file; calls ``advance`` with numbers of bytes."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def mismatch(path: Path, expected: Checksum, advance: Advance = lambda _: None) -> str | None:
    """Digest of ``path`` if it differs from the ``expected`` one, else None."""
    found = file_digest(path, expected.algorithm, advance)
    return None if found == expected.digest else found


@dataclass(frozen=True)
class _Version:
    """Identifies the content at an address, to notice when it changes."""

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
        """Value of ``If-Range``, which must not be a weak tag (RFC 9110, section 13.1.5)."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.modified


class _InterruptedError(Exception):
    """The transfer failed; another attempt may succeed."""


class _UnreachableError(_InterruptedError):
    """There is no such host, or it refuses connections."""


def _check(path: Path, url: str, checksum: Checksum | None) -> None:
    if checksum is not None and (found := mismatch(path, checksum)):
        raise BenchError(
            f"{path}, downloaded from {without_secrets(url)}, has {checksum.algorithm} {found}, "
            f"expected {checksum.digest}; remove it if it still exists and run the command again"
        )


def _complete(
    url: str, part: Path, advance: Advance, wait: float, *, may_resume_unseen: bool
) -> None:
    """Try until ``part`` is complete; attempts that make progress are not counted."""
    reported = failures = furthest = 0
    while True:
        before = _length(part)
        if reported < before:
            advance(before - reported)
            reported = before
        try:
            with _opened(url, part, may_resume_unseen) as (response, start):
                advance(start - reported)  # negative if the server starts from byte 0
                reported = start
                for count in _receive(response, part, start):
                    advance(count)
                    reported += count
            return
        except _InterruptedError as error:
            failures = 0 if _length(part) > max(before, furthest) else failures + 1
            furthest = max(furthest, _length(part))
            unreachable = isinstance(error, _UnreachableError) and not furthest
            if failures >= (FIRST_ATTEMPTS if unreachable else ATTEMPTS):
                raise BenchError(
                    f"{without_secrets(url)} cannot be downloaded ({error}); {_length(part)} bytes "
                    f"are kept in {part}. Check the network and run the command again, or give "
                    "the file with --source"
                ) from error
            time.sleep(wait * 2**failures)


@contextmanager
def _opened(url: str, part: Path, may_resume_unseen: bool) -> Iterator[tuple[Any, int]]:
    """Open a response; gives it and the byte that it starts with."""
    start, known = _length(part), _read_version(part, url)
    headers = {"Accept-Encoding": "identity"}  # lengths and ranges are those of the file
    if start and known and (known.validator or may_resume_unseen):
        headers["Range"] = f"bytes={start}-"
        if known.validator:
            headers["If-Range"] = known.validator
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            yield response, _start(url, part, response, start, known)
    except NO_ADDRESS as error:
        raise BenchError(
            f"{without_secrets(url)} cannot be downloaded; give an address with http:// or https://"
        ) from error
    except requests.exceptions.ConnectionError as error:
        reason = without_secrets(str(error))
        raise _UnreachableError(f"{type(error).__name__}: {reason}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        reason = without_secrets(str(error))
        raise _InterruptedError(f"{type(error).__name__}: {reason}") from error


def _start(
    url: str, part: Path, response: requests.Response, have: int, known: _Version | None
) -> int:
    """First byte of the response; ``part`` is cut there and the version is saved."""
    code = response.status_code
    if code == 416:  # no bytes after those we have
        if known and known.size == have:
            return have
        part.unlink(missing_ok=True)
        raise _InterruptedError("the server has a shorter file than before")
    if code in _RETRIED:
        raise _InterruptedError(f"HTTP {code}")
    if code not in {200, 206}:
        raise BenchError(
            f"{without_secrets(url)} returned HTTP {code} ({response.reason}); check the address, "
            "or give the file with --source"
        )
    now = _Version.of(url, response)
    start = 0
    if code == 206:
        wanted = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not wanted or known is None or known.size not in {None, now.size}:
            part.unlink(missing_ok=True)
            raise _InterruptedError("the server sent another range than requested")
        start = have
    _check_space(part, url, (now.size or 0) - start)
    with part.open("ab") as stream:
        stream.truncate(start)
    atomic_write_json(_version_file(part), asdict(now))
    return start


def _receive(response: requests.Response, part: Path, start: int) -> Iterator[int]:
    """Append the body to ``part``; yields numbers of bytes."""
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
            f"{without_secrets(url)} needs {needed / 1e9:.1f} GB more, {part.parent.absolute()} "
            f"has {free / 1e9:.1f} GB free; choose another disk with --out"
        )


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _version_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_version(part: Path, url: str) -> _Version | None:
    """Saved version of the content that ``part`` is the beginning of; None if unknown."""
    try:
        version = _Version(**json.loads(_version_file(part).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return version if version.url == url else None
