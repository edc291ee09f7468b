"""What a run costs: FLOPs, device, peak memory and energy.

``EnergyHook`` reads the counters of GPUs (NVML) or CPU packages (RAPL); ``PeakMemoryHook`` keeps
the peak memory, which mmengine's logger resets at every line. Both continue over a resume.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from simmim_bench.backbones import adapter_for
from simmim_bench.records.environment import cpu_name, resident_memory_mb
from simmim_bench.records.manifest import Cost
from simmim_bench.registry import HOOKS

POWERCAP = Path("/sys/class/powercap")
ENERGY = "energy_joules"  # in the message hub, as in records
ENERGY_SOURCE = "energy_source"
PEAK_MEMORY = "peak_memory_mb"


class Counter(Protocol):
    """A counter of joules."""

    @property
    def source(self) -> Literal["GPU", "CPU"]:
        """What it measures."""

    def joules(self) -> float:
        """Joules since the counter was made; read it every few minutes, because it wraps around."""


class GpuCounter:
    """The counter of the current GPU (Volta and later).

    Raises:
        OSError: If NVML or its Python binding is missing, or the GPU has no counter.
    """

    source: Literal["GPU"] = "GPU"

    def __init__(self) -> None:
        try:
            import pynvml
        except ImportError as error:
            raise OSError("pynvml is not installed") from error
        self.nvml = pynvml
        try:
            pynvml.nvmlInit()
            uuid = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
            self.device = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            self.start = self._millijoules()
        except pynvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from error

    def joules(self) -> float:
        """Joules since the counter was made."""
        return (self._millijoules() - self.start) / 1000

    def _millijoules(self) -> int:
        return int(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.device))


class CpuCounter:
    """The counters of all CPU packages (Linux's powercap).

    Args:
        root: Folder of the powercap tree.

    Raises:
        OSError: If there is no counter, or it cannot be read.
    """

    source: Literal["CPU"] = "CPU"

    def __init__(self, root: Path = POWERCAP) -> None:
        zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if zone.name.count(":") == 1]
        self.packages = [
            zone for zone in zones if (zone / "name").read_text().startswith("package")
        ]
        if not self.packages:
            raise OSError(f"{root} has no CPU package")
        self.ranges = [_microjoules(zone, "max_energy_range_uj") for zone in self.packages]
        self.last = self._read()
        self.total = 0

    def joules(self) -> float:
        """Joules since the counter was made; right if it is read at least once per wrap."""
        now = self._read()
        for new, old, span in zip(now, self.last, self.ranges, strict=True):
            self.total += new - old if new >= old else new - old + span
        self.last = now
        return self.total / 1e6

    def _read(self) -> list[int]:
        return [_microjoules(zone, "energy_uj") for zone in self.packages]


def find_counter() -> Counter | None:
    """The counter of the GPU if there is one, else of the CPU packages; None without a counter."""
    try:
        return GpuCounter() if torch.cuda.is_available() else CpuCounter()
    except OSError:
        return None


def _microjoules(zone: Path, name: str) -> int:
    return int((zone / name).read_text())


def backbone_flops(backbone: nn.Module, size: tuple[int, int]) -> int:
    """Floating-point operations of the backbone on one image (a multiply-add counts as two).

    Matrix products, attention and convolutions are counted, as in papers.

    Args:
        backbone: Any backbone that has an adapter; nothing is masked.
        size: Height and width of the image in pixels.
    """
    image = next(backbone.parameters()).new_zeros(1, adapter_for(backbone).in_channels, *size)
    whole = {"mask": None} if "mask" in inspect.signature(backbone.forward).parameters else {}
    was_training = backbone.training
    backbone.eval()
    with torch.no_grad():
        flops = counted_flops(lambda: backbone(image, **whole))
    backbone.train(was_training)
    return flops


def counted_flops(run: Callable[[], object]) -> int:
    """Floating-point operations of what ``run`` computes (a multiply-add counts as two).

    Matrix products, attention and convolutions are counted, as in papers.
    """
    # The counter does not support the attention kernel of the CPU.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def device_name(device: torch.device) -> str:
    """Name of a GPU, or of the CPU with its number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, {torch.get_num_threads()} of {os.cpu_count()} threads"


def device_of(model: Any) -> torch.device:
    """Device of a module's parameters."""
    device: torch.device = next(model.parameters()).device
    return device


def largest_memory_mb(device: torch.device) -> float:
    """Peak memory of this process so far, in MiB: allocated on a GPU, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resident_memory_mb()


def cost_of(model: nn.Module, **measured: Any) -> Cost:
    """Cost of what a model did.

    Args:
        model: The model, on the device that it used.
        measured: Fields of ``Cost``: ``wall_seconds``, and any other that was measured. By default
            there is one device, and the peak memory is that of this process.
    """
    device = device_of(model)
    defaults = {
        "device": device_name(device),
        "device_count": 1,
        "peak_memory_mb": largest_memory_mb(device),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    return Cost(**{**defaults, **measured})


@HOOKS.register_module()
class EnergyHook(Hook):
    """Keep the joules of training and validation in the message hub.

    GPUs are summed over processes; CPU packages over machines, where the first process reads them.
    If one process has no counter, the run has no value. A run that is killed loses the joules since
    the last reading.

    Args:
        interval: Iterations between readings; each synchronises all processes.
    """

    priority = "ABOVE_NORMAL"  # before checkpoints are saved

    def __init__(self, *, interval: int = 50) -> None:
        self.interval = interval

    def before_train(self, runner: Any) -> None:
        """Find a counter, and continue from the joules of a resumed run."""
        self.counter = find_counter()
        self.earlier = float(runner.message_hub.get_info(ENERGY, default=0.0))

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Read the counter every ``interval`` iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self._read(runner)

    def after_train_epoch(self, runner: Any) -> None:
        """Read the counter before the checkpoint of the epoch is written."""
        self._read(runner)

    def after_train(self, runner: Any) -> None:
        """Read the counter for the last time."""
        self._read(runner)

    def _read(self, runner: Any) -> None:
        found = self.counter
        reads = found is not None and (found.source == "GPU" or _is_first_on_machine())
        spent = found.joules() if found and reads else 0.0
        total = torch.tensor([spent, float(found is None)], dtype=torch.float64)
        all_reduce(total)
        if found and not total[1]:
            runner.message_hub.update_info(ENERGY, self.earlier + total[0].item())
            runner.message_hub.update_info(ENERGY_SOURCE, found.source)


def energy_of(runner: Any) -> dict[str, Any]:
    """Fields of a ``Cost``: joules and their source, both None without a counter."""
    hub = runner.message_hub
    return {name: hub.get_info(name, default=None) for name in (ENERGY, ENERGY_SOURCE)}


def _is_first_on_machine() -> bool:
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))) == 0


@HOOKS.register_module()
class PeakMemoryHook(Hook):
    """Keep the peak memory of this process in the message hub, in MiB.

    Memory of the GPU if the model is on one, else resident memory.
    """

    priority = "ABOVE_NORMAL"  # before the logger

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Update the peak."""
        _update_peak(runner)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Update the peak."""
        _update_peak(runner)


def peak_memory_mb(runner: Any) -> float:
    """Peak memory of the run so far, in MiB."""
    return float(runner.message_hub.get_info(PEAK_MEMORY, default=0.0))


def _update_peak(runner: Any) -> None:
    now = largest_memory_mb(device_of(runner.model))
    runner.message_hub.update_info(PEAK_MEMORY, max(now, peak_memory_mb(runner)))
