"""Quick measures of a backbone's features, on a small labelled set held in memory.

RankMe: Garrido et al. 2023 (https://arxiv.org/abs/2210.02885), equation 1. LiDAR: Thilak et al.
2024 (https://arxiv.org/abs/2312.04000), section 4.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as vision

from simmim_bench.backbones.outputs import extra_tokens, pooled
from simmim_bench.data.image_files import list_images
from simmim_bench.data.reading import reading_of
from simmim_bench.errors import BenchError
from simmim_bench.registry import TRANSFORMS

Array = NDArray[np.floating[Any]]
PARTS = ("train", "val")
MOST_CLASSES = 20
IMAGES = {"train": 400, "val": 200}
"""At most so many of each part, spread evenly over the classes."""
SETS, VIEWS = 32, 8
"""Images of which LiDAR compares views, and views of each."""
AREAS = (0.2, 1.0)
"""Shares of an image that a view shows."""
NEIGHBOURS, TEMPERATURE = 20, 0.07
"""Of the k-NN vote, as in configs/_base_ for ImageNet."""
RIDGE = 1e-4
"""Added to the variance within the views of an image: delta in LiDAR's section 4."""
TINY = 1e-7
"""Added to shares before their logarithm, by both papers."""
BATCH = 64


@dataclass(frozen=True)
class LabelledImages:
    """Images of both parts, as the model's preprocessor takes them.

    Attributes:
        train: uint8, (B, C, H, W); float32 for images of more than 8 bits.
        val: Same.
        train_labels: int64, (B,).
        val_labels: Same.
        views: Crops of the first ``SETS`` images of ``train``, (SETS, VIEWS, C, H, W).
        classes: Number of classes.
    """

    train: Tensor
    val: Tensor
    train_labels: NDArray[np.int64]
    val_labels: NDArray[np.int64]
    views: Tensor
    classes: int


def class_folders(folder: Path) -> list[str]:
    """Names of the classes that both parts of a folder have, ``MOST_CLASSES`` of them at most.

    Args:
        folder: With ``train/CLASS`` and ``val/CLASS``.

    Raises:
        BenchError: If there are fewer than two.
    """
    parts = [
        {place.name for place in (folder / part).iterdir() if place.is_dir()}
        if (folder / part).is_dir()
        else set()
        for part in PARTS
    ]
    shared = sorted(name for name in parts[0] & parts[1] if not name.startswith("."))
    if len(shared) < 2:
        raise BenchError(
            f"--probe-data {folder} has {len(shared)} classes in both {folder / 'train'} and "
            f"{folder / 'val'}, expected 2 or more; give a folder with train/CLASS/IMAGE and "
            f"val/CLASS/IMAGE, or leave out --probe-every"
        )
    chosen = np.linspace(0, len(shared) - 1, min(MOST_CLASSES, len(shared))).round().astype(int)
    return [shared[index] for index in chosen]


