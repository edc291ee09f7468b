"""Build a recipe around the backbone of given weights (``configs/any``).

Such a config has ``type="simmim_bench.BackboneOfWeights"`` in the place of a backbone. Class and
architecture come from the card of the weights; ``by_backbone`` in the config states the values that
differ between backbones. Channels and strides of what follows are those of the card's ``levels``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simmim_bench.errors import BenchError

OPEN = "simmim_bench.BackboneOfWeights"
"""The type that stands for a backbone."""
MEASURED = {
    "robustness": "simmim-bench robustness RUN --sets NAME",
    "painting": "simmim-bench analyze painting CONFIG RUN --protocol NAME",
}
"""Keys of configs that say how a trained model is measured, and the commands that do."""
BY_BACKBONE = "by_backbone"
ONE_STRIDE, SEVERAL_STRIDES = "one_stride", "several_strides"
LEVELS = 4
"""Of a feature pyramid, finest first ..."""
FINEST = 4
"""... from this stride on, if the backbone has finer ones."""
MAP_HEADS = ("MaskRCNN", "FasterRCNN", "FrozenMaskRCNN", "EncoderDecoder")
"""Models that need several levels."""
DECODED = ("FrozenSegmentor", "FrozenDepthEstimator")
PROBES = {
    **dict.fromkeys(("RetrievalSegmentor", "LinearGrid", "AttentiveClassifier"), "channels"),
    **dict.fromkeys(("KNNClassifier", "LogisticClassifier"), "channels"),
    **dict.fromkeys(DECODED, "decode_head.in_channels"),
}
"""Models of frozen features, and where they state the channels; they name their layers."""
WINDOWED = {
    "mmpretrain.BEiTViT": "simmim_bench.WindowedBEiTViT",
    "mmpretrain.VisionTransformer": "simmim_bench.WindowedViT",
}
OF_THE_TASK = {
    *("out_indices", "drop_path_rate", "img_size", "window_size", "stage_cfgs", "pad_small_map"),
    *("pretrained_window_sizes", "out_type", "final_norm", "frozen_stages", "norm_eval"),
    *("gap_before_final_norm", "use_rel_pos_bias", "use_shared_rel_pos_bias", "with_cp"),
    *("init_cfg", "global_blocks"),
}
"""Options of a card's backbone that are not those of its weights."""
DEFAULT_IMAGE = 224  # of mmpretrain's classes
DEFAULT_WINDOW = 7  # same


def is_open(cfg: Any) -> bool:
    """Whether the backbone of a config is that of the weights."""
    backbone = (cfg.get("model") or {}).get("backbone") or {}
    return bool(backbone.get("type") == OPEN)


def check_filled(cfg: Any, name: str) -> None:
    """Raise if a config still has no backbone, or describes a measurement and has no model.

    Args:
        cfg: Config.
        name: Its path.

    Raises:
        BenchError: Says how to give it one.
    """
    for key, command in MEASURED.items():
        if key in cfg and cfg.get("model") is None:
            raise BenchError(f"{name} has no model: it says how one is measured; run `{command}`")
    if is_open(cfg):
        raise BenchError(
            f"{name} takes its backbone from weights: pass --pretrained BACKBONE.PTH, or for "
            "random weights --from-scratch --like BACKBONE.PTH; for a finished run, use a config "
            "with that backbone, such as simmim-bench evaluate and each run write"
        )


def fill_backbone(cfg: Any, card: Mapping[str, Any], name: str) -> None:
    """Put the backbone of weights into an open config, in place.

    Args:
        cfg: Config for which ``is_open``.
        card: Card of the weights, with what ``weights.levels.read_backbone`` adds.
        name: Path of the config, for errors.

    Raises:
        BenchError: If the recipe does not fit the backbone's levels.
    """
    levels = Levels(card)
    own, cfg[BY_BACKBONE] = dict(cfg.get(BY_BACKBONE, {})), {}
    for key in (levels.shape, card["adapter"]):
        cfg.merge_from_dict(copy.deepcopy(dict(own.get(key, {}))))
    options = {key: value for key, value in cfg.model.backbone.items() if key != "type"}
    task = _Task(cfg, card, levels, options)
    known = {k: v for k, v in card["backbone_config"].items() if k not in OF_THE_TASK}
    specific = _OPTIONS.get(card["adapter"], _any_options)(task)
    cfg.model.backbone = {**copy.deepcopy(known), **specific, **options}
    cfg.backbone_name = backbone_name(card)
    _fill_heads(cfg, levels, task.indices(), name)


