"""Keep the OpenMMLab libraries from importing large packages that simmim_bench does not use.

Language models, the tracking of objects and the detection of lanes import transformers,
scikit-learn and imgaug, which is a third of the time of a start. With transformers 5 the import of
mmpretrain's language models fails, and with it that of all its models.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

from simmim_bench.errors import BenchError

OPTIONAL = "mmpretrain.utils.dependency"
"""mmpretrain's module that decides whether its language models are imported."""

UNUSED = {
    "mmdet.datasets.transforms.text_transformers": "transformers",
    "mmdet.models.dense_heads.atss_vlfusion_head": "transformers",
    "mmdet.models.dense_heads.paa_head": "sklearn",
    "mmdet.models.language_models.bert": "transformers",
    "mmdet.models.task_modules.tracking.interpolation": "sklearn",
    "mmdet.models.utils.vlfuse_helper": "transformers",
    "mmengine.optim.optimizer.builder": "transformers",
}
"""Modules that do without a package that is not installed, and the package."""

NEEDED = {
    "mmdet.datasets.transforms.generate_line": (
        *("imgaug", "imgaug.augmenters", "imgaug.augmentables", "imgaug.augmentables.lines"),
        "imgaug.augmentables.segmaps",
    ),
}
"""A module that cannot be imported without a package, and what it imports of it."""


def leave_out_unused() -> None:
    """Import the modules in ``UNUSED``, and mmpretrain, as if the packages were not installed.

    Call it before the libraries are imported; a second call does nothing. A package that is
    imported already is used. Transformers' ``Adafactor`` is imported when an optimizer is built.
    Where a package cannot be missing, its names raise an error when they are used.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if OPTIONAL in sys.modules:
        sys.modules[OPTIONAL].WITH_MULTIMODAL = False  # type: ignore[attr-defined]


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in UNUSED and name not in NEEDED and name != OPTIONAL:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Run the module without its package."""
        name = module.__name__
        if name == OPTIONAL:
            super().exec_module(module)
            module.WITH_MULTIMODAL = False  # type: ignore[attr-defined]
            return
        without = _absent(UNUSED[name]) if name in UNUSED else _left_out(NEEDED[name])
        with without:
            super().exec_module(module)
        if name == "mmengine.optim.optimizer.builder" and "Adafactor" not in module.OPTIMIZERS:
            module.OPTIMIZERS.register_module(name="Adafactor", module=_adafactor)


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """Let ``import package`` fail in the block, unless it is imported already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


@contextmanager
def _left_out(names: Sequence[str]) -> Iterator[None]:
    """Let some modules be empty in the block, unless the first is imported already."""
    if names[0] in sys.modules:
        yield
        return
    for name in names:
        sys.modules[name] = made = _LeftOut(name)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, made)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


class _LeftOut(ModuleType):
    """A module whose names raise an error when they are called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: object, **__: object) -> None:
            raise BenchError(
                f"{self.__name__}.{name} is not imported by simmim_bench, whose tasks do not need "
                f"it; import {self.__name__.split('.')[0]} first, in a module of --import"
            )

        return refuse


def _adafactor(*args: Any, **kwargs: Any) -> Any:
    from transformers import Adafactor

    return Adafactor(*args, **kwargs)
