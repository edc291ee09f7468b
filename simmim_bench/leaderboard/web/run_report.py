"""``report.html``, a page about one run: metrics, curves, classes, pictures, config, versions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from simmim_bench.config import load_stated_config, resolved_hash
from simmim_bench.config_text import read_config_text
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.leaderboard.metrics import with_unit
from simmim_bench.leaderboard.web.curves import run_charts
from simmim_bench.leaderboard.web.facts import UNSEALED, describe_data, describe_environment
from simmim_bench.progress import progress_bar
from simmim_bench.records.collect import read_manifests
from simmim_bench.records.manifest import FILE_NAME, ConfigRef, Manifest, label_of
from simmim_bench.records.pictures import as_data_url, as_jpeg, last_reconstruction

REPORT = "report.html"
MAX_WIDTH = 960  # pixels of an embedded picture
MAX_PREDICTIONS = 12
STAGES = ("pretrain", "finetune")
ABSENT = "absent"
RUN_KEYS = ("work_dir", "custom_hooks", "resume", "load_from", "launcher")
"""Keys that every run sets for itself."""
SEEDING = "simmim_bench.SeedSample"  # comes before every pipeline


@dataclass(frozen=True)
class Difference:
    """A dotted key, its value in the config file, and in the run."""

    key: str
    stated: str
    used: str


def runs_below(folder: Path) -> list[Path]:
    """Folders of trainings in ``folder`` or below, except those that a suite has replaced."""
    manifests = read_manifests(folder)
    return [path.parent for path, manifest in manifests.items() if manifest.stage in STAGES]


def is_current(folder: Path) -> bool:
    """Whether the report of a run is newer than its manifest."""
    report = folder / REPORT
    return report.is_file() and report.stat().st_mtime >= (folder / FILE_NAME).stat().st_mtime


def write_run_report(folder: Path, lost: list[str] | None = None) -> Path:
    """Write ``report.html`` into the folder of a finished run; it needs no other file.

    The page lacks a table or picture that cannot be read, and says so.

    Args:
        folder: Folder with a ``manifest.json``.
        lost: A sentence for each table or picture that cannot be read is appended to this list.

    Returns:
        Path of the page.

    Raises:
        BenchError: If the manifest is missing or not valid.
    """
    from jinja2 import Environment, StrictUndefined

    manifest = Manifest.read(folder / FILE_NAME)
    missing: list[str] = []
    changes, warning = (
        config_differences(folder, manifest.config) if manifest.config else ([], None)
    )
    resources = files("simmim_bench.leaderboard.web")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((resources / "run_report.html").read_text("utf-8"))
    page = template.render(
        title=" ".join(_title(manifest)),
        style=(resources / "page.css").read_text("utf-8"),
        facts=list(_facts(manifest)),
        metrics={with_unit(name): f"{x:.2f}" for name, x in manifest.metrics.items()},
        charts=list(run_charts(folder, manifest.protocol)),
        classes=_table(folder / "classes" / "per_class.csv", missing),
        class_pictures=_pictures(
            [folder / "classes" / f"{x}.png" for x in ("confusion", "worst")], missing
        ),
        predictions=_pictures(
            sorted((folder / "predictions").glob("*.png"))[:MAX_PREDICTIONS], missing
        ),
        reconstruction=_pictures(filter(None, [last_reconstruction(folder)]), missing),
        missing=missing,
        changes=changes,
        warning=warning,
        versions=manifest.environment.versions,
        failure=manifest.failure,
    )
    atomic_write_text(folder / REPORT, page)
    if lost is not None:
        lost += [f"{text}; {folder / REPORT} is written without it" for text in missing]
    return folder / REPORT


def _title(manifest: Manifest) -> Iterator[str]:
    initial = manifest.pretraining.initial if manifest.pretraining else None
    yield f"{label_of(str(manifest.method), initial)}, {manifest.backbone}:"
    yield manifest.protocol.id if manifest.protocol else "pretraining"
    if manifest.seed is not None:
        yield f"(seed {manifest.seed})"


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "stage", f"{manifest.stage}, {manifest.kind} run, {manifest.status}"
    if manifest.config:
        yield "config", str(manifest.config)
    if manifest.pretraining:
        origin = manifest.pretraining
        weights = origin.checkpoint_sha256
        known = f", weights {weights[:12]}" if weights else ""
        yield "pretraining", f"{label_of(origin.method, origin.initial)}; {origin.dataset}{known}"
    if manifest.data:
        yield "data", describe_data(manifest.data)
    if manifest.precision:
        yield "precision", manifest.precision
    if manifest.card_sealed is False:
        yield "backbone", UNSEALED
    for text in manifest.deviations:
        yield "deviation", text
    yield from _cost_facts(manifest)
    yield "environment", describe_environment(manifest.environment)
    yield "finished", manifest.finished.strftime("%Y-%m-%d %H:%M UTC")


def _cost_facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    cost = manifest.cost
    if cost is None:
        return
    yield "device", f"{cost.device_count} x {cost.device}"
    yield "time", f"{cost.wall_seconds / 60:.1f} min"
    yield "peak memory", f"{cost.peak_memory_mb:.0f} MiB of one process"
    if cost.images_per_second:
        yield "throughput", f"{cost.images_per_second:.1f} images/s"
    if cost.parameters:
        yield "parameters", f"{cost.parameters / 1e6:.2f} M"
    if cost.flops:
        yield "backbone", f"{cost.flops / 1e9:.2f} GFLOPs an image"
    if cost.energy_joules is not None:
        yield "energy", f"{cost.energy_joules / 3600:.1f} Wh ({cost.energy_source})"


def _table(path: Path, lost: list[str]) -> list[list[str]]:
    """Rows of a CSV file, header first; empty if there is none, or it is added to ``lost``."""
    if not path.is_file():
        return []
    try:
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8")), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        lost.append(f"table {path} cannot be read ({error})")
        return []
    if any(len(row) != len(rows[0]) for row in rows):
        lost.append(f"table {path} has rows of different lengths")
        return []
    return rows


def _pictures(paths: Iterable[Path], lost: list[str]) -> list[tuple[str, str]]:
    """Names and data URLs of the pictures that exist; those that are damaged go to ``lost``."""
    found = []
    for path in paths:
        if path.is_file():
            try:
                found.append((path.stem, as_data_url(as_jpeg(path, max_width=MAX_WIDTH))))
            except BenchError as error:
                lost.append(str(error))
    return found


def write_reports(folders: Iterable[Path], lost: list[str] | None = None) -> list[Path]:
    """Write the report of every training in some folders and below.

    Args:
        folders: Work dirs of runs or suites.
        lost: See ``write_run_report``.

    Raises:
        BenchError: If a folder does not exist or holds no finished training.
    """
    runs: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise BenchError(
                f"folder {folder} does not exist; give the work dir of a run or a suite"
            )
        found = runs_below(folder)
        if not found:
            raise BenchError(
                f"{folder} has no manifest.json of a training; a run writes it when it ends"
            )
        runs += found
    with progress_bar("reports", len(runs)) as advance:
        pages = []
        for run in runs:
            pages.append(write_run_report(run, lost))
            advance(1)
    return pages


def renew_reports(work_dir: Path) -> list[str]:
    """Write the reports under ``work_dir`` that are missing or older than their run.

    Returns:
        A sentence for each report or file of a run that cannot be written or read.
    """
    lost: list[str] = []
    for run in runs_below(work_dir):
        try:
            if not is_current(run):
                write_run_report(run, lost)
        except (BenchError, OSError) as error:
            lost.append(f"{run} has no report: {error}")
    return lost


def config_differences(folder: Path, config: ConfigRef) -> tuple[list[Difference], str | None]:
    """Compare the config that a run used with the file it was loaded from.

    Neither is executed, unless it is one of the project: the folder may be a stranger's.

    Args:
        folder: Folder of the run, into which mmengine wrote the config that was used.
        config: The file, relative to the current directory or the project, and its hash at the time
            of the run.

    Returns:
        Differences in the order of keys, and a warning if they are unknown or unreliable.
    """
    used = folder / Path(config.path).name
    try:
        before, after = load_stated_config(config.path), read_config_text(used)
    except BenchError as error:
        return [], f"unknown: {error}"
    warning = None
    if not config.overrides and resolved_hash(before) != config.sha256:
        warning = (
            f"{config.path} has changed since the run; differences are from its current content"
        )
    stated, found = dict(_flat(before.to_dict())), dict(_flat(after))
    keys = [key for key in sorted({*stated, *found}) if stated.get(key) != found.get(key)]
    return [
        Difference(key, stated.get(key, ABSENT), found.get(key, ABSENT))
        for key in keys
        if key.split(".")[0] not in RUN_KEYS
    ], warning


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and their values as text; lists are flattened only if they contain dicts."""
    inner = isinstance(node, (list, tuple)) and any(isinstance(one, dict) for one in node)
    if isinstance(node, dict) or inner:
        if not isinstance(node, dict):
            node = dict(enumerate(one for one in node if not _seeds(one)))
        for key, value in node.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, json.dumps(node, default=str)


def _seeds(transform: Any) -> bool:
    return isinstance(transform, dict) and transform.get("type") == SEEDING
