"""Run the inputs of each class in a separate process and count the outcomes."""

# lists of inputs

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from simmim_bench.cli import _sentence as sentence_of_os
from simmim_bench.cli import printable
from simmim_bench.errors import BenchError

HANG = 10.0  # seconds
MEMORY = 24 << 30  # bytes of address space; torch alone maps several GiB
LONGEST, MOST_LINES = 1100, 30  # characters of a line of a sentence


class LieError(Exception):
    """Wrong content was accepted as good."""


@dataclass(frozen=True)
class Case:
    """A class of inputs.

    Args:
        name: Shown in the table.
        share: How many of the inputs, relative to other classes.
        prepare: Called once with an empty folder; returns the inputs and the function that reads
            one. It raises ``BenchError`` or ``OSError`` for what it refuses and ``LieError`` for
            what should have been refused.
        seconds: After which an input counts as a hang.
    """

    name: str
    share: float
    prepare: Callable[[Path], tuple[st.SearchStrategy[Any], Callable[[Any], object]]]
    seconds: float = HANG


@dataclass
class Result:
    """What happened to the inputs of a class."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    failures: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Place of a failure to its kind and the first such input."""
    sentences: Counter[str] = field(default_factory=Counter)
    """First words of what refusals say."""


def run_case(case: Case, inputs: int, start: int) -> Result:
    """Run ``inputs`` inputs; after a crash or a hang a new process continues with the next.

    Args:
        case: The class.
        inputs: Number of inputs.
        start: Seed of hypothesis.
    """
    result, done = Result(case.name), 0
    while done < inputs:
        receive, send = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(case, inputs, start, done, send)
        )
        process.start()
        send.close()
        try:
            while receive.poll(
                case.seconds if done else 180.0
            ):  # the first input waits for imports
                message = receive.recv()
                if message is None:
                    done = inputs
                    break
                _count(result, message)
                done += 1
            else:
                _count(result, ("hang", HANG, f"input {done}", ""))
                done += 1
        except EOFError:
            _count(result, ("crash", 0.0, f"input {done}: the process died", ""))
            done += 1
        process.kill()
        process.join()
        receive.close()
    return result


def _count(result: Result, message: tuple[str, float, str, str]) -> None:
    kind, seconds, place, shown = message
    result.counts[kind] += 1
    result.slowest = max(result.slowest, seconds)
    if kind == "refused":
        result.sentences[place] += 1
    elif kind != "accepted":
        result.failures.setdefault(place.split(": ")[0], (kind, f"{place}: {shown}"))


def _work(case: Case, inputs: int, start: int, skip: int, send: Any) -> None:
    """In the new process: prepare, generate the same inputs as ever, run those after ``skip``."""
    warnings.simplefilter("ignore")
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as name, Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            from simmim_bench import ops

            ops.install()  # as every command does
            strategy, read = case.prepare(Path(name))
        except BaseException as error:
            send.send(("traceback", 0.0, f"the class cannot be prepared: {error!r}", ""))
            send.send(None)
            raise
        number = 0

        @seed(start)
        @settings(
            max_examples=inputs,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def each(content: Any) -> None:
            nonlocal number
            if number >= skip:
                send.send(outcome(read, content))
            number += 1

        try:
            each()
        except BaseException as error:
            send.send(("traceback", 0.0, f"the inputs cannot be made: {error!r}", ""))
            send.send(None)
            raise
        while number < inputs:  # hypothesis ends early if it has seen all there is
            number += 1
            if number > skip:
                send.send(("repeated", 0.0, "", ""))
        send.send(None)
        send.close()
    os._exit(0)


def outcome(read: Callable[[Any], object], content: Any) -> tuple[str, float, str, str]:
    """How reading ``content`` ends: kind, seconds, place or sentence, and the input, shortened."""
    begin = time.monotonic()
    shown = ascii(content)[:400]
    try:
        read(content)
        kind, place = "accepted", ""
    except (BenchError, OSError) as error:
        kind, place = "refused", sentence_of(error)
        if problem := unclear(error):
            kind, place = "unclear", f"{problem}: {place}"
    except LieError as error:
        kind, place = "lie", str(error)[:300]
    except BaseException as error:  # whatever a loader lets through
        kind, place = "traceback", _place(error)
    return kind, time.monotonic() - begin, ascii(place)[1:-1], shown


def sentence_of(error: Exception) -> str:
    """The beginning of what an error says, without the names of temporary folders."""
    text = str(error).replace(tempfile.gettempdir(), "")
    return f"{type(error).__name__}: {text[:160]}"


def unclear(error: Exception) -> str | None:
    """Why what a tool would print about an error is not a sentence; None if it is."""
    text = printable(sentence_of_os(error) if isinstance(error, OSError) else str(error))
    if not text.strip():
        return "says nothing"
    if max(map(len, text.split("\n"))) > LONGEST or text.count("\n") > MOST_LINES:
        return f"{len(text)} characters"
    hidden = [letter for letter in text if ord(letter) < 32 and letter not in "\n\t"]
    return "control characters" if hidden else None


def _place(error: BaseException) -> str:
    """Type, message and the innermost line of this project."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "simmim_bench" in frame.filename]
    last = (ours or frames or [None])[-1]
    where = f"{Path(last.filename).name}:{last.lineno} {last.name}" if last else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:120]!r}"
