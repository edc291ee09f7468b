"""A training run from its command line to its manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simmim_bench.config import datasets, load_config, resolved_hash
from simmim_bench.engine.data_check import check_data
from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import SCRATCH, Pretraining, Protocol
from simmim_bench.records.schema import validate

PAINTERS = {  # whose reconstructions are shown
    "AdaptiveSimMIM",
    "MultiViewSimMIM",
    "PixelSimMIM",
    "SimMIM",
    "SimilaritySimMIM",
    "SparseSimMIM",
}
METHOD_OVERRIDE = "pretraining.method="  # names an ablation; changes nothing of the recipe


def train(args: argparse.Namespace) -> None:
    """Run the stage that ``args.config`` describes.

    Args:
        args: Namespace of ``tools/train.py``.

    Raises:
        BenchError: If the config, the data or the backbone checkpoint are not usable.
    """
    cfg = _config(args)
    if args.try_iterations is not None:
        from simmim_bench.engine.try_out import prepare_try

        prepare_try(args)
        model, cfg = cfg.model, _config(args)
        cfg.model = model  # its files, a palette or a teacher, have no stand-ins
    check_data(cfg)
    _check_origin(args, cfg)
    from simmim_bench.engine.process import leave, prepare

    world_size = prepare(args.launcher, cfg.default_scope)
    facts = _facts(args, cfg)
    if args.try_iterations is not None:
        from simmim_bench.engine.try_out import shrink

        shrink(cfg, args.try_iterations)
    run(args, cfg, facts, world_size)
    leave()


def _config(args: argparse.Namespace) -> Any:
    return load_config(
        args.config,
        overrides=args.cfg_options,
        data_root=args.data_root,
        num_classes=args.num_classes,
    )


def run(args: argparse.Namespace, cfg: Any, facts: dict[str, Any], world_size: int) -> None:
    """Build the runner and train."""
    import torch

    from simmim_bench.checkpoint.identity import identity
    from simmim_bench.engine.failures import explained
    from simmim_bench.engine.process import adapt_to_cpu, imports

    with imports():  # some hooks report on tasks of other libraries
        from simmim_bench.engine.hooks.memory import peak_memory_mb
    from simmim_bench.engine.runner import BenchRunner
    from simmim_bench.engine.speed import deviation, speed_hooks
    from simmim_bench.engine.stopping import stopping
    from simmim_bench.engine.trackers import log_to

    log_to(cfg, args.log_to)
    cfg.work_dir = str(args.work_dir or Path("work_dirs") / Path(args.config).stem)
    facts["deviations"] += deviation(args, cfg)
    speed = speed_hooks(args, cfg, world_size)
    notes = _scale(args, cfg, facts, world_size)
    if not torch.cuda.is_available():
        adapt_to_cpu(cfg)
    cfg.launcher = args.launcher
    cfg.randomness = {"deterministic": False, **cfg.get("randomness", {}), "seed": args.seed}
    _seed_samples(cfg, args.seed)
    own = identity(facts, cfg, world_size)
    cfg.custom_hooks = [*cfg.get("custom_hooks", []), *speed, *_hooks(args, cfg, facts, own)]
    last = _start_from(args, Path(cfg.work_dir), own, notes)
    cfg.resume, cfg.load_from = last is not None, str(last) if last else None
    with explained(args.config):
        runner = BenchRunner.from_cfg(cfg)
        for note in notes:
            runner.logger.info(note)
        may_shrink = args.resume and not args.auto_scale_lr
        with stopping(runner, may_restart=args.resume, may_shrink=may_shrink):
            runner.train()
        if args.try_iterations is not None:
            runner.logger.info(
                f"--try passed: {runner.iter} iterations and what follows them, peak memory "
                f"{peak_memory_mb(runner):.0f} MiB; nothing was recorded"
            )


def _scale(args: argparse.Namespace, cfg: Any, facts: dict[str, Any], world_size: int) -> list[str]:
    """Keep the recipe's batch on these devices; note in the facts where that is not the recipe."""
    from simmim_bench.engine.scaling import (
        has_batch_norm,
        has_in_batch_negatives,
        keep_recipe,
    )
    from simmim_bench.engine.smaller_batch import use_smaller_batch

    if args.try_iterations is not None:
        return []
    shrunk = use_smaller_batch(cfg, Path(cfg.work_dir), world_size) if args.resume else None
    facts["deviations"] += [shrunk] if shrunk else []
    note = keep_recipe(cfg, world_size, auto_scale_lr=args.auto_scale_lr)
    accumulated = cfg.optim_wrapper.get("accumulative_counts", 1) > 1
    if note and has_batch_norm(cfg.model):
        note += "; batch norm sees fewer images at a time than in the recipe"
        facts["deviations"].append(note)
    elif note and accumulated and has_in_batch_negatives(cfg.model):
        note += "; the contrastive loss has fewer negatives than in the recipe"
        facts["deviations"].append(note)
    elif note and args.auto_scale_lr:
        facts["deviations"].append(note)
    return [text for text in (shrunk, note) if text]


