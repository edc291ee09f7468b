"""What Snakemake counts on this machine and requests from Slurm."""

import shutil
import subprocess
from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.engine import _amounts, _expected, _priorities, _resources, _rule
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.profile import Profile, choose_profile

DEMO = Path(__file__).parents[2] / "configs/suites/demo.yaml"
PRETRAIN = "pretrain/simmim__net/seed0"


def stages(project, profile, **resources):
    project.write_suite(resources={"gpus": 4, "threads": 3, **resources})
    suite = load_suite(project.suite)
    plan = build_plan(suite, root=project.root, folder=project.folder, profile=profile)
    return plan.stage(PRETRAIN), plan.stage(PRETRAIN.replace("pretrain", "export"))


def test_a_job_asks_slurm_for_what_its_stage_states(project):
    profile = Profile(launcher="slurm", on_gpus=True, memory_mb=1, jobs=7)
    train, export = stages(project, profile, memory="64 GB", time="2 h")
    assert _resources(train, profile) == {
        **{"cpus_per_task": 3, "mem_mb": 65536, "disk_mb": 0, "runtime": 130},
        **{"gpu": 4, "tasks_per_gpu": 0, "mpi": "srun", "tasks": 4},
    }
    # No memory is stated: the cluster's default, not Snakemake's 1 GB.
    assert _resources(export, profile) == {"cpus_per_task": 3, "mem_mb": 0, "disk_mb": 0}
    assert _amounts(profile)[:2] == ["--jobs", "7"]


def test_a_job_lasts_until_its_checkpoint_is_saved(project, monkeypatch):
    profile = Profile(launcher="slurm", on_gpus=True)
    train, _ = stages(project, profile, time="2 h")
    monkeypatch.setenv("SIMMIM_BENCH_SECONDS_TO_SAVE", "1230")
    assert _resources(train, profile)["runtime"] == 120 + 21 + 5


def test_a_time_to_save_that_is_no_number_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_SECONDS_TO_SAVE", "0")
    with pytest.raises(BenchError, match=r"SECONDS_TO_SAVE must be an integer >= 1, got '0'"):
        choose_profile("local")


def test_here_gpus_memory_and_stages_are_counted(project):
    profile = Profile(cores=8, memory_mb=32768, gpus=2, on_gpus=True, jobs=3)
    train, export = stages(project, profile, memory="64 GB")
    # One process; more memory than there is would never start.
    assert _resources(train, profile) == {"mem_mb": 32768, "job": 1, "gpu": 1}
    assert _resources(export, profile) == {"job": 1}
    assert _amounts(profile)[-3:] == ["mem_mb=32768", "job=3", "gpu=2"]


def test_a_rule_is_named_by_its_stage_alone(project):
    first = [_rule(stage) for stage in project.plan().stages]
    assert len(set(first)) == len(first)
    project.write_suite(exclude=[{"task": "classification"}])
    assert {_rule(stage) for stage in project.plan().stages} < set(first)


@pytest.mark.slurm
def test_the_status_command_follows_the_clusters_accounting(slurm, monkeypatch):
    from simmim_bench.suite.engine import _slurm_options

    monkeypatch.setenv("SBATCH_PARTITION", slurm)
    options = _slurm_options()
    told = subprocess.run(
        ["scontrol", "show", "config"], capture_output=True, text=True, check=True
    ).stdout
    wanted = "squeue" if "accounting_storage/none" in told else "sacct"
    assert options[options.index("--slurm-status-command") + 1] == wanted
    assert f"slurm_partition={slurm}" in options
    assert shutil.which(wanted)


def makespan(stages, priorities, cores):
    """Seconds of a suite on ``cores``, where the ready stage of the highest priority starts."""
    waiting, running, done, now = list(stages), [], set(), 0.0
    while waiting or running:
        ready = [stage for stage in waiting if done.issuperset(stage.needs)]
        for stage in sorted(ready, key=lambda each: -priorities[each.id])[: cores - len(running)]:
            waiting.remove(stage)
            running.append((now + _expected(stage), stage.id))
        now, ended = min(running)
        running.remove((now, ended))
        done.add(ended)
    return now


@pytest.mark.parametrize("cores", [1, 2, 3, 4])
@pytest.mark.parametrize("seeds", [1, 3])
def test_no_long_stage_of_the_demo_runs_last_and_alone(cores, seeds):
    suite = load_suite(DEMO, seeds=seeds)
    plan = build_plan(suite, root=DEMO.parents[2], folder=DEMO.parent / "none")
    stages = [stage for stage in plan.stages if not stage.always]
    priorities = _priorities(stages)
    total, longest = sum(map(_expected, stages)), priorities["data"]
    assert longest == max(priorities.values())
    assert makespan(stages, priorities, cores) <= 1.12 * max(total / cores, longest)
