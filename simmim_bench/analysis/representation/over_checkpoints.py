"""Reconstruction error and k-NN accuracy over the checkpoints of pretrainings.

The error is the mean absolute difference of masked pixels, in normalised RGB, on held-out images
under fixed masks (the loss of SimMIM, even if a variant trains with another). Accuracy is that of a
k-NN config on its validation images. Does a lower error mean better features? Xie et al. 2022
(https://arxiv.org/abs/2206.04664) compare loss and fine-tuning in the same way.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope

from simmim_bench.analysis.models import build, load_pretraining
from simmim_bench.analysis.representation.charts import checkpoint_charts
from simmim_bench.analysis.representation.page import Section
from simmim_bench.config import load_config
from simmim_bench.data.layouts import check_data
from simmim_bench.errors import BenchError
from simmim_bench.models.losses.masked import MaskedL1Loss
from simmim_bench.reconstruction import evaluation_pipeline, predicts_images
from simmim_bench.records.manifest import SUPERSEDED
from simmim_bench.registry import METRICS, imports
from simmim_bench.shipped import is_shipped
from simmim_bench.suite.plan import Plan
from simmim_bench.training.runner import BenchRunner
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.files import load_checkpoint, stored_config
from simmim_bench.weights.pretrained import load_pretrained
from simmim_bench.weights.safe_config import check_config

NUMBER = re.compile(r"epoch_(\d+)\.pth")
BATCH = 32

FEWEST_POINTS = 3  # of a correlation


@dataclass(frozen=True)
class Point:
    """One checkpoint.

    Args:
        epoch: Epochs trained.
        error: Mean absolute difference of masked pixels, normalised RGB.
        accuracy: Primary metric of the k-NN protocol, in percent.
    """

    epoch: int
    error: float
    accuracy: float


def checkpoints_below(folder: Path) -> dict[str, list[Path]]:
    """Checkpoints of each pretraining in ``folder`` or below it, by its folder, in epoch order.

    Raises:
        BenchError: If there is no folder, or no pretraining with two checkpoints.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder} does not exist; give the work dir of a pretraining or a suite")
    found: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("epoch_*.pth")):
        if SUPERSEDED not in path.relative_to(folder).parts:
            found.setdefault(path.parent, []).append(path)
    kept = {
        run.relative_to(folder).as_posix(): sorted(paths, key=_epoch)
        for run, paths in found.items()
        if len(paths) > 1 and "pretraining" in _config(paths[0])
    }
    if not kept:
        raise BenchError(
            f"{folder} has no pretraining with two or more epoch_N.pth; pretrain with "
            f"--cfg-options default_hooks.checkpoint.max_keep_ckpts=-1, which keeps all of them"
        )
    return kept


def has_error(checkpoint: Path) -> bool:
    """Whether a pretraining predicts pixels, so that its error can be measured."""
    cfg = _pretraining(checkpoint)
    return predicts_images(build(cfg.model, cfg.default_scope))


def knn_config(folder: Path, checkpoint: Path, given: str | None) -> str:
    """Config of the k-NN of a pretraining.

    Args:
        folder: Work dir of a pretraining or a suite; a suite may have a k-NN task.
        checkpoint: Checkpoint of the pretraining.
        given: ``--knn``; ``{backbone}`` in it stands for the name of the backbone.

    Raises:
        BenchError: If none is given, and the suite has none for this backbone.
    """
    backbone = _config(checkpoint)["pretraining"]["backbone"]
    if given is not None:
        return given.replace("{backbone}", backbone)
    plan = folder / ".suite" / "plan.json"
    stages = Plan.read(plan).stages if plan.is_file() else ()
    for config in dict.fromkeys(stage.config for stage in stages if stage.config):
        if not is_shipped(Path(config)):
            continue  # the folder may be a stranger's, and loading a config executes it
        cfg = load_config(config)
        if _is_knn(cfg) and cfg.backbone_name == backbone:
            return config
    raise BenchError(
        f"{folder} has no k-NN task of {backbone} with a config below configs/; give a config "
        f"with --knn, for example --knn 'configs/small/cifar10-knn_{{backbone}}.py'"
    )


def measure(
    checkpoints: Sequence[Path],
    config: str,
    images: Sequence[Path],
    advance: Callable[[int], None],
    *,
    seed: int,
) -> list[Point]:
    """Error and k-NN accuracy of each checkpoint of one pretraining.

    Args:
        checkpoints: ``epoch_N.pth``.
        config: Config of a k-NN classifier with the backbone of the pretraining.
        images: Held-out images.
        advance: Called with 1 after each checkpoint.
        seed: Seed of the masks, which are the same for all checkpoints.

    Raises:
        BenchError: If the config is not a k-NN config, or a checkpoint does not fit.
    """
    points = []
    for path in checkpoints:
        points.append(Point(_epoch(path), masked_l1(path, images, seed=seed), knn(path, config)))
        advance(1)
    return points