def _start_from(
    args: argparse.Namespace, work_dir: Path, own: dict[str, Any], notes: list[str]
) -> Path | None:
    """Checkpoint to continue from, or None for a new run in a folder of its own."""
    from simmim_bench.checkpoint.identity import check_resumable, check_unused
    from simmim_bench.engine.runner import latest_checkpoint

    if args.try_iterations is not None:
        return None
    if not args.resume:
        check_unused(work_dir)
        return None
    damaged: list[Path] = []
    last = latest_checkpoint(work_dir, damaged)
    instead = f"continues from {last.name}" if last else "begins anew"
    notes += [f"{path} is truncated or damaged; {instead}" for path in damaged]
    if last is not None:
        check_resumable(last, own)
    return last


def _seed_samples(cfg: Any, seed: int) -> None:
    """Let the run's seed decide augmentations, and masks where the config does not."""
    for loader, dataset in datasets(cfg):
        if loader == "train_dataloader":
            dataset.pipeline = [
                {"type": "simmim_bench.SeedSample", "seed": seed},
                *dataset.pipeline,
            ]
        for transform in dataset.get("pipeline", []):
            if transform["type"] == "simmim_bench.GenerateMask":
                transform.setdefault("seed", seed)


def _check_origin(args: argparse.Namespace, cfg: Any) -> None:
    """Refuse a config of no known stage, and a start that does not fit the stage."""
    pretraining, downstream = "pretraining" in cfg, "protocol" in cfg
    if pretraining == downstream:
        raise BenchError(
            f"config {args.config} must state either `pretraining` or `protocol`; see the configs "
            "under configs/simmim and configs/imagenet"
        )
    for name, model in (("pretraining", Pretraining), ("protocol", Protocol)):
        if name in cfg:
            validate(
                model,
                cfg[name].to_dict(),
                source=f"{name} of {args.config}",
                remedy="correct it in the config",
            )
    if pretraining and (args.pretrained or args.from_scratch):
        raise BenchError(
            f"{args.config} is a pretraining; --pretrained and --from-scratch belong to "
            "downstream configs"
        )
    if downstream and bool(args.pretrained) == bool(args.from_scratch):
        raise BenchError(
            f"{args.config} needs a backbone: pass --pretrained BACKBONE.PTH (made by "
            "tools/export_backbone.py) or, for the baseline, --from-scratch; one of the two"
        )
    if args.pretrained and not Path(args.pretrained).is_file():
        raise BenchError(
            f"--pretrained {args.pretrained} does not exist; make it with "
            "`python tools/export_backbone.py CHECKPOINT --out DIR`"
        )


def _stated(override: str) -> str:
    """An override; an exported backbone by its method, since each seed of a row has its own."""
    key, _, value = override.partition("=")
    if not (value.endswith(".pth") and Path(value).with_suffix(".json").is_file()):
        return override
    from simmim_bench.checkpoint.export import read_card

    return f"{key}=backbone of {read_card(Path(value))['method']}"


