"""Hash a config and its bases as Python tokens; mmengine would take seconds to import."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

from simmim_bench import shipped
from simmim_bench.errors import BenchError

# Tokens that do not change what a config means.
_IGNORED = {tokenize.COMMENT, tokenize.NL}


def hash_sources(config: str, *, root: Path) -> dict[str, str]:
    """Hash ``config`` and, recursively, the files in its ``_base_``.

    Comments and spacing do not count, so changing them does not repeat a training.

    Args:
        config: Path from ``root``, or one of the package (``shipped.find``).
        root: Folder of relative paths.

    Returns:
        Path of each file (POSIX, from ``root`` if below it, ``configs/...`` if it is one of the
        package) to the hex SHA-256 of its tokens.

    Raises:
        BenchError: If the config or a base does not exist or is not Python.
    """
    found = shipped.find(config, base=root)
    if not found.is_file():
        raise BenchError(f"config {config} does not exist; {shipped.near(config, base=root)}")
    hashes: dict[str, str] = {}
    waiting = [found.resolve()]
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
        except (ValueError, RecursionError, MemoryError) as error:  # the last two: deep nesting
            raise BenchError(
                f"config {name} cannot be read without running it: {error}; expected Python in "
                f"UTF-8 with a plain list of paths as _base_"
            ) from None
        for base in bases:
            below = base.removeprefix(shipped.OURS)
            found = ((path.parent if below == base else shipped.CONFIGS) / below).resolve()
            if not found.is_file():
                raise BenchError(f"config {name}: its base {base} does not exist")
            waiting.append(found)
    return dict(sorted(hashes.items()))


def custom_imports(sources: Iterable[str], *, root: Path) -> list[str]:
    """Modules that config files name in a literal ``custom_imports``.

    Args:
        sources: Keys of ``hash_sources``.
        root: Project's root.
    """
    found: dict[str, None] = {}
    for path in (root / name for name in sources):
        for node in ast.parse(path.read_text("utf-8")).body if path.is_file() else ():
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == "custom_imports"
                for target in node.targets
            ):
                found.update(dict.fromkeys(_modules(node.value)))
    return list(found)


def _modules(value: ast.expr) -> list[str]:
    """Names in ``dict(imports=[...])``; none if they are not literal."""
    if isinstance(value, ast.Call):
        value = next((each.value for each in value.keywords if each.arg == "imports"), value)
    try:
        stated = ast.literal_eval(value)
    except ValueError:
        return []
    stated = stated.get("imports", []) if isinstance(stated, dict) else stated
    stated = [stated] if isinstance(stated, str) else stated
    return [name for name in stated if isinstance(name, str)] if isinstance(stated, list) else []


def _bases(text: str, name: str) -> list[str]:
    """Files in a literal top-level ``_base_``, without those of libraries (``mmdet::...``)."""
    body = ast.parse(text).body
    if any(isinstance(node, ast.With) for node in body):
        raise BenchError(
            f"config {name} imports its bases (read_base), which suites do not support; list them "
            f"in _base_"
        )
    for node in body:
        if not isinstance(node, ast.Assign):
            continue
        if any(isinstance(target, ast.Name) and target.id == "_base_" for target in node.targets):
            value = ast.literal_eval(node.value)
            bases = [value] if isinstance(value, str) else value
            if not isinstance(bases, list | tuple) or not all(isinstance(x, str) for x in bases):
                raise ValueError(f"_base_ is {value!r:.80}")
            return [base for base in bases if "::" not in base or base.startswith(shipped.OURS)]
    return []


def _hash_tokens(text: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    text = "\0".join(token.string for token in tokens if token.type not in _IGNORED)
    return hashlib.sha256(text.encode()).hexdigest()


def _name(path: Path, root: Path) -> str:
    if shipped.is_shipped(path):
        return shipped.portable(str(path))
    root = root.resolve()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
