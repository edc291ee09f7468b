"""Registries of simmim_bench, filled at the first look-up.

A config of mmpretrain, mmdet or mmseg names our classes ``simmim_bench.X``. mmengine imports this
module for that prefix. A look-up imports the files of the packages listed below that define a class
of this name, and all of them only if none does: a run of one task does not wait for the imports of
another. A new file is found without being listed anywhere. Files outside the package register
their classes in the same way (``plugins``, docs/own-method.md).
"""

from __future__ import annotations

import contextlib
import difflib
import io
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine import registry as roots
from mmengine.registry import Registry

from simmim_bench.errors import BenchError
from simmim_bench.plugins import load_plugins, with_hint

SCOPE = "simmim_bench"


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Drop the lines that the libraries print when their datasets are imported."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        yield
    sys.stdout.writelines(
        line for line in printed.getvalue().splitlines(True) if "Could not import OneDL" not in line
    )


class NearNameRegistry(Registry):
    """A registry that suggests the nearest names when a name is unknown."""

    def get(self, key: str) -> Any:
        """Return the class registered as ``key``.

        Raises:
            KeyError: If neither this registry nor its parents have ``key``.
        """
        self._import_definition(key)
        found = self.module_dict.get(key) or super().get(key)
        if found is None:
            what = unknown_name(key, sorted(self.module_dict), f"{self.scope} {self.name}")
            raise KeyError(with_hint(what))
        return found

    def _import_definition(self, name: str) -> None:
        """Import the files that define ``name``, also if a module of a user has registered it."""
        definition = re.compile(rf"^(?:class|def) {re.escape(name)}\b", re.MULTILINE)
        with imports():
            for module in self._locations:
                if definition.search(_source(module)):
                    import_module(module)
        load_plugins()

    def import_from_location(self) -> None:
        """Import the packages that may register something, and the modules of users.

        Raises:
            BenchError: As ``plugins.load_plugins``.
        """
        with imports():
            super().import_from_location()
        load_plugins()

    def _register_module(
        self,
        module: Any,
        module_name: str | list[str] | None = None,
        force: bool = False,  # noqa: ARG002  (mmengine's; a name keeps its meaning)
    ) -> None:
        """Register a class; the same one may come again, as when its module is loaded again.

        Raises:
            BenchError: If another class has the name.
        """
        names = (
            [module_name or module.__name__] if not isinstance(module_name, list) else module_name
        )
        for name in names:
            known = self.module_dict.get(name, module)
            if _path_of(known) != _path_of(module):
                raise BenchError(
                    f"{_path_of(known)} and {_path_of(module)} are both registered as the "
                    f"{self.name} {name!r}; give yours another name"
                )
        super()._register_module(module, names, force=True)


@cache
def _source(module: str) -> str:
    """Source text of one of our modules."""
    place = Path(__file__).parent.joinpath(*module.split(".")[1:])
    return (place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text(
        "utf-8"
    )


def _path_of(item: Any) -> str:
    return f"{item.__module__}.{item.__qualname__}"


def unknown_name(name: str, known: list[str], what: str) -> str:
    """Message for an unknown ``name``: similar names if there are any, else all known names."""
    bare = name.rsplit(".", 1)[-1]
    near = difflib.get_close_matches(bare, known, n=3, cutoff=0.5)
    if near:
        return f"unknown {what} {name!r}; did you mean {' or '.join(near)}?"
    return f"unknown {what} {name!r}; known are: {', '.join(known) or 'none'}"


def class_of(name: str, registry: str, scope: str) -> Any:
    """Class that a config of the library ``scope`` names, or None if there is none.

    Args:
        name: ``type`` in a config.
        registry: Name of one of mmengine's root registries, for example ``MODELS``.
        scope: Default scope of the config.
    """
    try:
        with getattr(roots, registry).switch_scope_and_registry(scope) as local:
            return local.get(name)
    except (KeyError, RuntimeError, ImportError):
        return None


def _modules(place: str) -> list[str]:
    """Modules of the package ``place`` (dotted, relative to ours), or ``place`` if it is a file."""
    folder = Path(__file__).parent.joinpath(*place.split("."))
    found = [f"{place}.{module.name}" for module in pkgutil.iter_modules([str(folder)])]
    return [f"{SCOPE}.{name}" for name in (found or [place])]


def _child(name: str, parent: Registry | None, *places: str) -> NearNameRegistry:
    modules = [module for place in places for module in _modules(place)]
    return NearNameRegistry(name, parent=parent, scope=SCOPE, locations=modules)


MASKS = _child("masking strategy", None, "masking")
"""Strategies of ``GenerateMask``, under the names that configs use: ``strategy="random"``."""
MODELS = _child(
    "model",
    roots.MODELS,
    "backbones",
    "models",
    "models.decoders",
    "models.losses",
    "models.targets",
    "tasks",
    "data.augment",  # mixes the batches of classifiers
)
TRANSFORMS = _child(
    "transform",
    roots.TRANSFORMS,
    "masking",
    "data.transforms",
    "data.augment",
    "data.band_transforms",
    "tasks",
)
DATASETS = _child(
    "dataset",
    roots.DATASETS,
    "data.image_folder",
    "data.shards",
    "data.lmdb",
    "data.packed",
    "data.held_out",
    "tasks",
)
DATA_SAMPLERS = _child("data sampler", roots.DATA_SAMPLERS, "data.transforms")
HOOKS = _child("hook", roots.HOOKS, "training.hooks", "training.cost", "training.stopping", "tasks")
METRICS = _child("metric", roots.METRICS, "tasks")
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    "optimizer wrapper constructor", roots.OPTIM_WRAPPER_CONSTRUCTORS, "training.optim"
)
PARAM_SCHEDULERS = _child("parameter scheduler", roots.PARAM_SCHEDULERS, "training.optim")
OPTIM_WRAPPERS = _child("optimizer wrapper", roots.OPTIM_WRAPPERS, "training.runner")
LOOPS = _child("loop", roots.LOOPS, "training.runner")
