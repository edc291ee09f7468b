"""Reconstruction error against a downstream figure, over the checkpoints of pretrainings.

The error is the mean absolute difference of masked pixels, in normalised RGB, on held-out images
under fixed masks: SimMIM's loss, whatever loss a variant trains with. The downstream figure is the
suite's k-NN under a config, with its training images as memory and its validation images as
questions. (Xie et al. 2022, https://arxiv.org/abs/2206.04664, compare loss and fine-tuning so.)
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
from mmengine.runner import Runner

from simmim_bench.analysis.models import build, load_pretraining
from simmim_bench.analysis.representation.charts import checkpoint_charts
from simmim_bench.analysis.representation.page import Section
from simmim_bench.config import load_config
from simmim_bench.data.layouts import check_data
from simmim_bench.errors import BenchError
from simmim_bench.models.losses.masked import MaskedL1Loss
from simmim_bench.reconstruction import evaluation_pipeline, predicts_images
from simmim_bench.records.manifest import SUPERSEDED
from simmim_bench.registry import METRICS
from simmim_bench.suite.plan import Plan
from simmim_bench.training.process import imports
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.files import load_checkpoint
from simmim_bench.weights.strict import load_pretrained, stored_config

NUMBER = re.compile(r"epoch_(\d+)\.pth")
BATCH = 32


@dataclass(frozen=True)
class Point:
    """One checkpoint.

    Args:
        epoch: Epochs trained.
        error: Mean absolute difference of masked pixels, normalised RGB.
        accuracy: The k-NN protocol's primary figure, percent.
    """

    epoch: int
    error: float
    accuracy: float


def checkpoints_below(folder: Path) -> dict[str, list[Path]]:
    """Checkpoints of each pretraining in ``folder`` or below it, by its folder, in epoch order.

    Raises:
        BenchError: If there is no folder, or none with two checkpoints.
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
            f"{folder} holds no pretraining with two epoch_N.pth or more; pretrain with "
            f"--cfg-options default_hooks.checkpoint.max_keep_ckpts=-1, which keeps all of them"
        )
    return kept


def has_error(checkpoint: Path) -> bool:
    """Whether a pretraining predicts pixels, so that it has an error in pixels."""
    cfg = Config(_config(checkpoint))
    return predicts_images(build(cfg.model, cfg.default_scope))


def knn_config(folder: Path, checkpoint: Path, given: str | None) -> str:
    """Config of the k-NN of a pretraining.

    Args:
        folder: Work dir, perhaps of a suite, whose plan may have a k-NN task.
        checkpoint: Of the pretraining.
        given: ``--knn``; ``{backbone}`` in it stands for the name of the backbone.

    Raises:
        BenchError: If none is given and the folder's suite has none with this backbone.
    """
    backbone = _config(checkpoint)["pretraining"]["backbone"]
    if given is not None:
        return given.replace("{backbone}", backbone)
    plan = folder / ".suite" / "plan.json"
    stages = Plan.read(plan).stages if plan.is_file() else ()
    for config in dict.fromkeys(stage.config for stage in stages if stage.config):
        cfg = load_config(config)
        if _is_knn(cfg) and cfg.backbone_name == backbone:
            return config
    raise BenchError(
        f"{folder} has no k-NN task of {backbone}; give one with --knn, for example "
        f"--knn 'configs/small/cifar10-knn_{{backbone}}.py'"
    )


