"""Tell the architecture of Swin V2 (https://arxiv.org/abs/2111.09883) from its weights.

Its position biases come from a network over coordinates, so no weight has the shape of a window.
The original and mmpretrain store the coordinates, from which windows are told; timm does not.
"""

from __future__ import annotations

import dataclasses

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture_convolutional import Architecture, State, count, need

WINDOW, IMAGE = 8, 256  # of section 3.6's smallest models, to compare libraries with
NO_WINDOW = "windows are not in the weights"


def swinv2(state: State) -> Architecture:
    """Swin V2; windows of ``WINDOW`` where the file has no coordinates.

    Raises:
        BenchError: If a tensor that tells a size is missing.
    """
    patches = need(state, "patch_embed.projection.weight")
    depths = [
        count(state, rf"stages\.{stage}\.blocks\.(\d+)\..*")
        for stage in range(count(state, r"stages\.(\d+)\..*"))
    ]
    parts = [f"stages.{stage}.blocks.0.attn.w_msa." for stage in range(len(depths))]
    heads = [need(state, f"{part}logit_scale").shape[0] for part in parts]
    tables = [state.get(f"{part}relative_coords_table") for part in parts]
    windows = [(table.shape[1] + 1) // 2 for table in tables if table is not None]
    known = len(windows) == len(depths) > 0
    patch, multiple = patches.shape[2], patches.shape[2] * 2 ** (len(depths) - 1)
    image = multiple * windows[-1] if known else IMAGE
    assumed = f"image size is not in the weights: {image} assumed, one window at the end"
    norms = [stage for stage in range(len(depths)) if f"norm{stage}.weight" in state]
    return Architecture(
        "swinv2",
        {
            "type": "mmpretrain.SwinTransformerV2",
            "arch": {
                "embed_dims": patches.shape[0],
                "depths": depths,
                "num_heads": heads,
                "extra_norm_every_n_blocks": _first_extra_norm(state),
            },
            "img_size": image,
            "patch_size": patch,
            "in_channels": patches.shape[1],
            "window_size": windows if known else [WINDOW] * len(depths),
            "use_abs_pos_embed": "absolute_pos_embed" in state,
            "out_indices": tuple(sorted({*norms, len(depths) - 1})),
            "drop_path_rate": 0.0,
        },
        (assumed if known else NO_WINDOW,),
    )


def swinv2_with_sizes(
    architecture: Architecture, *, window: int | None, image_size: int | None
) -> Architecture:
    """The same architecture with the sizes of its pretraining, where the file does not have them.

    Raises:
        BenchError: If the file has them and others are asked for, or has none and one is missing.
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
            "the file does not say the windows that its position biases are scaled by; give "
            "--window and --image-size of its training (swinv2_base_window16_256: 16 and 256)"
        )
    if window < 2 or image_size % multiple:
        raise BenchError(
            f"window {window} and image size {image_size} do not fit; use a window of at least 2 "
            f"and an image size that {multiple} divides"
        )
    maps = [image_size // multiple * 2**stage for stage in range(len(config["arch"]["depths"]))]
    windows = [min(window, side) for side in reversed(maps)]
    stated = f"windows {window} and image size {image_size} as given, not in the weights"
    sizes = {"img_size": image_size, "window_size": windows}
    return dataclasses.replace(architecture, config={**config, **sizes}, notes=(stated,))


def _first_extra_norm(state: State) -> int:
    """Every how many blocks there is a third norm; 0 for never."""
    with_norm = (key.split(".") for key in state if key.endswith(".norm3.weight"))
    return min((int(parts[3]) + 1 for parts in with_norm), default=0)
