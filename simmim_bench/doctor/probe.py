"""Checks that import torch run in another process, so that a broken one cannot end the doctor.

The other process prints one finding a line, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import simmim_bench
from simmim_bench.doctor.finding import Check, Finding, run_checks, said

Part = Literal["facts", "test"]
SECONDS = {"facts": 60, "test": 120}
"""Longest time of each part; a network disk may need half a minute to import torch."""
REINSTALL = "reinstall torch and torchvision (https://pytorch.org/get-started/locally)"
LAST_LINES = 3
CHILD = """
import sys
sys.path.append(sys.argv[1])
from simmim_bench.doctor.probe import print_findings
print_findings(sys.argv[2])
"""
"""Finds the package also if pip does not know it, and imports nothing of the current folder."""


def probe(part: Part) -> Iterator[Finding]:
    """Findings of the other process, and that it crashed or did not end, if so.

    Args:
        part: ``facts`` of torch, or the self-``test``.
    """
    command = [sys.executable, "-P", "-c", CHILD, str(Path(simmim_bench.__file__).parents[1]), part]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS[part], check=False
        )
        printed, said, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as error:
        printed = error.stdout.decode() if isinstance(error.stdout, bytes) else ""
        said, code = "", None
    yield from map(Finding.read, map(json.loads, printed.splitlines()))
    topic = "torch" if part == "facts" else "self-test"
    if code is None:
        text = f"no answer within {SECONDS[part]} s"
        yield Finding(topic, "problem", text, "see whether the disk, or a GPU, hangs")
    elif code < 0:
        name = signal.Signals(-code).name
        yield Finding(topic, "problem", f"the process was ended by {name}", _remedy_of(name))
    elif code:
        last = "; ".join(said.strip().splitlines()[-LAST_LINES:]) or f"exit code {code}"
        yield Finding(topic, "problem", f"the process failed: {last}", REINSTALL)


def _remedy_of(name: str) -> str:
    return {
        "SIGILL": f"{REINSTALL}, of a build for this processor",
        "SIGKILL": "the memory was probably full: close other programs, or ask for more",
        "SIGBUS": "shared memory or the disk was probably full; see both above",
    }.get(name, REINSTALL)


def print_findings(part: str) -> None:
    """Print the findings of a part, in the other process."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print
    checks = _checks_of(part)
    try:
        importlib.import_module("torch")
    except Exception as error:  # a broken one raises anything
        broken = Finding("torch", "problem", said(error), REINSTALL)
        checks = {"torch": lambda: [broken]}
    for finding in run_checks(checks):
        out.write(json.dumps(finding.as_json()) + "\n")
        out.flush()


def _checks_of(part: str) -> Mapping[str, Check]:
    if part == "facts":
        from simmim_bench.doctor.torch_facts import FACTS

        return FACTS
    from simmim_bench.doctor.self_test import TESTS

    return TESTS
