"""Test a trained classifier on sets that it was not trained for, and write a record of each.

A config below ``configs/robustness`` says what a set is; the model and the preparation of images
come from the checkpoint, whose config is data and is never executed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simmim_bench import shipped
from simmim_bench.config import load_config
from simmim_bench.data.layouts import dataset_of, missing_data, prepare_command
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, check_output_folder
from simmim_bench.records.manifest import FILE_NAME, Manifest
from simmim_bench.records.protocols import Protocol, protocol_metrics, read_protocol
from simmim_bench.training.data import data_of_test
from simmim_bench.training.evaluate import add_command, run_of, save_record
from simmim_bench.training.process import prepare

SETS = "robustness"
"""Folder of the configs below ``configs/``, and of the results in that of the run."""


@dataclass(frozen=True)
class Classifier:
    """A checkpoint that can be tested.

    Args:
        checkpoint: The file.
        content: What is in it.
        cfg: The config in it, as values.
        classes: Names, in the order of outputs.
        run: Manifest of its training, or why there is none.
    """

    checkpoint: Path
    content: dict[str, Any]
    cfg: Any
    classes: tuple[str, ...]
    run: Manifest | str


def robustness(args: argparse.Namespace, console: Console) -> None:
    """Test a classifier on each set, one after the other.

    Writes ``test.json`` and, if the training of the checkpoint is known, ``record.json`` into a
    folder for each set.

    Args:
        args: Namespace of ``simmim-bench robustness``.
        console: Where to write the results.

    Raises:
        BenchError: If the checkpoint is not that of a classifier, a set does not exist, is not
            there or has other classes, or nothing can be written.
    """
    classifier = open_classifier(args.run)
    out = args.out or classifier.checkpoint.parent / SETS
    check_output_folder(out)
    prepare("none", "mmpretrain")
    sets = find_sets(args.sets, classifier)
    for name, cfg in sets.items():
        _check_there(name, cfg)
        fill(cfg, classifier, args.batch)
    table = Table("set", "images", "top-1 (%)", "mCE (%)", box=SIMPLE)
    records = []
    for name, cfg in sets.items():
        measured, images, record = measure(name, cfg, classifier, out / name)
        key = cfg.protocol.metrics[cfg.protocol.primary]
        mce = measured.get("robustness/mce")
        shown = [f"{measured[key]:.2f}", "" if mce is None else f"{mce:.2f}"]
        table.add_row(name, str(images), *shown)
        records += [record] if record else []
    console.print(table)
    following = f"no record: {classifier.run}"
    if records:
        following = f"next: {add_command(records)}"
    for line in (f"written: {out}", following):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def open_classifier(run: Path) -> Classifier:
    """Read a checkpoint and what it says about itself.

    Args:
        run: Work dir of a finished training, or a checkpoint in one.

    Raises:
        BenchError: If there is none, or it is not that of a classifier.
    """
    from mmengine.config import Config

    from simmim_bench.weights.files import checkpoint_in, load_checkpoint, stored_config

    if not run.exists():
        raise BenchError(f"{run} does not exist; give the work dir of a training, or a checkpoint")
    path = checkpoint_in(run)
    content = load_checkpoint(path)
    stored = stored_config(content)
    if stored is None:
        raise BenchError(
            f"{path} does not contain the config of a training; give a checkpoint that "
            "simmim-bench train wrote"
        )
    cfg = Config(stored)
    task = "pretraining" if "pretraining" in cfg else (cfg.get("protocol") or {}).get("task")
    classes = ((content.get("meta") or {}).get("dataset_meta") or {}).get("classes")
    if task != "classification" or not classes or not (cfg.get("model") or {}).get("head"):
        raise BenchError(
            f"{path} is not a classifier with a head (its task is {task!r:.80}); give a "
            "fine-tuning or a linear probe"
        )
    return Classifier(path, content, cfg, tuple(map(str, classes)), run_of(path))


def find_sets(given: Sequence[str] | None, classifier: Classifier) -> dict[str, Any]:
    """Configs of test sets by name.

    Args:
        given: Names or config files; None: all sets of the package with the model's classes.
        classifier: What is to be tested.

    Raises:
        BenchError: If one does not exist or has other classes, or none has these classes.
    """
    folder = shipped.CONFIGS / SETS
    if given is None:
        known = {path.stem: load_config(str(path)) for path in sorted(folder.glob("*.py"))}
        found = {name: cfg for name, cfg in known.items() if not _misfit(cfg, classifier)}
        if not found:
            raise BenchError(f"{classifier.checkpoint}: {_misfit(known['imagenet-a'], classifier)}")
        return found
    found = {}
    for name in given:
        path = shipped.find(name, folder=SETS)
        if not path.is_file():
            raise BenchError(
                f"there is no test set {name!r}; sets are "
                f"{', '.join(sorted(each.stem for each in folder.glob('*.py')))}"
            )
        found[path.stem] = cfg = load_config(str(path))
        loader = cfg.get("test_dataloader") or {}
        if SETS not in cfg or not (loader.get("dataset") or {}).get("classes"):
            raise BenchError(
                f"{path} is not a test set, which has `robustness` and `classes` of its data set; "
                f"see the configs in {folder}"
            )
        stated = cfg.get("protocol") or {}
        read_protocol(dict(stated), source=str(path), remedy="correct the config")
        if misfit := _misfit(cfg, classifier):
            raise BenchError(f"{classifier.checkpoint} does not fit {path.stem}: {misfit}")
    return found


def _misfit(cfg: Any, classifier: Classifier) -> str | None:
    """How the classes of a model differ from those of a set; None if they do not."""
    from simmim_bench.tasks.robustness import class_names

    mine, wanted = classifier.classes, class_names(cfg.test_dataloader.dataset.classes)
    if mine == wanted:
        return None
    return (
        f"it has {len(mine)} classes ({mine[0]} to {mine[-1]}), expected {len(wanted)} "
        f"({wanted[0]} to {wanted[-1]}) in this order; give a model that was trained on them"
    )


def _check_there(name: str, cfg: Any) -> None:
    for path, _ in missing_data(cfg):
        dataset = dataset_of(cfg.test_dataloader.dataset.data_root)
        command = f"prepare it with `{prepare_command(dataset)}`, " if dataset else ""
        raise BenchError(
            f"{name}: no data at {path.absolute()}; {command}point SIMMIM_BENCH_DATA at the folder "
            "that holds your datasets, or name the sets to test with --sets"
        )


def fill(cfg: Any, classifier: Classifier, batch: int | None) -> None:
    """Put the model of a checkpoint and its preparation of images into the config of a set.

    Args:
        cfg: Config of a test set; changed in place.
        classifier: What is to be tested.
        batch: Images at once; None: as in the config.

    Raises:
        BenchError: If the checkpoint names what may run code.
    """
    from simmim_bench.tasks.robustness import META
    from simmim_bench.training.adapt import use_cpu
    from simmim_bench.weights.safe_config import check_config, checked_steps, kind_of_step

    source, trained = classifier.checkpoint, classifier.cfg
    scope = trained.get("default_scope")
    cfg.model = check_config(trained.model.to_dict(), source=source, entry="model", scope=scope)
    cfg.default_scope = scope
    load, *between, pack = checked_steps(trained, source)
    if kind_of_step(pack) != "PackInputs":
        raise BenchError(
            f"the test pipeline in {source} must end with PackInputs, got {pack!r:.80}"
        )
    between = [step for step in between if kind_of_step(step) != "PackInputs"]
    size = trained.protocol.get("image_size")
    if cfg.robustness.get("is_cropped") and size:
        width, height = (size, size) if isinstance(size, int) else reversed(size)
        resize = {"type": "Resize", "scale": (width, height), "interpolation": "bicubic"}
        between = [{**resize, "backend": "pillow"}]
    dataset = cfg.test_dataloader.dataset
    corrupt = [{"type": "simmim_bench.Corrupt"}] if "corruptions" in dataset else []
    dataset.pipeline = [load, *corrupt, *between, {**pack, "meta_keys": ["img_path", *META]}]
    loader = cfg.test_dataloader
    loader.batch_size = batch or loader.batch_size
    loader.num_workers = min(loader.num_workers, os.cpu_count() or 1)
    use_cpu(cfg)


def measure(
    name: str, cfg: Any, classifier: Classifier, folder: Path
) -> tuple[dict[str, float], int, Path | None]:
    """Test on one set.

    Args:
        name: Of the set.
        cfg: Its config, filled.
        classifier: What is tested.
        folder: Output folder.

    Returns:
        Values by the metric's names, the number of images, and the record, if there is one.

    Raises:
        BenchError: If the data or the checkpoint cannot be used.
    """
    from mmpretrain.models.heads import ClsHead

    from simmim_bench.tasks.robustness import restrict
    from simmim_bench.training.cost import cost_of
    from simmim_bench.training.failures import explained
    from simmim_bench.training.runner import BenchRunner, configure, model_of
    from simmim_bench.weights.strict import load_whole

    configure(cfg, folder, "none", 0, [])
    with explained(f"{name} with {classifier.checkpoint}", less_memory="pass a smaller --batch"):
        runner = BenchRunner.from_cfg(cfg)
        model = model_of(runner)
        load_whole(model, classifier.content, checkpoint=classifier.checkpoint, config="its config")
        if not isinstance(model.head, ClsHead):
            raise BenchError(
                f"{classifier.checkpoint} has the head {type(model.head).__name__}, whose logits "
                "are not known; give a classifier with a head of mmpretrain"
            )
        data = runner.test_dataloader.dataset
        if data.kept is not None:
            restrict(model.head, data.kept)
        start = time.perf_counter()
        measured = {key: float(value) for key, value in runner.test().items()}
        seconds = time.perf_counter() - start
    atomic_write_json(folder / "test.json", measured)
    if isinstance(classifier.run, str):
        return measured, len(data), None
    cost = cost_of(model, wall_seconds=seconds, images_per_second=len(data) / seconds)
    run = evaluated(cfg, classifier.run, measured, cost)
    source = classifier.checkpoint.parent / FILE_NAME
    return measured, len(data), save_record(run, source, folder)


def evaluated(cfg: Any, run: Manifest, measured: dict[str, float], cost: Any) -> Manifest:
    """The manifest of a training with the protocol of a set and what was measured on it.

    The cost is that of the test: the record of the training has the other.

    Args:
        cfg: Config of the set, filled.
        run: Manifest of the training.
        measured: Values by the metric's names.
        cost: Of the test.
    """
    deviations = list(run.deviations)
    usual = cfg.robustness.get("trained_by")
    if run.protocol and usual and run.protocol.id != usual:
        deviations.append(f"trained by {run.protocol.id}@{run.protocol.version}")
    given = argparse.Namespace(config=cfg.filename, data=None, data_root=None, dataset_name=None)
    return run.model_copy(
        update={
            "protocol": Protocol(**cfg.protocol),
            "metrics": protocol_metrics(cfg.protocol, measured),
            "deviations": deviations,
            "data": data_of_test(given, cfg, run.data),
            "cost": cost.model_copy(update={"flops": run.cost and run.cost.flops}),
            "curves": {},
            "finished": datetime.now(timezone.utc),
        }
    )
