"""Test sets that a classifier was not trained for: variants of ImageNet, and corrupted images.

Class folders are looked up by name in the classes of the model, so that no order of folders counts.
Lists of classes and labels are those of timm's ``data/_info``.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath
from statistics import fmean
from typing import Any

import torch
from mmcv.transforms import BaseTransform
from mmengine.evaluator import BaseMetric
from torch import Tensor, nn
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F  # noqa: N812

from simmim_bench.data.image_folder import ImageFolder
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, METRICS, TRANSFORMS

SEVERITIES = (1, 2, 3, 4, 5)
META = ("corruption", "severity")
"""What ``RobustAccuracy`` needs to know of a corrupted image."""
REAL_LABELS = "imagenet_real_labels.json"
VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
VALIDATION_IMAGES = 50_000


@cache
def timm_info(name: str) -> str:
    """Text of a file in timm's ``data/_info``.

    Raises:
        BenchError: If timm has no such file.
    """
    try:
        return (importlib.resources.files("timm") / "data" / "_info" / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(
            f"{name} of timm cannot be read ({error}); install timm again, 1.0.10 or newer"
        ) from error


def class_names(stated: str | Sequence[str]) -> tuple[str, ...]:
    """Classes of a model in the order of its outputs: as given, or of a file of timm."""
    return tuple(timm_info(stated).split()) if isinstance(stated, str) else tuple(stated)


def real_labels() -> list[list[int]]:
    """ReaL labels of ImageNet's validation images, in the order of their names.

    Beyer et al., https://arxiv.org/abs/2006.07159. An image can have several labels, or none.

    Raises:
        BenchError: If the file in timm does not have them.
    """
    try:
        labels = json.loads(timm_info(REAL_LABELS))
        usable = len(labels) == VALIDATION_IMAGES and all(
            type(label) is int and 0 <= label < 1000 for each in labels for label in each
        )
    except (ValueError, TypeError):
        usable = False
    if not usable:
        raise BenchError(
            f"{REAL_LABELS} of timm does not have a list of labels from 0 to 999 for each of "
            f"{VALIDATION_IMAGES} images; install timm again"
        )
    return list(labels)


@DATASETS.register_module()
class ClassFolders(ImageFolder):
    """A folder for each class, whose name says which output of the model is right.

    Some classes may have no folder, for example in a part of a test set.

    Args:
        classes: Names of all classes in the order of the model's outputs, or a file of timm.
        subset: File of timm with the classes that the set has. The others are no possible answer.
        numbered: Whether folders are named by the number of the class instead of its name, as in
            ImageNet-V2. Sorted as text, 10 comes before 2.
        kwargs: See ``simmim_bench.ImageFolder``.

    Attributes:
        kept: Outputs that are possible answers; None: all.

    Raises:
        BenchError: If the name of a folder is not that of a class.
    """

    def __init__(
        self,
        *,
        classes: str | Sequence[str],
        subset: str | None = None,
        numbered: bool = False,
        **kwargs: Any,
    ) -> None:
        names = class_names(classes)
        self.numbers = {str(n) if numbered else name: n for n, name in enumerate(names)}
        self.kept: tuple[int, ...] | None = None
        if subset is not None:
            self.numbers = {name: self.numbers[name] for name in class_names(subset)}
            self.kept = tuple(sorted(self.numbers.values()))
        super().__init__(metainfo={"classes": names}, **kwargs)

    def labels_of(self, classes: Sequence[str], folder: str) -> dict[str, int]:
        """Number of each class folder in the model's outputs."""
        if strange := sorted(set(classes) - self.numbers.keys()):
            known = list(self.numbers)
            raise BenchError(
                f"{folder} has the folder {strange[0]}, which is none of the {len(known)} classes "
                f"of this test set ({known[0]} to {known[-1]}); remove it, or give the right data"
            )
        return {name: self.numbers[name] for name in classes}


@DATASETS.register_module()
class RealLabels(ClassFolders):
    """ImageNet's validation images with ReaL labels; those without any are left out.

    Raises:
        BenchError: If an image does not have its original name.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Entries whose ``gt_label`` is the list of right answers."""
        labels, entries = real_labels(), []
        for entry in super().load_data_list():
            found = VALIDATION.fullmatch(PurePath(entry["img_path"]).name)
            if found is None or not 1 <= int(found[1]) <= VALIDATION_IMAGES:
                raise BenchError(
                    f"{entry['img_path']} is not named as an image of ImageNet's validation set "
                    "(ILSVRC2012_val_00000001.JPEG), by which ReaL labels are found; prepare the "
                    "data with `simmim-bench data imagenet`"
                )
            entries.append({**entry, "gt_label": labels[int(found[1]) - 1]})
        return [entry for entry in entries if entry["gt_label"]]


@DATASETS.register_module()
class CorruptionFolders(ClassFolders):
    """ImageNet-C: ``CORRUPTION/SEVERITY/CLASS/*``; ``data_prefix`` has a folder a corruption.

    Raises:
        BenchError: If a severity is missing.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Entries with their ``corruption`` and ``severity``."""
        return [
            {
                "img_path": str(Path(place, name)),
                "gt_label": label,
                "corruption": corruption,
                "severity": severity,
            }
            for corruption, folder in self.data_prefix.items()
            for severity in SEVERITIES
            for place in [Path(folder) / str(severity)]
            for name, label in self.samples_in(str(place))
        ]


