"""Evaluate: from any weights to a table. ``evaluate`` is the outline."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from simmim_bench.errors import BenchError
from simmim_bench.evaluation import cost
from simmim_bench.evaluation.files import RGB, Entry, channels_of, recipe_of, shown, write_files
from simmim_bench.evaluation.recipes import PROBES, Job, find_jobs
from simmim_bench.evaluation.table import result_table
from simmim_bench.io import check_output_folder
from simmim_bench.recipe.any_backbone import backbone_name
from simmim_bench.records import SCRATCH
from simmim_bench.records.manifest import Kind
from simmim_bench.records.names import counted, plain_name
from simmim_bench.suite.report import say
from simmim_bench.suite.run import Options, run_suite
from simmim_bench.training.mistakes import check_mistakes
from simmim_bench.weights.levels import read_backbone
from simmim_bench.weights.origin import local_backbone
from simmim_bench.weights.widen import Rule

NONE = "none"
RESULTS = "results"
DAY = 24.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line of an evaluation.

    Attributes:
        weights: Weights of any origin (``weights.origin``).
        root: Project's root.
        tasks: Some of ``recipes.ALL``; those that the data allow if empty.
        frozen: Probes of frozen features instead of fine-tuning.
        data: Names of data, or ``TASK=NAME``; the demo's if empty.
        against: Other weights, ``scratch`` or ``none``.
        seeds: Number of seeds.
        kind: ``smoke`` for test runs, which weights of smoke runs always are.
        image_size: Instead of that of the recipes.
        widen: How weights of other channels than the data's are used.
        out: Folder for everything; None for one below ``work_dirs``.
        dry_run: Write the files and say what would run; run nothing.
        cores: CPU threads in use at any time; None for all.
        cache_gb: Most GB of features that probes keep; None for the default.
    """

    weights: str
    root: Path
    tasks: Sequence[str] = ()
    frozen: bool = False
    data: Sequence[str] = ()
    against: Sequence[str] = (SCRATCH,)
    seeds: int = 1
    kind: Kind = "full"
    image_size: int | None = None
    widen: Rule = "mean"
    out: Path | None = None
    dry_run: bool = False
    cores: int | None = None
    cache_gb: int | None = None


def evaluate(request: Request, console: Console) -> int:
    """Find recipes for the weights, write a suite, run it, and print the table.

    Returns:
        Exit code: 0, or 1 if a run failed.

    Raises:
        BenchError: If there are no such weights, tasks or data, or they do not fit together;
            nothing is computed or written then.
    """
    jobs = find_jobs(request.tasks, request.data, frozen=request.frozen)
    if request.cache_gb is not None and not any(job.task in PROBES for job in jobs):
        raise BenchError(
            "--cache-gb is for probes of frozen features, of which none is among the tasks; leave "
            "it out, or add --frozen"
        )
    entries = find_entries([request.weights, *_others(request.against)])
    recipes = {
        (entry.backbone, job.name): recipe_of(entry, job, request.image_size)
        for entry in entries
        for job in jobs
    }
    for (backbone, name), cfg in recipes.items():
        check_mistakes(cfg, f"{name} of {backbone}", data=False)
    titles = {cfg.protocol.id: name for (_, name), cfg in recipes.items()}
    folder = request.out or request.root / "work_dirs" / f"evaluate-{entries[0].method}"
    check_output_folder(folder)
    hours = {
        (entry.backbone, job.name): _rounded(cost.hours_of(recipes[entry.backbone, job.name], job))
        for entry in {entry.backbone: entry for entry in entries}.values()
        for job in jobs
    }
    scratch = SCRATCH in request.against
    suite = write_files(
        folder,
        entries,
        jobs,
        scratch=scratch,
        seeds=request.seeds,
        kind="smoke" if any(e.card["kind"] == "smoke" for e in entries) else request.kind,
        image_size=request.image_size,
        widen=request.widen,
        cache_gb=request.cache_gb,
        hours=hours,
        machine=cost.machine(),
    )
    options = Options(
        suite=suite,
        root=request.root,
        work_dir=folder,
        cores=request.cores,
        dry_run=request.dry_run,
        tables=False,
    )
    _say_plan(console, request, entries, jobs, hours)
    for text in changes_of(entries, recipes, request.widen):
        say(console, f"note:    {text}")
    say(console, f"files:   {shown(suite)} and {shown(folder / 'configs')}")
    code = run_suite(options, console)
    if not request.dry_run:
        _say_results(console, folder, titles)
    _say_next(console, request, options)
    return code


