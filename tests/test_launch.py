"""How many processes a machine takes, and the commands that start them."""

import os
from unittest import mock

import pytest

from simmim_bench import launch
from simmim_bench.errors import BenchError


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    launch.check_processes("2")
    with pytest.raises(
        BenchError, match=r"GPUS must be at most 2, got 3: this machine has 2 GPU\(s\)"
    ):
        launch.check_processes("3")


def test_without_gpus_the_cores_are_the_limit(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    cores = len(os.sched_getaffinity(0))
    launch.check_processes(str(cores))
    with pytest.raises(BenchError, match="no GPU and"):
        launch.check_processes(str(cores + 1))


@pytest.mark.parametrize("wanted", ["0", "-1", "two", ""])
def test_invalid_numbers_are_refused(wanted):
    with pytest.raises(BenchError, match="GPUS must be an integer >= 1"):
        launch.check_processes(wanted)


def test_nodes_come_from_the_environment():
    assert launch.nodes_of({}) == ["--standalone"]  # a free port
    assert launch.nodes_of({"PORT": "7"})[2:] == ["--master_addr=127.0.0.1", "--master_port=7"]
    told = launch.nodes_of({"NNODES": "4", "NODE_RANK": "3", "MASTER_ADDR": "a", "PORT": "7"})
    assert told == ["--nnodes=4", "--node_rank=3", "--master_addr=a", "--master_port=7"]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"NNODES": "two"}, "NNODES must be an integer >= 1, got 'two'"),
        (
            {"NNODES": "2", "NODE_RANK": "2", "MASTER_ADDR": "a"},
            "NODE_RANK must be from 0 to 1 with NNODES=2, got 2",
        ),
        ({"NNODES": "2", "NODE_RANK": "1"}, "MASTER_ADDR is not set, but NNODES is 2"),
        ({"NNODES": "2", "MASTER_ADDR": "a"}, "NODE_RANK is not set, but NNODES is 2"),
        ({"PORT": "x"}, "PORT must be an integer >= 1, got 'x'"),
    ],
)
def test_invalid_variables_of_nodes(environment, message):
    with pytest.raises(BenchError, match=message):
        launch.nodes_of(environment)


@pytest.mark.parametrize(
    ("environment", "tasks", "threads", "more"),
    [
        ({}, 8, 5, ["--gres=gpu:8", "--ntasks-per-node=8"]),
        ({"GPUS": "16"}, 16, 5, ["--gres=gpu:8", "--ntasks-per-node=8"]),
        ({"GPUS": "2"}, 2, 5, ["--gres=gpu:2", "--ntasks-per-node=2"]),
        (
            {
                "GPUS": "2",
                "GPUS_PER_NODE": "0",
                "CPUS_PER_TASK": "1",
                "SRUN_ARGS": "-t 5 --x='a b'",
            },
            *(2, 1, ["-t", "5", "--x=a b"]),
        ),
    ],
)
def test_tasks_of_slurm_come_from_the_environment(environment, tasks, threads, more):
    assert launch.slurm_of(environment) == (tasks, threads, more)


@pytest.mark.parametrize("name", ["GPUS", "CPUS_PER_TASK", "GPUS_PER_NODE"])
def test_invalid_variables_of_slurm(name):
    with pytest.raises(BenchError, match=f"{name} must be an integer >= ., got 'many'"):
        launch.slurm_of({name: "many"})


def test_the_tool_and_its_arguments_follow_the_launcher():
    torchrun = launch.torchrun(["train", "c.py", "--seed", "1"], processes=2)
    assert "--nproc_per_node=2" in torchrun
    assert torchrun[-8:] == (
        *("-m", "simmim_bench", "train", "c.py", "--seed", "1", "--launcher", "pytorch"),
    )
    srun = launch.srun(["test", "c.py"], processes=3, threads=4, more=["-p", "gpu"])
    assert srun[:4] == ("srun", "--ntasks=3", "--cpus-per-task=4", "--kill-on-bad-exit=1")
    assert srun[-7:] == (*("-P", "-m", "simmim_bench", "test", "c.py", "--launcher", "slurm"),)


def test_torchrun_waits_for_the_checkpoint_and_passes_sigusr1_on(monkeypatch):
    for name in (launch.SECONDS_TO_SAVE, "TORCH_ELASTIC_SHUTDOWN_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    told = launch.torchrun_environment()
    assert told["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] == "300"
    assert told["PET_SIGNALS_TO_HANDLE"].split(",")[-1] == "SIGUSR1"
    monkeypatch.setenv(launch.SECONDS_TO_SAVE, "900")
    assert launch.torchrun_environment()["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] == "900"
    monkeypatch.setenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "20")  # of the user
    assert launch.torchrun_environment()["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] == "20"
    monkeypatch.setenv(launch.SECONDS_TO_SAVE, "soon")
    with pytest.raises(BenchError, match=r"SECONDS_TO_SAVE must be an integer >= 1, got 'soon'"):
        launch.seconds_to_save()


def test_torchrun_knows_the_variables():
    """They are torch's; another version may have renamed them."""
    from torch.distributed.launcher.api import LaunchConfig
    from torch.distributed.run import get_args_parser

    environment = {**os.environ, **launch.torchrun_environment()}
    with mock.patch.dict(os.environ, environment):
        args = get_args_parser().parse_args(["tool.py"])
        settings = LaunchConfig(min_nodes=1, max_nodes=1, nproc_per_node=1)
    assert "SIGUSR1" in args.signals_to_handle
    assert settings.shutdown_timeout == launch.seconds_to_save()
