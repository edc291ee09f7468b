"""Measure a trained checkpoint on its config's test set."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from simmim_bench.config import load_config
from simmim_bench.engine.data_check import check_data
from simmim_bench.engine.drawing import draw_predictions
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json


def test(args: argparse.Namespace) -> dict[str, float]:
    """Evaluate ``args.checkpoint`` with ``args.config``; write ``test.json`` in the work dir.

    Where the run that made the checkpoint is known, ``record.json`` as well.

    Raises:
        BenchError: If the config, the data or the checkpoint are not usable.
    """
    cfg = load_config(
        args.config,
        overrides=args.cfg_options,
        data_root=args.data_root,
        num_classes=args.num_classes,
    )
    if cfg.get("test_dataloader") is None:
        raise BenchError(f"{args.config} has no test set; give a downstream config")
    if args.tta:
        average_over_views(cfg, args.config)
    check_data(cfg)
    from simmim_bench.engine.process import adapt_to_cpu, leave, prepare

    prepare(args.launcher, cfg.default_scope)

    import torch

    if not torch.cuda.is_available():
        adapt_to_cpu(cfg)
    cfg.work_dir = str(args.work_dir or Path("work_dirs") / Path(args.config).stem / "test")
    cfg.launcher = args.launcher
    cfg.randomness = {"deterministic": False, **cfg.get("randomness", {}), "seed": args.seed}
    cfg.custom_hooks = [
        *cfg.get("custom_hooks", []),
        {"type": "simmim_bench.ClassesHook"},
        {"type": "simmim_bench.ClassReportHook", "task": cfg.protocol.task},
        {"type": "simmim_bench.SamplePredictionsHook", "task": cfg.protocol.task},
    ]
    if args.draw:
        draw_predictions(cfg, Path(args.draw))
    metrics = _run(cfg, args)
    leave()
    return metrics


def average_over_views(cfg: Any, name: str) -> None:
    """Let a test see each image at several scales, and flipped, as ``cfg.tta_pipeline`` says.

    Args:
        cfg: Config of a downstream run; changed in place.
        name: Of the config, for the error.

    Raises:
        BenchError: If the config has no ``tta_pipeline`` and ``tta_model``.
    """
    if "tta_pipeline" not in cfg or "tta_model" not in cfg:
        raise BenchError(
            f"{name} has no tta_pipeline and tta_model, which --tta asks for; configs/ade20k have"
        )
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = {**cfg.tta_model, "module": cfg.model}


def _run(cfg: Any, args: argparse.Namespace) -> dict[str, float]:
    from mmengine.dist import is_main_process
    from mmengine.model import BaseTTAModel, is_model_wrapper

    from simmim_bench.checkpoint.safe_io import load_checkpoint
    from simmim_bench.checkpoint.whole import load_whole
    from simmim_bench.engine.evaluation_record import write_record
    from simmim_bench.engine.failures import explained
    from simmim_bench.engine.process import imports
    from simmim_bench.engine.runner import BenchRunner

    checkpoint = Path(args.checkpoint)
    content = load_checkpoint(checkpoint)
    with imports():  # some hooks report on tasks of other libraries
        import_module("simmim_bench.engine.hooks")
    with explained(args.config):
        runner = BenchRunner.from_cfg(cfg)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model = model.module if isinstance(model, BaseTTAModel) else model
        load_whole(model, content, checkpoint=checkpoint, config=args.config)
        metrics: dict[str, float] = runner.test()
    if is_main_process():
        figures = {key: float(value) for key, value in metrics.items()}
        atomic_write_json(Path(cfg.work_dir) / "test.json", figures)
        runner.logger.info(write_record(args, cfg, metrics))
    return metrics
