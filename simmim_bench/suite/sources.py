"""Hash a config with its bases as text, without mmengine, which takes seconds to import."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from pathlib import Path

from simmim_bench.errors import BenchError

# Tokens that change nothing in what a config says.
_SILENT = {tokenize.COMMENT, tokenize.NL}


def hash_sources(config: str, *, root: Path) -> dict[str, str]:
    """Hash ``config`` and, recursively, the files that its ``_base_`` names.

    Comments and spacing do not count, so that a better comment does not repeat a training.

    Args:
        config: Path from ``root``.
        root: Folder that the keys of the answer start from.

    Returns:
        Path of each file (POSIX, from ``root`` if below it) to the hex SHA-256 of its tokens.

    Raises:
        BenchError: If a base does not exist or a file is not Python.
    """
    hashes: dict[str, str] = {}
    waiting = [(root / config).resolve()]
    while waiting:
        path = waiting.pop()
        name = _name(path, root)
        if name in hashes:
            continue
        try:
            text = path.read_text("utf-8")
            bases = _bases(text, name)
            hashes[name] = _hash_tokens(text)
        except (SyntaxError, tokenize.TokenError) as error:
            raise BenchError(f"config {name} is not valid Python: {error}") from None
        except ValueError as error:
            raise BenchError(
                f"config {name} cannot be read without running it: {error}; expected Python in "
                f"UTF-8 whose _base_ is a plain list of paths"
            ) from None
        for base in bases:
            found = (path.parent / base).resolve()
            if not found.is_file():
                raise BenchError(f"config {name} has the base {base}, which does not exist")
            waiting.append(found)
    return dict(sorted(hashes.items()))


def _bases(text: str, name: str) -> list[str]:
    """Files named by a literal top-level ``_base_``; ``scope::`` names an installed library's."""
    body = ast.parse(text).body
    if any(isinstance(node, ast.With) for node in body):
        raise BenchError(
            f"config {name} imports its bases (read_base), which a suite cannot follow; name them "
            f"in _base_"
        )
    for node in body:
        if not isinstance(node, ast.Assign):
            continue
        if any(isinstance(target, ast.Name) and target.id == "_base_" for target in node.targets):
            value = ast.literal_eval(node.value)
            bases = [value] if isinstance(value, str) else list(value)
            return [base for base in bases if "::" not in base]
    return []


def _hash_tokens(text: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    said = "\0".join(token.string for token in tokens if token.type not in _SILENT)
    return hashlib.sha256(said.encode()).hexdigest()


def _name(path: Path, root: Path) -> str:
    root = root.resolve()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
