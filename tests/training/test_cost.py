"""Counters of energy: what wraps, what is missing, what several processes spend."""

import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from simmim_bench.training import cost as energy
from simmim_bench.training import cost as hook_module
from simmim_bench.training.cost import CpuCounter, EnergyHook, GpuCounter, energy_of, find_counter


def write_zone(root, name, microjoules, kind="package-0", span=1_000_000):
    zone = root / name
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "name").write_text(f"{kind}\n")
    (zone / "energy_uj").write_text(f"{microjoules}\n")
    (zone / "max_energy_range_uj").write_text(f"{span}\n")


def test_only_whole_packages_are_summed_also_over_wraps(tmp_path):
    write_zone(tmp_path, "intel-rapl:0", 900_000)
    write_zone(tmp_path, "intel-rapl:1", 100, kind="package-1")
    write_zone(tmp_path, "intel-rapl:0:0", 5, kind="core")
    write_zone(tmp_path, "intel-rapl:2", 5, kind="psys")
    counter = CpuCounter(tmp_path)
    assert counter.joules() == 0
    write_zone(tmp_path, "intel-rapl:0", 100_000)  # wrapped at 1 J
    write_zone(tmp_path, "intel-rapl:0:0", 700_000, kind="core")
    write_zone(tmp_path, "intel-rapl:2", 700_000, kind="psys")
    assert counter.joules() == pytest.approx(0.2)
    write_zone(tmp_path, "intel-rapl:1", 300_100, kind="package-1")
    assert counter.joules() == pytest.approx(0.5)


def test_a_missing_counter_is_not_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    monkeypatch.setattr(CpuCounter.__init__, "__defaults__", (tmp_path,))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_counter() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_counter() is None


def test_the_gpu_of_this_process_is_read_in_millijoules(monkeypatch):
    readings = iter([5_000, 7_500])
    nvml = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID={"GPU-abc": "device"}.__getitem__,
        nvmlDeviceGetTotalEnergyConsumption=lambda _: next(readings),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="abc"))
    assert GpuCounter().joules() == 2.5


def make_runner(name, **info):
    hub = MessageHub.get_instance(name)
    for key, value in info.items():
        hub.update_info(key, value)
    return SimpleNamespace(message_hub=hub)


def start(monkeypatch, runner, counter):
    monkeypatch.setattr(hook_module, "find_counter", lambda: counter)
    hook = EnergyHook()
    hook.before_train(runner)
    return hook


def test_a_resumed_run_continues_to_count(monkeypatch):
    runner = make_runner("energy-resumed", energy_joules=10.0)
    hook = start(monkeypatch, runner, SimpleNamespace(source="CPU", joules=lambda: 2.5))
    hook.after_train_epoch(runner)
    hook.after_train(runner)  # reads the same counter again, adds nothing
    assert energy_of(runner) == {"energy_joules": 12.5, "energy_source": "CPU"}


def test_a_machine_is_counted_once_and_every_gpu(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    for source, wanted in (("CPU", 0.0), ("GPU", 2.5)):
        runner = make_runner(f"energy-second-process-{source}")
        counter = SimpleNamespace(source=source, joules=lambda: 2.5)
        start(monkeypatch, runner, counter).after_train(runner)
        assert energy_of(runner)["energy_joules"] == wanted


@pytest.mark.parametrize(("missing", "wanted"), [(0.0, 7.5), (1.0, None)])
def test_processes_are_summed_if_all_have_a_counter(monkeypatch, missing, wanted):
    def all_reduce(total):
        total += torch.tensor([5.0, missing])  # of the other process

    monkeypatch.setattr(hook_module, "all_reduce", all_reduce)
    runner = make_runner(f"energy-two-{missing}")
    start(monkeypatch, runner, SimpleNamespace(source="GPU", joules=lambda: 2.5)).after_train(
        runner
    )
    assert energy_of(runner)["energy_joules"] == wanted
