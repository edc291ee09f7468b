"""Resize a backbone to another window or image: its config, and its position parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from simmim_bench.backbones.base import Resized
from simmim_bench.backbones.resize import resize_bias_table, resize_position_embedding
from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import (
    EXTRA_BIASES,
    NO_WINDOW,
    TABLE,
    Architecture,
    table_window,
    window_config,
)

METHODS = ("geometric", "bicubic")


def with_sizes(
    architecture: Architecture, *, window: int | None, image_size: int | None
) -> Architecture:
    """The same architecture for another window or image size.

    Swin windows are at most as large as the map of their stage, as in the original.

    Raises:
        BenchError: If a window is given for a backbone without windows, or a size does not fit.
    """
    if architecture.adapter == "swinv2":
        return _swinv2_with_sizes(architecture, window=window, image_size=image_size)
    if window is None and image_size is None:
        return architecture
    config = dict(architecture.config)
    if "img_size" not in config:
        raise BenchError(
            f"--window and --image-size do not apply to a {architecture.adapter} backbone, which "
            f"takes images of any size; leave them out"
        )
    patch = config["patch_size"]
    if architecture.adapter != "swin":
        if window is not None:
            raise BenchError(
                f"--window {window} does not apply to a {architecture.adapter} backbone, which has "
                f"no windows; give --image-size"
            )
        stages, multiple = 1, patch
    else:
        stages = len(config["arch"]["depths"])
        multiple = patch * 2 ** (stages - 1)
    image = image_size or multiple * (window or 0)
    if image % multiple or (window is not None and window < 2):
        raise BenchError(
            f"--window {window} and --image-size {image} do not fit; use a window of at least 2 "
            f"and an image size that is a multiple of {multiple}"
        )
    config["img_size"] = image
    if window is not None:
        maps = [image // (patch * 2**stage) for stage in range(stages)]
        config.pop("stage_cfgs", None)
        config |= window_config([min(window, side) for side in maps])
    notes = tuple(note for note in architecture.notes if not note.startswith("image size"))
    if image_size is None:
        notes += (f"image size {image} assumed, one window at the end",)
    return dataclasses.replace(architecture, config=config, notes=notes)


def _swinv2_with_sizes(
    architecture: Architecture, *, window: int | None, image_size: int | None
) -> Architecture:
    """The same architecture with the sizes of its pretraining, where the file does not have them.

    Raises:
        BenchError: If the file has sizes and others are given, or has none and one is not given.
    """
    config = architecture.config
    if NO_WINDOW not in architecture.notes:
        if window is None and image_size is None:
            return architecture
        raise BenchError(
            f"this swinv2 backbone was trained with windows {config['window_size']}, which its "
            f"position biases are scaled by; leave --window and --image-size out and set "
            f"pretrained_window_sizes={config['window_size']} in the config"
        )
    multiple = config["patch_size"] * 2 ** (len(config["arch"]["depths"]) - 1)
    if window is None or image_size is None:
        raise BenchError(
            "the file does not contain the windows that scale its position biases; give "
            "--window and --image-size of its training (swinv2_base_window16_256: 16 and 256)"
        )
    if window < 2 or image_size % multiple:
        raise BenchError(
            f"--window {window} and --image-size {image_size} do not fit; use a window of at "
            f"least 2 and an image size that is a multiple of {multiple}"
        )
    maps = [image_size // multiple * 2**stage for stage in range(len(config["arch"]["depths"]))]
    windows = [min(window, side) for side in reversed(maps)]
    stated = f"windows {window} and image size {image_size} as given, not in the weights"
    sizes = {"img_size": image_size, "window_size": windows}
    return dataclasses.replace(architecture, config={**config, **sizes}, notes=(stated,))


def fit_positions(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], *, method: str
) -> tuple[dict[str, Tensor], list[Resized]]:
    """Resize bias tables by ``method`` and absolute embeddings bicubically.

    Args:
        state: Backbone weights under our keys, without index buffers.
        own: State dict of the backbone to fit to.
        method: ``geometric`` (the original's) or ``bicubic`` (mmdet's and timm's).
    """
    fitted, resized = dict(state), []
    class_token = int("cls_token" in state)
    extra_rows = EXTRA_BIASES if class_token else 0
    for key, value in state.items():
        target = own[key]
        if target.shape == value.shape:
            continue
        if key.endswith(TABLE):
            old, new = (table_window(table, key, extra_rows) for table in (value, target))
            resize = resize_bias_table if method == "geometric" else _bicubic_table
            sides = {"source": (old, old), "target": (new, new)}
            fitted[key] = resize(value, **sides, extra_rows=extra_rows)
        else:
            grids = [_grid(embedding, class_token) for embedding in (value, target)]
            fitted[key] = resize_position_embedding(
                value, source=grids[0], target=grids[1], extra_tokens=class_token
            )
        resized.append(Resized(key, tuple(value.shape), tuple(target.shape)))
    return fitted, resized


def _bicubic_table(
    table: Tensor, *, source: tuple[int, int], target: tuple[int, int], extra_rows: int
) -> Tensor:
    rows, columns = (2 * side - 1 for side in source)
    kept = rows * columns
    image = table[:kept].T.reshape(1, -1, rows, columns).float()  # (1, heads, rows, columns)
    size = [2 * side - 1 for side in target]
    image = F.interpolate(image, size=size, mode="bicubic", align_corners=False)
    return torch.cat([image.flatten(2)[0].T.to(table), table[kept : kept + extra_rows]])


def _grid(embedding: Tensor, class_token: int) -> tuple[int, int]:
    side = round((embedding.shape[1] - class_token) ** 0.5)
    return side, side
