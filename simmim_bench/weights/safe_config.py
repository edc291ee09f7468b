"""Build models from configs that a file contains, without running anything else that they name.

mmengine resolves any dotted ``type`` by import, so ``type="os.system"`` in a checkpoint or a card
would run a command. Here a ``type`` must name a registered class, and classes that fetch other
files while they are built are refused.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from mmengine.registry import MODELS as ROOT
from mmengine.registry import TASK_UTILS, WEIGHT_INITIALIZERS
from mmpretrain.registry import BATCH_AUGMENTS
from torch import nn

from simmim_bench.backbones.timm import check_timm_name
from simmim_bench.errors import BenchError
from simmim_bench.plugins import FLAG
from simmim_bench.registry import MODELS

LIBRARIES = ("mmpretrain", "mmdet", "mmseg", "simmim_bench")
"""Scopes that may be imported because a file names them."""
ALWAYS = ("mmengine", "mmpretrain", "simmim_bench")
"""Scopes in which any name may be looked up: of the classes that build parts of themselves."""
SAFE_PARTS = (
    "mmcv.cnn.",
    "mmcv.ops.",
    "mmengine.model.",
    "mmengine.utils.dl_utils.",
    *(
        f"{library}.models.{part}."
        for library in ("mmpretrain", "mmdet", "mmseg")
        for part in ("backbones", "necks", "heads", "decode_heads", "layers", "losses", "utils")
    ),
    "mmpretrain.models.classifiers.image",
    "mmpretrain.models.selfsup.",
    "mmseg.models.data_preprocessor.",
    "mmseg.models.segmentors.encoder_decoder.",
    *(
        f"mmdet.models.{part}."
        for part in (
            "data_preprocessors",
            "dense_heads.rpn_head",
            "detectors.cascade_rcnn",
            "detectors.faster_rcnn",
            "detectors.mask_rcnn",
            "roi_heads.bbox_heads.convfc_bbox_head",
            "roi_heads.cascade_roi_head",
            "roi_heads.mask_heads.fcn_mask_head",
            "roi_heads.roi_extractors.single_level_roi_extractor",
            "roi_heads.standard_roi_head",
            "task_modules.assigners",
            "task_modules.coders",
            "task_modules.prior_generators",
            "task_modules.samplers",
        )
    ),
)
"""Modules of the libraries whose classes load nothing while they are built ..."""
UNSAFE_MODULES = ("mmseg.models.backbones.vpd",)
"""... but for these ..."""
FUNCTIONS = {".nms.type": ("nms", "soft_nms"), ".roi_layer.type": ("RoIAlign",)}
"""Names that mmcv evaluates or looks up by itself, by the end of their place."""
LOADING_KEYS = ("pretrained", "checkpoint_path", "tokenizer_path")
"""... and these options."""
FROZEN_NETWORKS = ("torchvision.vgg16",)  # see models/frozen.py, as ``timm.NAME``
REMEDY = (
    "do not use the file if it is not yours; if it is, train again with a config that names "
    "registered classes"
)
UNKNOWN = "it is not a registered class"
OWN_MODULE = f"if a module of yours registers it, name the module with {FLAG}; otherwise {REMEDY}"


LOAD = "LoadImage"
OF_IMAGES = (
    LOAD, "Resize", "ResizeEdge", "CenterCrop", "Pad", "PackInputs", "PackDetInputs",
    "PackSegInputs",
)  # fmt: skip
"""Steps of a test pipeline that are run ..."""
OF_LABELS = ("LoadAnnotations", "FilterAnnotations", "LoadDepth", "OverlapDepth")
"""... and those that are left out: the images have other labels, or none."""


def build_from_file(config: Mapping[str, Any], *, source: Path, entry: str, scope: Any) -> Any:
    """Build a model or backbone from the config that a file contains.

    Args:
        config: The config.
        source: The file, for errors.
        entry: Where the config is in the file, for errors.
        scope: Scope of unprefixed names (``default_scope``).

    Raises:
        BenchError: As ``check_config``.
    """
    checked = check_config(config, source=source, entry=entry, scope=scope)
    try:
        return MODELS.build(ConfigDict({**checked, "_scope_": scope}))  # mmdet reads attributes
    except Exception as error:  # whatever a class says about odd arguments
        raise BenchError(
            f"{entry} in {source} cannot be built ({type(error).__name__}: {error!s:.200}); the "
            f"file was changed after it was written, use the original"
        ) from error


def check_config(config: Any, *, source: Path, entry: str, scope: Any) -> dict[str, Any]:
    """Check each ``type`` of a config that a file contains.

    Args:
        config: The config.
        source: The file, for errors.
        entry: Where the config is in the file, for errors.
        scope: Scope of unprefixed names (``default_scope``).

    Returns:
        A copy without ``init_cfg`` of type ``Pretrained``; the file holds the weights.

    Raises:
        BenchError: If a ``type`` is not a registered class, or an option loads another file.
    """
    if not isinstance(config, Mapping):
        _refuse(source, entry, config, "it is not a dict")
    stated = [(place, name) for key, place, name in _leaves(config, entry) if key == "_scope_"]
    for place, name in [("default_scope", scope), *stated]:
        if not isinstance(name, str) or (name not in LIBRARIES and name not in _registries()):
            _refuse(source, place, name, "it is not one of the libraries that have registries")
    types = [value for key, _, value in _leaves(config, entry) if key == "type"]
    prefixes = {value.partition(".")[0] for value in types if isinstance(value, str)}
    near = {*ALWAYS, scope, *(name for _, name in stated), *prefixes}
    _import(near)
    cleaned: dict[str, Any] = _without_pretrained(config)
    for key, place, value in _leaves(cleaned, entry):
        if key == "type" and not _is_function(place, value):
            problem = _problem(value, near, initialiser=".init_cfg" in place)
            if problem:
                _refuse(source, place, value, problem)
        if (key in LOADING_KEYS and value) or (key == "model_name" and ":" in str(value)):
            _refuse(source, place, value, "it would load another file")
    return cleaned


def checked_steps(cfg: Any, source: Path) -> list[dict[str, Any]]:
    """Steps by which the test of a run prepares images, without those that read labels.

    Args:
        cfg: Config in a checkpoint.
        source: The checkpoint, for errors.

    Raises:
        BenchError: If there is a step of another kind, or the first one does not load images.
    """
    loader = cfg.get("test_dataloader") or cfg.get("val_dataloader") or {}
    steps = (loader.get("dataset") or {}).get("pipeline") or []
    steps = [one for step in steps for one in _one_view(step)]
    kept = [step for step in steps if kind_of_step(step) not in OF_LABELS]
    unknown = [step for step in kept if kind_of_step(step) not in OF_IMAGES]
    if unknown or not kept or kind_of_step(kept[0]) != LOAD:
        what = f"the step {unknown[0].get('type')!r:.80}" if unknown else "no step that loads"
        raise BenchError(
            f"the test pipeline in {source} has {what}; it can have "
            f"{', '.join(OF_IMAGES)}, the first of which loads"
        )
    return kept


def _one_view(step: Any) -> list[Any]:
    """A step; of one that makes several views, those of the middle scale, not flipped."""
    if kind_of_step(step) != "TestTimeAug":
        return [step]
    groups = step.get("transforms") or []
    scales = [group for group in groups if group and kind_of_step(group[0]) != "RandomFlip"]
    return [group[len(group) // 2] for group in scales]


def kind_of_step(step: Any) -> str:
    """Name of a transform of one of the libraries; empty if it is of none."""
    kind = step.get("type") if hasattr(step, "get") else None
    prefix, _, name = str(kind).rpartition(".")
    known = ("", "simmim_bench") if name == LOAD else ("", "simmim_bench", "mmpretrain", "mmdet",
                                                       "mmseg", "mmcv")  # fmt: skip
    return name if prefix in known else ""


def _refuse(source: Path, place: str, value: Any, problem: str) -> None:
    remedy = OWN_MODULE if problem == UNKNOWN else REMEDY
    raise BenchError(
        f"{place} in {source} is {value!r:.100}, which is refused: {problem}; {remedy}"
    )


def _leaves(value: Any, place: str) -> Iterator[tuple[Any, str, Any]]:
    """Key, place and value of each entry of a nested config."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key, f"{place}.{key}", item
            yield from _leaves(item, f"{place}.{key}")
    elif isinstance(value, list | tuple | set):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{place}[{number}]")


