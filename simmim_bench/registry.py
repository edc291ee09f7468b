"""Registries of simmim_bench: children of mmengine's, located lazily.

A config of mmpretrain, mmdet or mmseg names our parts ``simmim_bench.X``; mmengine imports
this module by that scope, and the folders below at the first look-up.
"""

from __future__ import annotations

import difflib
from typing import Any

from mmengine import registry as roots
from mmengine.registry import Registry

SCOPE = "simmim_bench"


class NearNameRegistry(Registry):
    """A registry whose ``get`` answers an unknown name with the nearest known ones."""

    def get(self, key: str) -> Any:
        """Return the class registered as ``key``.

        Raises:
            KeyError: If neither this registry nor its parents know ``key``; the message lists
                near names.
        """
        found = super().get(key)
        if found is None:
            raise KeyError(unknown_name(key, sorted(self.module_dict), f"{self.scope} {self.name}"))
        return found


def unknown_name(name: str, known: list[str], what: str) -> str:
    """Sentence for an unknown ``name``: near names if there are any, else all known ones."""
    bare = name.rsplit(".", 1)[-1]
    near = difflib.get_close_matches(bare, known, n=3, cutoff=0.5)
    if near:
        return f"unknown {what} {name!r}; did you mean {' or '.join(near)}?"
    return f"unknown {what} {name!r}; known are: {', '.join(known) or 'none'}"


def _child(name: str, parent: Registry, *locations: str) -> NearNameRegistry:
    where = [f"{SCOPE}.{location}" for location in locations]
    return NearNameRegistry(name, parent=parent, scope=SCOPE, locations=where)


MODELS = _child(
    "model",
    roots.MODELS,
    "algorithms",
    "backbones",
    "decoders",
    "features",
    "losses",
    "losses.similarity",
    "targets",
    "finetune",
    "multimodal",
)
TRANSFORMS = _child("transform", roots.TRANSFORMS, "masking", "transforms")
DATASETS = _child("dataset", roots.DATASETS, "datasets")
DATA_SAMPLERS = _child("data sampler", roots.DATA_SAMPLERS, "datasets")
HOOKS = _child("hook", roots.HOOKS, "engine.hooks")
METRICS = _child("metric", roots.METRICS, "evaluation")
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    "optimizer wrapper constructor", roots.OPTIM_WRAPPER_CONSTRUCTORS, "finetune"
)
PARAM_SCHEDULERS = _child("parameter scheduler", roots.PARAM_SCHEDULERS, "engine.schedulers")
OPTIM_WRAPPERS = _child("optimizer wrapper", roots.OPTIM_WRAPPERS, "engine.bfloat16")
LOOPS = _child("loop", roots.LOOPS, "engine.epoch_loop")
