"""Describe the configs: tables of pretraining recipes and task protocols, with their sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simmim_bench.config import load_config
from simmim_bench.leaderboard.grid import Entry, Grid, show_size
from simmim_bench.leaderboard.markdown import escape, render_grid
from simmim_bench.records.environment import precision_of

TITLES = {
    "pretraining": "Pretraining",
    "classification": "Classification",
    "robustness": "Robustness of classifiers",
    "detection": "Detection and instance segmentation",
    "segmentation": "Semantic segmentation",
    "depth": "Depth",
    "retrieval": "Image-text retrieval",
    "vqa": "Visual question answering",
    "generation": "Inpainting and super-resolution",
}
HEADER = (
    "# Recipes and protocols\n\n"
    "Made by `simmim-bench leaderboard protocols --out docs/protocols.md` from `configs/`; "
    "changes by hand are lost. Learning rates are those of the stated batch: devices x images x "
    "accumulated iterations. Precision is that of the forward pass on a GPU; without one, float16 "
    "becomes float32."
)
FOLDERS = {
    "simmim": "SimMIM at full size",
    "imagenet": "Tasks at full size: ImageNet",
    "coco": "Tasks at full size: COCO",
    "ade20k": "Tasks at full size: ADE20K",
    "any": "Tasks for any backbone",
    "transfer": "Other data at full size",
    "baselines": "Other methods at full size",
    "ablations": "Ablations of SimMIM, Swin-B",
    "demo": "The demo",
    "variants": "Variants of SimMIM",
    "small": "Small data",
    "generation": "Inpainting and super-resolution",
    "robustness": "Robustness of classifiers",
}
RECIPES = (
    "# Recipes\n\n"
    "Made by `simmim-bench leaderboard recipes --out docs/recipes.md` from the first sentences of "
    "`configs/`; changes by hand are lost. Learning rates, batches and sources are in "
    "[recipes and protocols](protocols.md), the parts of a name in "
    "[configs](../configs/README.md), lists of runs in [suites](suites.md)."
)
Column = tuple[str, Callable[[Any], str]]


def describe_configs(folder: Path) -> str:
    """Markdown tables of all leaf configs under ``folder``, except ablations and variants.

    Raises:
        BenchError: If a config cannot be read.
    """
    files = sorted(
        path
        for path in folder.rglob("*.py")
        if not {"_base_", "ablations", "variants"} & set(path.relative_to(folder).parts)
    )
    configs = {path.relative_to(folder).as_posix(): load_config(str(path)) for path in files}
    blocks = [HEADER]
    for kind, title in TITLES.items():
        members = {name: cfg for name, cfg in configs.items() if _kind(cfg) == kind}
        columns = COLUMNS.get(kind, DOWNSTREAM)
        blocks += [f"## {title}", render_grid(_grid(title, members, columns)), "Sources:"]
        blocks.append("\n".join(f"- `{name}`: {_source(folder / name)}" for name in members))
    return "\n\n".join(blocks) + "\n"


def list_recipes(folder: Path) -> str:
    """Markdown tables of all leaf configs under ``folder``, a line each.

    Raises:
        BenchError: If a config cannot be read.
    """
    blocks = [RECIPES]
    names = {path.parent.name for path in folder.rglob("*.py")}
    names -= {path.name for path in (folder / "_base_").iterdir()}
    for name in sorted(names, key=lambda name: [*FOLDERS, name].index(name)):
        rows = [
            [Entry(f"{name}/{path.stem}"), Entry(_label(path)), Entry(_first_sentence(path))]
            for path in sorted((folder / name).glob("*.py"))
        ]
        title = FOLDERS.get(name, name)
        headers = [Entry("config"), Entry("method or protocol"), Entry("what it is")]
        blocks += [f"## {title}", render_grid(Grid(title, headers, rows, frozenset(range(3))))]
    return "\n\n".join(blocks) + "\n"


def _label(path: Path) -> str:
    cfg = load_config(str(path))
    if "pretraining" in cfg:
        return str(cfg.pretraining.method)
    return f"{cfg.protocol.id}@{cfg.protocol.version}"


def _first_sentence(path: Path) -> str:
    return re.split(r"[.:](?:\s|$)", _comment(path), maxsplit=1)[0]


def _kind(cfg: Any) -> str:
    kinds = [kind for kind in ("pretraining", "robustness") if kind in cfg]
    return kinds[0] if kinds else str(cfg.protocol.task)


def _grid(title: str, configs: dict[str, Any], columns: Sequence[Column]) -> Grid:
    headers = [Entry("config"), *(Entry(name) for name, _ in columns)]
    rows = [
        [Entry(name.removesuffix(".py")), *(Entry(show(cfg)) for _, show in columns)]
        for name, cfg in configs.items()
    ]
    return Grid(title, headers, rows, frozenset(range(3)))


def _source(path: Path) -> str:
    """The comment at the top of a config as one line of Markdown, in which URLs still work."""
    return " ".join(word if "://" in word else escape(word) for word in _comment(path).split())


def _comment(path: Path) -> str:
    """The comment at the top of a config as one line."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join("\n".join(lines).replace("/\n", "/").split())  # "/": a path goes on


def _window(cfg: Any) -> str:
    backbone = cfg.model.backbone
    given = backbone.get("window_size")
    if given is None:
        return ""
    stages = [stage.window_size for stage in backbone.get("stage_cfgs") or []]
    sizes = stages or ([given] if isinstance(given, int) else list(given))
    return ", ".join(map(str, dict.fromkeys(sizes)))