def measure(
    checkpoints: Sequence[Path],
    config: str,
    images: Sequence[Path],
    advance: Callable[[int], None],
    *,
    seed: int,
) -> list[Point]:
    """Error and k-NN figure of each checkpoint of one pretraining.

    Args:
        checkpoints: ``epoch_N.pth``.
        config: Of a k-NN classifier with the pretraining's backbone.
        images: Held-out images.
        advance: Called with 1 after each checkpoint.
        seed: Of the masks, the same for all of them, drawn as in the pretraining.

    Raises:
        BenchError: If the config is of no k-NN, or a checkpoint does not fit.
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
    cfg = Config(_config(checkpoint))
    model = load_pretraining(cfg, checkpoint)
    pipeline, loss = evaluation_pipeline(cfg, seed=seed), MaskedL1Loss()
    total = hidden = 0.0
    for start in range(0, len(images), BATCH):
        part = enumerate(images[start : start + BATCH], start)
        samples = [pipeline({"img_path": str(path), "sample_idx": place}) for place, path in part]
        data = model.data_preprocessor(default_collate(samples), False)
        shown = model(data["inputs"], data["data_samples"], mode="predict")
        weight = float(shown["mask"].sum())
        error = loss(shown["reconstruction"], shown["images"], shown["mask"])
        total, hidden = total + weight * float(error), hidden + weight
    return total / hidden


@torch.no_grad()
def knn(checkpoint: Path, config: str) -> float:
    """Primary figure of a k-NN config with the backbone of ``checkpoint``, as its record has it."""
    cfg = load_config(config)
    if not _is_knn(cfg):
        raise BenchError(f"{config} is no k-NN; give one such as configs/imagenet/swin-b_knn.py")
    check_data(cfg)
    model = build(cfg.model, cfg.default_scope)
    with tempfile.TemporaryDirectory() as folder:
        load_pretrained(model.backbone, export_backbone(checkpoint, Path(folder)).weights)
    model.eval()
    with DefaultScope.overwrite_default_scope(cfg.default_scope), imports():
        remembered, asked = (
            Runner.build_dataloader(cfg[f"{name}_dataloader"], seed=0) for name in ("train", "val")
        )
        # a metric without a prefix warns; it stands in names that are not used here
        evaluator = METRICS.build({**cfg.val_evaluator, "prefix": "knn"})
    model.reserve(len(remembered.dataset))
    for batch in remembered:
        data = model.data_preprocessor(batch, False)
        model(data["inputs"], data["data_samples"], mode="loss")
    for batch in asked:
        data = model.data_preprocessor(batch, False)
        voted = model(data["inputs"], data["data_samples"], mode="predict")
        evaluator.process(batch, [sample.to_dict() for sample in voted])
    figures = evaluator.compute_metrics(evaluator.results)
    return float(figures[cfg.protocol.metrics[cfg.protocol.primary]])


def _config(checkpoint: Path) -> dict[str, Any]:
    """Config inside a checkpoint; empty if there is none."""
    return stored_config(load_checkpoint(checkpoint)) or {}


def _is_knn(cfg: Any) -> bool:
    return str(cfg.model.type).endswith("KNNClassifier")


def _epoch(path: Path) -> int:
    found = NUMBER.fullmatch(path.name)
    return int(found.group(1)) if found else -1


# What the checkpoints of pretrainings say: does a lower error mean better features?


FEWEST = 3  # points of a correlation


def checkpoint_section(
    lines: Mapping[str, Sequence[Point]], configs: Mapping[str, str], *, without: Sequence[str] = ()
) -> Section:
    """Charts, rows and correlation of error and accuracy.

    Args:
        lines: Points in epoch order, by pretraining.
        configs: Config of the k-NN, by pretraining.
        without: Pretrainings that predict no pixels, to be named.
    """
    over, against = checkpoint_charts(lines, "k-NN top-1 (%)")
    text = [
        "Mean absolute error of masked pixels (normalised RGB, held-out images, the same masks for "
        "all checkpoints of one pretraining; lines of different maskings do not compare), and k-NN "
        "accuracy of the backbone, for every checkpoint that was kept. "
        f"k-NN by {', '.join(sorted(set(configs.values())))}."
    ]
    text += [
        f"{name}: rank correlation of error and accuracy {value:+.2f} over {len(points)} "
        f"checkpoints; -1 if accuracy always rises when the error falls."
        for name, points in lines.items()
        if len(points) >= FEWEST and not np.isnan(value := rank_correlation(points))
    ]
    if without:
        text.append(f"Without such an error, since they predict no pixels: {', '.join(without)}.")
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
