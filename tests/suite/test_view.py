"""What is shown while a suite runs."""

import io
import json
import os
import time

import pytest
from rich.console import Console
from rich.text import Text

from simmim_bench.suite import events, view
from simmim_bench.suite.events import Board
from simmim_bench.suite.stage import last_error

PRETRAIN = "pretrain/simmim__net/seed0"
SCRATCH = "finetune/detection/scratch__net/seed0"


@pytest.fixture
def board(project):
    """Data cached, one stage running, one failed."""
    plan = project.plan()
    (plan.folder / PRETRAIN).mkdir(parents=True)
    plan.state.mkdir()
    progress = {"done": 30, "total": 120, "eta_seconds": 90.4, "metric": {"loss": 0.51234}}
    (plan.folder / PRETRAIN / "progress.json").write_text(json.dumps(progress), "utf-8")
    now = time.time()
    for event in (
        events.Event(PRETRAIN, "start", time=now - 60),
        events.Event(SCRATCH, "start", time=now - 5),
        events.Event(SCRATCH, "failed", time=now, message="[Errno 28] No space left"),
    ):
        events.write_event(plan.state, event)
    return Board(plan, shown={stage.id for stage in plan.stages}, cached={"data"})


def test_events_become_states(board):
    changed = board.refresh()
    assert [(row.stage, row.state) for row in changed] == [
        (PRETRAIN, "running"),
        (SCRATCH, "running"),
        (SCRATCH, "failed"),
    ]
    assert board.refresh() == []
    assert board.count() == {"cached": 1, "running": 1, "failed": 1, "waiting": 5}
    assert board.rows[PRETRAIN].fraction == 0.25
    assert board.rows[SCRATCH].seconds == pytest.approx(5)
    board.close()
    assert board.count() == {"cached": 1, "failed": 2, "blocked": 5}


def test_a_stage_whose_process_is_gone_has_failed(board):
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)
    events.write_event(board.plan.state, events.Event(PRETRAIN, "start", pid=process))
    board.refresh()
    (row,) = board.refresh()
    assert (row.state, row.message) == ("failed", "killed")


def test_a_half_written_event_waits(board):
    board.refresh()
    (log,) = (board.plan.state / events.EVENTS).iterdir()
    with log.open("a") as stream:
        stream.write('{"stage": "data", "ki')
        stream.flush()
        assert board.refresh() == []
        stream.write('nd": "cached"}\n')
    assert [row.state for row in board.refresh()] == ["cached"]


def test_events_of_a_suite_that_was_killed_do_not_count(board):
    board.refresh()
    events.write_event(board.plan.state, events.Event(PRETRAIN, "failed", owner="1 2.0"))
    assert board.refresh() == []
    assert board.rows[PRETRAIN].state == "running"


def test_plain_lines(board, monkeypatch):
    console = Console(file=io.StringIO(), width=200)
    shown = view.open_view(console, board)
    with shown:
        shown.update(board.refresh())
        before = console.file.getvalue()
        assert f"running {PRETRAIN}\n" in before
        assert f"failed  {SCRATCH} after 5.0 s: [Errno 28] No space left" in before
        assert "25%" not in before
        monkeypatch.setattr(view, "SECONDS_BETWEEN_LINES", 0.0)
        shown.update(board.refresh())
    printed = console.file.getvalue()
    assert f"{PRETRAIN}: 25%, 1:30 left, loss 0.5123" in printed
    assert "5 waiting, 1 running, 1 cached, 1 failed" in printed


def test_metrics_of_a_stage_that_is_done_are_shown(board):
    metrics = {"top1": 65.1234, "top5": 90.0, "a": 1.0, "b": 2.0}
    folder = board.plan.folder / SCRATCH
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"metrics": metrics}), "utf-8")
    events.write_event(board.plan.state, events.Event(SCRATCH, "done", time=time.time() + 1))
    console = Console(file=io.StringIO(), width=200)
    shown = view.open_view(console, board)
    shown.update(board.refresh())
    assert f"done    {SCRATCH} after 6.0 s: top1 65.12, top5 90, a 1\n" in console.file.getvalue()


@pytest.mark.parametrize("height", [30, 8])
def test_live_table_fits_the_terminal(board, height):
    console = Console(file=io.StringIO(), force_terminal=True, width=140, height=height)
    shown = view.open_view(console, board)
    assert isinstance(shown, view.LiveView)
    board.refresh()
    with console.capture() as capture:
        console.print(shown._draw())
    lines = capture.get().splitlines()
    assert len(lines) < height
    text = "\n".join(lines)
    assert PRETRAIN in text
    assert "1:30" in text
    assert "[Errno 28] No space left" in text


@pytest.mark.parametrize(
    ("width", "share"), [(80, "25%"), (110, "\u2501" * 3), (150, "\u2501" * 3)]
)
def test_a_long_message_hides_no_state(board, width, share):
    events.write_event(board.plan.state, events.Event(SCRATCH, "failed", message="x" * 500))
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=30)
    board.refresh()
    with console.capture() as capture:
        console.print(view.LiveView(console, board)._draw())
    plain = Text.from_ansi(capture.get()).plain
    lines = {line.split()[0]: line for line in plain.splitlines()}
    assert {"running", "1:00", "1:30"} <= {*lines[PRETRAIN].split()}
    assert share in lines[PRETRAIN]
    assert "failed" in lines[SCRATCH]
    assert "cached" in lines["data"]
    assert len(lines) == len(board.rows) + 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.6, "1:00"), (3725, "1:02:05")]
)
def test_durations(seconds, text):
    assert view.duration(seconds) == text


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (b"a\nerror: no data\nwarning: later\n", "error: no data"),
        (b"Traceback\n  File x\nValueError: a\n", "ValueError: a"),
        (b"mmengine.RuntimeError: b\nbye\n", "mmengine.RuntimeError: b"),
        (b"first\nlast\n\n", "last"),
        (b"\xff\n", "\N{REPLACEMENT CHARACTER}"),
        (b"", ""),
    ],
)
def test_last_error_finds_the_most_useful_line(tmp_path, log, line):
    path = tmp_path / "log.txt"
    path.write_bytes(b"error: of an earlier attempt\n" + log)
    assert last_error(path, offset=29) == line


def test_a_validation_shows_how_far_it_is(board):
    path = board.plan.folder / PRETRAIN / "progress.json"
    written = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**written, "validated": 3, "to_validate": 12}), "utf-8")
    board.refresh()
    row = board.rows[PRETRAIN]
    assert view._status(row) == "25%, validating 25%, loss 0.5123"
    assert view._left(row) == "validating 25%"
    path.write_text(json.dumps(written), "utf-8")
    board.refresh()
    assert view._left(board.rows[PRETRAIN]) == "1:30"