def _length(cfg: Any) -> str:
    loop = cfg.train_cfg
    if "max_epochs" in loop:
        return f"{loop.max_epochs} ep"
    return f"{loop.max_iters // 1000}k it"


def _batch(cfg: Any) -> str:
    """Images of an optimiser step; devices x images x accumulated iterations if accumulated."""
    base, images = cfg.auto_scale_lr.base_batch_size, cfg.train_dataloader.batch_size
    count = cfg.optim_wrapper.get("accumulative_counts", 1)
    devices = base // (images * count)
    return f"{base} = {devices} x {images} x {count}" if count > 1 else str(base)


def _schedule(cfg: Any) -> str:
    schedules = cfg.param_scheduler
    if not schedules:
        return "nothing learned"
    last = schedules if isinstance(schedules, dict) else schedules[-1]
    names = {
        "WarmupCosineLR": "cosine",
        "CosineAnnealingLR": "cosine",
        "WarmupMultiStepLR": "steps",
        "MultiStepLR": "steps",
        "PolyLR": "linear",
    }
    if last["type"].endswith("PolyLR") and last.get("power", 1.0) != 1.0:
        return f"poly {last['power']:g}"
    return names[last["type"].split(".")[-1]]


def _layer_decay(cfg: Any) -> str:
    rate = cfg.optim_wrapper.get("paramwise_cfg", {}).get("layer_decay", 1.0)
    return "" if rate == 1 else f"{rate:g}"


def _mask(cfg: Any) -> str:
    masks = [
        step
        for step in cfg.train_dataloader.dataset.pipeline
        if step.type == "simmim_bench.GenerateMask"
    ]
    if not masks:
        ratio = cfg.model.backbone.get("mask_ratio")
        return f"random, {cfg.model.backbone.patch_size} px, {_ratio(ratio)}" if ratio else ""
    step = masks[0]
    strategy, ratio = step.get("strategy", "random"), _ratio(step.mask_ratio)
    return f"{strategy}, {step.mask_patch_size} px, {ratio}"


def _ratio(value: float | Sequence[float]) -> str:
    """A mask ratio; a pair is the range from which each sample draws its own."""
    pair = [value] if isinstance(value, int | float) else value
    return " to ".join(f"{part:g}" for part in pair)


def _target(cfg: Any) -> str:
    if cfg.model.type != "simmim_bench.SimMIM":
        return f"{cfg.model.type}'s"
    target: dict[str, Any] = cfg.model.get("target") or {"type": "NormalisedRGB"}
    return str(target["type"]).split(".")[-1]


def _evaluation_mask(cfg: Any) -> str:
    """As ``_mask``, for the masks of an evaluation."""
    return f"random, {cfg.painting.square} px, {cfg.painting.ratio:g}"


def _reference_network(cfg: Any) -> str:
    """Network whose features an evaluation of generated images compares."""
    network = cfg.painting.get("reference_network")
    return Path(network.checkpoint).name if network else "random network"


def _optimiser(key: str) -> Callable[[Any], str]:
    return lambda cfg: f"{cfg.optim_wrapper.optimizer.get(key, 0):g}"


SHARED: tuple[Column, ...] = (
    ("length", _length),
    ("batch", _batch),
    ("precision", lambda cfg: precision_of(cfg.optim_wrapper)),
    ("lr", _optimiser("lr")),
    ("schedule", _schedule),
    ("weight decay", _optimiser("weight_decay")),
    ("drop path", lambda cfg: f"{cfg.model.backbone.get('drop_path_rate', 0):g}"),
)
PRETRAINING: tuple[Column, ...] = (
    ("backbone", lambda cfg: str(cfg.pretraining.backbone)),
    ("mask", _mask),
    ("target", _target),
    ("px", lambda cfg: show_size(cfg.pretraining.image_size)),
    ("window", _window),
    *SHARED,
)
DOWNSTREAM: tuple[Column, ...] = (
    ("protocol", lambda cfg: f"{cfg.protocol.id}@{cfg.protocol.version}"),
    ("backbone", lambda cfg: str(cfg.backbone_name)),
    ("input", lambda cfg: show_size(cfg.protocol.image_size)),
    ("window", _window),
    *SHARED,
    ("layer decay", _layer_decay),
)
GENERATION: tuple[Column, ...] = (
    ("protocol", lambda cfg: f"{cfg.protocol.id}@{cfg.protocol.version}"),
    ("squares", _evaluation_mask),
    ("input", lambda cfg: show_size(cfg.protocol.image_size)),
    ("images", lambda cfg: str(cfg.painting.count)),
    ("enlarged", lambda cfg: f"{cfg.painting.scale} times"),
    ("features of", _reference_network),
    ("seed", lambda cfg: str(cfg.painting.seed)),
)
ROBUSTNESS: tuple[Column, ...] = (
    ("protocol", lambda cfg: f"{cfg.protocol.id}@{cfg.protocol.version}"),
    ("data", lambda cfg: str(cfg.protocol.dataset)),
    ("part", lambda cfg: str(cfg.protocol.split)),
    ("input", lambda cfg: show_size(cfg.protocol.image_size)),
    ("model trained by", lambda cfg: str(cfg.robustness.trained_by)),
)
COLUMNS = {"pretraining": PRETRAINING, "generation": GENERATION, "robustness": ROBUSTNESS}
