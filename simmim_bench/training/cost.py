"""Energy counters of this machine: of a GPU through NVML, of CPU packages through RAPL."""

from __future__ import annotations

import inspect
import os
import platform
import resource
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from simmim_bench.records.manifest import CPU
from simmim_bench.registry import HOOKS

POWERCAP = Path("/sys/class/powercap")


class Counter(Protocol):
    """Something that counts joules."""

    @property
    def source(self) -> Literal["GPU", "CPU"]:
        """What it counts."""

    def joules(self) -> float:
        """Joules since it was made; to be read every few minutes, as counters wrap around."""


class GpuCounter:
    """The current GPU's own counter (Volta and later).

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
        """Joules since it was made."""
        return (self._millijoules() - self.start) / 1000

    def _millijoules(self) -> int:
        return int(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.device))


class CpuCounter:
    """Counters of all CPU packages, as Linux's powercap shows them.

    Args:
        root: Folder of the powercap tree.

    Raises:
        OSError: If there is none, or it may not be read.
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
        """Joules since it was made, over any number of wraps if read once in each."""
        now = self._read()
        for new, old, span in zip(now, self.last, self.ranges, strict=True):
            self.total += new - old if new >= old else new - old + span
        self.last = now
        return self.total / 1e6

    def _read(self) -> list[int]:
        return [_microjoules(zone, "energy_uj") for zone in self.packages]


def find_counter() -> Counter | None:
    """The GPU's counter where a GPU is used, else that of the CPU packages; None without one."""
    try:
        return GpuCounter() if torch.cuda.is_available() else CpuCounter()
    except OSError:
        return None


def _microjoules(zone: Path, name: str) -> int:
    return int((zone / name).read_text())


def backbone_flops(backbone: nn.Module, size: tuple[int, int]) -> int:
    """Floating-point operations of the backbone on one image (a multiply-add counts as two).

    Matrix products, attention and convolutions are counted, as papers do.

    Args:
        backbone: Any backbone of this suite; one that takes a mask sees the whole image here.
        size: Height and width of the image in pixels.
    """
    image = next(backbone.parameters()).new_zeros(1, 3, *size)
    whole = {"mask": None} if "mask" in inspect.signature(backbone.forward).parameters else {}
    was_training = backbone.training
    backbone.eval()
    # The counter does not know the CPU's own attention kernel.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone(image, **whole)
    backbone.train(was_training)
    return int(counter.get_total_flops())


def device_name(device: torch.device) -> str:
    """Name of a GPU, or of the CPU with its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{CPU}{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} threads"


# Energy of a run, summed over its processes and kept over a resume.


INFO = "energy_joules"
SOURCE = "energy_source"


@HOOKS.register_module()
class EnergyHook(Hook):
    """Hold the joules of a run in the message hub, of its training and validations.

    GPUs are summed over processes, CPU packages over machines (their first process reads them).
    If one process finds no counter, the run has no figure. A run that is killed loses what was
    spent since its last reading.

    Args:
        interval: Iterations between readings; all processes meet at each.
    """

    priority = "ABOVE_NORMAL"  # before checkpoints are saved

    def __init__(self, *, interval: int = 50) -> None:
        self.interval = interval

    def before_train(self, runner: Any) -> None:
        """Look for a counter, and go on from what a resumed run has spent."""
        self.counter = find_counter()
        self.earlier = float(runner.message_hub.get_info(INFO, default=0.0))

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Read it now and then."""
        if self.every_n_train_iters(runner, self.interval):
            self._read(runner)

    def after_train_epoch(self, runner: Any) -> None:
        """Read it before the epoch's checkpoint is written."""
        self._read(runner)

    def after_train(self, runner: Any) -> None:
        """Read it for the last time."""
        self._read(runner)

    def _read(self, runner: Any) -> None:
        found = self.counter
        ours = found is not None and (found.source == "GPU" or _first_of_its_machine())
        spent = found.joules() if found and ours else 0.0
        total = torch.tensor([spent, float(found is None)], dtype=torch.float64)
        all_reduce(total)
        if found and not total[1]:
            runner.message_hub.update_info(INFO, self.earlier + total[0].item())
            runner.message_hub.update_info(SOURCE, found.source)


def energy_of(runner: Any) -> dict[str, Any]:
    """Fields of a cost: joules and their source, both None where nothing was counted."""
    hub = runner.message_hub
    return {name: hub.get_info(name, default=None) for name in (INFO, SOURCE)}


def _first_of_its_machine() -> bool:
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))) == 0


# Keep the peak memory of a run, which mmengine's logger resets at every line.


INFO_MEMORY = "peak_memory_mb"


@HOOKS.register_module()
class PeakMemoryHook(Hook):
    """Hold the largest memory of this process in the message hub, also over a resume.

    Of the GPU if the model is on one, else resident memory; MiB.
    """

    priority = "ABOVE_NORMAL"  # before the logger

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look at it."""
        _keep(runner)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look at it."""
        _keep(runner)


def peak_memory_mb(runner: Any) -> float:
    """Largest memory that the hook has seen in this run, MiB."""
    return float(runner.message_hub.get_info(INFO_MEMORY, default=0.0))


def largest_memory_mb(device: torch.device) -> float:
    """Largest memory so far, MiB: allocated on a GPU, else resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux: KiB


def device_of(model: Any) -> torch.device:
    """Device of a module's parameters."""
    device: torch.device = next(model.parameters()).device
    return device


def _keep(runner: Any) -> None:
    now = largest_memory_mb(device_of(runner.model))
    runner.message_hub.update_info(INFO_MEMORY, max(now, peak_memory_mb(runner)))
