"""Train: from the command line of ``simmim-bench train`` to ``manifest.json``.

``train`` reads the config, checks it and makes the frozen ``Run``; ``start`` adapts the config to
the run (``adapt.ADAPTATIONS``), adds the hooks (``hooks_of``) and trains. ``ManifestHook`` writes
the manifest at the end.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simmim_bench.config import datasets
from simmim_bench.data.content import check_content
from simmim_bench.data.layouts import LAYOUTS, check_data
from simmim_bench.errors import BenchError
from simmim_bench.io import check_output_folder
from simmim_bench.plugins import flags, imported
from simmim_bench.recipe.any_backbone import check_filled, is_open
from simmim_bench.recipe.command_line import config_of
from simmim_bench.records.names import counted
from simmim_bench.training.data import check_name, data_of
from simmim_bench.training.length import plan_length
from simmim_bench.training.mistakes import check_mistakes
from simmim_bench.training.overrides import with_tuned_values
from simmim_bench.training.process import leave, prepare
from simmim_bench.training.run import Note, Run, check_origin, make_run
from simmim_bench.training.weights import check_same_backbone, for_channels, local_weights

PREDICTED = ("classification", "detection", "segmentation")
"""Tasks of ``simmim-bench predict``."""


def train(args: argparse.Namespace) -> None:
    """Run the stage that ``args.config`` describes.

    Args:
        args: Namespace of ``simmim-bench train``.

    Raises:
        BenchError: If the config, the data or the backbone checkpoint cannot be used.
    """
    args = with_tuned_values(args)
    cfg = config_of(args)
    on_demo = False
    if args.try_iterations is not None:
        from simmim_bench.training.try_out import prepare_try, takes_demo

        args, on_demo = prepare_try(args), takes_demo(args)
        model, cfg = cfg.model, config_of(args)
        cfg.model = model  # its own files (a palette, a teacher) have no stand-ins
    check_data(cfg)
    check_origin(args, cfg)
    check_like(args, cfg)
    args = with_probe_data(args, cfg)
    args = local_weights(args, cfg)
    cfg = _around_the_backbone(args) if (args.pretrained or args.like) and is_open(cfg) else cfg
    check_filled(cfg, args.config)
    args = for_channels(args, cfg)
    check_name(args)
    check_mistakes(cfg, args.config, data=not on_demo)
    notes = [] if on_demo else check_content(cfg)
    world_size = prepare(args.launcher, cfg.default_scope)
    check_same_backbone(args, cfg)
    longer = plan_length(args, cfg)
    data = None if args.try_iterations is not None else data_of(args, cfg)
    start(cfg, make_run(args, cfg, world_size, data, longer), notes)
    leave()


def check_like(args: argparse.Namespace, cfg: Any) -> None:
    """Raise unless ``--like`` is absent, or names the backbone of a run from scratch.

    Raises:
        BenchError: If the run starts from weights, or its config has a backbone.
    """
    if args.like and not (args.from_scratch and is_open(cfg)):
        raise BenchError(
            f"--like {args.like} names the backbone of a run --from-scratch with a config of "
            "configs/any, which has none; leave it out, or give both"
        )


def with_probe_data(args: argparse.Namespace, cfg: Any) -> argparse.Namespace:
    """Arguments with the folder of ``--probe-every``, which is checked.

    Raises:
        BenchError: If the flags do not fit the config or each other, or the folder has no classes.
    """
    if args.probe_every is None:
        if args.probe_data:
            raise BenchError("--probe-data needs --probe-every N; add it, or leave out both")
        return args
    if "pretraining" not in cfg:
        raise BenchError(
            f"--probe-every measures a pretraining, and {args.config} is a downstream task; leave "
            f"it out"
        )
    if args.fsdp:
        raise BenchError("--probe-every does not work with --fsdp; leave one of them out")
    from simmim_bench.training.probing import class_folders

    folder = Path(args.probe_data or _folder_of_training(cfg))
    class_folders(folder)
    return argparse.Namespace(**{**vars(args), "probe_data": str(folder)})


def _folder_of_training(cfg: Any) -> Path:
    """Folder of the training images; of the embedded data, that of the labelled ones.

    Raises:
        BenchError: If there are several.
    """
    roots = {str(dataset.get("data_root") or ".") for _, dataset in datasets(cfg)}
    if len(roots) != 1:
        raise BenchError(
            f"--probe-every finds no labelled images by itself: the config reads {len(roots)} "
            f"folders ({', '.join(sorted(roots))}); name one with --probe-data"
        )
    root = Path(roots.pop())
    labelled = root / LAYOUTS["imagenet"].home
    return labelled if labelled.is_dir() else root


def _around_the_backbone(args: argparse.Namespace) -> Any:
    """Config of a recipe of ``configs/any``, with the backbone of weights."""
    from simmim_bench import ops

    ops.install()  # before the libraries are imported
    from simmim_bench.weights.levels import read_backbone
    from simmim_bench.weights.origin import local_backbone

    return config_of(args, read_backbone(local_backbone(args.pretrained or args.like)))


def start(cfg: Any, run: Run, notes: Sequence[str] = ()) -> None:
    """Adapt the config to the run, add its hooks, and train.

    Args:
        cfg: Config; changed in place.
        run: What to do.
        notes: Sentences for the log.

    Raises:
        BenchError: If the work dir leads elsewhere, or holds another run.
        SystemExit: With code 75 if the same command would continue the run.
    """
    from simmim_bench.training.adapt import adapt
    from simmim_bench.training.batch import has_tried_again
    from simmim_bench.training.cost import peak_memory_mb
    from simmim_bench.training.failures import TRAIN_WITH_LESS, explained
    from simmim_bench.training.runner import BenchRunner, configure
    from simmim_bench.training.stopping import stopping

    check_output_folder(run.work_dir)
    said = adapt(cfg, run)
    deviations = [*run.deviations, *(text for text in said if not isinstance(text, Note))]
    hooks, cfg.custom_hooks = hooks_of(cfg, run, deviations), []
    configure(cfg, run.work_dir, run.launcher, run.seed, hooks)
    last, found = _checkpoint_to_continue(run, cfg)
    cfg.resume, cfg.load_from = last is not None, str(last) if last else None
    # Before the model is wrapped, which waits for all processes: one may run out of memory then.
    tried_again = has_tried_again(cfg, run.work_dir, run.world_size)
    with explained(run.config, less_memory=TRAIN_WITH_LESS):
        runner = BenchRunner.from_cfg(cfg)
        for text in [*notes, *said, *found]:
            runner.logger.info(text)
        with stopping(
            runner,
            may_restart=run.resume,
            may_shrink=not run.auto_scale_lr,
            tried_again=tried_again,
            may_diverge=run.stage == "trial",
        ):
            runner.train()
        if run.is_try:
            runner.logger.info(
                f"--try passed: {counted(runner.iter, 'iteration')} and validation, peak memory "
                f"{peak_memory_mb(runner):.0f} MiB; nothing was recorded; leave out --try to train"
            )
        else:
            runner.logger.info(what_next(run))


def what_next(run: Run) -> str:
    """Where the results of a finished run are, and the command that takes them."""
    folder, own = shlex.quote(str(run.work_dir)), "".join(f" {word}" for word in flags(imported()))
    if run.stage == "pretrain":
        export = shlex.quote(str(run.work_dir / "export"))
        following = f"simmim-bench export {folder} --out {export}{own}"
    elif run.stage == "trial":
        following = "train without --held-out, on all training data, for a record"
    else:
        following = f"simmim-bench leaderboard build --work-dir {folder}{own}"
        if run.protocol and run.protocol["task"] in PREDICTED:
            following += f", or simmim-bench predict {folder} IMAGES{own}"
    return f"the results are in {run.work_dir}; next: {following}"


def hooks_of(cfg: Any, run: Run, deviations: list[str]) -> list[dict[str, Any]]:
    """Hooks of a run, after those of its config; of equal priority, the first acts first.

    The config that a run writes into its work dir has the hooks of that run. They are left out: it
    may have started from other weights.

    Args:
        cfg: Config as it will run.
        run: The run.
        deviations: For the manifest.
    """
    from simmim_bench.registry import class_of

    task = run.protocol and run.protocol["task"]
    # A try has few images, often of the demo, whose classes are not those of the config.
    reports = run.stage == "finetune" and not run.is_try
    model = class_of(cfg.model.type, "MODELS", cfg.default_scope)
    shown = run.stage == "pretrain" and getattr(model, "predicts_images", False)
    cached = getattr(model, "caches_features", False) and run.cache_gb > 0 and not run.is_try
    flags = {"recompute": run.recompute, "compiled": run.compile}
    table: list[tuple[bool, str, dict[str, Any]]] = [
        (run.recompute or run.compile, "SpeedHook", flags),
        (run.fsdp, "FullyShardHook", {}),
        (True, "SeedHook", {}),
        (True, "LoadersHook", {}),
        (True, "MeanLossHook", {}),
        (True, "SameStatisticsHook", {}),
        (True, "FiniteLossHook", {}),
        (True, "IdentityHook", {"run": run.identity(cfg)}),
        (True, "PeakMemoryHook", {}),
        (True, "EnergyHook", {}),
        (True, "ProgressHook", {}),
        (True, "PreemptionHook", {}),
        (not run.is_try, "ManifestHook", {"facts": run.facts(deviations, cfg)}),
        (shown, "ReconstructionHook", {"epochs": run.paint_every}),
        (
            run.probe_every is not None,
            "ProbeHook",
            {"epochs": run.probe_every, "data": run.probe_data},
        ),
        (reports or run.stage == "trial", "ClassesHook", {}),
        (reports, "ImageListHook", {}),
        (reports, "ClassReportHook", {"task": task}),
        (reports, "SamplePredictionsHook", {"task": task}),
        (
            run.pretrained is not None,
            "PretrainedBackboneHook",
            {"checkpoint": run.pretrained, "given": run.starts_from},
        ),
        (
            run.init is not None,
            "PretrainedBackboneHook",
            {"checkpoint": run.init, "initial": True, "given": run.starts_from},
        ),
        (cached, "FeatureCacheHook", {"limit_gb": run.cache_gb}),
    ]
    of_runs = {f"simmim_bench.{name}" for _, name, _ in table}
    stated = [hook for hook in cfg.get("custom_hooks", []) if hook.get("type") not in of_runs]
    added = [{"type": f"simmim_bench.{name}", **values} for used, name, values in table if used]
    return [*stated, *added]


def _checkpoint_to_continue(run: Run, cfg: Any) -> tuple[Path | None, list[str]]:
    """Last undamaged checkpoint of a resumed run, if any, and sentences for the log."""
    from simmim_bench.recipe.length import length_of
    from simmim_bench.training.runner import latest_checkpoint
    from simmim_bench.weights.identity import check_resumable, check_unused

    if run.is_try:
        return None, []
    if not run.resume:
        check_unused(run.work_dir)
        return None, []
    damaged: list[Path] = []
    last = latest_checkpoint(run.work_dir, damaged)
    notes = check_resumable(last, run.identity(cfg), length_of(cfg)) if last is not None else []
    then = f"continuing from {last.name}" if last else "starting again"
    return last, [*notes, *(f"{path} is truncated or damaged; {then}" for path in damaged)]
