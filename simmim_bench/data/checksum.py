"""Hash a large file and compare it with what its source publishes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from simmim_bench.data.parallel import Advance
from simmim_bench.data.sources import Checksum
from simmim_bench.errors import BenchError

ALGORITHMS = {"md5": 32, "sha1": 40, "sha256": 64}
"""Names, as ``hashlib`` has them, and hex digits."""


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