@DATASETS.register_module()
class CorruptedImages(ClassFolders):
    """Each image with each corruption at five severities; ``simmim_bench.Corrupt`` makes them.

    Args:
        corruptions: Five strengths for each name of ``OPERATIONS``.
        kwargs: See ``ClassFolders``.

    Raises:
        BenchError: If a corruption is unknown or has another number of strengths.
    """

    def __init__(self, *, corruptions: Mapping[str, Sequence[float]], **kwargs: Any) -> None:
        for name, strengths in corruptions.items():
            if name not in OPERATIONS or len(strengths) != len(SEVERITIES):
                raise BenchError(
                    f"corruptions has {name!r} with {len(strengths)} strengths, expected "
                    f"{len(SEVERITIES)} for each of {', '.join(OPERATIONS)}"
                )
        self.corruptions = corruptions
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Entries with ``corruption``, ``severity``, ``strength`` and the seed of the noise."""
        images = super().load_data_list()
        return [
            {
                **entry,
                "corruption": name,
                "severity": severity,
                "strength": strength,
                "seed": _seed(f"{self._below(entry['img_path'])}/{name}/{severity}"),
            }
            for name, strengths in self.corruptions.items()
            for severity, strength in zip(SEVERITIES, strengths, strict=True)
            for entry in images
        ]

    def _below(self, path: str) -> str:
        return PurePath(path).relative_to(self.img_prefix).as_posix()


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@TRANSFORMS.register_module()
class Corrupt(BaseTransform):
    """Corrupt an image as its entry of ``CorruptedImages`` says, always in the same way."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace ``results['img']``, (H, W, 3), uint8, BGR."""
        image = torch.from_numpy(results["img"][..., ::-1].copy()).permute(2, 0, 1)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(results["seed"])
            changed = OPERATIONS[results["corruption"]](image, results["strength"])
        results["img"] = changed.permute(1, 2, 0).flip(-1).contiguous().numpy()
        return results


def _noise(image: Tensor, sigma: float) -> Tensor:
    """Add Gaussian noise; ``sigma`` is a share of white."""
    return (255 * F.gaussian_noise(image / 255, sigma=sigma)).round().to(torch.uint8)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur; ``sigma`` in pixels, the kernel reaches four of them."""
    return F.gaussian_blur(image, kernel_size=2 * math.ceil(4 * sigma) + 1, sigma=sigma)


def _pixelate(image: Tensor, share: float) -> Tensor:
    """Shrink both sides to ``share``, and enlarge them again."""
    height, width = image.shape[1:]
    whole = F.to_pil_image(image)
    small = F.resize(whole, [int(height * share), int(width * share)], InterpolationMode.BOX)
    return F.pil_to_tensor(F.resize(small, [height, width], InterpolationMode.BOX))


OPERATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "gaussian_noise": _noise,
    "gaussian_blur": _blur,
    "contrast": F.adjust_contrast,
    "pixelate": _pixelate,
    "jpeg_compression": lambda image, quality: F.jpeg(image, int(quality)),
}
"""Functions of an image, (3, H, W), uint8, RGB, and a strength."""


def restrict(head: nn.Module, kept: Sequence[int]) -> None:
    """Let a classifier's head answer with some of its classes only.

    Their logits stay, the others become minus infinity: the answer is the best of ``kept``, as in
    the evaluation code of ImageNet-A and ImageNet-R, which selects columns of the logits:
    https://github.com/hendrycks/natural-adv-examples/blob/master/eval.py,
    https://github.com/hendrycks/imagenet-r/blob/master/eval.py.

    Args:
        head: Returns logits, (B, classes).
        kept: Numbers of the classes.
    """
    indices = torch.as_tensor(kept)

    def mask(_module: nn.Module, _inputs: Any, logits: Tensor) -> Tensor:
        others = torch.full_like(logits, -math.inf)
        columns = indices.to(logits.device)
        return others.index_copy(1, columns, logits[:, columns])

    head.register_forward_hook(mask)


@METRICS.register_module()
class RobustAccuracy(BaseMetric):
    """Top-1 accuracy in percent; of corrupted images the mean over corruptions and severities.

    An image counts if the answer is among its labels. Each corruption has its mean over severities
    as well.

    Args:
        reference_errors: Error of the reference model for each corruption, in percent. With it,
            ``mce`` is the mean over corruptions of the error divided by that of the reference, in
            percent: the mean corruption error (https://arxiv.org/abs/1903.12261, section 4.1).
        kwargs: See ``mmengine.evaluator.BaseMetric``.
    """

    default_prefix = "robustness"

    def __init__(
        self, *, reference_errors: Mapping[str, float] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.reference_errors = reference_errors

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Add a batch of predictions: ``pred_score``, (classes,), and ``gt_label``, (labels,)."""
        for sample in data_samples:
            answer = sample["pred_score"].cpu().argmax()
            right = bool((sample["gt_label"].cpu() == answer).any())
            self.results.append((sample.get("corruption"), sample.get("severity"), right))

    def compute_metrics(
        self, results: list[tuple[str | None, int | None, bool]]
    ) -> dict[str, float]:
        """``top1``; of corrupted images each corruption and, with a reference, ``mce``."""
        groups: dict[str | None, dict[int | None, list[bool]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for corruption, severity, right in results:
            groups[corruption][severity].append(right)
        means = {
            corruption: fmean(100 * fmean(rights) for rights in by_severity.values())
            for corruption, by_severity in groups.items()
        }
        measured = {"top1": fmean(means.values())}
        measured |= {name: value for name, value in means.items() if name is not None}
        if self.reference_errors is not None:
            measured["mce"] = fmean(
                100 * (100 - means[name]) / error for name, error in self.reference_errors.items()
            )
        return measured