def read_labelled(folder: Path, cfg: Any) -> LabelledImages:
    """Read the images that are probed, the same ones at every call.

    Args:
        folder: See ``class_folders``.
        cfg: Config of the pretraining, of whose size and bands the images become.

    Raises:
        BenchError: If there are fewer than two classes, a class has no images, or an image cannot
            be read.
    """
    classes, pipeline = class_folders(folder), _pipeline(cfg)
    images, labels = {}, {}
    for part in PARTS:
        chosen = [_spread(folder / part / name, IMAGES[part] // len(classes)) for name in classes]
        labels[part] = np.repeat(np.arange(len(classes)), [len(paths) for paths in chosen])
        read = [pipeline({"img_path": str(path)})["inputs"] for paths in chosen for path in paths]
        images[part] = torch.stack(read)
    order = torch.linspace(0, len(images["train"]) - 1, min(SETS, len(images["train"]))).round()
    return LabelledImages(
        images["train"],
        images["val"],
        labels["train"],
        labels["val"],
        torch.stack([_views(images["train"][int(index)], int(index)) for index in order]),
        len(classes),
    )


def _spread(folder: Path, count: int) -> list[Path]:
    listing = list_images(folder).checked()
    paths = listing.paths()
    if not paths:
        raise BenchError(listing.nothing())
    chosen = np.linspace(0, len(paths) - 1, min(max(1, count), len(paths))).round().astype(int)
    return [paths[index] for index in chosen]


def _pipeline(cfg: Any) -> Compose:
    """Load, resize the short edge, crop the centre."""
    stated = cfg.pretraining.image_size
    height, width = (stated, stated) if isinstance(stated, int) else stated
    reading = reading_of(_steps(cfg.train_dataloader.dataset))
    library = "mmpretrain" if reading.is_plain else "simmim_bench"
    bicubic = {"backend": "pillow", "interpolation": "bicubic"}
    steps = [
        {"type": "simmim_bench.LoadImage", **asdict(reading)},
        {"type": f"{library}.ResizeEdge", "scale": max(height, width), "edge": "short", **bicubic},
        {"type": "mmpretrain.CenterCrop", "crop_size": (width, height)},
        {"type": "mmpretrain.PackInputs"},
    ]
    return Compose([TRANSFORMS.build(step) for step in steps])


def _steps(dataset: Any) -> Sequence[Any]:
    """Pipeline of a dataset, which may be wrapped."""
    return dataset.pipeline if "pipeline" in dataset else _steps(dataset.dataset)


def _views(image: Tensor, seed: int) -> Tensor:
    """Random crops of an image (C, H, W), half of them flipped, at its size, (VIEWS, C, H, W)."""
    draw = np.random.default_rng(seed)
    height, width = image.shape[1:]
    found = []
    for _ in range(VIEWS):
        side = np.sqrt(draw.uniform(*AREAS))
        rows, columns = max(1, round(side * height)), max(1, round(side * width))
        top, left = (
            int(draw.integers(height - rows + 1)),
            int(draw.integers(width - columns + 1)),
        )
        view = vision.resized_crop(image, top, left, rows, columns, [height, width], antialias=True)
        found.append(view.flip(2) if draw.random() < 0.5 else view)
    return torch.stack(found)


@torch.no_grad()
def features_of(model: Any, images: Tensor) -> Array:
    """Features of the backbone without masks, averaged over positions, (B, C) float64.

    Args:
        model: A pretraining model with ``backbone`` and ``data_preprocessor``.
        images: As in ``LabelledImages``, (B, C, H, W).
    """
    # not before the process is prepared, which decides what mmpretrain registers
    from mmpretrain.models.utils import SelfSupDataPreprocessor, TwoNormDataPreprocessor

    backbone = model.backbone
    takes_mask = "mask" in inspect.signature(type(backbone).forward).parameters
    options = {"mask": None} if takes_mask else {}
    extra = extra_tokens(backbone)
    was_training = model.training
    model.eval()
    try:
        found = []
        for part in images.split(BATCH):
            given = {"inputs": part, "data_samples": None}
            prepare = model.data_preprocessor
            if isinstance(prepare, TwoNormDataPreprocessor):  # the second is for a teacher
                prepare = partial(SelfSupDataPreprocessor.forward, prepare)
            data = prepare(given, False)
            found.append(
                pooled(_deepest(backbone(data["inputs"], **options)), extra=extra).float().cpu()
            )
    finally:
        model.train(was_training)
    return torch.cat(found).double().numpy()


def _deepest(output: Any) -> Tensor:
    """The last of nested outputs."""
    while isinstance(output, list | tuple):
        output = output[-1]
    found: Tensor = output
    return found


def measure(model: Any, images: LabelledImages) -> dict[str, float]:
    """``knn`` and ``linear`` top-1 in percent, ``rankme`` and ``lidar`` of a backbone."""
    train, val = features_of(model, images.train), features_of(model, images.val)
    crops = features_of(model, images.views.flatten(0, 1))
    return {
        "knn": knn_accuracy(train, images.train_labels, val, images.val_labels),
        "linear": linear_accuracy(train, images.train_labels, val, images.val_labels),
        "rankme": rankme(train),
        "lidar": lidar(crops.reshape(*images.views.shape[:2], -1)),
    }


def knn_accuracy(
    train: Array, train_labels: NDArray[np.int64], val: Array, val_labels: NDArray[np.int64]
) -> float:
    """Top-1 of the vote of the nearest 20, weighted by exp(cosine / 0.07), in percent."""
    known, asked = (functional.normalize(torch.from_numpy(part), dim=1) for part in (train, val))
    similarity, places = (asked @ known.T).topk(min(NEIGHBOURS, len(known)), dim=1)
    classes = functional.one_hot(torch.from_numpy(train_labels)[places])
    votes = ((similarity / TEMPERATURE).exp().unsqueeze(2) * classes).sum(1)
    return 100 * float((votes.argmax(1).numpy() == val_labels).mean())


def linear_accuracy(
    train: Array, train_labels: NDArray[np.int64], val: Array, val_labels: NDArray[np.int64]
) -> float:
    """Top-1 of logistic regression on standardised features, in percent."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200, tol=1e-3))
    return 100 * float(classifier.fit(train, train_labels).score(val, val_labels))


def rankme(features: Array) -> float:
    """Exponential of the entropy of the singular values of features (B, C), 0 if all are 0.

    They are not centred, so features that are all alike have rank 1.
    """
    return _effective(np.linalg.svd(features, compute_uv=False))


def lidar(views_of_images: Array) -> float:
    """RankMe of the directions in which images differ more than views of one image do.

    Args:
        views_of_images: Features, (images, views, C).

    Returns:
        1 to ``images - 1``; 0 if all images are alike.
    """
    images, count, channels = views_of_images.shape
    means = views_of_images.mean(axis=1)
    centred = means - means.mean(axis=0)
    between = centred.T @ centred / (images - 1)
    inner = (views_of_images - means[:, None]).reshape(-1, channels)
    within = inner.T @ inner / (images * (count - 1)) + RIDGE * np.eye(channels)
    values, vectors = np.linalg.eigh(within)
    root = vectors / np.sqrt(values) @ vectors.T
    return _effective(np.linalg.eigvalsh(root @ between @ root).clip(min=0))


def _effective(values: Array) -> float:
    if not values.sum():
        return 0.0
    shares = values / values.sum() + TINY
    return float(np.exp(-(shares * np.log(shares)).sum()))
