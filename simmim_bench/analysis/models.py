"""What is analysed: a backbone from any file that the suite writes, or with random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmpretrain.models.classifiers import ImageClassifier

from simmim_bench.backbones.lookup import adapter_for
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.config_text import parse_config_text
from simmim_bench.weights.files import PREFIX, check_finite, load_checkpoint, read_card
from simmim_bench.weights.strict import difference, load_pretrained, load_whole, written_by

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""ImageNet's, for an exported backbone, whose card has none; those of every config here."""


@dataclass(frozen=True)
class Subject:
    """One model of an analysis, in evaluation mode.

    Args:
        name: As given.
        what: What its weights are, in words.
        backbone: The bare backbone.
        image_size: Height and width in pixels.
        mean: Of the normalisation, RGB in 0 to 255.
        std: Same.
        classifier: The model around the backbone, if the file holds a classifier.
        classes: Its class names; empty without a classifier.
    """

    name: str
    what: str
    backbone: Any
    image_size: tuple[int, int]
    mean: Sequence[float] = MEAN
    std: Sequence[float] = STD
    classifier: Any = None
    classes: tuple[str, ...] = ()


def read_subject(given: str, *, seed: int) -> Subject:
    """Read ``NAME=FILE``.

    Args:
        given: FILE is an exported ``backbone.pth`` or its folder, the checkpoint of a training or
            the folder of a finished one, or a config, whose backbone then has random weights.
        seed: Of random weights.

    Raises:
        BenchError: If it is not of that form, or the file is none of these or does not fit.
    """
    name, separator, file = given.partition("=")
    if not separator or not name or not file:
        raise BenchError(
            f"--model takes NAME=FILE, for example simmim=export/backbone.pth or "
            f"scratch=configs/demo/simmim_swin-demo.py; {given!r} is not that"
        )
    path = Path(file)
    if path.suffix == ".py":
        return _random(name, file, seed)
    if (path / "backbone.pth").is_file():
        path = path / "backbone.pth"
    path = written_by(path)
    content = load_checkpoint(path)
    if "state_dict" in content:
        return _of_checkpoint(name, path, content)
    return _exported(name, path)


def _random(name: str, file: str, seed: int) -> Subject:
    """Weights as a training of the config would start with."""
    cfg = load_config(file)
    torch.manual_seed(seed)
    if "pretraining" in cfg:
        model = _build(cfg.model, cfg.default_scope)
        _draw_weights(model)
        backbone = model.backbone
    else:
        backbone = _build(cfg.model["backbone"], "mmpretrain")
        _draw_weights(backbone)
        if cfg.get("backbone_init") == "original":
            adapter_for(backbone).init_weights(pretraining=False)
    return _subject(name, f"random weights of {file}", backbone, cfg)


def _draw_weights(model: Any) -> None:
    """Without mmengine's line for each parameter."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel("WARNING")
    try:
        model.init_weights()
    finally:
        logger.setLevel(before)


def _exported(name: str, path: Path) -> Subject:
    card = read_card(path)
    backbone = _build({**card["backbone_config"], "init_cfg": None}, "mmpretrain")
    load_pretrained(backbone, path)
    stated = card["pretraining"]
    what = f"{stated['method']}, {stated['dataset']}, {stated['epochs']} epochs"
    return _subject(name, what, backbone, card)


def _of_checkpoint(name: str, path: Path, content: dict[str, Any]) -> Subject:
    text = (content.get("meta") or {}).get("cfg")
    if not isinstance(text, str):
        raise BenchError(
            f"{path} does not hold its config; give a checkpoint that tools/train.py wrote, or "
            f"convert it with tools/convert_checkpoint.py"
        )
    cfg = parse_config_text(text)
    epoch = content["meta"].get("epoch")
    scope = cfg.get("default_scope", "mmpretrain")
    if "pretraining" not in cfg and cfg.get("protocol", {}).get("task") == "classification":
        model = _build({**cfg["model"], "init_cfg": None}, scope)
        if isinstance(model, ImageClassifier):
            load_whole(model, content, checkpoint=path, config="the config inside it")
            meta = content["meta"].get("dataset_meta") or {}
            classes = tuple(meta.get("classes") or map(str, range(model.head.num_classes)))
            what = f"classifier, {cfg['protocol']['id']}, epoch {epoch}"
            return _subject(
                name, what, model.backbone, cfg, classifier=model.eval(), classes=classes
            )
    backbone = _build({**cfg["model"]["backbone"], "init_cfg": None}, "mmpretrain")
    state = {
        key.removeprefix(PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(PREFIX)
    }
    differing = difference(backbone, state)
    if differing:
        raise BenchError(f"the backbone of {path} does not fit the config inside it: {differing}")
    check_finite(state, path)
    backbone.load_state_dict(state, strict=False)  # compared key by key above
    stated = cfg.get("pretraining") or cfg.get("protocol") or {}
    kind = stated.get("method") or stated.get("id", "training")
    return _subject(name, f"{kind}, {stated.get('dataset')}, epoch {epoch}", backbone, cfg)


def _subject(
    name: str, what: str, backbone: Any, stated: Mapping[str, Any], **others: Any
) -> Subject:
    sizes = adapter_for(backbone).sizes()
    run = stated.get("pretraining") or stated.get("protocol") or {}
    size = sizes.get("image_size") or run.get("image_size")
    if isinstance(size, int):
        size = (size, size)
    if not size:
        raise BenchError(f"{name}: neither the backbone nor its config states an image size")
    backbone.eval()  # of some classes it returns None
    scale = (stated.get("model") or {}).get("data_preprocessor") or {}
    return Subject(
        name=name,
        what=what,
        backbone=backbone,
        image_size=(int(size[0]), int(size[1])),
        mean=scale.get("mean", MEAN),
        std=scale.get("std", STD),
        **others,
    )


def _build(config: Mapping[str, Any], scope: str) -> Any:
    return MODELS.build({**config, "_scope_": scope})


def pretraining_config(config: str, overrides: Sequence[str]) -> Any:
    """The config, with ``KEY=VALUE`` overrides, of a pretraining.

    Raises:
        BenchError: If it is none, or cannot be read.
    """
    cfg = load_config(config, overrides=list(overrides))
    if "pretraining" not in cfg:
        raise BenchError(
            f"{config} is no pretraining, so it paints nothing; give a config such as those "
            f"under configs/simmim"
        )
    return cfg


def load_model(cfg: Any, checkpoint: Path, config: str) -> Any:
    """Build the model of a pretraining and load every key of the checkpoint.

    Args:
        cfg: Config of a pretraining.
        checkpoint: ``epoch_N.pth``, or the folder of a finished run.
        config: Name of the config, for errors.

    Raises:
        BenchError: If the target is no image, or the checkpoint does not fit.
    """
    from mmengine.registry import DefaultScope

    from simmim_bench.reconstruction import paints
    from simmim_bench.registry import MODELS
    from simmim_bench.weights.files import load_checkpoint
    from simmim_bench.weights.strict import load_whole, written_by

    file = written_by(checkpoint)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    if not paints(model):
        what = type(getattr(model, "target", model)).__name__
        raise BenchError(
            f"{config} trains {what}, which predicts no image; give a config whose target is made "
            f"of colours"
        )
    load_whole(model, load_checkpoint(file), checkpoint=file, config=config)
    return model.eval()
