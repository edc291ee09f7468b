"""Tell a URL that a suite has ended."""

from __future__ import annotations

from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.suite.board import Board

SECONDS = 20.0


def check_url(url: str) -> None:
    """Refuse what nothing can be posted to, before anything runs.

    Raises:
        BenchError: If it is no http or https address.
    """
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BenchError(f"--webhook {url!r} is no address; give one like https://example.org/hook")


def summary_of(board: Board) -> dict[str, Any]:
    """What is posted: the suite, stages by state, what failed and why.

    ``text`` is one sentence, which chat services show as it is.
    """
    counts = {state: number for state, number in board.count().items() if number}
    failed = {row.stage: row.message for row in board.failed()}
    told = ", ".join(f"{number} {state}" for state, number in counts.items())
    return {
        "text": f"suite {board.plan.name}: {told}",
        "suite": board.plan.name,
        "stages": counts,
        "failed": failed,
    }


def post(url: str, board: Board) -> str | None:
    """Post the summary as JSON; a sentence if that failed, which is no reason for a suite to fail.

    The address itself may be a secret and is not repeated.
    """
    import requests

    try:
        answer = requests.post(url, json=summary_of(board), timeout=SECONDS)
    except requests.RequestException as error:
        return f"the webhook was not reached ({type(error).__name__}); the suite itself is as told"
    if not answer.ok:
        return f"the webhook answered {answer.status_code}; the suite itself is as told"
    return None
