"""Export: from a checkpoint of a training to ``backbone.pth`` and ``backbone.json``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from torch import Tensor

from simmim_bench import family
from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.config_text import keeps_backbone
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.records.environment import collect_environment, cpu_name, resident_memory_mb
from simmim_bench.records.manifest import Cost, DataIdentity, FileRef, Manifest, Pretraining
from simmim_bench.records.schema import validate
from simmim_bench.weights.card import FORMAT, FORMAT_VERSION, save_backbone
from simmim_bench.weights.files import (
    PREFIX,
    backbone_state,
    checkpoint_in,
    load_checkpoint,
    stored_config,
)
from simmim_bench.weights.identity import read_identity
from simmim_bench.weights.strict import load_trained_backbone

SUPERVISED = "supervised"
"""Method of a backbone that was trained on a task; its card names the weights before that."""
CHANGED = "the file was changed after training, use the original"
PACKAGES = ("torch", "numpy", *family.PACKAGES, "simmim_bench")


@dataclass(frozen=True)
class ExportedFiles:
    """The two files of an exported backbone, and the content of the card.

    ``unfinished`` says how much of a schedule in iterations was trained, if not all of it was.
    """

    weights: Path
    card: Path
    content: dict[str, Any]
    unfinished: str | None = None


def export_backbone(checkpoint: Path, out: Path) -> ExportedFiles:
    """Write the bare backbone of a checkpoint, and the card that describes it.

    The weights are first loaded strictly into the backbone that the config in the checkpoint
    builds, so an incomplete backbone is never written. A backbone that was trained on a task is a
    ``supervised`` one that started from the weights that the task started from.

    Args:
        checkpoint: ``epoch_N.pth`` or ``iter_N.pth`` of a training.
        out: Folder for ``backbone.pth`` and ``backbone.json``.

    Raises:
        BenchError: If the checkpoint is not one of a training, does not fit its config, or holds
            NaN or infinity, or if the training left the backbone as it was.
    """
    content = load_checkpoint(checkpoint)
    config = _training_config(content, checkpoint)
    adapter = adapter_for(load_trained_backbone(content, config, checkpoint))
    state = backbone_state(content)
    weights = out / "backbone.pth"
    run, meta = _run(content, checkpoint), content["meta"]
    pretrained = isinstance(config.get("pretraining"), dict)
    stated = config["pretraining"] if pretrained else _supervised(config)
    by_epoch = "max_epochs" in (config.get("train_cfg") or {})
    done = meta.get("epoch") if by_epoch else stated.get("epochs")
    data = run.get("data")  # checkpoints of earlier versions lack it
    if data is not None:
        again = "the file was changed after training, use the original"
        validate(DataIdentity, data, source=f"data in the identity in {checkpoint}", remedy=again)
    initial = _initial(run, pretrained, checkpoint)
    card = make_card(
        adapter,
        state,
        backbone_config=config["model"]["backbone"],
        # the epochs that were trained, not those that the config planned
        pretraining=_checked_pretraining(
            {
                **stated,
                "dataset": data["name"] if data else stated.get("dataset"),
                "epochs": done,
                "seed": meta.get("seed"),
                **initial,
            },
            checkpoint,
        ),
        epochs_planned=stated.get("epochs"),
        kind=run["kind"],
    )
    card["data"], card["precision"] = data, run.get("precision")
    card["source"] = {"file": checkpoint.name, "sha256": sha256_file(checkpoint)}
    sealed = save_backbone(state, card, weights)
    planned = (config.get("train_cfg") or {}).get("max_iters")
    cut = not by_epoch and planned is not None and meta.get("iter") != planned
    unfinished = f"{meta.get('iter')} of {planned} iterations" if cut else None
    return ExportedFiles(weights, weights.with_suffix(".json"), sealed, unfinished)


def _training_config(content: dict[str, Any], path: Path) -> dict[str, Any]:
    state = content.get("state_dict")
    config = stored_config(content)
    has_backbone = isinstance(state, dict) and any(key.startswith(PREFIX) for key in state)
    if not has_backbone or config is None:
        raise BenchError(
            f"{path} is not a checkpoint of a training run (top-level keys: "
            f"{', '.join(map(str, list(content)[:4]))}); give an epoch_N.pth that simmim-bench "
            "train wrote"
        )
    if not any(isinstance(config.get(name), dict) for name in ("pretraining", "protocol")):
        raise BenchError(
            f"the config inside {path} has neither `pretraining` nor `protocol`, so it is not a "
            f"checkpoint of a training run; give an epoch_N.pth that simmim-bench train wrote"
        )
    model = config.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("backbone"), dict):
        raise BenchError(
            f"the config inside {path} has no `model.backbone`, so it is not a checkpoint of a "
            f"training run; give an epoch_N.pth that simmim-bench train wrote"
        )
    if keeps_backbone(model):
        raise BenchError(
            f"{path} is of a run that trains no backbone ({model['type']}); export the weights "
            f"that it started from"
        )
    return config


def _initial(run: dict[str, Any], pretrained: bool, path: Path) -> dict[str, Any]:
    """What a run says of the weights that it started from; empty if they were random."""
    name, sha256 = ("initial", "initial_sha256") if pretrained else ("start", "backbone")
    if not pretrained and run.get(sha256) and not run.get(name):
        raise BenchError(
            f"{path} does not say from which weights the run started, as runs of earlier versions "
            f"did not; train it again, or export the pretraining"
        )
    stated = {"initial": run.get(name), "initial_sha256": run.get(sha256)}
    return {key: value for key, value in stated.items() if value}


def _supervised(config: dict[str, Any]) -> dict[str, Any]:
    """A fine-tuning as the training of a backbone."""
    protocol = config["protocol"]
    taken = {name: protocol.get(name) for name in ("dataset", "epochs", "image_size")}
    return {"method": SUPERVISED, "backbone": config.get("backbone_name"), **taken}


def _run(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Identity of the run, with the fields that a card needs."""
    run = read_identity(content, path)
    data = run.get("data")
    if run.get("kind") not in ("full", "smoke"):
        raise BenchError(f"the run's kind in {path} is {run.get('kind')!r:.80}; {CHANGED}")
    if data is not None and not (isinstance(data, dict) and isinstance(data.get("name"), str)):
        raise BenchError(f"the run's data in {path} is {data!r:.80}; {CHANGED}")
    return run


