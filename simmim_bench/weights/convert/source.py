"""Read the checkpoint to convert, with its hash, without running its code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.weights.files import UnsafePickleError, load_checkpoint


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


def read_source(path: Path, *, sha256: str | None = None, trust_pickle: bool = False) -> Source:
    """Read a ``.pth`` or ``.safetensors`` file.

    Args:
        path: The file.
        sha256: Hash that the file must have, 64 hex digits.
        trust_pickle: Read a file that holds more than weights, which runs the code in it.

    Raises:
        BenchError: If it is not a file, has another hash, or cannot be read safely.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise BenchError(f"--sha256 must be 64 hexadecimal digits, got {sha256!r}")
    if not path.is_file():
        raise BenchError(f"checkpoint {path} is not a file; give a file or its URL")
    found = sha256_file(path)
    if sha256 is not None and found != sha256.lower():
        raise BenchError(
            f"{path} has sha256 {found}, expected {sha256.lower()}; the file is damaged or another "
            f"one; download it again"
        )
    content, ran_code = _read(path, trust_pickle=trust_pickle)
    return Source(content, path.name, found, ran_code)


def _read(path: Path, *, trust_pickle: bool) -> tuple[dict[str, Any], bool]:
    try:
        return load_checkpoint(path), False
    except UnsafePickleError as error:
        if not trust_pickle:
            raise BenchError(
                f"{error}, or give --trust-pickle if you trust who made {path}"
            ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        raise BenchError(f"{path} needs a package that is not installed ({error})") from error
    except Exception as error:  # whatever the code in it raises
        reason = f"{type(error).__name__}: {error}"
        raise BenchError(f"{path} cannot be read even with --trust-pickle ({reason})") from error
    if not isinstance(content, dict):
        raise BenchError(f"{path} holds a {type(content).__name__}, not a dictionary")
    return content, True
