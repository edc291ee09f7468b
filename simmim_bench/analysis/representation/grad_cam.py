"""Grad-CAM: which part of an image speaks for a class (https://arxiv.org/abs/1610.02391, eq. 1, 2).

The map is that of a block: by default the deepest with at least 4 x 4 positions, since the last
stage of a small model has fewer. Where the class token is read, its own block is left out: patch
tokens speak through the attention of later blocks alone.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from simmim_bench.analysis.images import Pictures, as_seen, normalised
from simmim_bench.analysis.models import Subject
from simmim_bench.analysis.representation.layers import (
    OUTPUT,
    as_map,
    blocks_of,
    extra_tokens,
    watched,
)
from simmim_bench.errors import BenchError

FEWEST = 4  # positions along a side


def grad_cam(
    classifier: Any, images: Tensor, *, classes: Tensor | None = None, layer: str | None = None
) -> tuple[Tensor, Tensor]:
    """Evidence for a class at each position of a layer's map.

    With A the map of the layer and y the class's logit: weights are the means over positions of
    dy/dA, and the result is the positive part of the weighted sum of A's channels.

    Args:
        classifier: With ``backbone``, in evaluation mode; ``classifier(images)`` are logits.
        images: Normalised, (B, 3, H, W).
        classes: What is explained, (B,), int64; None: what the classifier says.
        layer: Name of a block; None: see above.

    Returns:
        (B, h, w), float32, at least 0, and the logits, (B, number of classes).

    Raises:
        BenchError: If the layer does not exist, or its positions do not reach the logits.
        ValueError: If the layer has no positions.
    """
    seen = images.detach().clone().requires_grad_()  # also a frozen backbone then has gradients
    with torch.enable_grad(), watched(classifier.backbone) as outputs:
        logits = classifier(seen)
        how: dict[str, Any] = {
            "extra": extra_tokens(classifier.backbone),
            "size": tuple(images.shape[2:]),
        }
        chosen = outputs[_chosen(outputs, layer, how, unread=_unread(classifier.backbone))]
        index = logits.argmax(dim=1) if classes is None else classes
        explained = logits.gather(1, index[:, None]).sum()
        [slope] = torch.autograd.grad(explained, chosen)
    maps, slopes = as_map(chosen.detach(), **how), as_map(slope, **how)
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1).relu(), logits.detach()


def class_index(name: str, classes: Sequence[str]) -> int:
    """Number of the class called ``name``.

    Raises:
        BenchError: If there is none; the message has the nearest names.
    """
    if name in classes:
        return list(classes).index(name)
    near = difflib.get_close_matches(name, classes, n=3) or list(classes[:5])
    raise BenchError(f"no class is called {name!r}; did you mean {', '.join(near)}?")


def _unread(backbone: Any) -> list[str]:
    """Blocks whose patch tokens do not reach the logits, as these read the class token."""
    if getattr(backbone, "out_type", None) != "cls_token":
        return []
    return list(blocks_of(backbone))[max(backbone.out_indices) :]


def _chosen(
    outputs: dict[str, Tensor], layer: str | None, how: dict[str, Any], *, unread: Sequence[str]
) -> str:
    blocks = [name for name in outputs if name != OUTPUT]
    if layer is not None and layer not in blocks:
        raise BenchError(f"the model has no layer {layer!r}; it has {', '.join(blocks)}")
    read = [name for name in blocks if name not in unread]
    if unread and not read:
        raise BenchError(
            "the classifier reads the class token of its first block, so that patch tokens of no "
            "block reach the logits; give a model of more blocks"
        )
    if layer in unread:
        raise BenchError(
            f"patch tokens of layer {layer!r} do not reach the logits, which are made of the "
            f"class token; give one of {', '.join(read)}"
        )
    fine = [name for name in read if min(as_map(outputs[name], **how).shape[2:]) >= FEWEST]
    return layer or (fine or read or [OUTPUT])[-1]


# Grad-CAM pictures of a classifier: the image, and the image under its evidence.


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
