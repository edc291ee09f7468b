"""Whole suites through Snakemake."""

import shutil

import pytest
from filelock import FileLock

from simmim_bench.errors import BenchError

CELLS = [
    "export/simmim__net/seed0",
    "finetune/classification/scratch__net/seed0 from 0",
    "finetune/classification/simmim__net/seed0 from 0",
    "finetune/detection/scratch__net/seed0 from 0",
    "finetune/detection/simmim__net/seed0 from 0",
    "pretrain/simmim__net/seed0 from 0",
]


def test_every_stage_runs_once_and_its_cost_is_printed(finished_once):
    project, printed = finished_once
    calls = (project.root / "calls.txt").read_text("utf-8").splitlines()
    assert sorted(calls) == sorted(["data", *CELLS, "leaderboard"])
    assert calls.index("data") == 0
    assert calls[-1] == "leaderboard"
    assert printed.splitlines()[-2].endswith("work_dirs/tiny/results/leaderboard/README.md")
    assert project.table() == "cells: 4\n"
    costs = [line for line in printed.splitlines() if "done" in line and " MB" in line]
    assert len(costs) == 8


def test_a_second_run_runs_nothing_and_says_so(finished):
    code, printed = finished.run()
    assert code == 0
    assert "all 8 stages are done; nothing to run" in printed
    assert "results/leaderboard/README.md" in printed
    assert finished.take_calls() == []


def test_a_dry_run_writes_nothing(project):
    code, printed = project.run(dry_run=True)
    assert code == 0
    assert "8 of 8 stages would run" in printed
    assert not project.folder.exists()
    assert project.take_calls() == []


def test_preparing_equal_data_again_repeats_no_training(finished):
    shutil.rmtree(finished.root / "data")
    code, printed = finished.run()
    assert code == 0, printed
    assert finished.take_calls() == ["data"]
    assert "cached" in printed


def test_a_failed_cell_stops_no_other_and_is_retried_alone(project):
    project.config("det_net", "crash = 1\n")
    code, printed = project.run()
    assert code == 1
    assert len(project.take_calls()) == 8
    assert "2 stage(s) failed" in printed
    assert "ValueError: loss is NaN at 3" in printed
    assert "finetune/detection/scratch__net/seed0/log.txt" in printed
    retry = next(line for line in printed.splitlines() if "retry:" in line)
    assert "simmim-bench suite" in retry
    assert retry.endswith("--only finetune/detection/simmim__net/seed0")
    assert project.table() == "cells: 2\n"

    project.config("det_net", "steps = 1\n")
    code, printed = project.run(only=("finetune/detection/scratch__net/seed0",))
    assert code == 0, printed
    assert project.take_calls() == [CELLS[3], "leaderboard"]


def test_what_needs_a_failed_stage_is_blocked(project):
    project.config("simmim_net", "crash = 1\n")
    project.write_suite(tasks={"detection": "configs/det_net.py"})
    code, printed = project.run()
    assert code == 1
    assert project.take_calls() == ["data", CELLS[3], "leaderboard", CELLS[5]]
    assert "1 stage(s) failed, 2 could not start" in printed


def test_only_takes_a_task_with_what_it_needs(project):
    code, printed = project.run(only=("classification",), dry_run=True)
    assert code == 0
    assert "6 of 6 stages would run" in printed
    assert "detection" not in printed
    assert "pretrain/simmim__net/seed0" in printed


def test_only_names_near_stages(project):
    with pytest.raises(BenchError, match=r"--only detektion .*; did you mean detection"):
        project.run(only=("detektion",))


def test_cores_below_one_are_refused(project):
    from simmim_bench.suite.run import Options, run_suite

    with pytest.raises(BenchError, match="--cores must be an integer >= 1, got 0"):
        run_suite(Options(suite=project.suite, root=project.root, cores=0), None)


def test_a_locked_folder_is_refused(finished):
    state = finished.folder / ".suite"
    with (
        FileLock(state / "lock"),
        pytest.raises(BenchError, match=r"process \d+ on \S+ is already"),
    ):
        finished.run()


