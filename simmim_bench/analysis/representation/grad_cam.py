"""Grad-CAM: the parts of an image that speak for a class (https://arxiv.org/abs/1610.02391).

By default the map is that of the deepest block with at least 4 x 4 positions, since the last stage
of a small model has fewer. If the classifier reads the class token, the block that it reads is left
out, because its patch tokens do not reach the logits.
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
from simmim_bench.analysis.representation.layers import OUTPUT, as_map, blocks_of, watched
from simmim_bench.backbones.outputs import extra_tokens
from simmim_bench.errors import BenchError

FEWEST_POSITIONS = 4  # along each side

Array = np.ndarray[Any, np.dtype[Any]]
MOST_IMAGES = 12
SIDE = 160  # pixels of a picture
STRENGTH = 0.55  # opacity of the colours


def grad_cam(
    classifier: Any, images: Tensor, *, classes: Tensor | None = None, layer: str | None = None
) -> tuple[Tensor, Tensor]:
    """Evidence for a class at each position of a layer (equations 1 and 2).

    With A the map of the layer and y the class's logit: weights are the means over positions of
    dy/dA, and the result is the positive part of the weighted sum of A's channels.

    Args:
        classifier: Has ``backbone``; ``classifier(images)`` returns logits. In evaluation mode.
        images: Normalised, (B, 3, H, W).
        classes: Classes to explain, (B,), int64; None: the predicted ones.
        layer: Name of a block; None: the default.

    Returns:
        (B, h, w), float32, at least 0, and the logits, (B, number of classes).

    Raises:
        BenchError: If the layer does not exist, or its positions do not reach the logits.
        ValueError: If the layer has no positions.
    """
    seen = images.detach().clone().requires_grad_()  # so that frozen backbones have gradients too
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
    """Index of the class called ``name``.

    Raises:
        BenchError: If there is none; the message lists near names.
    """
    if name in classes:
        return list(classes).index(name)
    near = difflib.get_close_matches(name, classes, n=3) or list(classes[:5])
    raise BenchError(f"unknown class {name!r}; did you mean {', '.join(near)}?")


@dataclass(frozen=True)
class Evidence:
    """Explanation of one image.

    Args:
        jpeg: The image beside its evidence.
        image: Name of the file.
        true: True class, if images are in class folders.
        explained: Explained class.
        probability: Its probability, in percent.
    """

    jpeg: bytes
    image: str
    true: str
    explained: str
    probability: float


def evidence(
    subject: Subject, pictures: Pictures, *, target: str | None, layer: str | None
) -> list[Evidence]:
    """Grad-CAM of at most 12 images, chosen evenly from those given.

    Args:
        subject: Model with a classifier.
        pictures: Images.
        target: Class to explain; None: the predicted class of each image.
        layer: Block; None: see ``grad_cam``.

    Raises:
        BenchError: If the class or the layer does not exist.
    """
    places = np.linspace(0, len(pictures.paths) - 1, min(MOST_IMAGES, len(pictures.paths)))
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
    """JPEG of the image and, to its right, the image with ``heat`` as colours over it.

    Args:
        image: (H, W, 3), uint8.
        heat: (H, W), >= 0; divided by its largest value.
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


def _unread(backbone: Any) -> list[str]:
    """Blocks whose patch tokens do not reach the logits, as the head reads the class token."""
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
            "the classifier reads the class token of its first block, so no patch tokens reach the "
            "logits; give a model that reads a later block"
        )
    if layer in unread:
        raise BenchError(
            f"patch tokens of layer {layer!r} do not reach the logits, which depend on the "
            f"class token; give one of {', '.join(read)}"
        )
    fine = [
        name for name in read if min(as_map(outputs[name], **how).shape[2:]) >= FEWEST_POSITIONS
    ]
    return layer or (fine or read or [OUTPUT])[-1]
