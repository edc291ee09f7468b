"""A project whose tools take milliseconds, to run suites on."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from rich.console import Console

from simmim_bench import launch
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.plan import Plan
from simmim_bench.suite.run import Options, run_suite
from tests.records.conftest import make_record, make_simmim, toy  # noqa: F401  (fixtures)

HERE = Path(__file__).parent
FAKE, RUN = "tools/fake_tool.py", "tools/run_suite.py"
SUITE = {
    "name": "tiny",
    "kind": "smoke",
    "data": "demo",
    "backbones": ["net"],
    "pretrain": {"simmim": "configs/simmim_{backbone}.py"},
    "baselines": ["scratch"],
    "tasks": {
        "classification": {
            "config": "configs/cls_{backbone}.py",
            "overrides": {"train_cfg.max_epochs": 1},
        },
        "detection": "configs/det_{backbone}.py",
    },
}


@dataclass
class Project:
    """A root with configs, fake tools and one suite file."""

    root: Path

    @property
    def suite(self) -> Path:
        return self.root / "configs" / "suites" / "tiny.yaml"

    @property
    def folder(self) -> Path:
        return self.root / "work_dirs" / "tiny"

    def config(self, name: str, text: str) -> None:
        kind = "pretraining" if name.startswith("simmim") else "protocol"
        if not name.startswith("_base_"):
            text += f"{kind} = dict()\ntrain_cfg = dict(max_epochs=1)\n"
        (self.root / "configs" / f"{name}.py").write_text(text, "utf-8")

    def write_suite(self, **changes: object) -> None:
        self.suite.write_text(yaml.safe_dump({**SUITE, **changes}, sort_keys=False), "utf-8")

    def plan(self, seeds: int | None = None) -> Plan:
        suite = load_suite(self.suite, seeds=seeds)
        with fake_tools():
            return build_plan(suite, root=self.root, folder=self.folder)

    def run(self, **options: object) -> tuple[int, str]:
        """Run the suite in this process; return exit code and what it printed."""
        console = Console(file=io.StringIO(), width=160)
        with fake_tools():
            code = run_suite(Options(suite=self.suite, root=self.root, cores=2, **options), console)
        return code, console.file.getvalue()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Run the suite in a process of its own; its home folder cannot be written."""
        return subprocess.Popen(
            [sys.executable, RUN, str(self.suite), "--cores", "2", *arguments],
            cwd=self.root,
            env={**os.environ, "HOME": str(self.suite), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # As in a terminal; a job in the background inherits that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def table(self) -> str:
        return (self.folder / "results" / "leaderboard" / "README.md").read_text("utf-8")

    def take_calls(self) -> list[str]:
        """What the fake tools noted since the last call, sorted."""
        log = self.root / "calls.txt"
        if not log.exists():
            return []
        calls = log.read_text("utf-8").splitlines()
        log.unlink()
        return sorted(calls)


def fake_tools() -> Any:
    """Plans made inside run the fake tool."""
    return mock.patch.object(launch, "PROGRAM", (FAKE,))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project whose suite has run, and what that printed; never changed."""
    project = make_project(tmp_path_factory.mktemp("finished") / "with space, {brace} and 'quote'")
    code, printed = project.run()
    assert code == 0, printed
    return project, printed


@pytest.fixture
def finished(tmp_path: Path, finished_once: tuple[Project, str]) -> Project:
    """A copy, elsewhere and with other file times, of a project whose suite has run."""
    root = tmp_path / "copy"
    shutil.copytree(finished_once[0].root, root, copy_function=shutil.copyfile)
    project = Project(root)
    project.take_calls()
    return project


def make_project(root: Path) -> Project:
    (root / "configs" / "suites").mkdir(parents=True)
    (root / "configs" / "_base_").mkdir()
    (root / "tools").mkdir()
    shutil.copy(HERE / "fake_tool.py", root / FAKE)
    (root / RUN).write_text(
        "from simmim_bench import launch\n"
        "from simmim_bench.commands import main\n"
        f"launch.PROGRAM = ({FAKE!r},)\n"
        "main('suite')\n",
        "utf-8",
    )
    project = Project(root)
    project.config("_base_/net", "width = 8\n")
    for name in ("simmim_net", "cls_net", "det_net"):
        project.config(name, '_base_ = ["_base_/net.py"]\nsteps = 1\n')
    project.write_suite()
    return project
