"""Pipelines of pretraining and of fine-tuning on photographs as large as ImageNet's, on one core.

Each call reads the files, makes the samples and collates them, as a worker of a data loader does.
Means and standard deviations are applied by the model on its device (ours, mmpretrain) or in the
pipeline (the original and timm, as their users have it).
"""

from __future__ import annotations

import io
import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import simplejpeg
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope
from PIL import Image
from timm.data import create_transform
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch.utils.data import default_collate as torch_collate
from torch.utils.data._utils.fetch import _MapDatasetFetcher
from torchvision import transforms as vision
from torchvision.datasets import ImageFolder
from torchvision.transforms.functional import resized_crop

from benchmarks.speed.work import OURS, Work
from simmim_bench import ops
from simmim_bench.config import load_config
from simmim_bench.data.demo.sources import PHOTOS
from simmim_bench.data.image_folder import use_image_folder
from simmim_bench.registry import imports
from simmim_bench.training.adapt import seed_samples, use_quick

with imports():
    import mmpretrain
    from mmpretrain.registry import DATASETS

SIZE = (500, 375)
BYTES = 110_000  # of a file; the mean of ImageNet
PRETRAINING, FINE_TUNING = "simmim/swin-b_8xb128", "imagenet/swin-b_8xb128_ft-100e"
STOCK = Path(mmpretrain.__file__).parent / ".mim" / "configs" / "_base_" / "datasets"
INTERPOLATION = vision.InterpolationMode


def works(small: bool) -> Iterator[Work]:
    """Make the files and yield both pipelines."""
    ops.install()  # before mmpretrain imports its models
    cv2.setNumThreads(0)  # as mmengine does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_photographs(folder / "train" / "class", 4 if small else 48)
        yield pretraining(folder, files)
        yield fine_tuning(folder, files)


