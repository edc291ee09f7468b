"""Make records from the manifests in a work dir."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import FILE_NAME, REMEDY, SUPERSEDED, Manifest
from simmim_bench.records.record import Record, RecordBody
from simmim_bench.records.schema import validate
from simmim_bench.records.store import Outcome, add_records

# fields of a manifest that its record copies
COPIED = {
    "kind", "method", "backbone", "pretraining", "protocol", "metrics", "seed", "cost",
    "environment", "config", "deviations", "curves", "data", "precision", "pretraining_data",
    "pretraining_precision", "card_sealed", "tuning",
}  # fmt: skip


@dataclass
class Collected:
    """Manifests of fine-tunings by outcome; those in ``skipped`` failed."""

    records: dict[Outcome, list[Path]] = field(
        default_factory=lambda: {"added": [], "present": [], "repeated": []}
    )
    skipped: list[Path] = field(default_factory=list)


def collect(work_dir: Path, records: Path) -> Collected:
    """Write a record for every complete fine-tuning under ``work_dir``.

    Nothing is written unless every manifest is valid and agrees with the existing records.
    Collecting twice adds nothing.

    Args:
        work_dir: Folder whose subfolders hold ``manifest.json`` files.
        records: Folder of the records.

    Raises:
        BenchError: If there is no complete fine-tuning, a manifest is not valid, or a run is
            already recorded with other metrics.
    """
    manifests = read_manifests(work_dir)
    runs = {path: found for path, found in manifests.items() if found.stage == "finetune"}
    complete = {path: found for path, found in runs.items() if found.status == "complete"}
    if not complete:
        failed = "".join(f"; {path.parent} {run.status}" for path, run in runs.items())
        raise BenchError(
            f"{work_dir} has no complete fine-tuning ({len(manifests) - len(runs)} manifests of "
            f"other stages{failed}); run `simmim-bench suite SUITE.yaml` first"
        )
    makers = makers_of(manifests.values())
    made = {path: make_record(run, path, makers) for path, run in complete.items()}
    collected = Collected(skipped=[path for path in runs if path not in complete])
    for path, outcome in zip(made, add_records(records, list(made.items())), strict=True):
        collected.records[outcome].append(path)
    return collected


def read_manifests(folder: Path) -> dict[Path, Manifest]:
    """Manifests in ``folder`` and below by their paths, except of runs that a suite has replaced.

    Raises:
        BenchError: If one is not valid.
    """
    paths = sorted(folder.rglob(FILE_NAME))
    current = [path for path in paths if SUPERSEDED not in path.relative_to(folder).parts]
    return {path: Manifest.read(path) for path in current}


def make_record(run: Manifest, path: Path, makers: dict[str, Manifest]) -> Record:
    """Make the record of a complete fine-tuning.

    Args:
        run: Manifest of the fine-tuning.
        path: File of the manifest, for errors.
        makers: Manifest of the stage that wrote a file, by the file's SHA-256.

    Raises:
        BenchError: If the manifest does not give a valid record, or a full run started from a
            smoke pretraining.
    """
    weights = run.pretraining.checkpoint_sha256 if run.pretraining else None
    lineage = _lineage(weights, makers)
    for maker in lineage:
        if (run.kind, maker.kind) == ("full", "smoke"):
            raise BenchError(
                f"{path} is a full run of a smoke pretraining; run both with the same --kind"
            )
    pretrainings = [maker for maker in lineage if maker.stage != "export" and maker.cost]
    # the last: what its initial weights cost belongs to them
    initial = run.pretraining.initial_sha256 if run.pretraining else None
    last = pretrainings[-1].model_dump(mode="json") if pretrainings else {}
    body = {
        **run.model_dump(mode="json", include=COPIED),
        "pretraining_cost": last.get("cost"),
        "pretraining_curves": last.get("curves", {}),
        "pretraining_deviations": [text for maker in lineage for text in maker.deviations],
        "pretraining_configs": [
            maker.config.as_json() for maker in lineage if maker.config and maker.stage != "export"
        ],
        "own_initial": initial in makers,
        "provenance": {"kind": "measured"},
        "date": run.finished.isoformat(),
    }
    return Record.seal(validate(RecordBody, body, source=str(path), remedy=REMEDY))


def makers_of(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    """Manifest of the training or export that wrote a file, by the file's SHA-256."""
    return {
        output.sha256: manifest
        for manifest in manifests
        if manifest.status == "complete" and manifest.stage in ("pretrain", "export", "finetune")
        for output in manifest.outputs.values()
    }


def _lineage(weights: str | None, makers: dict[str, Manifest]) -> list[Manifest]:
    """Stages that made ``weights``, as far as known: follow file hashes back, oldest first."""
    pending, seen, found = [weights] if weights else [], set[str](), list[Manifest]()
    while pending:
        digest = pending.pop()
        if digest in seen or digest not in makers:
            continue
        seen.add(digest)
        found.insert(0, makers[digest])
        pending += [given.sha256 for given in makers[digest].inputs.values()]
    return found