def test_without_keep_going_nothing_starts_after_a_failure(project):
    project.config("simmim_net", "crash = 1\n")
    project.config("det_net", "steps = 1\nseconds = 0.1\n")
    code, printed = project.run(keep_going=False, jobs=1)
    assert code == 1
    assert project.take_calls() == ["data", "pretrain/simmim__net/seed0 from 0"]
    assert "1 stage(s) failed, 6 could not start" in printed


def test_jobs_limits_how_many_run_at_once(project):
    for name in ("cls_net", "det_net"):
        project.config(name, "steps = 1\nseconds = 0.2\n")
    project.write_suite(pretrain={}, data=None)
    code, printed = project.run(jobs=1)
    assert code == 0, printed
    told = [line for line in printed.splitlines() if "finetune" in line and line[2:3] == ":"]
    assert [line.split()[1] for line in told] == ["running", "done"] * 2


def test_out_of_memory_the_command_starts_again_in_the_same_stage(project):
    project.config("det_net", "memory = 1\n")
    project.write_suite(tasks={"detection": "configs/det_net.py"}, pretrain={})
    code, printed = project.run()
    assert code == 0, printed
    assert project.take_calls() == ["data", CELLS[3], CELLS[3], "leaderboard"]
    assert "running finetune/detection/scratch__net/seed0: fake: out of memory" in printed


@pytest.mark.slow
def test_torchrun_starts_as_many_processes_as_a_stage_asks_for(project, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    project.write_suite(resources={"gpus": 2}, pretrain={}, tasks={"t": "configs/det_net.py"})
    code, printed = project.run(launcher="torchrun", gpus=2)
    assert code == 0, printed
    stage = "finetune/t/scratch__net/seed0"
    assert project.take_calls() == ["data", f"{stage} from 0", f"{stage} rank 1", "leaderboard"]


def test_what_this_machine_does_not_have_is_refused(project, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(
        BenchError, match=r"--gpus must be at most 2, got 3: this machine has 2 GPU\(s\)"
    ):
        project.run(launcher="torchrun", gpus=3)
    with pytest.raises(BenchError, match="--jobs must be an integer >= 1, got 0"):
        project.run(jobs=0)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchError, match="--launcher slurm needs sbatch, which is not on PATH"):
        project.run(launcher="slurm")


def test_a_python_that_job_scripts_cannot_name_is_refused(project, monkeypatch):
    monkeypatch.setattr("simmim_bench.suite.profile.shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("simmim_bench.suite.profile.importlib.util.find_spec", lambda _: True)
    monkeypatch.setattr("sys.executable", "/home/me/my env/bin/python")
    with pytest.raises(BenchError, match="a Python whose path has no space, got /home/me/my env"):
        project.run(launcher="slurm")


def test_no_module_in_a_folder_of_results_is_imported(finished):
    """A stranger's work dir may hold some; Python imports from the folder it starts in."""
    finished.config("cls_net", "steps = 2\n")  # so that stages run again
    marker = finished.root / "marker"
    for folder in (finished.folder, finished.folder / ".suite", *finished.folder.glob("*/*/*/")):
        for module in ("json.py", "psutil.py", "usercustomize.py", "simmim_bench/__init__.py"):
            path = folder / module
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"open({str(marker)!r}, 'w')\nraise SystemExit(3)\n")
    cache = finished.folder / ".suite" / ".snakemake" / "iocache" / "latest.pkl"
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(b"cos\nmkdir\n(V" + str(marker).encode() + b"\ntR.")
    code, printed = finished.run()
    assert not marker.exists()
    assert code == 0, printed
    assert len(finished.take_calls()) > 1


def test_a_suite_does_not_write_through_a_link(finished):
    mine = finished.root / "mine"
    mine.write_text("mine")
    log = finished.folder / ".suite" / "snakemake.log"
    log.unlink()
    log.symlink_to(mine)
    with pytest.raises(BenchError, match=r"snakemake.log is a link to .*mine, which is not in"):
        finished.run()
    assert mine.read_text() == "mine"
