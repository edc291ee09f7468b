"""Checkpoint files: safe reading, parts of their content, atomic writing.

Files are read without running code that they may hold: ``torch.load`` with ``weights_only=True``
plus the few plain types that libraries store beside the weights (mmengine its scalar history and
numpy values, the original SimMIM and timm their settings).
"""

from __future__ import annotations

import difflib
import lzma
import pickle
import re
import struct
import zipfile
import zlib
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from simmim_bench.config_text import parse_config_text
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path
from simmim_bench.records.manifest import Manifest
from simmim_bench.weights.seal import STORED
from simmim_bench.weights.tensors import DIVERGED, SAVE_FLOATS, not_finite

PREFIX = "backbone."
STATE_DICTS = ("state_dict", "model", "module", "ema_state_dict")
"""Keys of a checkpoint under which libraries keep state dicts."""
ATTRIBUTES = {"_metadata", STORED}
"""Of a state dict: torch's versions of modules, and the facts of our card."""
UNREADABLE_ZIP = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    NotImplementedError,  # an unknown compression
    RuntimeError,  # encrypted
    ValueError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
)
NUMPY_TYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64"


class UnsafePickleError(BenchError):
    """The file holds objects that can only be read by running code."""


def require_file(path: Path, what: str, remedy: str) -> None:
    """Check that ``path`` is a file.

    Args:
        path: File that is needed.
        what: What it is, to start the message.
        remedy: What the user can do if no file of a similar name is in the folder.

    Raises:
        BenchError: If it is a folder or does not exist; names similar files of the same folder.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise BenchError(f"{what} {path} is a folder; give a file in it")
    beside = sorted(item.name for item in path.parent.iterdir()) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(str(path.parent / name) for name in near)}?"
    raise BenchError(f"{what} {path} does not exist; {hint if near else remedy}")


def load_checkpoint(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """Read a ``.pth`` or ``.safetensors`` file to the CPU.

    Args:
        path: File.
        mapped: Whether tensors are read only when they are used, where the format allows it.

    Raises:
        BenchError: If the file is missing, damaged, not a checkpoint, has keys that are not
            strings, or holds objects that can only be read by running code.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise BenchError(f"checkpoint {path} {what}; give the path of a .pth file")
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    _check_archive(path)
    if zipfile.is_zipfile(path) and not mapped and not is_intact(path):
        raise BenchError(_damaged(path))  # torch does not compare checksums
    try:
        with torch.serialization.safe_globals(_plain_types()):
            mapped = mapped and zipfile.is_zipfile(path)
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = named.group(1) if named else "an unknown type"
        raise UnsafePickleError(
            f"{path} holds more than weights and plain values ({what}) and was not read, because "
            f"that could run code; save it again with tensors only"
        ) from error
    except Exception as error:  # a damaged pickle may raise any
        raise BenchError(_damaged(path)) from error
    if not isinstance(content, dict):
        raise BenchError(
            f"{path} holds a {type(content).__name__}, not a dictionary; give a checkpoint"
        )
    check_keys(content, path)
    return content


def check_keys(content: dict[Any, Any], source: object) -> None:
    """Check that a checkpoint and the state dicts in it are plain dictionaries of strings.

    Args:
        content: Content of the file.
        source: The file, for errors.

    Raises:
        BenchError: Names the first key that is not a string, or attribute that is not known.
    """
    average = content.get("ema_state_dict") or {}
    for key, value in (("state_dict", content.get("state_dict", {})), ("ema_state_dict", average)):
        if not isinstance(value, dict):
            raise BenchError(
                f"{key} in {source} is a {type(value).__name__}, not a dictionary; {SAVE_FLOATS}"
            )
    inner = [content.get(key) for key in STATE_DICTS]
    for found in (content, *(item for item in inner if isinstance(item, dict))):
        unknown = sorted(vars(found).keys() - ATTRIBUTES) if hasattr(found, "__dict__") else []
        if unknown:  # one named `get` would replace the method
            raise BenchError(
                f"a state dict in {source} has the attribute {unknown[0]}, which was not read; "
                f"{SAVE_FLOATS}"
            )
        odd = [key for key in found if not isinstance(key, str)]
        if odd:
            raise BenchError(
                f"{source} has the key {odd[0]!r:.80} of type {type(odd[0]).__name__}; keys of a "
                f"checkpoint must be strings; {SAVE_FLOATS}"
            )


