"""A training run from its command line to its manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simmim_bench.config import load_config
from simmim_bench.data.layouts import check_data
from simmim_bench.training.adapt import _seed_samples
from simmim_bench.training.batch import _scale
from simmim_bench.training.origin import _check_origin, _facts

PAINTERS = {  # whose reconstructions are shown
    "AdaptiveSimMIM",
    "MultiViewSimMIM",
    "PixelSimMIM",
    "SimMIM",
    "SimilaritySimMIM",
    "SparseSimMIM",
}


def train(args: argparse.Namespace) -> None:
    """Run the stage that ``args.config`` describes.

    Args:
        args: Namespace of ``tools/train.py``.

    Raises:
        BenchError: If the config, the data or the backbone checkpoint are not usable.
    """
    cfg = _config(args)
    if args.try_iterations is not None:
        from simmim_bench.training.try_out import prepare_try

        prepare_try(args)
        model, cfg = cfg.model, _config(args)
        cfg.model = model  # its files, a palette or a teacher, have no stand-ins
    check_data(cfg)
    _check_origin(args, cfg)
    from simmim_bench.training.process import leave, prepare

    world_size = prepare(args.launcher, cfg.default_scope)
    facts = _facts(args, cfg)
    if args.try_iterations is not None:
        from simmim_bench.training.try_out import shrink

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

    from simmim_bench.training.adapt import adapt_to_cpu
    from simmim_bench.training.failures import explained
    from simmim_bench.training.process import imports
    from simmim_bench.weights.identity import identity

    with imports():  # some hooks report on tasks of other libraries
        from simmim_bench.training.cost import peak_memory_mb
    from simmim_bench.training.adapt import deviation, log_to, speed_hooks
    from simmim_bench.training.runner import BenchRunner
    from simmim_bench.training.stopping import stopping

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


def _start_from(
    args: argparse.Namespace, work_dir: Path, own: dict[str, Any], notes: list[str]
) -> Path | None:
    """Checkpoint to continue from, or None for a new run in a folder of its own."""
    from simmim_bench.training.runner import latest_checkpoint
    from simmim_bench.weights.identity import check_resumable, check_unused

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
