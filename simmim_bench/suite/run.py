"""Run a suite: everything of it that is not done yet, whatever happened before."""

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
from simmim_bench.io import atomic_write_json
from simmim_bench.suite import cache, events, report
from simmim_bench.suite import report as webhook
from simmim_bench.suite.board import Board
from simmim_bench.suite.engine import Engine, Limits, run_alone
from simmim_bench.suite.load import examine_suite, refusal
from simmim_bench.suite.matrix import build_plan
from simmim_bench.suite.measure import MemoryPeak, identity
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.profile import Launcher, Profile, choose_profile
from simmim_bench.suite.schema import Suite
from simmim_bench.suite.stage import LOG, PLAN, last_error
from simmim_bench.suite.validate import find_mistakes
from simmim_bench.suite.view import open_view

SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line of a suite.

    Attributes:
        suite: Suite file.
        root: Project's root.
        seeds: Instead of the file's number of seeds.
        cores: CPU threads in use at any time; None for all that this process may use.
        work_dir: Suite's folder; None for ``work_dirs/<name>`` below the root.
        only: Patterns of stage ids or parts of them; these run, with what they need.
        dry_run: Only say what would run.
        explain: Say which inputs changed; with ``dry_run`` only that.
        keep_going: Go on with the other stages after one has failed.
        jobs: Stages that run at once; None for as many as cores, GPUs and memory allow.
        launcher: How trainings with several processes are started, and where.
        gpus: GPUs in use at any time; None for all.
        webhook: Address that is told when the suite has ended.
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

    def command(self) -> str:
        """The command line that these options came from."""
        words = ["python", "tools/run_suite.py", report.shown(self.suite)]
        words += ["--seeds", str(self.seeds)] if self.seeds is not None else []
        words += ["--cores", str(self.cores)] if self.cores is not None else []
        words += ["--work-dir", report.shown(self.work_dir)] if self.work_dir is not None else []
        words += ["--launcher", self.launcher] if self.launcher != "local" else []
        words += ["--gpus", str(self.gpus)] if self.gpus is not None else []
        words += ["--jobs", str(self.jobs)] if self.jobs is not None else []
        return shlex.join(words)


def run_suite(options: Options, console: Console) -> int:
    """Run what is not done, then the leaderboard; print what it took.

    Returns:
        Exit code: 0, or 1 if a stage failed.

    Raises:
        BenchError: If the suite file is wrong or another process runs the same suite.
    """
    limits = _limits(options)
    if options.webhook:
        webhook.check_url(options.webhook)
    profile = choose_profile(options.launcher, options.gpus)
    suite, plan = _read(options, profile)
    chosen = _choose(plan, options.only)
    checks = cache.check_plan(plan)
    shown = {name: checks[name] for name in checks if name in chosen}
    if options.explain:
        report.print_reasons(console, plan, shown)
    elif options.dry_run:
        report.print_plan(console, plan, shown)
    waiting = [stage for stage in plan.stages if stage.id in chosen and not checks[stage.id].cached]
    mistakes = find_mistakes(plan, waiting, suite)
    if mistakes:
        raise refusal(options.suite, mistakes)
    if options.dry_run:
        return 0
    with _own(plan), _interruptible():
        return _run(plan, chosen, limits, options, console)


def _read(options: Options, profile: Profile) -> tuple[Suite, Plan]:
    """The suite of a file and its stages.

    Raises:
        BenchError: If anything in the file is wrong; lists every mistake, also those of the
            configs that it names rightly.
    """
    suite, mistakes = examine_suite(options.suite, root=options.root, seeds=options.seeds)
    if suite is None:
        raise refusal(options.suite, mistakes)
    folder = options.work_dir or options.root / "work_dirs" / suite.name
    try:
        plan = build_plan(suite, root=options.root, folder=folder, profile=profile)
    except BenchError as error:
        raise refusal(options.suite, [*mistakes, str(error)]) from None
    if mistakes:
        checks = cache.check_plan(plan)
        waiting = [stage for stage in plan.stages if not checks[stage.id].cached]
        raise refusal(options.suite, [*mistakes, *find_mistakes(plan, waiting, suite)])
    return suite, plan