@torch.no_grad()
def masked_l1(checkpoint: Path, images: Sequence[Path], *, seed: int) -> float:
    """Mean absolute difference of masked pixels, in normalised RGB.

    Raises:
        BenchError: If the model predicts no pixels.
    """
    cfg = _pretraining(checkpoint)
    model = load_pretraining(cfg, checkpoint)
    pipeline, loss = evaluation_pipeline(cfg, seed=seed), MaskedL1Loss()
    total = masked = 0.0
    for start in range(0, len(images), BATCH):
        part = enumerate(images[start : start + BATCH], start)
        samples = [pipeline({"img_path": str(path), "sample_idx": place}) for place, path in part]
        data = model.data_preprocessor(default_collate(samples), False)
        shown = model(data["inputs"], data["data_samples"], mode="predict")
        weight = float(shown["mask"].sum())
        error = loss(shown["reconstruction"], shown["images"], shown["mask"])
        total, masked = total + weight * float(error), masked + weight
    return total / masked


@torch.no_grad()
def knn(checkpoint: Path, config: str) -> float:
    """Primary metric of a k-NN config with the backbone of ``checkpoint``, as in its record."""
    cfg = load_config(config)
    if not _is_knn(cfg):
        raise BenchError(
            f"{config} is not a k-NN config; give one such as configs/imagenet/swin-b_knn.py"
        )
    check_data(cfg)
    model = build(cfg.model, cfg.default_scope)
    with tempfile.TemporaryDirectory() as folder:
        load_pretrained(model.backbone, export_backbone(checkpoint, Path(folder)).weights)
    model.eval()
    with DefaultScope.overwrite_default_scope(cfg.default_scope), imports():
        memory, queries = (
            BenchRunner.build_dataloader(cfg[f"{name}_dataloader"], seed=0)
            for name in ("train", "val")
        )
        # a metric without a prefix warns; the prefix is not used here
        evaluator = METRICS.build({**cfg.val_evaluator, "prefix": "knn"})
    model.reserve(len(memory.dataset))
    for batch in memory:
        data = model.data_preprocessor(batch, False)
        model(data["inputs"], data["data_samples"], mode="loss")
    for batch in queries:
        data = model.data_preprocessor(batch, False)
        voted = model(data["inputs"], data["data_samples"], mode="predict")
        evaluator.process(batch, [sample.to_dict() for sample in voted])
    metrics = evaluator.compute_metrics(evaluator.results)
    return float(metrics[cfg.protocol.metrics[cfg.protocol.primary]])


def checkpoint_section(
    lines: Mapping[str, Sequence[Point]], configs: Mapping[str, str], *, without: Sequence[str] = ()
) -> Section:
    """Charts, rows and correlation of error and accuracy.

    Args:
        lines: Points in epoch order, by pretraining.
        configs: Config of the k-NN, by pretraining.
        without: Pretrainings that predict no pixels, to be listed.
    """
    over, against = checkpoint_charts(lines, "k-NN top-1 (%)")
    text = [
        "Mean absolute error of masked pixels (normalised RGB, held-out images, the same masks for "
        "all checkpoints of one pretraining; errors under different masking are not comparable), "
        "and k-NN accuracy of the backbone, for every kept checkpoint. "
        f"k-NN config: {', '.join(sorted(set(configs.values())))}."
    ]
    text += [
        f"{name}: rank correlation of error and accuracy {value:+.2f} over {len(points)} "
        f"checkpoints; -1 if accuracy always rises when the error falls."
        for name, points in lines.items()
        if len(points) >= FEWEST_POINTS and not np.isnan(value := rank_correlation(points))
    ]
    if without:
        text.append(f"Not shown, because they predict no pixels: {', '.join(without)}.")
    rows = [
        [name, point.epoch, point.error, point.accuracy]
        for name, points in lines.items()
        for point in points
    ]
    return Section(
        "Reconstruction error and downstream accuracy",
        tuple(text),
        charts=(("", over), ("", against)),
        rows=[["pretraining", "epoch", "masked_l1", "knn_top1_percent"], *rows],
        file="checkpoints.csv",
    )


def rank_correlation(points: Sequence[Point]) -> float:
    """Spearman's coefficient of error and accuracy; NaN if one of them never changes."""
    from scipy.stats import spearmanr

    errors, accuracies = [p.error for p in points], [p.accuracy for p in points]
    if len(set(errors)) == 1 or len(set(accuracies)) == 1:
        return float("nan")
    return float(spearmanr(errors, accuracies).statistic)


def _config(checkpoint: Path) -> dict[str, Any]:
    """Config inside a checkpoint; empty if there is none."""
    return stored_config(load_checkpoint(checkpoint)) or {}


def _pretraining(checkpoint: Path) -> Config:
    """Config inside a checkpoint of a pretraining, whose model is checked and can be built."""
    cfg = _config(checkpoint)
    scope = cfg.get("default_scope", "mmpretrain")
    model = check_config(cfg.get("model"), source=checkpoint, entry="model", scope=scope)
    return Config({**cfg, "model": model, "default_scope": scope})


def _is_knn(cfg: Any) -> bool:
    return str(cfg.model.type).endswith("KNNClassifier")


def _epoch(path: Path) -> int:
    found = NUMBER.fullmatch(path.name)
    return int(found.group(1)) if found else -1
