"""The workflow of a repository of results: its commands accept good changes and reject bad ones."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from simmim_bench.records.store import record_path
from tests.leaderboard.test_sharing import said
from tests.records.sharing import demo_record, fill, own_record, write_config
from tests.records.test_environment import git

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / "docs" / "workflows" / "results.yml").read_text("utf-8"))
[JOB] = WORKFLOW["jobs"].values()
STEPS = {step["name"]: step["run"] for step in JOB["steps"] if "run" in step}
CHECKS = [name for name in STEPS if name != "Install"]  # it needs a network


@pytest.fixture
def repository(tmp_path):
    """A repository of results with two records, in a folder with a space."""
    folder = tmp_path / "our results"
    fill(folder / "results" / "records", demo_record(0), demo_record(1))
    (folder / ".gitignore").write_text(".lock\n")
    git(tmp_path, "init", "--quiet", str(folder))
    commit(folder)
    return folder


def commit(folder):
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "a change")


def run_steps(folder, tmp_path):
    """The first step that fails, and what it says; None if all pass."""
    command = tmp_path / "bin" / "simmim-bench"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m simmim_bench "$@"\n')
    command.chmod(0o755)
    commit(folder)
    environment = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BASE": git(folder, "rev-parse", "HEAD~1"),
    }
    for name in CHECKS:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]],  # as GitHub
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            return name, done.stderr
    return None


def test_there_are_steps():
    assert CHECKS == ["Records are valid", "Records are only added", "Tables can be made"]
    assert STEPS["Install"] == 'pip install "$SIMMIM_BENCH"'
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in WORKFLOW[True]  # YAML reads `on` as a truth value


def test_new_records_and_an_own_protocol_pass(repository, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(own_record().as_json()))
    config = write_config(tmp_path / "mine")
    said("add", path, "--records", repository / "results" / "records", "--config", config)
    assert run_steps(repository, tmp_path) is None
    table = (repository / "results" / "leaderboard" / "README.md").read_text("utf-8")
    assert (
        "own protocol, not one of simmim\\_bench" in table
        or "own protocol, not one of simmim_b" in table
    )


def at(folder, record):
    return record_path(folder / "results" / "records", record)


def edit(folder):
    path = at(folder, demo_record(0))
    path.write_text(path.read_text().replace('"top1": 50.0', '"top1": 99.0'))


def seal_again(folder):
    better = demo_record(0, metrics={"top1": 99.0})
    at(folder, better).write_text(json.dumps(better.as_json()))


def add_unknown(folder):
    path = at(folder, own_record())
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(own_record().as_json()))


def change_protocol(folder):
    changed = demo_record(3, protocol=demo_record().protocol.as_json() | {"epochs": 99})
    at(folder, changed).write_text(json.dumps(changed.as_json()))


@pytest.mark.parametrize(
    ("change", "step", "message"),
    [
        (edit, "Records are valid", "the record was changed after it was written"),
        (
            seal_again,
            "Records are only added",
            "never changed or removed:\nM\tresults/records/scratch__",
        ),
        (lambda folder: at(folder, demo_record(0)).unlink(), "Records are only added", "\nD\t"),
        (add_unknown, "Records are valid", "'my-cells', which no config defines"),
        (change_protocol, "Records are valid", "protocol.epochs is 99, configs define 5"),
        (
            lambda folder: (folder / "results" / "records" / "notes.txt").write_text("x"),
            "Records are valid",
            "notes.txt is in the wrong place",
        ),
    ],
    ids=["edited", "sealed again", "removed", "unknown", "other protocol", "stray"],
)
def test_bad_changes_are_rejected(repository, tmp_path, change, step, message):
    change(repository)
    failed, said_why = run_steps(repository, tmp_path)
    assert failed == step
    assert message in said_why


def test_a_changed_config_of_an_own_protocol_is_rejected(repository, tmp_path):
    test_new_records_and_an_own_protocol_pass(repository, tmp_path)
    [config] = (repository / "results" / "records" / "protocols").glob("*/*-my-task.py")
    config.write_text(config.read_text() + "# more\n")
    failed, said_why = run_steps(repository, tmp_path)
    assert failed == "Records are valid"
    assert "my-task.py is not the file whose SHA-256 is stated" in said_why
