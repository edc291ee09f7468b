"""Test: evaluate a checkpoint on the test set of its config, and write a record of it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from simmim_bench.data.content import check_content
from simmim_bench.data.layouts import check_data
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, check_output_folder, sha256_file
from simmim_bench.plugins import flags, imported
from simmim_bench.recipe.any_backbone import check_filled
from simmim_bench.recipe.command_line import config_of
from simmim_bench.records.collect import make_record, makers_of
from simmim_bench.records.hash import content_sha256
from simmim_bench.records.manifest import FILE_NAME, ConfigRef, Manifest
from simmim_bench.records.protocols import Protocol, protocol_metrics
from simmim_bench.training.data import check_name, data_of_test
from simmim_bench.training.mistakes import check_mistakes
from simmim_bench.training.overrides import NO_CHANGE, deviations_of
from simmim_bench.training.process import leave, prepare

RECORD = "record.json"


def test(args: argparse.Namespace) -> dict[str, float]:
    """Evaluate ``args.checkpoint`` and write ``test.json`` into the work dir.

    If the manifest of the training is beside the checkpoint, write ``record.json`` as well.

    Args:
        args: Namespace of ``simmim-bench test``.

    Returns:
        Metric values by the evaluator's names.

    Raises:
        BenchError: If the config, the data or the checkpoint cannot be used.
    """
    cfg = config_of(args)
    check_filled(cfg, args.config)
    if cfg.get("test_dataloader") is None:
        raise BenchError(f"{args.config} has no test_dataloader; give a downstream config")
    if args.tta:
        average_over_views(cfg, args.config)
    check_data(cfg)
    check_name(args)
    check_mistakes(cfg, args.config, data=False)
    check_content(cfg)
    prepare(args.launcher, cfg.default_scope)
    from simmim_bench.training.adapt import use_cpu
    from simmim_bench.training.runner import configure

    use_cpu(cfg)
    work_dir = args.work_dir or Path("work_dirs") / Path(args.config).stem / "test"
    hooks: list[dict[str, Any]] = [
        {"type": "simmim_bench.ClassesHook"},
        {"type": "simmim_bench.ClassReportHook", "task": cfg.protocol.task},
        {"type": "simmim_bench.SamplePredictionsHook", "task": cfg.protocol.task},
    ]
    cfg.custom_hooks = [hook for hook in cfg.get("custom_hooks", ()) if not _is_of_training(hook)]
    for folder in filter(None, (work_dir, args.draw)):
        check_output_folder(Path(folder))
    configure(cfg, work_dir, args.launcher, args.seed, hooks)
    cfg.load_from, cfg.resume = None, False  # mmengine would load it over ``args.checkpoint``
    if args.draw:
        draw_predictions(cfg, Path(args.draw))
    metrics = _run(cfg, args)
    leave()
    return metrics


def _is_of_training(hook: Any) -> bool:
    """Whether a hook is one that a run adds to its config and writes with it."""
    from simmim_bench.registry import class_of

    found = class_of(str(hook.get("type")), "HOOKS", "simmim_bench")
    return getattr(found, "__module__", "").startswith("simmim_bench.training.hooks.")


def average_over_views(cfg: Any, name: str) -> None:
    """``--tta``: average over several scales and flips of each image (``cfg.tta_pipeline``).

    Args:
        cfg: Config of a downstream run; changed in place.
        name: Name of the config, for the error.

    Raises:
        BenchError: If the config has no ``tta_pipeline`` or no ``tta_model``.
    """
    if "tta_pipeline" not in cfg or "tta_model" not in cfg:
        raise BenchError(
            f"--tta needs a tta_pipeline and a tta_model in {name}; see configs/ade20k"
        )
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = {**cfg.tta_model, "module": cfg.model}


def _run(cfg: Any, args: argparse.Namespace) -> dict[str, float]:
    from mmengine.dist import is_main_process
    from mmengine.model import BaseTTAModel

    from simmim_bench.training.failures import TEST_WITH_LESS, explained
    from simmim_bench.training.runner import BenchRunner, model_of
    from simmim_bench.weights.files import load_checkpoint
    from simmim_bench.weights.strict import load_whole

    checkpoint = Path(args.checkpoint)
    content = load_checkpoint(checkpoint)
    with explained(args.config, less_memory=TEST_WITH_LESS):
        runner = BenchRunner.from_cfg(cfg)
        model = model_of(runner)
        model = model.module if isinstance(model, BaseTTAModel) else model
        load_whole(model, content, checkpoint=checkpoint, config=args.config)
        metrics: dict[str, float] = runner.test()
    if is_main_process():
        values = {key: float(value) for key, value in metrics.items()}
        atomic_write_json(Path(cfg.work_dir) / "test.json", values)
        runner.logger.info(write_record(args, cfg, metrics))
    return metrics


def draw_predictions(cfg: Any, folder: Path) -> None:
    """``--draw``: write each image with its predictions into ``folder``.

    Args:
        cfg: Config of a downstream run; changed in place.
        folder: Folder for the pictures.
    """
    where = str(folder.absolute())  # mmdet puts a relative folder into the work dir
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


def write_record(args: argparse.Namespace, cfg: Any, measured: Mapping[str, float]) -> str:
    """Write ``record.json`` into the work dir if the training of the checkpoint is known.

    Cost, seed and pretraining are those of the training, whose manifest is beside the checkpoint.
    Test-time augmentation, and overrides that the training did not have, are deviations. They
    change the hash of the config, so that the record differs from that of the training; so do
    other data.

    Args:
        args: Namespace of ``simmim-bench test``.
        cfg: The config that was evaluated.
        measured: Metric values by the evaluator's names.

    Returns:
        A line that says what was written, or why nothing was written.
    """
    checkpoint = Path(args.checkpoint)
    source = checkpoint.parent / FILE_NAME
    run = run_of(checkpoint)
    if isinstance(run, str):
        return f"no record: {run}"
    if run.protocol != Protocol(**cfg.protocol):
        stated = f"{cfg.protocol.id}@{cfg.protocol.version}"
        return f"no record: {source} does not have protocol {stated}"
    given = [option for option in args.cfg_options if not option.startswith(NO_CHANGE)]
    said = [text for text in deviations_of(given, None) if text not in run.deviations]
    tuned = [f"override {option}" for option in (run.tuning.overrides() if run.tuning else ())]
    more = [f"{text} in the evaluation" for text in said if text not in tuned]
    more += ["test-time augmentation"] if args.tta else []
    evaluated = run.model_copy(
        update={
            "metrics": protocol_metrics(cfg.protocol, measured),
            "deviations": [*run.deviations, *more],
            "config": _evaluated_config(run.config, more),
            "data": data_of_test(args, cfg, run.data),
            "finished": datetime.now(timezone.utc),
        }
    )
    target = save_record(evaluated, source, Path(cfg.work_dir))
    return f"record: {target}; next: {add_command([target])}"


def save_record(evaluated: Manifest, source: Path, folder: Path) -> Path:
    """Write ``record.json``; the pretraining is found where the run had it from.

    Args:
        evaluated: Manifest of the run, with what was measured now.
        source: File of the run's manifest.
        folder: For the record.

    Returns:
        The file.
    """
    target = folder / RECORD
    makers = makers_of(_origins(evaluated, source.parent, set()))
    atomic_write_json(target, make_record(evaluated, source, makers).as_json())
    return target


def add_command(records: Sequence[Path]) -> str:
    """Command line that adds records to a leaderboard."""
    command = ["simmim-bench", "leaderboard", "add", *map(str, records), *flags(imported())]
    return shlex.join(command)


def _evaluated_config(trained: ConfigRef | None, more: list[str]) -> ConfigRef | None:
    if trained is None or not more:
        return trained
    return trained.model_copy(
        update={
            "sha256": content_sha256([trained.sha256, *more]),
            "overrides": [*trained.overrides, *more],
        }
    )


def _origins(run: Manifest, folder: Path, seen: set[str]) -> Iterator[Manifest]:
    """Manifests of the export and the pretraining of ``run``, as far as they still exist."""
    for given in run.inputs.values():
        if given.sha256 in seen:
            continue
        seen.add(given.sha256)
        beside = (folder / given.path).parent
        if (beside / FILE_NAME).is_file():
            made = Manifest.read(beside / FILE_NAME)
            if given.sha256 in {output.sha256 for output in made.outputs.values()}:
                yield made
                yield from _origins(made, beside, seen)


def run_of(checkpoint: Path) -> Manifest | str:
    """Manifest of the finished training that ended with ``checkpoint``, or why there is none."""
    source = checkpoint.parent / FILE_NAME
    if not source.is_file():
        return f"{source} does not exist; a finished simmim-bench train writes it"
    try:
        run = Manifest.read(source)
    except BenchError as error:
        return str(error)
    if run.stage != "finetune" or run.status != "complete":
        return f"{source} is of stage {run.stage}, {run.status}; expected a complete finetune"
    final = run.outputs.get("checkpoint")
    if final is None or final.sha256 != sha256_file(checkpoint):
        last = final.path if final else "checkpoint"
        return f"{checkpoint} is not the {last} that the run ended with"
    return run
