"""Energy counters of this machine: of a GPU through NVML, of CPU packages through RAPL."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import torch

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
