"""Training steps of the tasks beside those of the stock libraries; so far classification.

A step is forward, backward and AdamW. Ours is the model of our config as the runner builds it,
theirs the same classes without our changes. Weights, images and labels are the same; drop path is
off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.steps import CONFIGS, check_equal, matrix_products, photographs, train_step
from benchmarks.speed.work import OURS, Work


def works(small: bool) -> Iterator[Work]:
    """Classification with Swin-B."""
    from mmengine.registry import init_default_scope

    from simmim_bench.training.process import prepare

    for scope, make in (("mmpretrain", _classifier),):
        prepare("none", scope)
        init_default_scope(scope)
        images = 1 if small else 2
        name, ours, theirs, batch = make(images)
        seeded = [(_seeded(model), model) for model in (ours, theirs)]
        equal = check_equal(*seeded, batch)
        step = train_step(seeded[0], batch, fused=True)
        yield Work(
            name=f"{name}, batch {images}, float32",
            unit="images",
            amount=images,
            runs={OURS: step, scope: train_step(seeded[1], batch, fused=False)},
            target=1.15,
            limit=matrix_products(step),
            equal=equal,
        )


def _seeded(model: Any) -> Callable[..., dict[str, Any]]:
    """Losses of a model whose random samples of boxes are the same in every call."""
    import torch

    def losses(inputs: Any, samples: Any) -> dict[str, Any]:
        torch.manual_seed(0)
        found = model(inputs, samples, mode="loss")
        summed = {key: sum(v) if isinstance(v, list) else v for key, v in found.items()}
        return {"loss": sum(value for key, value in summed.items() if "loss" in key)}

    return losses


def _classifier(images: int) -> tuple[str, Any, Any, Any]:
    """Our fine-tuning of Swin-B beside the same classes without our changes."""
    import torch
    from mmpretrain.structures import DataSample

    config = _config(CONFIGS / "imagenet" / "swin-b_8xb128_ft-100e.py")
    config.train_cfg = None  # no mixup: both see the same labels
    ours, theirs = _both(config, config)
    samples = [DataSample().set_gt_label(torch.tensor(7 * index)) for index in range(images)]
    return "Swin-B classification step at 224 px", ours, theirs, (photographs(224, images), samples)


def _config(path: Path) -> Any:
    from mmengine.config import Config

    return Config.fromfile(path).model


def _both(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Build both, ours as the runner does, with the same weights."""
    import torch
    from mmengine.registry import MODELS, DefaultScope

    from simmim_bench.backbones.fast_attention import speed_up
    from simmim_bench.training.adapt import _replace_sync_bn

    torch.manual_seed(0)
    scope = DefaultScope.get_current_instance().scope_name
    built = []
    for config in (ours, theirs):
        config.backbone.drop_path_rate = 0.0
        config.data_preprocessor = None
        for head in ("decode_head", "auxiliary_head"):
            if head in config:
                config[head].dropout_ratio = 0.0
        _replace_sync_bn(config)
        with MODELS.switch_scope_and_registry(scope) as registry:
            built.append(registry.build(config))
    for parameter in built[1].backbone.parameters():
        if parameter.dim() > 1:
            torch.nn.init.trunc_normal_(parameter, std=0.02)
    built[0].load_state_dict(built[1].state_dict())
    speed_up(built[0])
    for model in built:
        model.train()
    return built[0], built[1]
