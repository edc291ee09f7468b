"""Export: from a pretraining checkpoint to ``backbone.pth`` and ``backbone.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.checkpoint.config_text import parse_config_text
from simmim_bench.checkpoint.identity import read_identity
from simmim_bench.checkpoint.safe_io import load_checkpoint
from simmim_bench.checkpoint.save import save_whole
from simmim_bench.checkpoint.whole import difference
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.registry import MODELS

PREFIX = "backbone."
FORMAT = "simmim_bench backbone"
FORMAT_VERSION = 1
EXPORT_FIRST = "export it first with `python tools/export_backbone.py CHECKPOINT --out DIR`"


@dataclass(frozen=True)
class ExportedFiles:
    """The two files of an exported backbone."""

    weights: Path
    card: Path


def export_backbone(checkpoint: Path, out: Path) -> ExportedFiles:
    """Write the bare backbone of a pretraining checkpoint and the card that describes it.

    The weights are first loaded into the backbone that the checkpoint's own config builds, so
    what is written is known to be whole.

    Args:
        checkpoint: ``epoch_N.pth`` of a pretraining run.
        out: Folder for ``backbone.pth`` and ``backbone.json``.

    Raises:
        BenchError: If the checkpoint is no pretraining checkpoint, does not fit its config,
            or holds values that are not finite.
    """
    content = load_checkpoint(checkpoint)
    config = _pretraining_config(content, checkpoint)
    state = {
        key.removeprefix(PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(PREFIX)
    }
    check_finite(state, checkpoint)
    adapter = _build(config, state, checkpoint)
    weights = out / "backbone.pth"
    save_whole(state, weights)
    card = out / "backbone.json"
    atomic_write_json(
        card,
        {
            **_describe(content, config, adapter),
            "kind": read_identity(content, checkpoint)["kind"],
            "keys": {key: list(value.shape) for key, value in state.items()},
            "sha256": sha256_file(weights),
            "source": {"file": checkpoint.name, "sha256": sha256_file(checkpoint)},
        },
    )
    return ExportedFiles(weights, card)


def read_card(weights: Path) -> dict[str, Any]:
    """Read the card beside an exported ``backbone.pth``.

    Raises:
        BenchError: If it is missing, no JSON, or of another format version.
    """
    path = weights.with_suffix(".json")
    try:
        card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BenchError(
            f"{weights} has no {path.name} beside it, so it is no exported backbone; {EXPORT_FIRST}"
        ) from error
    except json.JSONDecodeError as error:
        raise BenchError(
            f"{path} is not valid JSON ({error}); export the backbone again"
        ) from error
    found = (card.get("format"), card.get("version")) if isinstance(card, dict) else None
    if found != (FORMAT, FORMAT_VERSION):
        raise BenchError(
            f"{path} describes {found}, expected {(FORMAT, FORMAT_VERSION)}; export the backbone "
            f"again"
        )
    return card


def check_finite(state: dict[str, Tensor], path: Path) -> None:
    """Refuse weights with NaN or infinity.

    Raises:
        BenchError: Names the first such key and how many there are.
    """
    broken = [
        key
        for key, value in state.items()
        if value.is_floating_point() and not value.isfinite().all()
    ]
    if broken:
        raise BenchError(
            f"{path} holds NaN or infinity in {len(broken)} of {len(state)} tensors, the first is "
            f"{broken[0]}; the run that wrote it diverged, use an earlier checkpoint"
        )


def _pretraining_config(content: dict[str, Any], path: Path) -> dict[str, Any]:
    state = content.get("state_dict")
    text = (content.get("meta") or {}).get("cfg")
    has_backbone = isinstance(state, dict) and any(key.startswith(PREFIX) for key in state)
    if not has_backbone or not isinstance(text, str):
        raise BenchError(
            f"{path} is not a checkpoint of a pretraining run (top-level keys: "
            f"{', '.join(map(str, list(content)[:4]))}); give an epoch_N.pth that tools/train.py "
            f"wrote"
        )
    config = parse_config_text(text)
    if not isinstance(config.get("pretraining"), dict):
        raise BenchError(
            f"the config inside {path} has no `pretraining`, so it is not a checkpoint of a "
            f"pretraining run; give an epoch_N.pth of a config under configs/simmim"
        )
    return config


def _build(config: dict[str, Any], state: dict[str, Tensor], path: Path) -> BackboneAdapter:
    """Build the config's backbone and load the weights into it, every key."""
    scope = config.get("default_scope", "mmpretrain")
    backbone = MODELS.build({**config["model"]["backbone"], "init_cfg": None, "_scope_": scope})
    differing = difference(backbone, state)
    if differing:
        raise BenchError(
            f"the weights of {path} do not fit the config inside it: {differing}; the file was "
            f"changed after training, use the original"
        )
    backbone.load_state_dict(state, strict=False)
    return adapter_for(backbone)


def _describe(
    content: dict[str, Any], config: dict[str, Any], adapter: BackboneAdapter
) -> dict[str, Any]:
    meta, stated = content["meta"], config["pretraining"]
    by_epoch = "max_epochs" in config.get("train_cfg", {})
    done = meta.get("epoch") if by_epoch else stated.get("epochs")
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "adapter": adapter.name,
        "architecture": adapter.architecture(),
        "sizes": adapter.sizes(),
        "parameters": sum(value.numel() for value in adapter.backbone.parameters()),
        "backbone_config": config["model"]["backbone"],
        "method": stated["method"],
        # what was done, not what the config planned
        "pretraining": {**stated, "epochs": done, "seed": meta.get("seed")},
        "epochs_planned": stated.get("epochs"),
    }
