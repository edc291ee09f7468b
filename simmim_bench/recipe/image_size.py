"""``--image-size``: a recipe at another image size, in every part that knows of it.

N is the shorter side. Every length in pixels is scaled by N / (shorter side of the recipe):
crops, resizings of training, validation and test-time augmentation, sliding windows, padding and
the position parameters of the backbone. Sides of a mask patch stay as they are, and so do anchors.

A Swin's window of the last stage stays if it divides the side of that stage's map; otherwise it
becomes the next larger divisor of the side, at most the side itself. Windows of other stages keep
their ratio to it. So windows always fill the map, as in the originals: 6 at 192 px, 7 at 224 px, 8
at 256 px. With ``pad_small_map`` they stay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.recipe.channels import kind_of, parts

LENGTHS = {
    "CenterCrop": ("crop_size",),
    "RandomChoiceResize": ("scales",),
    "RandomCrop": ("crop_size",),
    "RandomResize": ("scale",),
    "RandomResizedCrop": ("scale",),
    "RandomResizedCropAndInterpolationWithTwoPic": ("size", "second_size"),
    "Resize": ("scale",),
    "ResizeEdge": ("scale",),
}
"""Arguments of transforms that are lengths in pixels."""
CROPS = ("CenterCrop", "RandomCrop", "RandomResizedCrop")
"""Transforms that make images of the size that the model sees."""
STRIDE = 32  # of the last stage of every backbone but a ViT
STAGES = 4
PATCHES = {"SwinTransformer": 4, "SwinTransformerV2": 4, "BEiTViT": 16, "VisionTransformer": 16}
"""Patch sizes of classes where a config states none."""


def set_image_size(cfg: Any, size: int, config: str = "the config") -> None:
    """Let a recipe train and evaluate on images with a shorter side of ``size``, in place.

    Args:
        cfg: Config of any training.
        size: New shorter side in pixels.
        config: Path of the config, for errors.

    Raises:
        BenchError: If the recipe states no size or cannot have this one; names sizes that fit.
    """
    stated = _stated(cfg, config)
    old = min(_sides(stated.image_size))
    if size == old:
        return
    multiple = _check(cfg, size, old, config)
    scale = Scale(old, size, multiple)
    for part in parts(cfg):
        kind = kind_of(part)
        whole = kind in CROPS or (kind == "Resize" and not part.get("keep_ratio", False))
        for name in LENGTHS.get(kind, ()):
            if part.get(name) is not None:
                part[name] = scale.of(part[name], whole=whole)
    _set_masks(cfg, scale)
    _set_model(cfg.get("model") or {}, scale, stated.image_size)
    stated["image_size"] = scale.of(stated.image_size)


def patch_size(backbone: Any) -> Any:
    """Side of a patch that a backbone's config states, or the name of its model of timm."""
    named = re.search(r"_patch(\d+)(_|\.|$)", str(backbone.get("model_name", "")))
    return backbone.get("patch_size", int(named[1]) if named else None)


def described(cfg: Any) -> str:
    """The sizes of a config that follow from that of its images, for the log."""
    stated = cfg.get("pretraining") or cfg.protocol
    said = [f"images of {' x '.join(map(str, _pair(stated.image_size)))} px"]
    windows = _windows((cfg.get("model") or {}).get("backbone") or {})
    said += [f"windows of {', '.join(map(str, dict.fromkeys(windows)))}"] if windows else []
    side = min(_sides(stated.image_size))
    for patch in {part["mask_patch_size"]: None for part in _masks(cfg)}:
        said.append(f"masks of {side // patch} x {side // patch} patches of {patch} px")
    return "; ".join(said)


