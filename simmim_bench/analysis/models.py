"""Open a model that is analysed, from any file that this project writes.

A pretraining that predicts images is opened whole (``open_pretraining``, ``load_pretraining``). For
everything else a backbone is enough, from a checkpoint, an export or a config (``open_subject``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmpretrain.models.classifiers import ImageClassifier

from simmim_bench.backbones import adapter_for
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.reconstruction import predicts_images
from simmim_bench.records.manifest import label_of
from simmim_bench.registry import MODELS
from simmim_bench.training.failures import explained
from simmim_bench.training.process import prepare
from simmim_bench.weights.card import read_card
from simmim_bench.weights.files import checkpoint_in, load_checkpoint, stored_config
from simmim_bench.weights.pretrained import load_pretrained
from simmim_bench.weights.safe_config import build_from_file
from simmim_bench.weights.strict import load_trained_backbone, load_whole

COLOURS = 3
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""ImageNet's, for an exported backbone, whose card has none; those of every config here."""


def build(config: Mapping[str, Any], scope: str) -> Any:
    """Build a model or backbone whose unprefixed names belong to ``scope`` (``default_scope``)."""
    return MODELS.build({**config, "_scope_": scope})


def open_pretraining(
    config: str,
    checkpoint: Path,
    overrides: Sequence[str] = (),
    *,
    data: str | None = None,
    image_size: int | None = None,
) -> tuple[Any, Any]:
    """Prepare the process and open the whole model of a pretraining.

    Args:
        config: Config of a pretraining.
        checkpoint: ``epoch_N.pth``, or the folder of a finished run.
        overrides: ``KEY=VALUE`` changes of the config.
        data: ``--data`` of the pretraining.
        image_size: ``--image-size`` of the pretraining.

    Returns:
        The config, and the model in evaluation mode on the CPU.

    Raises:
        BenchError: If the config is not one of a pretraining, the model predicts no images, or
            the checkpoint does not fit.
    """
    changes = Changes(overrides=tuple(overrides), data=data, image_size=image_size)
    cfg = load_recipe(config, changes)
    if "pretraining" not in cfg:
        raise BenchError(
            f"{config} is not a pretraining config, so its model predicts no images; give a "
            f"config such as those under configs/simmim"
        )
    prepare("none", cfg.default_scope)
    with explained(config):
        return cfg, load_pretraining(cfg, checkpoint, config=config)


def _check_normalisation(cfg: Any, content: Mapping[str, Any], file: Path, config: str) -> None:
    """Refuse a config that normalises images unlike the run that wrote the checkpoint.

    Raises:
        BenchError: Names both.
    """
    stored = stored_config(content) or {}
    theirs = (stored.get("model") or {}).get("data_preprocessor") or {}
    ours = cfg.model.get("data_preprocessor") or {}
    for key in ("mean", "std"):
        if theirs.get(key) is not None and list(theirs[key]) != list(ours.get(key) or ()):
            raise BenchError(
                f"{file} was trained on images normalised with {key} {list(theirs[key])}, "
                f"{config} has {ours.get(key)}; pass the --data of the training, or the config in "
                "its work dir"
            )


def load_pretraining(cfg: Any, checkpoint: Path, *, config: str = "the config inside it") -> Any:
    """Build the whole model of a pretraining and load every key of the checkpoint.

    Args:
        cfg: Config of a pretraining.
        checkpoint: ``epoch_N.pth``, or the folder of a finished run.
        config: Name of the config, for errors.

    Raises:
        BenchError: If the model predicts no images, or the checkpoint does not fit.
    """
    file = checkpoint_in(checkpoint)
    model = build(cfg.model, cfg.default_scope)
    if not predicts_images(model):
        target = type(getattr(model, "target", model)).__name__
        raise BenchError(
            f"{file} cannot be shown as images: {target} predicts none; give a checkpoint of a "
            f"method that predicts pixels, such as SimMIM"
        )
    content = load_checkpoint(file)
    _check_normalisation(cfg, content, file, config)
    load_whole(model, content, checkpoint=file, config=config)
    return model.eval()


