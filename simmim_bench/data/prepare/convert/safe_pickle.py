"""Read a pickle that may hold arrays and plain values, and can do nothing else.

A pickle is a program: the usual loader calls whatever function it names. This one knows the four
names that an array needs.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from simmim_bench.errors import BenchError

_RECONSTRUCT = np.empty(0, np.uint8).__reduce__()[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """What Python 3 writes for bytes in an old protocol."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in {encoding}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it calls {module_name}.{global_name}, which is no part of an array"
            ) from None


def load_pickle(path: Path) -> dict[str, Any]:
    """Dictionary in ``path``, with text keys as Python 2 and 3 write them.

    Raises:
        BenchError: If the file is missing, damaged, holds code, or is no dictionary.
    """
    try:
        with path.open("rb") as stream:
            content = _Unpickler(stream, encoding="latin1").load()
    except FileNotFoundError as error:
        raise BenchError(f"{path.name} is missing ({path}); get the archive again") from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise BenchError(
            f"{path} cannot be read ({error}); get the archive from its official source"
        ) from error
    if not isinstance(content, dict):
        raise BenchError(
            f"{path} holds a {type(content).__name__}, expected a dictionary; get it again"
        )
    return {
        key.decode("latin1") if isinstance(key, bytes) else key: content[key] for key in content
    }