def find_entries(given: Sequence[str]) -> list[Entry]:
    """Weights with the names that a suite gives them.

    Raises:
        BenchError: If there are no such weights.
    """
    entries: list[Entry] = []
    for name in dict.fromkeys(given):
        weights = local_backbone(name)
        card = read_backbone(weights)
        method, backbone = plain_name(card["method"]), plain_name(backbone_name(card))
        number, label = 1, backbone
        while any(_clash(entry, method, label, card) for entry in entries):
            number += 1
            label = f"{backbone}_{number}"
        entries.append(Entry(name, weights, card, method, label))
    return entries


def changes_of(
    entries: Sequence[Entry], recipes: Mapping[tuple[str, str], Any], rule: Rule
) -> list[str]:
    """What the recipes change in the weights: their channels, and sizes of windows and embeddings.

    Args:
        entries: Weights.
        recipes: Config by name of backbone and task.
        rule: Of ``--widen``.
    """
    said = []
    for entry in entries:
        before, size = channels_of(entry.card), entry.card["pretraining"].get("image_size")
        for (backbone, _), cfg in recipes.items():
            if backbone != entry.backbone:
                continue
            bands, now = cfg.model.backbone.get("in_channels", RGB), cfg.protocol.image_size
            if bands != before:
                said.append(
                    f"{entry.method}: weights of {counted(before, 'channel')} are used for "
                    f"{counted(bands, 'band')} ({rule})"
                )
            if isinstance(size, int) and now != size:
                shown_size = now if isinstance(now, int) else " x ".join(map(str, now))
                said.append(
                    f"{entry.method}: weights of {size} px are used at {shown_size} px; "
                    "--image-size N changes it"
                )
    return list(dict.fromkeys(said))


def _clash(entry: Entry, method: str, label: str, card: Mapping[str, Any]) -> bool:
    """Whether earlier weights have this name of a backbone, and need other files."""
    if entry.backbone != label:
        return False
    return entry.method == method or entry.card["backbone_config"] != card["backbone_config"]


def _others(against: Sequence[str]) -> list[str]:
    if NONE in against and len(against) > 1:
        raise BenchError(f"--against {' '.join(against)}: none stands alone; leave it out")
    return [given for given in against if given not in (SCRATCH, NONE)]


def _rounded(hours: float) -> float:
    return float(f"{hours:.2g}")


def _say_plan(
    console: Console,
    request: Request,
    entries: Sequence[Entry],
    jobs: Sequence[Job],
    hours: Mapping[tuple[str, str], float],
) -> None:
    """What is compared, on what, and for how long."""
    scratch = SCRATCH in request.against
    names = [f"{entry.card['method']} ({backbone_name(entry.card)})" for entry in entries]
    names += [SCRATCH] if scratch else []
    of_each = [entry.backbone for entry in entries]
    of_each += list(dict.fromkeys(e.backbone for e in entries if e.is_first)) if scratch else []
    total = request.seeds * sum(hours[backbone, job.name] for backbone in of_each for job in jobs)
    runs = request.seeds * len(of_each) * len(jobs)
    say(console, f"weights: {', '.join(names)}")
    say(console, f"tasks:   {', '.join(f'{job.name} ({job.data})' for job in jobs)}")
    where, devices = cost.machine(), min(cost.devices(request.cores), runs)
    took = _duration(total / devices)
    cost_of = f"{counted(runs, 'run')}, about {took} on {devices} x {where}"
    say(console, f"cost:    {cost_of}; an estimate")


def _duration(hours: float) -> str:
    if hours > 2 * DAY:
        return f"{hours:,.0f} hours"
    return f"{hours:.1f} hours" if hours >= 2 else f"{counted(max(1, round(60 * hours)), 'minute')}"


def _say_results(console: Console, folder: Path, titles: dict[str, str]) -> None:
    records = folder / RESULTS / "records"
    if not records.is_dir():
        return
    console.print()
    console.print(result_table(records, titles))
    tables = folder / RESULTS / "leaderboard"
    say(console, f"tables: {shown(tables / 'README.md')}, leaderboard.csv and leaderboard.tex")
    say(console, f"page:   {shown(tables / 'index.html')}")


def _say_next(console: Console, request: Request, options: Options) -> None:
    """The command that goes on from here."""
    run = ["simmim-bench", "suite", shown(options.suite)]
    run += ["--work-dir", shown(options.suite.parent)]
    if request.dry_run:
        say(console, f"run it: {shlex.join(run)}")
        return
    more = f"--seeds {max(3, request.seeds + 2)}"
    say(console, f"next:   the same command with {more} adds the noise between seeds; or edit")
    say(console, f"        {shown(options.suite)} and run {shlex.join(run)}")