def _without_pretrained(value: Any) -> Any:
    """A copy in plain containers."""
    if isinstance(value, Mapping):
        return {
            key: _without_pretrained(item)
            for key, item in value.items()
            if not (key == "init_cfg" and _is_pretrained(item))
        }
    if isinstance(value, list | tuple):
        return type(value)(_without_pretrained(item) for item in value if not _is_pretrained(item))
    return value


def _is_pretrained(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("type") in ("Pretrained", "mmengine.Pretrained")


def _registries() -> dict[str, Any]:
    return {"mmengine": ROOT, **ROOT.children}


def _import(names: set[Any]) -> None:
    """Fill the registries of our libraries that are named."""
    for name in LIBRARIES:
        if name in names:
            importlib.import_module(f"{name}.registry")
    for name, registry in _registries().items():
        if name in names:
            registry.import_from_location()


def _is_function(place: str, name: Any) -> bool:
    return any(place.endswith(end) and name in names for end, names in FUNCTIONS.items())


def _problem(name: Any, near: set[Any], *, initialiser: bool) -> str | None:
    """What is wrong with a ``type``; None if nothing is.

    Args:
        name: The ``type``.
        near: Scopes in which a name without prefix may be looked up.
        initialiser: Whether it stands below ``init_cfg``.
    """
    if not isinstance(name, str):
        return "a type must be the name of a registered class"
    if initialiser:
        known = name.removeprefix("mmengine.") in WEIGHT_INITIALIZERS.module_dict
        return None if known else "it is not a registered initialiser"
    prefix, separator, rest = name.partition(".")
    if prefix == "timm" or name in FROZEN_NETWORKS:
        if prefix == "timm":
            check_timm_name(rest)
        return None
    found = (_classes(prefix, rest) or _classes_at(name)) if separator else _classes_in(near, name)
    if not found:
        return UNKNOWN
    if not all(_is_safe(item) for item in found):
        return "this class may load other files or run code"
    return None


def _classes(scope: str, name: str) -> list[Any]:
    """The class ``scope.name``: of the scope or its parent."""
    registries = _registries()
    near = (registries[scope], ROOT) if scope in registries else ()
    for more in (BATCH_AUGMENTS, TASK_UTILS):
        near += tuple(r for name, r in more.children.items() if name == scope)
    return [registry.module_dict[name] for registry in near if name in registry.module_dict][:1]


def _classes_in(scopes: set[Any], name: str) -> list[Any]:
    """Classes that ``name`` without a prefix may mean."""
    near = [registry for scope, registry in _registries().items() if scope in scopes]
    near += [registry for scope, registry in TASK_UTILS.children.items() if scope in scopes]
    return [r.module_dict[name] for r in (*near, BATCH_AUGMENTS) if name in r.module_dict]


def _classes_at(path: str) -> list[Any]:
    """The registered class at a full path, as a config that gave the class itself is stored."""
    return [
        item
        for registry in _registries().values()
        for item in registry.module_dict.values()
        if path == f"{item.__module__}.{item.__qualname__}"
    ][:1]


def _is_safe(item: Any) -> bool:
    """Whether a registered class builds from its arguments alone."""
    module = f"{item.__module__}."
    if not inspect.isclass(item) or module.removesuffix(".") in UNSAFE_MODULES:
        return False
    if module.partition(".")[0] in ("mmcv", "mmengine", "mmpretrain", "mmdet", "mmseg"):
        return module.startswith(SAFE_PARTS)
    return module.startswith("simmim_bench.") or issubclass(item, nn.Module)
