"""Training steps of the tasks beside those of the stock libraries.

A step is forward, backward and AdamW. Ours is the model of our config as the runner builds it.
Theirs is that of the library's own config, with the library's own Swin; of classification it is
that of our config without our changes. Weights, images and annotations are the same; drop path and
dropout are off.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.speed.steps import CONFIGS, check_equal, matrix_products, photographs, train_step
from benchmarks.speed.work import OURS, Work

SIDE = 512
OBJECTS = 7  # an image of COCO has 7.4
CHANNELS = [96, 192, 384, 768]  # of Swin-T
DETECTION = "swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py"
SEGMENTATION = "swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py"

Samples = Callable[[], list[Any]]
"""Makes the samples of a batch anew, as crops keep the masks that were made of them."""


def works(small: bool) -> Iterator[Work]:
    """Classification with Swin-B, Mask R-CNN and UperNet with Swin-T."""
    from mmengine.registry import DefaultScope

    from simmim_bench.training.process import prepare

    side = 128 if small else SIDE
    for scope, make in (
        ("mmpretrain", partial(_classifier, 1 if small else 2)),
        ("mmdet", partial(_detector, 1, side)),
        ("mmseg", partial(_segmenter, 2, side)),  # batch norm of one value a channel needs two
    ):
        prepare("none", scope)
        with DefaultScope.overwrite_default_scope(scope):
            case = make()
            ours, theirs = (
                (partial(_losses, model, samples), model)
                for model, samples in zip(case.models, case.samples, strict=True)
            )
            equal = check_equal(ours, theirs, (case.images,))
            step = train_step(ours, (case.images,), fused=True)
            yield Work(
                name=f"{case.name}, batch {len(case.images)}, float32",
                unit="images",
                amount=len(case.images),
                runs={OURS: step, scope: train_step(theirs, (case.images,), fused=False)},
                target=1.15,
                limit=matrix_products(step),
                equal=equal,
            )


class Case(NamedTuple):
    """Our model and theirs, and what each is given."""

    name: str
    models: tuple[Any, Any]
    images: Any
    samples: tuple[Samples, Samples]


def _losses(model: Any, samples: Samples, images: Any) -> dict[str, Any]:
    """Losses of a model whose random samples of boxes are the same in every call."""
    import torch

    torch.manual_seed(0)
    found = model(images, samples(), mode="loss")
    summed = {key: sum(v) if isinstance(v, list) else v for key, v in found.items()}
    return {"loss": sum(value for key, value in summed.items() if "loss" in key)}


def _classifier(count: int) -> Case:
    """Our fine-tuning of Swin-B beside the same classes without our changes."""
    import torch
    from mmpretrain.structures import DataSample

    from simmim_bench.config import load_config

    config = load_config("imagenet/swin-b_8xb128_ft-100e").model
    config.train_cfg = None  # no mixup: both see the same labels
    samples = [DataSample().set_gt_label(torch.tensor(7 * index)) for index in range(count)]
    name = "Swin-B classification step at 224 px"
    models = _both(config, copy.deepcopy(config))
    return Case(name, models, photographs(224, count), (lambda: samples,) * 2)


def _detector(count: int, side: int) -> Case:
    """Mask R-CNN; our masks are crops, as our pipeline makes them."""
    import numpy as np
    from mmdet.structures.mask import BitmapMasks

    from simmim_bench.config import load_config
    from simmim_bench.tasks.instance_masks import CroppedMasks

    config = load_config("coco/mask-rcnn_swin-b_fpn_1x").model
    _use_swin_t(config)
    config.neck.in_channels = CHANNELS
    generator = np.random.default_rng(0)
    sizes = generator.exponential(side / 5, (count, OBJECTS, 2)).clip(side / 32, side * 0.8)
    starts = generator.uniform(0, 1, sizes.shape) * (side - sizes)
    boxes = np.concatenate([starts, starts + sizes], axis=-1).astype(np.float32)
    labels = generator.integers(0, config.roi_head.bbox_head.num_classes, boxes.shape[:2])
    masks = [np.stack([_ellipse(box, side) for box in each]) for each in boxes]

    def samples(kind: Callable[[Any, int, int], Any]) -> list[Any]:
        return [
            _detected(*each, kind(bitmaps, side, side))
            for *each, bitmaps in zip(boxes, labels, masks, strict=True)
        ]

    return Case(
        f"Mask R-CNN Swin-T step at {side} px",
        _both(config, _stock("mmdet", DETECTION)),
        photographs(side, count),
        (partial(samples, CroppedMasks.of), partial(samples, BitmapMasks)),
    )


def _detected(boxes: Any, labels: Any, masks: Any) -> Any:
    """A sample of detection."""
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    shape = (masks.height, masks.width)
    names = ("img_shape", "ori_shape", "pad_shape", "batch_input_shape")
    sample = DetDataSample(metainfo=dict.fromkeys(names, shape) | {"scale_factor": (1.0, 1.0)})
    boxes, labels = torch.from_numpy(boxes), torch.from_numpy(labels)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels, masks=masks)
    return sample


def _ellipse(box: Any, side: int) -> Any:
    """Mask of the ellipse in a box, (side, side), uint8."""
    import numpy as np

    left, top, right, bottom = box
    rows, columns = np.ogrid[:side, :side]
    down = (rows - (top + bottom) / 2) / (bottom - top) * 2
    across = (columns - (left + right) / 2) / (right - left) * 2
    return (down**2 + across**2 <= 1).astype(np.uint8)


def _segmenter(count: int, side: int) -> Case:
    """UperNet with its auxiliary head."""
    import torch
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    from simmim_bench.config import load_config

    config = load_config("ade20k/upernet_swin-b_160k").model
    _use_swin_t(config)
    config.decode_head.in_channels, config.auxiliary_head.in_channels = CHANNELS, CHANNELS[2]
    generator = torch.Generator().manual_seed(0)
    regions = torch.randint(150, (count, 1, 8, 8), generator=generator).float()
    shape = {"img_shape": (side, side), "ori_shape": (side, side)}
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=labels), metainfo=shape)
        for labels in torch.nn.functional.interpolate(regions, (side, side)).long()
    ]
    return Case(
        f"UperNet Swin-T step at {side} px",
        _both(config, _stock("mmseg", SEGMENTATION)),
        photographs(side, count),
        (lambda: samples,) * 2,
    )


def _use_swin_t(config: Any) -> None:
    """Put Swin-T in the place of a model's backbone, whose options stay."""
    from mmengine.config import Config

    config.backbone.update(Config.fromfile(CONFIGS / "_base_/models/swin-t.py").swin_t)


def _stock(library: str, name: str) -> Any:
    """Model of a config of a library."""
    from mmengine.config import Config

    package = importlib.import_module(library)
    return Config.fromfile(Path(package.__file__).parent / ".mim/configs" / name).model


def _both(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Build both, ours as the runner does, with the same weights."""
    import torch
    from mmengine.registry import MODELS

    from simmim_bench.training.adapt import _replace_sync_bn
    from simmim_bench.training.runner import BenchRunner

    torch.manual_seed(0)
    for config in (ours, theirs):
        config.backbone.drop_path_rate = 0.0
        config.backbone.pop("convert_weights", None)
        config.backbone.pop("init_cfg", None)
        config.data_preprocessor = None
        for head in ("decode_head", "auxiliary_head"):
            if head in config:
                config[head].dropout_ratio = 0.0
        _replace_sync_bn(config)
    stock = MODELS.build(theirs)
    mine = BenchRunner.__new__(BenchRunner).build_model(ours)
    for parameter in stock.backbone.parameters():
        if parameter.dim() > 1:
            torch.nn.init.trunc_normal_(parameter, std=0.02)
    mine.load_state_dict(stock.state_dict())
    return mine.train(), stock.train()
