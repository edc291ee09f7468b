"""A record from an evaluation: the run that made the checkpoint, with what was measured now."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.records.collect import make_record, makers_of
from simmim_bench.records.hash import content_sha256
from simmim_bench.records.manifest import FILE_NAME, ConfigRef, Manifest, Protocol
from simmim_bench.records.metrics import protocol_metrics

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
