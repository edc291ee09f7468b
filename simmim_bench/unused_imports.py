"""Keep the OpenMMLab libraries from importing large packages that simmim_bench does not use.

Their language models and their tracking of objects import transformers and scikit-learn, which is
a third of the time of a start. With transformers 5 the import of mmpretrain's language models
fails, and with it that of all its models.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

OPTIONAL = "mmpretrain.utils.dependency"
"""mmpretrain's module that decides whether its language models are imported."""

UNUSED = {
    "mmdet.datasets.transforms.text_transformers": "transformers",
    "mmdet.models.dense_heads.atss_vlfusion_head": "transformers",
    "mmdet.models.language_models.bert": "transformers",
    "mmdet.models.task_modules.tracking.interpolation": "sklearn",
    "mmdet.models.utils.vlfuse_helper": "transformers",
    "mmengine.optim.optimizer.builder": "transformers",
}
"""Modules that do without a package that is not installed, and the package."""


def leave_out_unused() -> None:
    """Import the modules in ``UNUSED``, and mmpretrain, as if the packages were not installed.

    Call it before the libraries are imported; a second call does nothing. A package that is
    imported already is used. Transformers' ``Adafactor`` is imported when an optimizer is built.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if OPTIONAL in sys.modules:
        sys.modules[OPTIONAL].WITH_MULTIMODAL = False  # type: ignore[attr-defined]


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in UNUSED and name != OPTIONAL:
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
        with _absent(UNUSED[name]):
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


def _adafactor(*args: Any, **kwargs: Any) -> Any:
    from transformers import Adafactor

    return Adafactor(*args, **kwargs)
