"""Keep mmpretrain from importing its language models, which simmim_bench does not use.

With transformers 5 their import fails, and with it that of all models of mmpretrain.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

OPTIONAL = "mmpretrain.utils.dependency"
"""mmpretrain's module that decides whether its language models are imported."""


def leave_out_language_models() -> None:
    """Let mmpretrain register its placeholders for them, as if transformers were not installed.

    Call it before mmpretrain is imported; a second call does nothing.
    """
    library = importlib.util.find_spec("mmpretrain")
    if OPTIONAL in sys.modules:
        sys.modules[OPTIONAL].WITH_MULTIMODAL = False  # type: ignore[attr-defined]
        return
    if library is None or library.origin is None:
        return
    path = Path(library.origin).with_name("utils") / "dependency.py"
    spec = importlib.util.spec_from_file_location(OPTIONAL, path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.WITH_MULTIMODAL = False  # type: ignore[attr-defined]
    sys.modules[OPTIONAL] = module
