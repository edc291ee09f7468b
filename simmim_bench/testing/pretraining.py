"""A small SimMIM, and a checkpoint of it as a training writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from torch import Tensor

from simmim_bench.registry import MODELS

SIZE = (64, 96)
"""Height and width of the images of a contract, in pixels."""
BACKBONE = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    "img_size": SIZE,
    "window_size": 2,
    "drop_path_rate": 0.0,
    "out_indices": (0, 1, 2, 3),
}
"""Backbone of the contracts of other parts."""
DECODER = {"type": "simmim_bench.LinearDecoder"}
LOSS = {"type": "simmim_bench.MaskedL1Loss"}


def simmim(backbone: Mapping[str, Any], **parts: Any) -> dict[str, Any]:
    """Config of SimMIM with a backbone, and with other parts than the paper's if given."""
    defaults = {"decoder": DECODER, "loss": LOSS}
    return {"type": "simmim_bench.SimMIM", "backbone": dict(backbone), **defaults, **parts}


def build(config: Mapping[str, Any], *, seed: int = 0) -> Any:
    """Build a model from its config with weights drawn from a seed, in evaluation mode."""
    torch.manual_seed(seed)
    model = MODELS.build(dict(config))
    model.init_weights()
    return model.eval()


def save_pretraining(
    path: Path,
    backbone: Mapping[str, Any],
    *,
    state: Mapping[str, Tensor] | None = None,
    epochs: int = 2,
    seed: int = 0,
    kind: str = "full",
) -> Path:
    """Write a pretraining checkpoint of SimMIM with a backbone, as a training does.

    Args:
        path: ``epoch_N.pth``.
        backbone: Config of the backbone.
        state: State dict of the model; None: random weights of ``seed``.
        epochs: Length of the training; the checkpoint is of epoch 2.
        seed: Of the training.
        kind: ``full`` or ``smoke``.

    Returns:
        The file.
    """
    model = simmim(backbone)
    config = Config(
        {
            "default_scope": "mmpretrain",
            "model": model,
            "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": epochs},
            "pretraining": {
                "method": "simmim",
                "backbone": "tiny",
                "dataset": "none",
                "epochs": epochs,
                "image_size": 64,
            },
        }
    )
    meta = {"cfg": config.pretty_text, "epoch": 2, "iter": 8, "seed": seed}
    hub = {"log_scalars": {"train/loss": HistoryBuffer([1.0], [1])}}
    run = {"kind": kind, "method": "simmim", "seed": seed}
    weights = build(model, seed=seed).state_dict() if state is None else state
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"meta": meta, "message_hub": hub, "simmim_bench": {"run": run}}
    torch.save({**content, "state_dict": weights}, path)
    return path


@contextmanager
def raises(error: type[Exception], what: str) -> Iterator[None]:
    """Context whose code must raise ``error``; ``what`` says what is done wrong in it."""
    try:
        yield
    except error:
        return
    raise AssertionError(f"{what}: expected {error.__name__}, nothing was raised")