def _load_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise BenchError(
            f"{path} needs the package safetensors; install it with `pip install safetensors`"
        ) from error
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise BenchError(
            f"{path} is damaged or not a safetensors file ({error}); download it again"
        ) from error


def _check_archive(path: Path) -> None:
    """Refuse files that are not in one of torch's formats, before torch guesses."""
    if zipfile.is_zipfile(path):
        return
    with path.open("rb") as stream:
        start = stream.read(2)
    if start in (b"", b"PK"):
        raise BenchError(_damaged(path))
    if not start.startswith(b"\x80"):  # pickles of torch before 1.6 start with this byte
        raise BenchError(f"{path} is not a torch checkpoint; give the path of a .pth file")


def is_intact(path: Path) -> bool:
    """Whether a zip archive can be read and every entry has the checksum that it states."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except UNREADABLE_ZIP:
        return False


def _damaged(path: Path) -> str:
    return (
        f"{path} is truncated or damaged ({path.stat().st_size} bytes); copy or download it "
        f"again, or use the checkpoint before it"
    )


def _plain_types() -> list[Any]:
    """Types to allow, some also under their names in another version of numpy."""
    core = np._core if hasattr(np, "_core") else np.core
    functions = [
        (getattr(core.multiarray, name), f"numpy.{package}.multiarray.{name}")
        for name in ("_reconstruct", "scalar")
        for package in ("core", "_core")
    ]
    types = [type(np.dtype(name)) for name in NUMPY_TYPES.split()]
    return [
        *functions,
        *types,
        slice,
        np.ndarray,
        np.dtype,
        HistoryBuffer,
        Namespace,
        (_Settings, "yacs.config.CfgNode"),
        (_history_method, "builtins.getattr"),
    ]


class _Settings:
    """Stand-in for the yacs configuration that the original stores; no code of yacs runs."""

    def __new__(cls) -> OrderedDict[str, Any]:  # type: ignore[misc]
        """A dictionary, which torch's reader can fill."""
        return OrderedDict()


def _history_method(owner: Any, name: str) -> Any:
    """Stand-in for ``getattr``, which pickled scalar histories call for their own methods."""
    if owner is not HistoryBuffer or name.startswith("_"):
        raise pickle.UnpicklingError(f"attribute {name} of {owner} is not allowed")
    return getattr(owner, name)


def checkpoint_in(checkpoint: Path) -> Path:
    """The file itself; for the folder of a finished run, the checkpoint that its manifest names.

    Raises:
        BenchError: If the manifest is missing, not valid, or names no checkpoint.
    """
    if not checkpoint.is_dir():
        return checkpoint
    path = checkpoint / "manifest.json"
    found = Manifest.read(path).outputs.get("checkpoint")
    if found is None:
        raise BenchError(f"{path} names no checkpoint; give an epoch_N.pth")
    return checkpoint / found.path


def stored_config(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Config that simmim-bench train stored in a checkpoint; None if there is none.

    Raises:
        BenchError: If it holds more than plain values (see ``parse_config_text``).
    """
    meta = content.get("meta")
    text = meta.get("cfg") if isinstance(meta, dict) else None
    return (
        parse_config_text(text, "the config inside the checkpoint")
        if isinstance(text, str)
        else None
    )


def backbone_state(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights of the backbone in a checkpoint of a training, under the backbone's own keys."""
    return {
        key.removeprefix(PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(PREFIX)
    }


def check_finite(state: Mapping[str, Tensor], source: object) -> None:
    """Refuse weights with NaN or infinity.

    Raises:
        BenchError: Names the first such key and how many there are.
    """
    broken = not_finite(state)
    if broken:
        raise BenchError(
            f"{source} holds NaN or infinity in {len(broken)} of {len(state)} tensors, the first "
            f"is {broken[0]}; {DIVERGED}"
        )


def save_whole(content: dict[str, Any], path: Path) -> None:
    """Write ``content`` to ``path``, all of it or nothing.

    Args:
        content: What ``torch.save`` takes.
        path: File; its folder is created.

    Raises:
        OSError: If the disk is full, for which torch itself raises an unclear RuntimeError.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:
            cause = error.__context__
            if isinstance(cause, OSError):
                raise OSError(cause.errno, cause.strerror, str(path)) from error
            raise