class Levels:
    """Levels of a backbone that a task may use.

    Args:
        card: Card of the weights.
    """

    def __init__(self, card: Mapping[str, Any]) -> None:
        self.strides: list[int] = list(card["levels"]["strides"])
        self.channels: list[int] = list(card["levels"]["channels"])
        self.any_size: dict[str, Any] = dict(card.get("any_size", {}))
        self.chooses: bool = card.get("chooses_levels", True)
        self.blocks: int = card["architecture"].get("num_layers", len(self.strides))
        self.backbone = backbone_name(card)

    @property
    def last(self) -> int:
        """Index of the deepest level."""
        return (self.blocks if self.shape == ONE_STRIDE else len(self.strides)) - 1

    @property
    def shape(self) -> str:
        """Whether a pyramid has to be made of one level."""
        return ONE_STRIDE if len(set(self.strides)) == 1 else SEVERAL_STRIDES

    def pyramid(self) -> list[int]:
        """Indices of the levels of a pyramid."""
        if self.shape == ONE_STRIDE:
            return [max(self.blocks * part // 6 - 1, 0) for part in (2, 3, 4, 6)]
        wanted = [index for index, stride in enumerate(self.strides) if stride >= FINEST]
        return (wanted if len(wanted) >= LEVELS else list(range(len(self.strides))))[-LEVELS:]

    def __str__(self) -> str:
        return f"strides {', '.join(map(str, dict.fromkeys(self.strides)))} ({self.backbone})"


class _Task:
    """What decides the options of a backbone besides its weights."""

    def __init__(
        self, cfg: Any, card: Mapping[str, Any], levels: Levels, options: dict[str, Any]
    ) -> None:
        size, windows_at = options.pop("img_size"), options.pop("windows_at", None)
        kind = str(cfg.model.type).rpartition(".")[2]
        self.config: Mapping[str, Any] = card["backbone_config"]
        self.levels, self.size, self.layers = levels, size, options.pop("layers", 1)
        self.dense = kind in MAP_HEADS
        self.any_size = self.dense or kind in (*DECODED, "RetrievalSegmentor")
        self.detection = kind.endswith("RCNN")
        self.classifier = kind == "ImageClassifier"
        self.windows_at = windows_at or max(_sides(size))

    @property
    def pretrained_size(self) -> int:
        return max(_sides(self.config.get("img_size", DEFAULT_IMAGE)))

    def indices(self) -> list[int]:
        """Levels that the backbone returns."""
        if not self.dense:
            last = self.levels.last
            return list(range(max(last + 1 - self.layers, 0), last + 1))
        if self.detection and self.levels.shape == ONE_STRIDE:
            return [self.levels.last]
        return self.levels.pyramid()


def _swin(task: _Task) -> dict[str, Any]:
    """Windows grow with the image as SimMIM's: 6 at 192 px, 7 at 224 px."""
    factor = max(1.0, task.windows_at / task.pretrained_size)
    windows = [round(window * factor) for window in _windows(task)]
    tokens = _tokens(task)
    one = len(set(windows)) == 1
    return {
        "img_size": DEFAULT_IMAGE if task.detection else max(_sides(task.size)),
        "window_size": windows[0] if one else max(windows),
        **({} if one else {"stage_cfgs": [{"window_size": window} for window in windows]}),
        **_padding(task, any(w > t for w, t in zip(windows, tokens, strict=True))),
        "out_indices": tuple(task.indices()),
    }


def _swinv2(task: _Task) -> dict[str, Any]:
    """As Swin; a window never exceeds its stage, and biases follow from the pretrained windows."""
    factor = max(1.0, task.windows_at / task.pretrained_size)
    trained = _windows(task)
    windows = [
        min(round(window * factor), tokens)
        for window, tokens in zip(trained, _tokens(task, task.windows_at), strict=True)
    ]
    return {
        "img_size": DEFAULT_IMAGE if task.detection else max(_sides(task.size)),
        "window_size": windows,
        "pretrained_window_sizes": trained,
        **_padding(task, needed=False),
        "out_indices": tuple(task.indices()),
    }


def _windows(task: _Task) -> list[int]:
    stages = [stage["window_size"] for stage in task.config.get("stage_cfgs") or []]
    given = stages or task.config.get("window_size", DEFAULT_WINDOW)
    return [given] * len(task.levels.strides) if isinstance(given, int) else list(given)


def _tokens(task: _Task, size: int | None = None) -> list[int]:
    """Tokens along the shorter side of each stage."""
    side = size or min(_sides(task.size))
    return [-(-side // stride) for stride in task.levels.strides]


def _padding(task: _Task, needed: bool) -> dict[str, bool]:
    return {"pad_small_map": True} if task.any_size or needed else {}


def _vit(task: _Task) -> dict[str, Any]:
    """BEiT's ViT: one bias table a block in tasks, if it has such tables at all."""
    config = task.config
    tables = config.get("use_rel_pos_bias") or config.get("use_shared_rel_pos_bias")
    biases = {"use_rel_pos_bias": bool(tables), "use_shared_rel_pos_bias": False}
    return {**_columnar(task, size=task.size), **biases}


def _plain_vit(task: _Task) -> dict[str, Any]:
    """The position embedding is resized to the image, in detection in every forward."""
    windowed = task.detection and _is_large(task)
    return _columnar(task, size=task.pretrained_size if windowed else task.size)


def _columnar(task: _Task, *, size: Any) -> dict[str, Any]:
    # weights of a fine-tuned classifier have no norm that was pretrained on the map
    norm = task.config.get("final_norm", True) and not (task.dense or task.classifier)
    return {
        "img_size": size,
        "final_norm": bool(norm),
        "out_type": "avg_featmap" if task.classifier else "featmap",
        "out_indices": task.indices(),
        **(_attention_in_windows(task) if task.detection and _is_large(task) else {}),
    }


def _is_large(task: _Task) -> bool:
    """Whether the image has more tokens than that of the pretraining."""
    return max(_sides(task.size)) > task.pretrained_size and task.config["type"] in WINDOWED


def _attention_in_windows(task: _Task) -> dict[str, Any]:
    """Windows of the pretraining's token grid, and 4 blocks without (ViTDet, section 3)."""
    blocks = task.levels.blocks
    parts = next(number for number in (4, 2, 1) if blocks % number == 0)
    return {
        "type": WINDOWED[task.config["type"]],
        "window_size": task.pretrained_size // task.levels.strides[0],
        "global_blocks": tuple(blocks * (part + 1) // parts - 1 for part in range(parts)),
    }


def _convnext(task: _Task) -> dict[str, Any]:
    """Classifiers normalise the mean of the map, as ConvNeXt's models/convnext.py."""
    return {"gap_before_final_norm": task.classifier, "out_indices": task.indices()}


def _timm(task: _Task) -> dict[str, Any]:
    """Models that know one image size keep the weights' own, and resize in every forward."""
    size = {"img_size": task.config["img_size"]} if "img_size" in task.config else {}
    return {**size, **task.levels.any_size, "out_indices": tuple(task.indices())}


def _any_options(task: _Task) -> dict[str, Any]:
    """A class of a user may return one map, always."""
    if task.levels.chooses:
        return {"out_indices": tuple(task.indices())}
    if task.indices() == [task.levels.last]:
        return {}
    raise BenchError(
        f"the recipe reads several levels of the backbone, and the class {task.config['type']} has "
        f"no argument out_indices to choose them, or its adapter no property `levels` that lists "
        f"all of them; add both, or leave out this task"
    )


_OPTIONS: dict[str, Callable[[_Task], dict[str, Any]]] = {
    "swin": _swin,
    "swinv2": _swinv2,
    "vit": _vit,
    "plain_vit": _plain_vit,
    "convnext": _convnext,
    "timm": _timm,
}


def _fill_heads(cfg: Any, levels: Levels, indices: list[int], name: str) -> None:
    """Channels and strides of what follows the backbone."""
    model, last = cfg.model, levels.channels[-1]
    chosen = levels.pyramid()
    one = levels.shape == ONE_STRIDE
    channels = [last] * LEVELS if one else [levels.channels[index] for index in chosen]
    kind = str(model.type).rpartition(".")[2]
    if kind in PROBES:
        whole = last * len(indices) if one else sum(levels.channels[index] for index in indices)
        cfg.merge_from_dict({f"model.{PROBES[kind]}": whole})
    elif kind.endswith("RCNN"):
        strides = [] if one else [levels.strides[index] for index in chosen]
        _fill_detector(model, levels, strides, channels, name)
    elif kind == "EncoderDecoder":
        if one:
            _check(model.get("neck"), "Feature2Pyramid", levels, name)
            model.neck.update(embed_dim=last, rescales=_rescales(levels.strides[-1]))
        else:
            _check(model.get("neck"), None, levels, name)
        model.decode_head.in_channels = channels
        model.auxiliary_head.in_channels = channels[2]
    else:
        model.head.in_channels = last


def _fill_detector(
    model: Any, levels: Levels, strides: Sequence[int], channels: list[int], name: str
) -> None:
    if levels.shape == ONE_STRIDE:
        _check(model.neck, "SimpleFeaturePyramid", levels, name)
        model.neck.in_channels = channels[-1]
        patch = levels.strides[-1]
        strides = [patch // 4, patch // 2, patch, 2 * patch]  # ViTDet, section 3
    else:
        _check(model.neck, "FPN", levels, name)
        model.neck.in_channels = channels
    anchors = model.rpn_head.anchor_generator
    before = anchors.strides[0]
    anchors.strides = [*strides, 2 * strides[-1]]
    # objects of a level stay as large, in pixels
    anchors.scales = [_whole(scale * before / strides[0]) for scale in anchors.scales]
    for part in ("bbox_roi_extractor", "mask_roi_extractor"):
        if model.roi_head.get(part):
            model.roi_head[part].featmap_strides = list(strides)


def _check(neck: Any, expected: str | None, levels: Levels, name: str) -> None:
    """Raise unless the neck of a recipe is for as many strides as the backbone has."""
    number = len(set(levels.strides))
    if 1 < number < LEVELS:
        raise BenchError(
            f"{name} needs a backbone with one stride, or four and more; that of the weights has "
            f"{levels}; use a config for classification, k-NN or a linear probe"
        )
    if (str(neck.type).rpartition(".")[2] if neck else None) != expected:
        made, has = ("four strides", "has") if number == 1 else ("one stride", "does not have")
        raise BenchError(
            f"{name} is for backbones of {made}, that of the weights has {levels}; use the config "
            f"of configs/any that {has} plain-vit in its name"
        )


def _rescales(patch: int) -> list[float]:
    """Factors, as ``Feature2Pyramid`` has them, to strides near 4, 8, 16 and 32."""
    finest = 4 if patch > 11 else 2
    return [_whole(finest / 2**level) for level in range(LEVELS)]


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


def _sides(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


SWINS = {(96, 6): "t", (96, 18): "s", (128, 18): "b", (192, 18): "l", (352, 18): "h"}
VITS = {192: "ti", 384: "s", 768: "b", 1024: "l", 1280: "h"}
CONVNEXTS = {(96, 9): "t", (96, 27): "s", (128, 27): "b", (192, 27): "l", (256, 27): "xl"}


def backbone_name(card: Mapping[str, Any]) -> str:
    """Name of a backbone in tables; where the card has that of its kind alone, with its size."""
    stated, kind, built = card["pretraining"]["backbone"], card["adapter"], card["architecture"]
    if stated != kind:
        return str(stated)
    if kind == "timm":
        return str(built["model_name"])
    if kind == "resnet":
        return f"resnet-{built['depth']}"
    sizes: dict[str, Callable[[], str | None]] = {
        "swin": lambda: SWINS.get((built["embed_dims"], built["depths"][2])),
        "swinv2": lambda: SWINS.get((built["embed_dims"], built["depths"][2])),
        "vit": lambda: VITS.get(built["embed_dims"]),
        "plain_vit": lambda: VITS.get(built["embed_dims"]),
        "convnext": lambda: CONVNEXTS.get((built["channels"][0], built["depths"][2])),
    }
    size = sizes[kind]() if kind in sizes else None
    return f"{kind.replace('_', '-')}{f'-{size}' if size else ''}"
