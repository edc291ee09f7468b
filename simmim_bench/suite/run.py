"""Run a suite: load, plan, check, then run every stage that is not done."""

from __future__ import annotations

import difflib
import os
import shlex
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import NoReturn

import psutil
from filelock import FileLock, Timeout
from rich.console import Console

from simmim_bench import launch
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, check_output_folder, read_json
from simmim_bench.plugins import flags, import_modules
from simmim_bench.suite import report
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.cache import check_plan, is_complete
from simmim_bench.suite.check import find_mistakes
from simmim_bench.suite.engine import Engine, run_alone
from simmim_bench.suite.events import Board, clear_events
from simmim_bench.suite.load import load_suite, refusal
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.processes import MemoryPeak, identity
from simmim_bench.suite.profile import Launcher, Profile, choose_profile
from simmim_bench.suite.stage import last_error
from simmim_bench.suite.view import open_view

SECONDS_BETWEEN_UPDATES = 0.5


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line of a suite.

    Attributes:
        suite: Suite file.
        root: Folder of relative paths and outputs.
        seeds: Instead of the file's number of seeds.
        cores: CPU threads in use at any time; None for all that this process may use.
        work_dir: Suite's folder; None for ``work_dirs/<name>`` below the root.
        only: Patterns of stage ids or of their parts; these run, with the stages that they need.
        dry_run: Print what would run; run nothing.
        explain: Print which inputs changed.
        keep_going: Run the other stages after one has failed.
        jobs: Stages that run at once; None for as many as cores, GPUs and memory allow.
        launcher: How and where trainings are started.
        gpus: GPUs in use at any time; None for all.
        webhook: URL that gets a summary at the end.
        tables: Print plan, costs and the leaderboard.
        imports: Modules of the user beside those of the file.
    """

    suite: Path
    root: Path
    seeds: int | None = None
    cores: int | None = None
    work_dir: Path | None = None
    only: tuple[str, ...] = ()
    dry_run: bool = False
    explain: bool = False
    keep_going: bool = True
    jobs: int | None = None
    launcher: Launcher = "local"
    gpus: int | None = None
    webhook: str | None = None
    tables: bool = True
    imports: tuple[str, ...] = ()

    def command(self) -> str:
        """The command line of these options, without ``only``."""
        parts = ["simmim-bench", "suite", report.shown(self.suite)]
        parts += ["--seeds", str(self.seeds)] if self.seeds is not None else []
        parts += ["--cores", str(self.cores)] if self.cores is not None else []
        parts += ["--work-dir", report.shown(self.work_dir)] if self.work_dir is not None else []
        parts += ["--launcher", self.launcher] if self.launcher != "local" else []
        parts += ["--gpus", str(self.gpus)] if self.gpus is not None else []
        parts += ["--jobs", str(self.jobs)] if self.jobs is not None else []
        parts += flags(self.imports)
        return shlex.join(parts)


def run_suite(options: Options, console: Console) -> int:
    """Run what is not done, then the leaderboard; print the costs.

    Returns:
        Exit code: 0, or 1 if a stage failed.

    Raises:
        BenchError: If the suite file or a config is wrong, or another process runs the same suite.
    """
    if options.webhook:
        report.check_webhook(options.webhook)
    profile = choose_profile(
        options.launcher,
        gpus=options.gpus,
        cores=options.cores,
        jobs=options.jobs,
        keep_going=options.keep_going,
    )
    suite = load_suite(options.suite, seeds=options.seeds, imports=options.imports)
    import_modules(suite.imports, given=f"imports of {options.suite}:")
    folder = options.work_dir or options.root / "work_dirs" / suite.name
    plan = build_plan(suite, root=options.root, folder=folder, profile=profile)
    chosen = _choose(plan, options.only)
    checks = {name: check for name, check in check_plan(plan).items() if name in chosen}
    if options.explain:
        report.print_reasons(console, plan, checks)
    elif options.dry_run and options.tables:
        report.print_plan(console, plan, checks)
    pending = [stage for stage in plan.stages if stage.id in chosen and not checks[stage.id].cached]
    if mistakes := find_mistakes(plan, pending, suite):
        raise refusal(options.suite, mistakes)
    if options.dry_run:
        return 0
    with _locked(plan), _interruptible():
        cached = chosen - {stage.id for stage in pending}
        board = Board(plan, shown=chosen, cached=cached, owner=identity())
        return _run(board, pending, profile, options, console)


def _run(
    board: Board, pending: list[Stage], profile: Profile, options: Options, console: Console
) -> int:
    plan = board.plan
    pending = [stage for stage in pending if not stage.always]
    clear_events(plan.state)
    peak_memory_mb = 0.0
    if pending:
        report.say(
            console,
            f"{plan.name}: running {len(pending)} of {len(board.rows)} stages {profile}; logs are "
            f"under {report.shown(plan.folder)}; if stopped, the same command continues",
        )
        peak_memory_mb = _watch(board, pending, profile, console)
    _build_tables(board)
    board.close()
    counts = board.count()
    if counts["cached"] == len(board.rows):
        report.say(console, f"{plan.name}: all {len(board.rows)} stages are done; nothing to run")
    elif options.tables:
        report.print_costs(console, board, peak_memory_mb)
    tables = board.rows.get(plan.stages[-1].id)
    if options.tables and tables and tables.state in ("done", "cached"):
        report.print_leaderboard(console, plan)
    if counts["failed"]:
        report.print_failures(console, board, options.command())
    problem = report.post_webhook(options.webhook, board) if options.webhook else None
    if problem:
        report.say(console, f"note: {problem}")
    return int(counts["failed"] > 0)


def _watch(board: Board, pending: list[Stage], profile: Profile, console: Console) -> float:
    """Run ``pending`` under a view; return the peak memory of all processes in MiB."""
    memory = MemoryPeak(psutil.Process())
    with Engine(board.plan, pending, profile) as engine, open_view(console, board) as view:
        running = True
        try:
            while running:
                running = engine.wait(SECONDS_BETWEEN_UPDATES)
                memory.sample()
                view.update(board.refresh())
        except KeyboardInterrupt:
            report.say(
                console,
                f"waiting at most {launch.seconds_to_save()} s until the running stages have "
                f"saved; a second Ctrl-C does not wait",
            )
            raise
    untouched = [stage.id for stage in pending if board.rows[stage.id].state == "waiting"]
    if untouched and not board.failed():
        raise BenchError(
            f"Snakemake ended with exit code {engine.process.returncode} before {untouched[0]} "
            f"ran: {last_error(engine.log)!r}; its log is {report.shown(engine.log)}"
        )
    return memory.mb


def _build_tables(board: Board) -> None:
    """Build records and leaderboard from the results there are, even if some stages failed."""
    plan = board.plan
    tables = plan.stages[-1]
    if tables.id in board.rows and any(
        is_complete(plan.result_of(plan.stage(need))) for need in tables.needs
    ):
        run_alone(plan, tables)
        board.refresh()


def _choose(plan: Plan, patterns: tuple[str, ...]) -> set[str]:
    """Ids that match the patterns, what these need, and the tables; all ids without patterns."""
    if not patterns:
        return {stage.id for stage in plan.stages}
    parts = {part for stage in plan.stages for part in (stage.id, *stage.id.split("/"))}
    chosen = set[str]()
    for pattern in patterns:
        matched = {
            stage.id
            for stage in plan.stages
            if fnmatch(stage.id, pattern) or pattern in stage.id.split("/")
        }
        if not matched:
            near = difflib.get_close_matches(pattern, sorted(parts), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see --dry-run"
            raise BenchError(f"--only {pattern} matches no stage of {plan.name}; {hint}")
        chosen |= matched
    tables = plan.stages[-1]
    chosen |= {tables.id} if chosen & set(tables.needs) else set()
    for stage in reversed(plan.stages):
        if stage.id in chosen and not stage.always:
            chosen |= set(stage.needs)
    return chosen


@contextmanager
def _locked(plan: Plan) -> Iterator[None]:
    """Lock the suite's folder; the kernel releases the lock when this process ends."""
    check_output_folder(plan.state)
    plan.state.mkdir(parents=True, exist_ok=True)
    owner = plan.state / "owner.json"
    try:
        with FileLock(plan.state / "lock", timeout=0):
            atomic_write_json(plan.file, plan.to_json())
            atomic_write_json(owner, {"pid": os.getpid(), "host": socket.gethostname()})
            yield
    except Timeout:
        holder = read_json(owner) or {}
        raise BenchError(
            f"process {holder.get('pid')} on {holder.get('host')} is already running the suite in "
            f"{report.shown(plan.folder)}; wait for it, or pass another --work-dir"
        ) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat signals that ask to end like Ctrl-C, so that the stages end too."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
        # nohup and similar tools ignore it on purpose
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
