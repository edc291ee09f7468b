"""Read the checkpoint to convert from a path or a URL, with its hash, without running its code."""

from __future__ import annotations

import http.client
import re
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file, without_secrets
from simmim_bench.weights.files import UnsafePickleError, load_checkpoint

SCHEMES = ("http", "https", "file")
TIMEOUT = 60  # seconds to connect, and between two packets


@dataclass(frozen=True)
class Source:
    """Content of a checkpoint file.

    Args:
        content: What the file holds.
        name: File name.
        sha256: Its hash.
        ran_code: Whether it could only be read with ``--trust-pickle``.
        config: Content of ``config.json`` in the repository or folder of the file; data of others.
    """

    content: dict[str, Any]
    name: str
    sha256: str
    ran_code: bool
    config: Mapping[str, Any] = field(default_factory=dict)


def read_source(where: str, *, sha256: str | None = None, trust_pickle: bool = False) -> Source:
    """Read a ``.pth`` or ``.safetensors`` file.

    Args:
        where: Path, or URL of scheme http, https or file.
        sha256: Hash that the file must have, 64 hex digits.
        trust_pickle: Read a file that holds more than weights, which runs the code in it.

    Raises:
        BenchError: If it cannot be downloaded, has another hash, or cannot be read safely.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise BenchError(f"--sha256 must be 64 hexadecimal digits, got {sha256!r}")
    with tempfile.TemporaryDirectory() as folder:
        path = _local(where, Path(folder))
        where = without_secrets(where)
        if not path.is_file():
            raise BenchError(f"checkpoint {where} is not a file; give a file or its URL")
        found = sha256_file(path)
        if sha256 is not None and found != sha256.lower():
            raise BenchError(
                f"{where} has sha256 {found}, expected {sha256.lower()}; the file is damaged or "
                f"another one; download it again"
            )
        content, ran_code = _read(path, where, trust_pickle=trust_pickle)
    return Source(content, path.name, found, ran_code)


def _local(where: str, folder: Path) -> Path:
    if "://" not in where:
        return Path(where)
    before = socket.getdefaulttimeout()
    try:
        parts = urlsplit(where)
        if parts.scheme not in SCHEMES:
            raise BenchError(
                f"the scheme of a URL must be one of {', '.join(SCHEMES)}, got "
                f"{without_secrets(where)}"
            )
        path = folder / (Path(parts.path).name or "checkpoint")
        socket.setdefaulttimeout(TIMEOUT)  # torch waits forever
        torch.hub.download_url_to_file(where, str(path), progress=True)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BenchError(
            without_secrets(f"cannot download {where} ({error}); check the address")
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return path


def _read(path: Path, where: str, *, trust_pickle: bool) -> tuple[dict[str, Any], bool]:
    try:
        return load_checkpoint(path), False
    except UnsafePickleError as error:
        if not trust_pickle:
            raise BenchError(
                f"{error}, or give --trust-pickle if you trust who made {where}"
            ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        raise BenchError(f"{where} needs a package that is not installed ({error})") from error
    except Exception as error:  # whatever the code in it raises
        reason = f"{type(error).__name__}: {error}"
        raise BenchError(f"{where} cannot be read even with --trust-pickle ({reason})") from error
    if not isinstance(content, dict):
        raise BenchError(f"{where} holds a {type(content).__name__}, not a dictionary")
    return content, True