@dataclass(frozen=True)
class Subject:
    """One model of an analysis, in evaluation mode.

    Args:
        name: As given.
        what: Where its weights come from, for the page.
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


def open_subject(given: str, *, seed: int) -> Subject:
    """Open ``NAME=FILE``.

    Args:
        given: FILE is an exported ``backbone.pth`` or its folder, the checkpoint of a training or
            the folder of a finished one, or a config, whose backbone then has random weights.
        seed: Of random weights.

    Raises:
        BenchError: If ``given`` has another form, or the file is none of these or does not fit.
    """
    name, separator, file = given.partition("=")
    if not separator or not name or not file:
        raise BenchError(
            f"--model takes NAME=FILE, for example simmim=export/backbone.pth or "
            f"scratch=configs/demo/simmim_swin-demo.py, got {given!r}"
        )
    path = Path(file)
    if path.suffix == ".py":
        return _random(name, file, seed)
    if (path / "backbone.pth").is_file():
        path = path / "backbone.pth"
    path = checkpoint_in(path)
    content = load_checkpoint(path)
    if "state_dict" in content:
        return _of_checkpoint(name, path, content)
    return _exported(name, path)


def _random(name: str, file: str, seed: int) -> Subject:
    """The weights that a training of the config starts with."""
    cfg = load_config(file)
    torch.manual_seed(seed)
    if "pretraining" in cfg:
        model = build(cfg.model, cfg.default_scope)
        _draw_weights(model)
        backbone = model.backbone
    else:
        backbone = build(cfg.model["backbone"], "mmpretrain")
        _draw_weights(backbone)
        if cfg.get("backbone_init") == "original":
            adapter_for(backbone).init_weights(pretraining=False)
    return _subject(name, f"random weights of {file}", backbone, cfg)


def _draw_weights(model: Any) -> None:
    """Initialise without mmengine's log line for each parameter."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel("WARNING")
    try:
        model.init_weights()
    finally:
        logger.setLevel(before)


def _exported(name: str, path: Path) -> Subject:
    card = read_card(path)
    backbone = build_from_file(
        card["backbone_config"],
        source=path.with_suffix(".json"),
        entry="backbone_config",
        scope="mmpretrain",
    )
    load_pretrained(backbone, path)
    stated = card["pretraining"]
    method = label_of(stated["method"], stated.get("initial"))
    what = f"{method}, {stated['dataset']}, {stated.get('epochs')} epochs"
    return _subject(name, what, backbone, card)


def _of_checkpoint(name: str, path: Path, content: dict[str, Any]) -> Subject:
    cfg = stored_config(content)
    if cfg is None:
        raise BenchError(
            f"{path} does not contain its config; give a checkpoint that simmim-bench "
            "train wrote, or convert it with simmim-bench convert"
        )
    meta = content["meta"]
    if "pretraining" not in cfg and cfg.get("protocol", {}).get("task") == "classification":
        scope = cfg.get("default_scope", "mmpretrain")
        model = build_from_file(cfg["model"], source=path, entry="model", scope=scope)
        if isinstance(model, ImageClassifier):
            load_whole(model, content, checkpoint=path, config="the config inside it")
            classes = (meta.get("dataset_meta") or {}).get("classes")
            classes = tuple(classes or map(str, range(model.head.num_classes)))
            what = f"classifier, {cfg['protocol']['id']}, epoch {meta.get('epoch')}"
            return _subject(
                name, what, model.backbone, cfg, classifier=model.eval(), classes=classes
            )
    backbone = load_trained_backbone(content, cfg, path)
    stated = cfg.get("pretraining") or cfg.get("protocol") or {}
    kind = stated.get("method") or stated.get("id", "training")
    what = f"{kind}, {stated.get('dataset')}, epoch {meta.get('epoch')}"
    return _subject(name, what, backbone, cfg)


def _subject(
    name: str, what: str, backbone: Any, stated: Mapping[str, Any], **others: Any
) -> Subject:
    adapter = adapter_for(backbone)
    if adapter.in_channels != COLOURS:
        raise BenchError(
            f"{name} takes {adapter.in_channels} channels, and this analysis shows it RGB images; "
            "look at what it predicts with `simmim-bench analyze reconstruct`"
        )
    sizes = adapter.sizes()
    run = stated.get("pretraining") or stated.get("protocol") or {}
    size = sizes.get("image_size") or run.get("image_size")
    if isinstance(size, int):
        size = (size, size)
    if not size:
        raise BenchError(
            f"{name} states no image size, neither in its backbone nor in its config; give a "
            f"checkpoint or export that does"
        )
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