def _checked_pretraining(fields: dict[str, Any], path: Path) -> dict[str, Any]:
    """Fields of ``Pretraining`` as they are, if they are valid."""
    validate(Pretraining, fields, source=f"pretraining in {path}", remedy=CHANGED)
    return fields


def make_card(
    adapter: BackboneAdapter,
    state: Mapping[str, Tensor],
    *,
    backbone_config: dict[str, Any],
    pretraining: dict[str, Any],
    epochs_planned: float | None,
    kind: str,
) -> dict[str, Any]:
    """Card of an exported or converted backbone, without ``source``, ``sha256`` and ``seal``.

    Args:
        adapter: Adapter of the backbone with its weights.
        state: Weights as they are written.
        backbone_config: Config that builds the backbone.
        pretraining: Fields of ``Pretraining`` that are known.
        epochs_planned: Epochs of the pretraining's config.
        kind: ``full`` or ``smoke``.
    """
    levels = adapter.levels
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "adapter": adapter.name,
        "architecture": adapter.architecture(),
        "sizes": adapter.sizes(),
        "levels": {"strides": list(levels.strides), "channels": list(levels.channels)},
        "parameters": sum(value.numel() for value in adapter.backbone.parameters()),
        "backbone_config": backbone_config,
        "method": pretraining["method"],
        "pretraining": pretraining,
        "epochs_planned": epochs_planned,
        "kind": kind,
        "keys": {key: list(value.shape) for key, value in state.items()},
    }


def run_export(checkpoint: Path, out: Path) -> Path:
    """Export ``checkpoint`` into ``out`` and write ``out/manifest.json`` last.

    Args:
        checkpoint: ``epoch_N.pth``, or the folder of a finished run, whose manifest names it.
        out: Folder for the exported files.

    Returns:
        Path of ``backbone.pth``.

    Raises:
        BenchError: As ``export_backbone``.
    """
    started, begin = datetime.now(timezone.utc), time.monotonic()
    checkpoint = checkpoint_in(checkpoint)
    files = export_backbone(checkpoint, out)
    card = files.content
    pretraining = card["pretraining"]
    planned = card["epochs_planned"]
    deviations = [files.unfinished] if files.unfinished else []
    if pretraining["epochs"] != planned:
        deviations = [f"{pretraining['epochs']} of {planned} epochs"]
    validate(
        Manifest,
        {
            "stage": "export",
            "status": "complete",
            "kind": card["kind"],
            "method": card["method"],
            "backbone": pretraining["backbone"],
            "seed": pretraining["seed"],
            "pretraining": {**pretraining, "checkpoint_sha256": card["sha256"]},
            "pretraining_data": card["data"],
            "pretraining_precision": card["precision"],
            "inputs": {
                "checkpoint": FileRef(path=str(checkpoint), sha256=card["source"]["sha256"])
            },
            "outputs": {
                "backbone": FileRef(path=files.weights.name, sha256=card["sha256"]),
                "card": FileRef(path=files.card.name, sha256=sha256_file(files.card)),
            },
            "cost": Cost(
                device=cpu_name(),
                device_count=1,
                wall_seconds=time.monotonic() - begin,
                peak_memory_mb=resident_memory_mb(),
                parameters=card["parameters"],
            ),
            "environment": collect_environment(PACKAGES),
            "deviations": deviations,
            "started": started,
            "finished": datetime.now(timezone.utc),
        },
        source=f"the manifest of {checkpoint}",
        remedy=CHANGED,
    ).write(out / "manifest.json")
    return files.weights