def write_photographs(folder: Path, count: int) -> list[Path]:
    """Write JPEGs of 500 x 375 pixels and about 110 kB from the packaged photographs."""
    folder.mkdir(parents=True)
    opened = (Image.open(photo.path()).convert("RGB") for photo in PHOTOS)
    large = [image for image in opened if image.width >= 400 and image.height >= 300]
    files = []
    for number, image in zip(range(count), itertools.cycle(large), strict=False):
        turned = image if number % 2 else image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        part = (0, 0, turned.width, min(turned.height, turned.width * 3 // 4))
        content = _of_size(turned.resize(SIZE, Image.Resampling.LANCZOS, box=part))
        files.append(folder / f"{number:04d}.JPEG")
        files[-1].write_bytes(content)
    return files


def _of_size(image: Image.Image) -> bytes:
    """Encode at the quality whose file is nearest to ``BYTES``."""
    found = []
    for quality in range(80, 101):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        found.append(file.getvalue())
    return min(found, key=lambda content: abs(len(content) - BYTES))


def pretraining(folder: Path, files: Sequence[Path]) -> Work:
    """SimMIM's pipeline for Swin at 192 pixels, with masks."""
    ours = of_ours(PRETRAINING, folder, with_label=False)
    stock = of_stock("imagenet_bs256_simmim_192.py", folder, with_label=False)
    original = ImageFolder(str(folder / "train"), OriginalSimMIM())
    return Work(
        name="pretraining pipeline, JPEGs of 500 x 375, to 192 px",
        unit="images",
        amount=len(files),
        runs={
            OURS: in_epochs(ours),
            "mmpretrain": lambda: batch(stock, default_collate),
            "original": lambda: batch(original, torch_collate),
        },
        target=1.1,
        limit=decoding(files),
        equal=same_crops(ours, INTERPOLATION.BILINEAR, most=1),
    )


def fine_tuning(folder: Path, files: Sequence[Path]) -> Work:
    """The pipeline of fine-tuning at 224 pixels: RandAugment, random erasing."""
    ours = of_ours(FINE_TUNING, folder, with_label=True)
    stock = of_stock("imagenet_bs64_swin_224.py", folder, with_label=True)
    # AUG.* of the original's config.py, which its data/data_finetune.py passes
    said = {"color_jitter": 0.4, "auto_augment": "rand-m9-mstd0.5-inc1", "interpolation": "bicubic"}
    erasing = {"re_prob": 0.25, "re_mode": "pixel", "re_count": 1}
    timm = create_transform(224, is_training=True, **said, **erasing)
    less = create_transform(224, is_training=True, use_prefetcher=True, **said, **erasing)
    sets = [ImageFolder(str(folder / "train"), transform) for transform in (timm, less)]
    return Work(
        name="fine-tuning pipeline, JPEGs of 500 x 375, to 224 px",
        unit="images",
        amount=len(files),
        runs={
            OURS: in_epochs(ours),
            "timm": lambda: batch(sets[0], torch_collate),
            "mmpretrain": lambda: batch(stock, default_collate),
            "timm without erasing and normalisation": lambda: batch(sets[1], torch_collate),
        },
        target=1.3,
        against=("timm", "mmpretrain"),
        limit=decoding(files),
        equal=same_crops(ours, INTERPOLATION.BICUBIC, most=2),
    )


class OriginalSimMIM:
    """``SimMIMTransform`` and ``MaskGenerator`` of the original's data/data_simmim.py."""

    def __init__(self) -> None:
        self.transform = vision.Compose(
            [
                vision.RandomResizedCrop(192, scale=(0.67, 1.0), ratio=(3.0 / 4.0, 4.0 / 3.0)),
                vision.RandomHorizontalFlip(),
                vision.ToTensor(),
                vision.Normalize(
                    mean=torch.tensor(IMAGENET_DEFAULT_MEAN),
                    std=torch.tensor(IMAGENET_DEFAULT_STD),
                ),
            ]
        )

    def __call__(self, image: Image.Image) -> tuple[torch.Tensor, np.ndarray]:
        """Normalised image, (3, 192, 192), and mask, (48, 48)."""
        mask = np.zeros(36, dtype=int)
        mask[np.random.permutation(36)[: math.ceil(36 * 0.6)]] = 1
        mask = mask.reshape((6, 6)).repeat(8, axis=0).repeat(8, axis=1)
        return self.transform(image), mask


def of_ours(config: str, folder: Path, *, with_label: bool) -> Any:
    """Training images of a config of ours, as a training makes them."""
    cfg = load_config(config)
    run: Any = SimpleNamespace(seed=0)
    for change in (seed_samples, use_quick):
        change(cfg, run)
    dataset = {**cfg.train_dataloader.dataset, "with_label": with_label}
    use_image_folder(dataset)
    return built(dataset, folder)


def of_stock(name: str, folder: Path, *, with_label: bool) -> Any:
    """Training images of a config of mmpretrain, read from a folder of any number of classes."""
    dataset = Config.fromfile(STOCK / name).train_dataloader.dataset
    dataset = {key: value for key, value in dataset.items() if key != "split"}
    return built({**dataset, "type": "CustomDataset", "with_label": with_label}, folder)


def built(dataset: dict[str, Any], folder: Path) -> Any:
    """A dataset of the files in ``train``."""
    place = {"data_root": str(folder), "data_prefix": "train"}
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return DATASETS.build({**dataset, **place})


def batch(dataset: Any, collate: Callable[[list[Any]], Any]) -> Any:
    """All samples of a dataset as one batch, as a worker of a data loader makes it."""
    fetcher = _MapDatasetFetcher(dataset, True, collate, False)
    return fetcher.fetch(list(range(len(dataset))))


def in_epochs(dataset: Any) -> Callable[[], Any]:
    """Our batch, with other random numbers at every call, as those of the others are."""
    epochs = itertools.count()

    def run() -> Any:
        dataset.pipeline.transforms[0].set_epoch(next(epochs))
        return batch(dataset, default_collate)

    return run


def decoding(files: Sequence[Path]) -> Callable[[], None]:
    """Read and decode alone."""

    def run() -> None:
        for file in files:
            simplejpeg.decode_jpeg(file.read_bytes())

    return run


def same_crops(dataset: Any, mode: vision.InterpolationMode, *, most: int) -> str:
    """Compare our crops with those of torchvision on Pillow images in the same places.

    Raises:
        ValueError: If a value differs by more than ``most`` levels.
    """
    seed, load, crop, *_ = dataset.pipeline.transforms
    worst, changed = 0, []
    for index in range(len(dataset)):
        results = load(seed(dataset.get_data_info(index)))
        state = np.random.get_state()
        place = crop.rand_crop_params(results["img"])
        np.random.set_state(state)
        found = crop(results)["img"][..., ::-1]
        image = Image.open(results["img_path"]).convert("RGB")
        wanted = np.asarray(resized_crop(image, *place, found.shape[:2], mode))
        difference = np.abs(found.astype(int) - wanted)
        worst = max(worst, int(difference.max()))
        changed.append((difference > 0).mean())
    if worst > most:
        raise ValueError(f"a crop differs from Pillow's by {worst} levels, expected at most {most}")
    return (
        f"crops of {len(dataset)} images against torchvision on Pillow: {np.mean(changed):.2%} of "
        f"the values differ, by at most {worst} of 255"
    )
