"""What torch says of itself and of the GPUs; runs in a process of its own (``probe.py``)."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simmim_bench.doctor.finding import Finding
from simmim_bench.doctor.machine import gpus_of_driver
from simmim_bench.records.names import counted

INSTALL = "https://pytorch.org/get-started/locally"
AMPERE = (8, 0)
"""Compute capability from which GPUs have bfloat16 and TF32."""


def check_torch() -> Iterator[Finding]:
    """Version, CUDA, cuDNN and threads."""
    import torch

    cuda = torch.version.cuda or torch.version.hip
    text = f"{torch.__version__}, " + (f"built for CUDA {cuda}" if cuda else "built for the CPU")
    if torch.backends.cudnn.is_available():
        text += f", cuDNN {torch.backends.cudnn.version()}"
    yield Finding("torch", "ok", f"{text}, {counted(torch.get_num_threads(), 'thread')}")
    mkldnn = torch.backends.mkldnn.is_available()
    capability = torch.backends.cpu.get_cpu_capability()
    if mkldnn:
        yield Finding("CPU kernels", "ok", f"{capability}, oneDNN")
    else:
        text = f"{capability}, without oneDNN: slow, and without fast bfloat16"
        yield Finding("CPU kernels", "note", text, f"install a build of {INSTALL}")


def check_gpus() -> Iterator[Finding]:
    """Torch sees the GPUs of the driver and has kernels for them; precision that they support."""
    import torch

    with warnings.catch_warnings(record=True) as warned:  # says why CUDA cannot start
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        yield from _without_gpu(torch, [str(one.message) for one in warned])
        return
    for number in range(torch.cuda.device_count()):
        yield _gpu(torch, number)


def _without_gpu(torch: Any, warned: list[str]) -> Iterator[Finding]:
    try:
        known = gpus_of_driver()
    except RuntimeError:
        known = []  # ``check_driver`` tells it
    if not known:
        yield Finding("GPU", "ok", "none; training runs on the CPU in float32")
    elif torch.version.cuda is None:
        remedy = f"install a build of torch for CUDA ({INSTALL}), and its torchvision"
        text = f"this torch is built for the CPU, but there are {len(known)} GPU(s)"
        yield Finding("GPU", "problem", text, remedy)
    else:
        reason = warned[0].splitlines()[0] if warned else "hidden, or the driver is too old"
        remedy = "unset CUDA_VISIBLE_DEVICES, or update the driver, or install a torch for its CUDA"
        text = f"torch sees none of {len(known)} GPU(s): {reason}"
        yield Finding("GPU", "problem", text, remedy)


def _gpu(torch: Any, number: int) -> Finding:
    facts = torch.cuda.get_device_properties(number)
    capability = (facts.major, facts.minor)
    new = capability >= AMPERE
    names = ["float16", *(["bfloat16", "TF32"] if new else [])]
    text = (
        f"{facts.name}, {facts.total_memory / 1e9:.0f} GB, capability {facts.major}.{facts.minor}, "
        f"{', '.join(names)}"
    )
    kernels = [name.partition("_")[2] for name in torch.cuda.get_arch_list()]
    if kernels and not any(_serves(kernel, capability) for kernel in kernels):
        remedy = f"install a torch that has kernels for this GPU ({INSTALL})"
        text += f"; torch has kernels for {', '.join(kernels)} alone"
        return Finding(f"GPU {number}", "problem", text, remedy)
    if not new:
        remedy = "train with --precision float16 or float32"
        return Finding(f"GPU {number}", "note", f"{text}; no fast bfloat16", remedy)
    return Finding(f"GPU {number}", "ok", text)


def _serves(kernel: str, capability: tuple[int, int]) -> bool:
    """Whether kernels for ``90``, ``90a`` and the like run on a GPU: same major, not newer."""
    digits = "".join(letter for letter in kernel if letter.isdigit())
    if len(digits) < 2:
        return False
    major, minor = int(digits[:-1]), int(digits[-1])
    return major == capability[0] and minor <= capability[1]


def check_communication() -> Iterator[Finding]:
    """NCCL and gloo are there, and gloo can start on this machine."""
    import torch
    import torch.distributed as dist

    if not dist.is_available():
        remedy = f"install a build of {INSTALL} to train with several processes"
        yield Finding("communication", "note", "torch is built without it", remedy)
        return
    texts = [f"NCCL {'.'.join(map(str, torch.cuda.nccl.version()))}"] if _has_nccl(dist) else []
    texts += ["gloo"] if dist.is_gloo_available() else []
    if torch.cuda.device_count() > 1 and not _has_nccl(dist):
        text = f"{', '.join(texts) or 'nothing'}, but no NCCL for several GPUs"
        yield Finding("communication", "problem", text, f"install a build of {INSTALL}")
    elif reason := _gloo_fails(dist) if dist.is_gloo_available() else "":
        remedy = "let this machine's name lead to it (a line in /etc/hosts), or set "
        remedy += "GLOO_SOCKET_IFNAME to a network interface, such as lo"
        yield Finding("communication", "note", f"gloo cannot start: {reason}", remedy)
    else:
        yield Finding("communication", "ok", ", ".join(texts))


def _has_nccl(dist: Any) -> bool:
    return bool(dist.is_nccl_available())


def _gloo_fails(dist: Any) -> str:
    """Why a group of one process cannot start; empty if it can."""
    with tempfile.TemporaryDirectory() as folder:
        store = dist.FileStore(str(Path(folder, "store")), 1)
        try:
            dist.init_process_group("gloo", store=store, rank=0, world_size=1)
            dist.destroy_process_group()
        except RuntimeError as error:
            return str(error).splitlines()[0]
    return ""


FACTS = {
    "torch": check_torch,
    "GPU": check_gpus,
    "communication": check_communication,
}
