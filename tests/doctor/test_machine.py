"""Processor, threads, driver, shared memory and launchers of faked machines."""

import subprocess
from collections import namedtuple

import pytest

from simmim_bench.doctor import machine

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _machine(monkeypatch, tmp_path):
    """A machine of four cores without files in /proc and /sys."""
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    for name in ("PROC", "CGROUP"):
        monkeypatch.setattr(machine, name, tmp_path)
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def only(check):
    [finding] = check()
    return finding


def cpu_info(tmp_path, flags):
    text = f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n\nprocessor\t: 1\n"
    (tmp_path / "cpuinfo").write_text(text, "utf-8")


def test_a_processor_with_fast_bfloat16(tmp_path):
    cpu_info(tmp_path, "sse avx2 avx512f avx512_bf16 amx_bf16")
    processor, precision = machine.check_processor()
    assert processor.status == "ok"
    assert processor.text.startswith(
        "Some CPU, 4 usable cores, avx2, avx512f, avx512_bf16, amx_bf16, "
    )
    assert precision.text == "fast (avx512_bf16, amx_bf16)"


def test_a_processor_without_it(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    cpu_info(tmp_path, "sse sse2")
    processor, precision = machine.check_processor()
    assert processor.status == "note"
    assert "lacks AVX2" in processor.text
    assert "use float32" in precision.text


def test_a_machine_that_does_not_describe_its_processor():
    processor, _ = machine.check_processor()
    assert processor.status == "ok"


def test_a_container_with_fewer_cores_than_the_machine(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n", "utf-8")
    processor, _ = machine.check_processor()
    assert processor.status == "note"
    assert "may use only 1.5 of the cores" in processor.text
    assert "OMP_NUM_THREADS=1," in processor.remedy
    (tmp_path / "cpu.max").write_text("max 100000\n", "utf-8")
    assert next(machine.check_processor()).status == "ok"


@pytest.mark.parametrize(
    ("given", "status"),
    [("1", "ok"), ("4", "ok"), ("5", "note"), ("0", "problem"), ("x", "problem")],
)
def test_threads(monkeypatch, given, status):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert only(machine.check_threads).status == status


def driver(monkeypatch, *, printed="", code=0, hangs=False):
    def run(command, **options):
        if hangs:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return subprocess.CompletedProcess(command, code, stdout=printed, stderr="")

    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    monkeypatch.setattr(machine.subprocess, "run", run)


def test_gpus_of_the_driver(monkeypatch):
    driver(monkeypatch, printed="H200, 580.1, 143771 MiB\nH200, 580.1, 143771 MiB\n")
    found = only(machine.check_driver)
    assert (found.status, found.text) == ("ok", "2 x H200, 580.1, 143771 MiB")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = only(machine.check_driver)
    assert (found.status, "unset" in found.remedy) == ("note", True)


@pytest.mark.parametrize(
    "broken", [{"hangs": True}, {"code": 9, "printed": "Driver/library version mismatch\n"}]
)
def test_a_driver_that_does_not_answer(monkeypatch, broken):
    driver(monkeypatch, **broken)
    found = only(machine.check_driver)
    assert found.status == "problem"
    assert found.remedy


def test_no_driver(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda _: None)
    assert only(machine.check_driver).status == "ok"


def test_shared_memory_of_a_container(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: Usage(67e6, 0, 67e6))
    found = only(machine.check_shared_memory)
    assert found.status == "note"
    assert "67 MB free of 67 MB" in found.text
    assert "--shm-size" in found.remedy
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: Usage(8e9, 0, 8e9))
    assert only(machine.check_shared_memory).status == "ok"
    monkeypatch.setattr(machine, "SHARED_MEMORY", tmp_path / "none")
    assert "num_workers=0" in only(machine.check_shared_memory).remedy


def test_launchers(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert only(machine.check_launchers).text == "torchrun, Slurm's sbatch and srun (inside a job)"
    monkeypatch.setattr(machine.shutil, "which", lambda _: None)
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda _: None)
    assert only(machine.check_launchers).text == "no torchrun, no Slurm"