def _run(plan: Plan, chosen: set[str], limits: Limits, options: Options, console: Console) -> int:
    checks = cache.check_plan(plan)
    cached = {name for name, check in checks.items() if check.cached}
    pending = [
        stage
        for stage in plan.stages
        if stage.id in chosen and stage.id not in cached and not stage.always
    ]
    events.clear(plan.state)
    board = Board(plan, shown=chosen, cached=cached, owner=identity())
    peak_memory_mb = 0.0
    if pending:
        report.say(
            console,
            f"{plan.name}: {len(pending)} of {len(chosen)} stages run {limits}, each "
            f"with a {LOG} under {report.shown(plan.folder)}; after a stop the same command "
            "continues",
        )
        peak_memory_mb = _watch(board, pending, limits, console)
    _build_tables(board)
    board.close()
    counts = board.count()
    if counts["cached"] == len(chosen):
        report.say(console, f"{plan.name}: all {len(chosen)} stages are done; nothing runs")
    else:
        report.print_costs(console, board, peak_memory_mb)
    tables = board.rows.get(plan.stages[-1].id)
    if tables and tables.state in ("done", "cached"):
        report.print_leaderboard(console, plan)
    if counts["failed"]:
        report.print_failures(console, board, options.command())
    problem = webhook.post(options.webhook, board) if options.webhook else None
    if problem:
        report.say(console, f"note: {problem}")
    return int(counts["failed"] > 0)


def _watch(board: Board, pending: list[Stage], limits: Limits, console: Console) -> float:
    """Run ``pending`` under a view; return the peak memory of all processes in MiB."""
    memory = MemoryPeak(psutil.Process())
    with Engine(board.plan, pending, limits) as engine, open_view(console, board) as view:
        running = True
        while running:
            running = engine.wait(SECONDS_BETWEEN_LOOKS)
            memory.sample()
            view.update(board.refresh())
    untouched = [stage.id for stage in pending if board.rows[stage.id].state == "waiting"]
    if untouched and not board.failed():
        raise BenchError(
            f"Snakemake ended with exit code {engine.process.returncode} before {untouched[0]} "
            f"ran: {last_error(engine.log)!r}; all it said is in {report.shown(engine.log)}"
        )
    return memory.mb


def _build_tables(board: Board) -> None:
    """Records and leaderboard from what there is, also when some stages failed."""
    plan = board.plan
    tables = plan.stages[-1]
    if tables.id in board.rows and any(
        cache.is_complete(plan.result_of(plan.stage(need))) for need in tables.needs
    ):
        run_alone(plan, tables)
        board.refresh()


def _choose(plan: Plan, patterns: tuple[str, ...]) -> set[str]:
    """Ids that the patterns name, what these need, and tables of them; all without patterns."""
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
            raise BenchError(f"--only {pattern} is no stage or task of {plan.name}; {hint}")
        chosen |= matched
    tables = plan.stages[-1]
    chosen |= {tables.id} if chosen & set(tables.needs) else set()
    for stage in reversed(plan.stages):
        if stage.id in chosen and not stage.always:
            chosen |= set(stage.needs)
    return chosen


def _limits(options: Options) -> Limits:
    for name in ("cores", "jobs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise BenchError(f"--{name} is {value}; give a whole number from 1")
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Limits(
        cores=options.cores or here or 1,
        jobs=options.jobs,
        gpus=options.gpus or launch.count_gpus() or None,
        memory_mb=psutil.virtual_memory().total // 2**20,
        keep_going=options.keep_going,
        launcher=options.launcher,
    )


@contextmanager
def _own(plan: Plan) -> Iterator[None]:
    """Hold the suite's folder, or say who does; the kernel lets go when this process ends."""
    plan.state.mkdir(parents=True, exist_ok=True)
    owner = plan.state / "owner.json"
    try:
        with FileLock(plan.state / "lock", timeout=0):
            atomic_write_json(plan.state / PLAN, plan.to_json())
            atomic_write_json(owner, {"pid": os.getpid(), "host": socket.gethostname()})
            yield
    except Timeout:
        holder = cache.read_json(owner) or {}
        raise BenchError(
            f"process {holder.get('pid')} on {holder.get('host')} runs the suite in "
            f"{report.shown(plan.folder)} already; wait for it, or give another --work-dir"
        ) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let being asked to end, by whatever signal, end the stages too."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
        # nohup and the like ignore it on purpose
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
