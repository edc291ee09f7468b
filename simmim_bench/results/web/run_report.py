"""A page about one run: figures, curves, classes, pictures, config and environment."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from simmim_bench.io import atomic_write_text
from simmim_bench.leaderboard.page import with_unit
from simmim_bench.results.manifest import FILE_NAME, SUPERSEDED, Manifest
from simmim_bench.results.pictures import as_address, as_jpeg, last_reconstruction
from simmim_bench.results.web.config_difference import config_differences
from simmim_bench.results.web.environments import describe_environment
from simmim_bench.results.web.run_curves import run_charts

REPORT = "report.html"
WIDEST = 960  # pixels of an embedded picture
MOST_PREDICTIONS = 12
STAGES = ("pretrain", "finetune")


def runs_below(folder: Path) -> list[Path]:
    """Folders of trainings in ``folder`` or below it, those that a suite has replaced left out."""
    manifests = [
        path
        for path in sorted(folder.rglob(FILE_NAME))
        if SUPERSEDED not in path.relative_to(folder).parts
    ]
    return [path.parent for path in manifests if Manifest.read(path).stage in STAGES]


def is_current(folder: Path) -> bool:
    """Whether the report of a run is younger than its manifest."""
    report = folder / REPORT
    return report.is_file() and report.stat().st_mtime >= (folder / FILE_NAME).stat().st_mtime


def write_run_report(folder: Path) -> Path:
    """Write ``report.html`` into the folder of a finished run; it needs no other file.

    Args:
        folder: With a ``manifest.json``.

    Returns:
        The page.

    Raises:
        BenchError: If the manifest is missing or not valid.
    """
    from jinja2 import Environment, StrictUndefined

    manifest = Manifest.read(folder / FILE_NAME)
    changes, warning = (
        config_differences(folder, manifest.config) if manifest.config else ([], None)
    )
    resources = files("simmim_bench.results.web")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((resources / "run_report.html").read_text("utf-8"))
    page = template.render(
        title=" ".join(_title(manifest)),
        style=(resources / "page.css").read_text("utf-8"),
        facts=list(_facts(manifest)),
        metrics={with_unit(name): f"{x:.2f}" for name, x in manifest.metrics.items()},
        charts=list(run_charts(folder, manifest.protocol)),
        classes=_table(folder / "classes" / "per_class.csv"),
        class_pictures=_pictures([folder / "classes" / f"{x}.png" for x in ("confusion", "worst")]),
        predictions=_pictures(sorted((folder / "predictions").glob("*.png"))[:MOST_PREDICTIONS]),
        reconstruction=_pictures(filter(None, [last_reconstruction(folder)])),
        changes=changes,
        warning=warning,
        versions=manifest.environment.versions,
        failure=manifest.failure,
    )
    atomic_write_text(folder / REPORT, page)
    return folder / REPORT


def _title(manifest: Manifest) -> Iterator[str]:
    yield f"{manifest.method}, {manifest.backbone}:"
    yield manifest.protocol.id if manifest.protocol else "pretraining"
    if manifest.seed is not None:
        yield f"(seed {manifest.seed})"


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "stage", f"{manifest.stage}, {manifest.kind} run, {manifest.status}"
    if manifest.config:
        yield "config", f"{manifest.config.path} ({manifest.config.sha256[:12]})"
    if manifest.pretraining:
        weights = manifest.pretraining.checkpoint_sha256
        known = f", weights {weights[:12]}" if weights else ""
        yield "pretraining", f"{manifest.pretraining.method}, {manifest.pretraining.dataset}{known}"
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


def _table(path: Path) -> list[list[str]]:
    """Rows of a CSV file, header first; none where there is no file."""
    if not path.is_file():
        return []
    return list(csv.reader(io.StringIO(path.read_text("utf-8"))))


def _pictures(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Name and address of the pictures that there are."""
    return [
        (path.stem, as_address(as_jpeg(path, widest=WIDEST))) for path in paths if path.is_file()
    ]
