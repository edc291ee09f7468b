"""Stages as jobs of a real Slurm: two tasks, a cancelled job, a preempted one."""

import json
import os
import shlex
import subprocess
import sys
import time

import pytest

from simmim_bench.io import atomic_write_json
from simmim_bench.suite import events
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.profile import Profile
from tests.slurm_cluster import skip_without_jobs
from tests.suite.conftest import fake_tools

pytestmark = pytest.mark.slurm
PRETRAIN = "pretrain/simmim__net/seed0"


class Jobs:
    """Submits stages of a project as Snakemake's executor does."""

    def __init__(self, project, partition):
        self.project = project
        self.partition = partition
        suite = load_suite(project.suite)
        profile = Profile(launcher="slurm")
        with fake_tools():
            self.plan = build_plan(suite, root=project.root, folder=project.folder, profile=profile)
        self.plan.state.mkdir(parents=True)
        atomic_write_json(self.plan.state / "plan.json", self.plan.to_json())

    def submit(self, stage):
        command = [
            *(sys.executable, "-m", "simmim_bench.suite.stage", "plan.json", stage),
            *("--threads", "1", "--job"),
        ]
        processes = self.plan.stage(stage).processes
        return ask(
            "sbatch", "--parsable", "-p", self.partition, f"--ntasks={processes}",
            "-D", str(self.plan.state), "-o", str(self.project.root / "job.txt"),
            "--wrap", f"exec {shlex.join(command)}",
        ).strip()  # fmt: skip

    def run(self, stage):
        return self.wait(self.submit(stage))

    def wait(self, job):
        """State of ``job`` when it has ended."""
        for _ in range(600):
            state = ask("squeue", "-h", "-j", job, "-t", "all", "-o", "%T").strip()
            if state not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"):
                return state
            time.sleep(0.2)
        raise TimeoutError(f"job {job} is {state}")

    def told(self):
        return [(event.kind, event.message) for event in events.Reader(self.plan.state, "").new()]


@pytest.fixture
def jobs(project, slurm):
    project.config("simmim_net", "steps = 30\nseconds = 0.1\n")
    project.write_suite(data=None, tasks={"detection": "configs/det_net.py"})
    return Jobs(project, slurm)


def ask(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def steps_done(project):
    checkpoint = project.folder / PRETRAIN / "last.pth"
    return int(checkpoint.read_text("utf-8").split()[0]) if checkpoint.exists() else 0


def start_and_stop(jobs, *scancel):
    """Cancel a running job, or send it a signal, and wait for its end."""
    job = jobs.submit(PRETRAIN)
    deadline = time.monotonic() + 60
    while steps_done(jobs.project) < 3:
        assert time.monotonic() < deadline, (jobs.project.root / "job.txt").read_text()
        time.sleep(0.05)
    ask("scancel", *scancel, job)
    return jobs.wait(job)


@pytest.mark.parametrize(
    "scancel", [[], ["--signal=USR1", "--full"], ["--signal=TERM", "--full"]],
    ids=["cancelled", "SIGUSR1", "SIGTERM"],
)  # fmt: skip
def test_a_stopped_job_continues_from_its_checkpoint(jobs, scancel):
    state = start_and_stop(jobs, *scancel)
    assert state == ("FAILED" if scancel else "CANCELLED")
    reached = steps_done(jobs.project)
    assert 3 <= reached < 30
    (_, last) = jobs.told()
    assert last == ("failed", "interrupted; fake: preempted")
    assert jobs.run(PRETRAIN) == "COMPLETED"
    assert f"{PRETRAIN} from {reached}" in jobs.project.take_calls()
    manifest = json.loads((jobs.project.folder / PRETRAIN / "manifest.json").read_text())
    assert manifest["status"] == "complete"


def test_two_tasks_of_a_stage_run_side_by_side(project, slurm):
    project.config("simmim_net", "steps = 1\n")
    project.write_suite(data=None, resources={"gpus": 2}, tasks={"detection": "configs/det_net.py"})
    jobs = Jobs(project, slurm)
    assert jobs.run(PRETRAIN) == "COMPLETED", (project.root / "job.txt").read_text()
    assert project.take_calls() == [f"{PRETRAIN} from 0", f"{PRETRAIN} rank 1"]


def test_a_job_of_a_stage_that_failed_for_good_is_not_tried_again(jobs):
    jobs.project.config("simmim_net", "crash = 1\n")
    assert jobs.run(PRETRAIN) == "FAILED"
    assert jobs.told()[-1] == ("failed", "ValueError: loss is NaN at 3")
    assert jobs.run(PRETRAIN) == "FAILED"
    assert len(jobs.project.take_calls()) == 1


def test_a_whole_suite_runs_as_jobs_and_what_was_cancelled_again(project, slurm, monkeypatch):
    skip_without_jobs()
    monkeypatch.setenv("SBATCH_PARTITION", slurm)
    project.config("simmim_net", "steps = 50\nseconds = 0.1\n")
    project.write_suite(override=[{"task": "pretrain", "resources": {"gpus": 2}}])
    # Snakemake has a cache at home, also in a job.
    suite = project.start("--launcher", "slurm", HOME=os.environ["HOME"])
    deadline = time.monotonic() + 300
    while steps_done(project) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ask("scancel", *ask("squeue", "-h", "-t", "R", "-o", "%A").split())
    printed, _ = suite.communicate(timeout=300)
    assert suite.returncode == 0, printed
    calls = project.take_calls()
    steps = sorted(int(call.split()[-1]) for call in calls if call.startswith(f"{PRETRAIN} from"))
    assert len(steps) == 2
    assert steps[0] == 0
    assert 3 <= steps[1] < 50
    assert calls.count(f"{PRETRAIN} rank 1") == 2
    assert len({call.split()[0] for call in calls}) == 8
    assert project.table() == "cells: 4\n"
