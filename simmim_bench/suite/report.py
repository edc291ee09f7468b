"""What a suite prints before and after it runs, and posts at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from simmim_bench.errors import BenchError
from simmim_bench.io import without_secrets
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.terminal import print_page
from simmim_bench.records.store import read_records
from simmim_bench.suite.cache import Check, explain
from simmim_bench.suite.check import estimated_gpu_hours
from simmim_bench.suite.events import Board
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.state import read_benchmark
from simmim_bench.suite.view import STYLES, duration

WEBHOOK_SECONDS = 20.0


def print_plan(console: Console, plan: Plan, checks: dict[str, Check]) -> None:
    """Table of the stages in ``checks``: state, cost and why each one runs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage", overflow="fold")
    table.add_column("config", overflow="fold")
    table.add_column("state")
    table.add_column("threads", justify="right")
    table.add_column("processes", justify="right")
    table.add_column("cost", justify="right")
    table.add_column("why", overflow="fold")
    stages = [stage for stage in plan.stages if stage.id in checks]
    for stage in stages:
        check = checks[stage.id]
        state = "cached" if check.cached else "running"
        word = Text("cached" if check.cached else "runs", STYLES[state])
        table.add_row(
            *(stage.id, stage.config, word, str(stage.threads), str(stage.processes)),
            *(_cost(plan, stage, check), Text(check.reason)),
        )
    console.print(table)
    running = [stage for stage in stages if not checks[stage.id].cached]
    hours = estimated_gpu_hours(running)
    cost = f", estimated at {hours:g} GPU hours" if hours else ""
    say(console, f"{plan.name}: {len(running)} of {len(checks)} stages would run{cost}")


def print_reasons(console: Console, plan: Plan, checks: dict[str, Check]) -> None:
    """For each stage in ``checks``, every input that changed, before and now."""
    for stage in plan.stages:
        if stage.id in checks:
            first, *more = explain(plan, stage, checks[stage.id])
            word = "cached" if checks[stage.id].cached else "runs"
            say(console, f"{stage.id}: {word}, {first}")
            for line in more:
                say(console, f"    {line}")


def print_costs(console: Console, board: Board, peak_memory_mb: float) -> None:
    """Table of wall time and peak memory of each stage, of earlier runs for cached ones."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage", overflow="fold")
    table.add_column("state")
    table.add_column("wall time", justify="right")
    table.add_column("peak memory", justify="right")
    for row in board.rows.values():
        cost = read_benchmark(board.plan.folder / row.stage)
        seconds, memory = cost.get("wall_seconds"), cost.get("peak_memory_mb")
        table.add_row(
            row.stage,
            Text(row.state, STYLES[row.state]),
            "" if seconds is None else duration(seconds),
            "" if memory is None else f"{memory:.0f} MB",
        )
    console.print(table)
    wall = duration(sum(row.seconds for row in board.rows.values()))
    say(
        console,
        f"{board.plan.name}: {wall} of stage time in {duration(_elapsed(board))}; "
        f"peak memory of all processes {peak_memory_mb:.0f} MB",
    )


def print_failures(console: Console, board: Board, command: str) -> None:
    """Each failed stage with its reason, its log and the command that retries it."""
    failed = board.failed()
    blocked = board.count()["blocked"]
    also = f", {blocked} could not start" if blocked else ""
    say(console, f"\n{len(failed)} stage(s) failed{also}:")
    for row in failed:
        log = board.plan.log_of(board.plan.stage(row.stage))
        say(console, f"  {row.stage}: {row.message}")
        say(console, f"    log:   {shown(log)}")
        say(console, f"    retry: {command} --only {row.stage}")
    say(console, f"To run everything that is missing: {command}")


def print_leaderboard(console: Console, plan: Plan) -> None:
    """The leaderboard, and where it and its records are."""
    table = plan.result_of(plan.stages[-1])
    records = table.parents[1] / "records"
    if records.is_dir():
        say(console, "")
        print_page(make_page(read_records(records)))
    say(console, f"\nleaderboard: {shown(table)}\nrecords:     {shown(records)}")


def say(console: Console, text: str) -> None:
    """Print ``text`` without markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def shown(path: Path) -> str:
    """``path``, relative to the current folder if below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def check_webhook(url: str) -> None:
    """Check the URL before anything runs.

    Raises:
        BenchError: If it is no http or https URL.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
        _ = parts.port  # raises if it is no number
    except ValueError:
        valid = False
    if not valid:
        raise BenchError(
            f"--webhook must be an http or https URL, e.g. https://example.org/hook, got "
            f"{without_secrets(url)!r:.100}"
        )


def post_webhook(url: str, board: Board) -> str | None:
    """Post the summary as JSON; return a message if that failed, which does not fail the suite.

    The message does not contain the URL, which may be a secret.
    """
    import requests

    try:
        answer = requests.post(url, json=_summary(board), timeout=WEBHOOK_SECONDS)
    except (requests.RequestException, ValueError) as error:  # ValueError: an odd host
        return (
            f"the webhook could not be reached ({type(error).__name__}); the suite is not affected"
        )
    if not answer.ok:
        return f"the webhook answered {answer.status_code}; the suite is not affected"
    return None


def _cost(plan: Plan, stage: Stage, check: Check) -> str:
    """Estimate of a stage that runs; wall time of a cached one."""
    if not check.cached:
        return "" if stage.gpu_hours is None else f"{stage.gpu_hours:g} GPU h"
    wall = read_benchmark(plan.folder_of(stage)).get("wall_seconds")
    return "" if wall is None else f"took {duration(wall)}"


def _elapsed(board: Board) -> float:
    ended = max((row.ended for row in board.rows.values()), default=0.0)
    return max(ended - board.started, 0.0)


def _summary(board: Board) -> dict[str, Any]:
    """What is posted: the suite, stages by state, failures; ``text`` is for chat services."""
    counts = {state: number for state, number in board.count().items() if number}
    failed = {row.stage: row.message for row in board.failed()}
    text = ", ".join(f"{number} {state}" for state, number in counts.items())
    return {
        "text": f"suite {board.plan.name}: {text}",
        "suite": board.plan.name,
        "stages": counts,
        "failed": failed,
    }
