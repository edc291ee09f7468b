"""Grad-CAM pictures of a classifier: the image, and the image under its evidence."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from simmim_bench.analysis.grad_cam import class_index, grad_cam
from simmim_bench.analysis.images import Pictures, as_seen, normalised
from simmim_bench.analysis.models import Subject

Array = np.ndarray[Any, np.dtype[Any]]
MOST = 12
SIDE = 160  # pixels of a picture
STRENGTH = 0.55  # of the colours over the image


@dataclass(frozen=True)
class Evidence:
    """One image: JPEG of it beside its evidence, and what is said of it.

    Args:
        jpeg: The picture.
        image: Name of the file.
        true: Its class, if folders give one.
        explained: Class that the evidence is for.
        probability: That the classifier gives to it, percent.
    """

    jpeg: bytes
    image: str
    true: str
    explained: str
    probability: float


def evidence(
    subject: Subject, pictures: Pictures, *, target: str | None, layer: str | None
) -> list[Evidence]:
    """Grad-CAM of at most 12 images, evenly spread over those given.

    Args:
        subject: With a classifier.
        pictures: Images.
        target: Class to explain; None: what the classifier says of each image.
        layer: Block whose map is used; None: see ``grad_cam``.

    Raises:
        BenchError: If the class or the layer does not exist.
    """
    places = np.linspace(0, len(pictures.paths) - 1, min(MOST, len(pictures.paths)))
    chosen = sorted({int(place) for place in places.round()})
    paths = [pictures.paths[place] for place in chosen]
    classes = None
    if target is not None:
        classes = torch.full((len(paths),), class_index(target, subject.classes))
    pixels = as_seen(paths, subject.image_size)
    heat, logits = grad_cam(
        subject.classifier, normalised(pixels, subject), classes=classes, layer=layer
    )
    probabilities = logits.softmax(dim=1)
    index = logits.argmax(dim=1) if classes is None else classes
    heat = interpolate(heat[:, None], size=subject.image_size, mode="bilinear")[:, 0]
    return [
        Evidence(
            jpeg=beside(pixels[row], heat[row].numpy()),
            image=paths[row].name,
            true=pictures.classes[chosen[row]] if pictures.classes else "",
            explained=subject.classes[int(index[row])],
            probability=100 * float(probabilities[row, index[row]]),
        )
        for row in range(len(paths))
    ]


def beside(image: Array, heat: Array) -> bytes:
    """JPEG of the image and, to its right, the image under the colours of ``heat``.

    Args:
        image: (H, W, 3), uint8.
        heat: (H, W), at least 0; scaled by its largest value.
    """
    from matplotlib import colormaps

    most = float(heat.max())
    colours = colormaps["inferno"](heat / most if most > 0 else heat)[..., :3] * 255
    covered = ((1 - STRENGTH) * image + STRENGTH * colours).round().astype(np.uint8)
    pair: Sequence[Array] = (image, covered)
    height = round(SIDE * image.shape[0] / image.shape[1])
    sheet = Image.new("RGB", (2 * SIDE, height))
    for place, pixels in enumerate(pair):
        picture = Image.fromarray(pixels).resize((SIDE, height), Image.Resampling.BICUBIC)
        sheet.paste(picture, (place * SIDE, 0))
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=85)
    return stream.getvalue()
