"""Modules of users that register parts: named on the command line, or of an installed package.

A module is imported only because the user names it (``--import``, ``imports`` of a suite,
``custom_imports`` of a config) or because an installed package has an entry point in the group
``simmim_bench.plugins``. No checkpoint, card, record or run folder can name one.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from simmim_bench.errors import BenchError

T = TypeVar("T")

GROUP = "simmim_bench.plugins"
"""Group of entry points whose modules are imported at the first look-up in a registry."""
INHERITED = "SIMMIM_BENCH_IMPORTS"
"""Variable by which processes that this one starts import the same modules."""
FLAG = "--import MODULE"
HINT = f"if a module of yours registers it, add {FLAG}"
"""End of messages about a name that no registry has."""
LIBRARIES = ("simmim_bench", "mmengine", "mmcv", "mmdet", "mmseg", "mmpretrain")
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
ERRORS = (Exception, SystemExit)
"""Whatever a module may raise while it is imported."""

_noted: list[str] = []


def note(module: str) -> None:
    """Say that a module of a user registered something; every ``register_*`` function calls it."""
    _noted.append(module)


class Table(Generic[T]):
    """Parts of one kind by name: those of the package, and those that modules of users add.

    Args:
        what: Name of the kind, for errors.
        own: Those of the package.
    """

    def __init__(self, what: str, own: Mapping[str, T]) -> None:
        self._what = what
        self._parts = dict(own)
        self._modules = dict.fromkeys(own, "simmim_bench")

    def add(self, name: str, part: T, module: str) -> None:
        """Add a part; ``module`` may add the same name again, as when it is loaded again.

        Raises:
            BenchError: If another module has added the name.
        """
        known = self._modules.setdefault(name, module)
        if known != module:
            raise BenchError(
                f"{known} and {module} both register the {self._what} {name!r}; give yours another "
                f"name"
            )
        self._parts[name] = part
        note(module)

    def __contains__(self, name: str) -> bool:
        return name in self._parts or name in self.all()

    def all(self) -> Mapping[str, T]:
        """All parts by name; imports the modules of installed packages at the first call."""
        load_plugins()
        return self._parts

    def added(self) -> Mapping[str, T]:
        """Those of users."""
        return {
            name: part for name, part in self.all().items() if self._modules[name] != "simmim_bench"
        }


def caller() -> str:
    """Name of the module that called the function that calls this one."""
    return str(sys._getframe(2).f_globals.get("__name__", "a module"))


def with_hint(message: str) -> str:
    """A message about an unknown name, with the flag that may help."""
    hint = f" {HINT[0].upper()}{HINT[1:]}" if message.endswith("?") else f"; {HINT}"
    return message + hint


def import_modules(
    names: Iterable[str], *, given: str = "--import", inherited: bool = True
) -> None:
    """Import modules that the user named, here and in all processes that this one starts.

    Modules are looked for among the installed packages, then in the current folder.

    Args:
        names: Dotted names.
        given: What named them, for errors.
        inherited: Whether processes that this one starts import them, too.

    Raises:
        BenchError: If one is not a dotted name, cannot be imported, registers nothing, or
            registers a name that exists.
    """
    for name in names:
        known, before = name in imported(), _registered()
        import_module(name, given=given)
        if not known and _registered() == before and not _has_registered(name):
            raise BenchError(
                f"{given} {name}: the module registers nothing; put a decorator such as "
                f'@MASKS.register_module("NAME") above your class (docs/own-method.md)'
            )
        if inherited:
            _hand_down(name)


def import_module(name: str, *, given: str) -> None:
    """Import one module, here alone; it need not register anything. See ``import_modules``."""
    if not DOTTED.fullmatch(name) or name.endswith(".py"):
        raise BenchError(
            f"{given} takes the dotted name of a module, such as my_package.methods, got {name!r}; "
            f"run the command in the folder that holds the module, or install it with pip"
        )
    look_in(Path.cwd())
    importlib.import_module("simmim_bench.ops").install()  # before it imports mmdet
    try:
        importlib.import_module(name)
    except ERRORS as error:
        raise BenchError(f"{given} {name}: {_reason(name, error)}") from error


def import_custom(stated: Any, config: str) -> None:
    """Import the modules that ``custom_imports`` of a config names; they may register nothing.

    Args:
        stated: Its value.
        config: Path of the config, for errors.

    Raises:
        BenchError: If it has another form than ``dict(imports=[...])``, or as ``import_module``.
    """
    names = stated.get("imports", []) if hasattr(stated, "get") else stated or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise BenchError(
            f"custom_imports of {config} must be dict(imports=[...]) with names of modules, got "
            f"{stated!r:.80}"
        )
    for name in names:
        import_module(name, given=f"custom_imports of {config}:")
        _hand_down(name)


def _hand_down(name: str) -> None:
    """Let processes that this one starts import a module, too."""
    os.environ[INHERITED] = ",".join(dict.fromkeys((*imported(), name)))


def flags(names: Iterable[str]) -> list[str]:
    """Arguments that let a command import modules of the user."""
    return [word for name in names for word in ("--import", name)]


def look_in(folder: Path) -> None:
    """Look for modules in ``folder`` too, after the installed packages."""
    if str(folder) not in sys.path and folder.is_dir():
        sys.path.append(str(folder))


def imported() -> tuple[str, ...]:
    """Modules of the user that this process, or the one that started it, has imported."""
    return tuple(filter(None, os.environ.get(INHERITED, "").split(",")))


@cache
def load_plugins() -> None:
    """Import the modules of installed packages, and those that the parent process imported.

    Registries call it at the first look-up; a second call does nothing.

    Raises:
        BenchError: As ``import_modules``; it names the package.
    """
    for name in imported():
        import_module(name, given="--import")
    for entry in sorted(metadata.entry_points(group=GROUP)):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package"
        given = f"entry point {entry.name!r} of {package}:"
        try:
            import_modules([entry.module], given=given, inherited=False)
        except BenchError as error:
            raise BenchError(f"{error}, or uninstall {package}") from error


def hash_module(name: str) -> str:
    """SHA-256 of the source of a module: of all files of its package, or of its one file.

    The module is not imported. Names and content of the ``.py`` files count.

    Args:
        name: Dotted name.

    Raises:
        BenchError: If there is no such module.
    """
    top = name.partition(".")[0]
    look_in(Path.cwd())
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        raise BenchError(f"there is no module {top!r}; {_where()}")
    digest = hashlib.sha256()
    for path, shown in _sources(spec.origin, list(spec.submodule_search_locations or [])):
        digest.update(f"{shown}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources(origin: str | None, folders: list[str]) -> Iterator[tuple[Path, str]]:
    if not folders and origin is not None and Path(origin).is_file():
        yield Path(origin), Path(origin).name
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*.py")):
            shown = path.relative_to(folder)
            if not any(part.startswith(".") or part == "site-packages" for part in shown.parts):
                yield path, shown.as_posix()


def _reason(name: str, error: BaseException) -> str:
    """Why a module cannot be imported, and what to do."""
    if isinstance(error, BenchError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name and _is_part(error.name, name):
        return f"there is no module {error.name!r}; {_where()}"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if not frame.filename.startswith("<frozen")][1:]
    place = f" in {inside[-1].filename}, line {inside[-1].lineno}" if inside else ""
    if isinstance(error, SyntaxError):
        place = f" in {error.filename}, line {error.lineno}"
        error = SyntaxError(error.msg)
    text = f"{type(error).__name__}: {error!s:.300}"
    return f"the module cannot be imported ({text}{place}); correct it"


def _is_part(missing: str, name: str) -> bool:
    return name == missing or name.startswith(f"{missing}.")


def _where() -> str:
    return f"install it with pip, or run the command in the folder that holds it ({Path.cwd()})"


def _registered() -> int:
    """Number of parts of users in all registries."""
    return len(_noted) + sum(1 for each in _classes() if _top(each) not in LIBRARIES)


def _has_registered(name: str) -> bool:
    """Whether the package of ``name`` has registered something."""
    tops = {_top(each) for each in _classes()} | {each.partition(".")[0] for each in _noted}
    return name.partition(".")[0] in tops


def _classes() -> Iterator[object]:
    """Everything in the registries of mmengine, of the libraries and of simmim_bench."""
    for library in LIBRARIES:
        module = sys.modules.get(f"{library}.registry")
        for value in list(vars(module).values()) if module else ():
            known = getattr(value, "module_dict", None)
            yield from known.values() if isinstance(known, dict) else ()


def _top(item: object) -> str:
    return str(getattr(item, "__module__", "simmim_bench")).partition(".")[0]