def _facts(args: argparse.Namespace, cfg: Any) -> dict[str, Any]:
    """Fields of the manifest that are known before the run."""
    pretraining = cfg.get("pretraining")
    protocol = cfg.get("protocol")
    overrides = [item for item in args.cfg_options if not item.startswith(METHOD_OVERRIDE)]
    overrides += [f"--data-root={Path(args.data_root).name}"] if args.data_root else []
    overrides += [f"--num-classes={args.num_classes}"] if args.num_classes else []
    facts: dict[str, Any] = {
        "kind": args.kind,
        "seed": args.seed,
        "config": {
            "path": args.config,
            "sha256": resolved_hash(cfg),
            "overrides": overrides,
        },
        "deviations": [f"override {_stated(item)}" for item in overrides],
        "protocol": protocol.to_dict() if protocol else None,
        "inputs": {},
    }
    if pretraining is not None:
        facts.update(stage="pretrain", method=pretraining.method, backbone=pretraining.backbone)
        facts["pretraining"] = {
            **pretraining.to_dict(),
            "epochs": cfg.train_cfg.get("max_epochs", pretraining.epochs),
            "seed": args.seed,
            "checkpoint_sha256": None,
        }
        return facts
    return {**facts, "stage": "finetune", "backbone": cfg.backbone_name, **_origin(args)}


def _origin(args: argparse.Namespace) -> dict[str, Any]:
    """Where the backbone of a downstream run comes from: an export, or nothing, as was said."""
    if args.from_scratch:
        return {"method": SCRATCH, "pretraining": None}
    from simmim_bench.checkpoint.export import read_card

    checkpoint = Path(args.pretrained)
    card = read_card(checkpoint)
    if card["kind"] == "smoke" and args.kind == "full" and args.try_iterations is None:
        raise BenchError(
            f"--pretrained {checkpoint} comes from a smoke run, which cannot make a full result; "
            "pass --kind smoke, or a backbone of a full pretraining"
        )
    sha = card["sha256"]
    return {
        "method": card["method"],
        "pretraining": {**card["pretraining"], "checkpoint_sha256": sha},
        "inputs": {"backbone": {"path": str(checkpoint), "sha256": sha}},
    }


def _hooks(
    args: argparse.Namespace, cfg: Any, facts: dict[str, Any], own: dict[str, Any]
) -> list[dict[str, Any]]:
    scope = "simmim_bench"
    hooks: list[dict[str, Any]] = [
        {"type": f"{scope}.SeedHook"},
        {"type": f"{scope}.MeanLossHook"},
        {"type": f"{scope}.FiniteLossHook"},
        {"type": f"{scope}.IdentityHook", "run": own},
        {"type": f"{scope}.PeakMemoryHook"},
        {"type": f"{scope}.EnergyHook"},
        {"type": f"{scope}.ProgressHook"},
        {"type": f"{scope}.PreemptionHook"},
    ]
    if args.try_iterations is None:
        hooks.append({"type": f"{scope}.ManifestHook", "facts": facts})
    if facts["stage"] == "pretrain":
        if cfg.model.type in {f"{scope}.{name}" for name in PAINTERS}:
            hooks.append({"type": f"{scope}.ReconstructionHook", "epochs": args.paint_every})
        return hooks
    if args.try_iterations is None:  # which shows a few images of other classes
        hooks.append({"type": f"{scope}.ClassesHook"})
        hooks.append({"type": f"{scope}.ImageListHook"})
        task = facts["protocol"]["task"]
        hooks.append({"type": f"{scope}.ClassReportHook", "task": task})
        hooks.append({"type": f"{scope}.SamplePredictionsHook", "task": task})
    if args.pretrained:
        hooks.append({"type": f"{scope}.PretrainedBackboneHook", "checkpoint": args.pretrained})
    return hooks
