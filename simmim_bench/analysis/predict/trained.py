"""Open a training to predict with it, from its folder alone; the config in it is data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device

from simmim_bench.errors import BenchError
from simmim_bench.plugins import flags, imported
from simmim_bench.reconstruction import predicts_images
from simmim_bench.tasks.knn import KNNClassifier
from simmim_bench.training.adapt import use_cpu
from simmim_bench.training.process import prepare
from simmim_bench.training.runner import allow_tf32, latest_checkpoint
from simmim_bench.weights.files import checkpoint_in, load_checkpoint, stored_config
from simmim_bench.weights.safe_config import build_from_file
from simmim_bench.weights.strict import load_whole

PRETRAINING, NEIGHBOURS = "pretraining", "neighbours"
PREDICTED = ("classification", "detection", "segmentation", "depth")
OTHERS = {
    "retrieval": "it compares images with captions",
    "vqa": "it answers questions about images",
    "generation": "it trains nothing",
}
"""Tasks of which an image alone has no prediction."""


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Args:
        folder: Its work dir.
        checkpoint: What is loaded.
        task: ``pretraining``, ``neighbours`` (k-NN) or the task of its protocol.
        cfg: Its config, as values.
        model: In evaluation mode, on the GPU if there is one.
        classes: Names, in the order of labels.
        dataset: What the checkpoint says about the training data (``dataset_meta``).
    """

    folder: Path
    checkpoint: Path
    task: str
    cfg: Any
    model: Any
    classes: tuple[str, ...]
    dataset: Mapping[str, Any]


def open_trained(run: Path, checkpoint: Path | None) -> Trained:
    """Build the model of a run and load its checkpoint.

    Args:
        run: Work dir of a training, or a checkpoint in one.
        checkpoint: Another one than the last.

    Raises:
        BenchError: If there is no checkpoint, it is not one of a training, its config names what
            may run code or load files, or its task predicts nothing for an image alone.
    """
    path = checkpoint or find_checkpoint(run)
    content = load_checkpoint(path)
    stored = stored_config(content)
    if stored is None:
        raise BenchError(
            f"{path} does not contain the config of a training; give the work dir of one, or "
            f"a checkpoint that simmim-bench train wrote (an exported backbone alone predicts "
            "nothing)"
        )
    cfg = Config(stored)
    task = _task(cfg, path)
    prepare("none", cfg.get("default_scope"))
    use_cpu(cfg)
    allow_tf32(cfg.get("env_cfg") or {})
    scope = cfg.default_scope
    model = build_from_file(cfg.model.to_dict(), source=path, entry="model", scope=scope)
    load_whole(model, content, checkpoint=path, config="the config inside it")
    if task == PRETRAINING and not predicts_images(model):
        raise BenchError(
            f"{path} is a pretraining by {type(model).__name__}, which predicts no images; look "
            f"at it with `simmim-bench analyze representation IMAGES --model NAME={path}`"
        )
    dataset = (content.get("meta") or {}).get("dataset_meta") or {}
    return Trained(
        folder=run if run.is_dir() else run.parent,
        checkpoint=path,
        task=NEIGHBOURS if isinstance(model, KNNClassifier) else task,
        cfg=cfg,
        model=model.to(get_device()).eval(),
        classes=() if task == PRETRAINING else _classes(cfg, dataset, model),
        dataset=dataset,
    )


def find_checkpoint(run: Path) -> Path:
    """The checkpoint that a run ended with; of an unfinished one, the last.

    Raises:
        BenchError: If there is none.
    """
    if not run.is_dir():
        return run
    if (run / "manifest.json").is_file():
        return checkpoint_in(run)
    last = latest_checkpoint(run)
    if last is None:
        raise BenchError(
            f"{run} has no checkpoint (epoch_N.pth or iter_N.pth); give the work dir of a "
            f"training that saved one"
        )
    return last


def _task(cfg: Any, path: Path) -> str:
    if "pretraining" in cfg:
        return PRETRAINING
    task = str((cfg.get("protocol") or {}).get("task"))
    if task not in PREDICTED:
        reason = OTHERS.get(task, f"its task is {task!r:.80}")
        command = ["simmim-bench", "test", "CONFIG", str(path), *flags(imported())]
        raise BenchError(
            f"{path} cannot predict for images alone: {reason}; measure it on its data with "
            f"`{shlex.join(command)}`"
        )
    return task


def _classes(cfg: Any, dataset: Mapping[str, Any], model: Any) -> tuple[str, ...]:
    """Names of the training data; of zero-shot classes; else numbers."""
    named = cfg.model.get("class_names") or dataset.get("classes")
    if named:
        return tuple(map(str, named))
    counts = {module.num_classes for module in model.modules() if hasattr(module, "num_classes")}
    return tuple(map(str, range(max(counts))))