class Scale:
    """Lengths in pixels at the new size.

    Args:
        old: Shorter side of the recipe.
        new: Shorter side that is asked for.
        multiple: Divides the sides of whole images.
    """

    def __init__(self, old: int, new: int, multiple: int) -> None:
        self.old, self.new, self.multiple = old, new, multiple

    def of(self, length: Any, *, whole: bool = True) -> Any:
        """Scale a length, or each of a list.

        Args:
            length: Pixels, or a list of lengths.
            whole: Whether it is the side of an image as the model sees it.
        """
        if isinstance(length, (list, tuple)):
            return type(length)(self.of(each, whole=whole) for each in length)
        if length == self.old:
            return self.new
        if whole and length > self.old:
            return round(length * self.new / self.old / self.multiple) * self.multiple
        return max(1, length * self.new // self.old)  # rounded down, as SimMIM's 256 / 224


def _stated(cfg: Any, config: str) -> Any:
    """The part of a config that states the image size."""
    if cfg.get("painting") is not None:
        raise BenchError(
            f"{config} reads images at the size of the pretraining; leave out --image-size, and "
            "pass it to the pretraining"
        )
    stated = cfg.get("pretraining") or cfg.get("protocol") or {}
    if not stated.get("image_size"):
        raise BenchError(
            f"{config} states no image_size in pretraining or protocol, from which --image-size "
            "scales all other sizes; add it to the config"
        )
    return stated


def _sides(size: Any) -> tuple[int, ...]:
    return (size,) if isinstance(size, int) else tuple(size)


def _pair(size: Any) -> tuple[int, ...]:
    return _sides(size) * (3 - len(_sides(size)))


def _check(cfg: Any, size: int, old: int, config: str) -> int:
    """Number that must divide ``size``.

    Raises:
        BenchError: If it does not, or a mask would have a single patch.
    """
    needed = list(dict.fromkeys(_multiples(cfg, old)))
    multiple = math.lcm(*(value for _, value in needed))
    patches = [part["mask_patch_size"] for part in _masks(cfg)]
    smallest = max(multiple, 2 * max(patches, default=0))
    if size % multiple == 0 and size >= smallest:
        return multiple
    below = size // multiple * multiple
    fitting = sorted({max(near, smallest) for near in (below, below + multiple)})
    why = ", ".join(f"{what} {value}" for what, value in needed if size % value)
    rule = f"be divisible by {multiple} ({why})" if why else f"be at least {smallest}"
    raise BenchError(
        f"--image-size {size} does not fit {config}: it must {rule}; use "
        f"{' or '.join(map(str, fitting))}"
    )


def _multiples(cfg: Any, old: int) -> Iterator[tuple[str, int]]:
    """What must divide the image, by its name in the error."""
    model = cfg.get("model") or {}
    for part in _masks(cfg):
        yield "mask patch size", part["mask_patch_size"]
    target = model.get("target") or {}
    for name in ("stride", "patch_size"):
        if type(target.get(name)) is int:
            yield "size of a target position", target[name]
    backbone = model.get("backbone") or {}
    kind = kind_of(backbone)
    windowed = kind.startswith("SwinTransformer") and not backbone.get("pad_small_map")
    if windowed or ("decoder" in model and "ViT" not in kind and kind != "VisionTransformer"):
        yield "stride of the last stage", STRIDE
    patch = patch_size(backbone) or PATCHES.get(kind)
    divisor = (model.get("data_preprocessor") or {}).get("pad_size_divisor", 1)
    if type(patch) is int and divisor in (1, old):  # else images are padded
        yield "patch size", patch


def _masks(cfg: Any) -> Iterator[Any]:
    """Parts that make masks of patches of pixels."""
    for part in parts(cfg):
        if type(part.get("mask_patch_size")) is int:
            yield part


def _set_masks(cfg: Any, scale: Scale) -> None:
    """Sizes in patches: those of BEiT and MAE; GenerateMask follows the image by itself."""
    share = (scale.new / scale.old) ** 2
    for part in parts(cfg):
        if kind_of(part) == "BEiTMaskGenerator":
            part["input_size"] = scale.of(part["input_size"], whole=False)
            part["num_masking_patches"] = round(part["num_masking_patches"] * share)
        elif kind_of(part) == "MAEPretrainDecoder":
            part["num_patches"] = round(part["num_patches"] * share)


def _set_model(model: Any, scale: Scale, image_size: Any) -> None:
    own = (_pair(image_size), (scale.old, scale.old))  # others are not those of the images
    for part in parts(model):
        if part.get("img_size") is not None and _pair(part["img_size"]) in own:
            part["img_size"] = scale.of(part["img_size"])
    preprocessor, test = model.get("data_preprocessor") or {}, model.get("test_cfg") or {}
    padding = preprocessor.get("test_cfg") or {}
    for part, name in (*[(each, "size") for each in (preprocessor, padding)], (test, "crop_size")):
        if part.get(name) is not None:
            part[name] = scale.of(part[name])
    if test.get("stride") is not None:
        test["stride"] = scale.of(test["stride"], whole=False)
    for name, length in (model.get("windows") or {}).items():  # of frozen features
        model["windows"][name] = scale.of(length, whole=name == "size")
    if preprocessor.get("pad_size_divisor") == scale.old:
        preprocessor["pad_size_divisor"] = scale.new
    _set_windows(model.get("backbone") or {}, scale.new)


def _set_windows(backbone: Any, size: int) -> None:
    """Windows of a Swin that divide their maps; see the top of the file."""
    if not kind_of(backbone).startswith("SwinTransformer") or backbone.get("pad_small_map"):
        return
    windows = _windows(backbone)
    last = _dividing(windows[-1], size // STRIDE)
    fitted = [window * last // windows[-1] for window in windows]
    if backbone.get("stage_cfgs"):
        backbone["stage_cfgs"] = [
            {**stage, "window_size": window}
            for stage, window in zip(backbone["stage_cfgs"], fitted, strict=True)
        ]
        backbone["window_size"] = fitted[0]
    elif isinstance(backbone.get("window_size", 7), int):
        backbone["window_size"] = last
    else:
        backbone["window_size"] = fitted


def _windows(backbone: Any) -> list[int]:
    """Window of each stage; none if the backbone is no Swin."""
    if not kind_of(backbone).startswith("SwinTransformer"):
        return []
    window = backbone.get("window_size", 7)
    windows = [window] * STAGES if isinstance(window, int) else list(window)
    for stage, options in enumerate(backbone.get("stage_cfgs") or []):
        windows[stage] = options.get("window_size", windows[stage])
    return windows


def _dividing(window: int, side: int) -> int:
    """``window`` if it divides ``side``, else the next larger divisor, at most ``side``."""
    if side % window == 0:
        return window
    return next((number for number in range(window, side) if side % number == 0), side)
