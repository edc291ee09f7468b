"""How many processes a machine takes."""

import os

import pytest

from simmim_bench import launch
from simmim_bench.errors import BenchError


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    launch.check_processes("2")
    with pytest.raises(BenchError, match=r"GPUS is 3, but this machine has 2 GPU\(s\)"):
        launch.check_processes("3")


def test_without_gpus_the_cores_are_the_limit(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    cores = len(os.sched_getaffinity(0))
    launch.check_processes(str(cores))
    with pytest.raises(BenchError, match="no GPU and"):
        launch.check_processes(str(cores + 1))


@pytest.mark.parametrize("wanted", ["0", "-1", "two", ""])
def test_nonsense_is_refused(wanted):
    with pytest.raises(BenchError, match="whole number"):
        launch.check_processes(wanted)
