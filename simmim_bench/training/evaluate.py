"""Measure a trained checkpoint on its config's test set."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from simmim_bench.config import load_config
from simmim_bench.data.layouts import check_data
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.records.collect import make_record, makers_of
from simmim_bench.records.hash import content_sha256
from simmim_bench.records.manifest import FILE_NAME, ConfigRef, Manifest
from simmim_bench.records.protocols import Protocol, protocol_metrics


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
    from simmim_bench.training.adapt import use_cpu
    from simmim_bench.training.process import leave, prepare

    prepare(args.launcher, cfg.default_scope)

    use_cpu(cfg)
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
    from mmengine.model import BaseTTAModel

    from simmim_bench.training.failures import explained
    from simmim_bench.training.runner import BenchRunner, model_of
    from simmim_bench.weights.files import load_checkpoint
    from simmim_bench.weights.strict import load_whole

    checkpoint = Path(args.checkpoint)
    content = load_checkpoint(checkpoint)
    with explained(args.config):
        runner = BenchRunner.from_cfg(cfg)
        model = model_of(runner)
        model = model.module if isinstance(model, BaseTTAModel) else model
        load_whole(model, content, checkpoint=checkpoint, config=args.config)
        metrics: dict[str, float] = runner.test()
    if is_main_process():
        figures = {key: float(value) for key, value in metrics.items()}
        atomic_write_json(Path(cfg.work_dir) / "test.json", figures)
        runner.logger.info(write_record(args, cfg, metrics))
    return metrics


# Save every test image with its predictions, by the drawing hook of its library.


def draw_predictions(cfg: Any, folder: Path) -> None:
    """Let a test with ``cfg`` write one picture per image into ``folder``.

    Args:
        cfg: Config of a downstream run; changed in place.
        folder: Where the pictures go.
    """
    where = str(folder.absolute())  # mmdet puts a relative folder below the run's own
    backend = {"type": "LocalVisBackend", "save_dir": where, "img_save_dir": "."}
    hook, visualizer = {
        "mmpretrain": (
            {"type": "VisualizationHook", "enable": True, "interval": 1, "out_dir": where},
            "UniversalVisualizer",
        ),
        "mmdet": (
            {"type": "DetVisualizationHook", "draw": True, "test_out_dir": where},
            "DetLocalVisualizer",
        ),
        "mmseg": (
            {"type": "SegVisualizationHook", "draw": True, "interval": 1},
            "SegLocalVisualizer",
        ),
    }[cfg.default_scope]
    cfg.default_hooks.visualization = hook
    cfg.visualizer = {"type": visualizer, "vis_backends": [backend], "name": "visualizer"}


# A record from an evaluation: the run that made the checkpoint, with what was measured now.


RECORD = "record.json"


def write_record(args: argparse.Namespace, cfg: Any, measured: Mapping[str, float]) -> str:
    """Write ``record.json`` into the work dir, if it is known where the checkpoint comes from.

    Cost, seed and pretraining are those of the training run, whose manifest lies beside the
    checkpoint. Test-time augmentation and overrides that training had not are deviations, and
    change the hash of the config, so that the record is another than the training's.

    Args:
        args: Namespace of ``tools/test.py``.
        cfg: The config that was evaluated.
        measured: The evaluator's figures.

    Returns:
        One line that says what was written, or why nothing was.
    """
    checkpoint = Path(args.checkpoint)
    source = checkpoint.parent / FILE_NAME
    unknown = _mismatch(checkpoint, source, cfg.protocol.to_dict())
    if unknown:
        return f"no record: {unknown}"
    run = Manifest.read(source)
    more = [f"override {item} in the evaluation" for item in args.cfg_options]
    more = [text for text in more if text.removesuffix(" in the evaluation") not in run.deviations]
    more += ["test-time augmentation"] if args.tta else []
    evaluated = run.model_copy(
        update={
            "metrics": protocol_metrics(cfg.protocol, measured),
            "deviations": [*run.deviations, *more],
            "config": _evaluated_config(run.config, more),
            "finished": datetime.now(timezone.utc),
        }
    )
    target = Path(cfg.work_dir) / RECORD
    makers = makers_of(_origins(run, source.parent))
    atomic_write_json(target, make_record(evaluated, source, makers).as_json())
    return f"record: {target}"


def _evaluated_config(trained: ConfigRef | None, more: list[str]) -> ConfigRef | None:
    if trained is None or not more:
        return trained
    return trained.model_copy(
        update={
            "sha256": content_sha256([trained.sha256, *more]),
            "overrides": [*trained.overrides, *more],
        }
    )


def _origins(run: Manifest, folder: Path) -> Iterator[Manifest]:
    """Manifests of the export and the pretraining that ``run`` came from, where they still lie."""
    for given in run.inputs.values():
        beside = (folder / given.path).parent
        if (beside / FILE_NAME).is_file():
            made = Manifest.read(beside / FILE_NAME)
            if given.sha256 in {output.sha256 for output in made.outputs.values()}:
                yield made
                yield from _origins(made, beside)


def _mismatch(checkpoint: Path, source: Path, protocol: dict[str, Any]) -> str | None:
    """Why the run beside ``checkpoint`` does not vouch for it; None if it does."""
    if not source.is_file():
        return f"{source} does not exist, which a finished tools/train.py leaves there"
    try:
        run = Manifest.read(source)
    except BenchError as error:
        return str(error)
    if run.stage != "finetune" or run.status != "complete":
        return f"{source} is of a {run.stage} that is {run.status}"
    final = run.outputs["checkpoint"]
    if final.sha256 != sha256_file(checkpoint):
        return f"{checkpoint} holds other weights than {final.path} had when the run ended"
    if run.protocol != Protocol(**protocol):
        return f"{source} is of another protocol than {protocol['id']}@{protocol['version']}"
    return None
