"""Sections 1 to 3: the machine, the original's tensors, the operators of detection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.gpu.models import device, on_gpu, ready, seconds_of
from benchmarks.gpu.section import Found

PRECISIONS = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}
"""Largest relative difference of pooled features, by dtype."""


def environment(small: bool, folder: Path) -> Iterator[Found]:  # noqa: ARG001
    """Versions, GPU, NVML, operators, and the rates that bound everything else."""
    import torch

    from benchmarks.environment import environment as versions
    from simmim_bench import ops

    found = versions()
    yield Found("torch", f"{torch.__version__}, CUDA {torch.version.cuda}")
    yield Found("commit", str(found["git_commit"]))
    yield Found("cores", found["cores"])
    yield Found("device", torch.cuda.get_device_name() if on_gpu() else found["cpu"])
    yield from _nvml()
    served = ops.install()
    yield Found("mmcv operators", "of torchvision" if served else "mmcv's own")
    side = 512 if small else 8192
    for dtype in ("float32", "bfloat16"):
        yield Found(f"matrix products, {dtype}", _matrix_rate(side, dtype) / 1e12, "TFLOP/s")
    if on_gpu():
        torch.backends.cuda.matmul.allow_tf32 = True
        yield Found("matrix products, TF32", _matrix_rate(side, "float32") / 1e12, "TFLOP/s")
    yield Found("copy on the device, read and written", _copy_rate(small) / 1e9, "GB/s")


def _nvml() -> Iterator[Found]:
    if not on_gpu():
        return
    try:
        import pynvml
    except ImportError:
        yield Found("NVML", "pynvml is not installed: no energy in records")
        return
    from simmim_bench.training.cost import GpuCounter

    try:
        counter = GpuCounter()
        yield Found("driver", str(pynvml.nvmlSystemGetDriverVersion()))
        time.sleep(1)
        yield Found("power of the idle GPU", counter.joules(), "W")
    except (OSError, pynvml.NVMLError) as error:
        yield Found("NVML", str(error))


def _matrix_rate(side: int, dtype: str) -> float:
    """Operations a second of a product of two square matrices of random numbers."""
    import torch

    left, right = (torch.randn(side, side, device=device()).to(getattr(torch, dtype)) for _ in "ab")
    return 2 * side**3 / seconds_of(lambda: left @ right, warm_up=3, at_least=0.5)


def _copy_rate(small: bool) -> float:
    import torch

    source = torch.ones(2**20 if small else 2**30, device=device())
    target = torch.empty_like(source)
    seconds = seconds_of(lambda: target.copy_(source), warm_up=2, at_least=0.3)
    return 2 * source.numel() * 4 / seconds


def goldens(small: bool, folder: Path) -> Iterator[Found]:  # noqa: ARG001
    """The original's latent, reconstruction, loss and gradients, without TF32."""
    import torch

    ready()
    from tests.parity.golden import FLOAT32_NOISE, Golden, relative_error

    for name in ("swin", "vit"):
        for dtype, noise in ((torch.float32, FLOAT32_NOISE), (torch.float64, 0.0)):
            golden = Golden(name)
            *tensors, norms = golden.run(dtype, device())
            where = f"{name}, {str(dtype).removeprefix('torch.')}"
            for quantity, value in zip(("latent", "reconstruction", "loss"), tensors, strict=True):
                error = relative_error(value.cpu(), golden.tensors[quantity])
                yield Found(f"{where}: {quantity}, relative error", error, bound=1e-5)
            worst = max(golden.norm_errors(norms, noise=noise))
            yield Found(f"{where}: gradient norms, relative error", worst, bound=1e-5)


def operators(small: bool, folder: Path) -> Iterator[Found]:  # noqa: ARG001
    """nms, roi_align and levels of RoIs: the device against float32 on the CPU."""
    ready()
    from simmim_bench import ops

    ops.install()
    import mmdet.models  # noqa: F401  (registers what is built below)

    count = 200 if small else 2000
    for dtype, bound in PRECISIONS.items():
        yield Found(f"nms, {dtype}: kept boxes that differ", _nms(count, dtype), bound=0)
        forward, backward = _roi_align(count, dtype)
        # halves compute positions in halves; a detector's extractor does not, see below
        exact = bound if dtype == "float32" else None
        yield Found(f"roi_align, {dtype}: relative difference", forward, bound=exact)
        yield Found(f"roi_align backward, {dtype}: relative difference", backward, bound=exact)
        levels, pooled = _levels(count, dtype)
        yield Found(f"levels of RoIs, {dtype}: RoIs that differ", levels, bound=0)
        yield Found(f"RoI extractor, {dtype}: relative difference", pooled, bound=bound)


def _boxes(count: int, side: float = 1024.0) -> Any:
    import torch

    draw = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 2, generator=draw) * side * 0.8
    sides = 4 + torch.rand(count, 2, generator=draw) ** 3 * side * 0.6
    return torch.cat([corners, (corners + sides).clamp(max=side)], 1)


def _nms(count: int, dtype: str) -> float:
    import torch
    from mmcv.ops import nms

    boxes = _boxes(count).to(getattr(torch, dtype))
    scores = torch.randperm(count, generator=torch.Generator().manual_seed(1)) / count
    kept = [nms(boxes.to(place), scores.to(place), 0.5)[1].tolist() for place in ("cpu", device())]
    return float(len(set(kept[0]) ^ set(kept[1])))


def _roi_align(count: int, dtype: str) -> tuple[float, float]:
    """Differences of pooled features and of their gradient; RoIs have the dtype of the features."""
    import torch
    from mmcv.ops import roi_align

    half = getattr(torch, dtype)
    draw = torch.Generator().manual_seed(2)
    features = torch.randn(2, 16, 64, 60, generator=draw).to(half)
    rois = torch.cat([(torch.arange(count) % 2)[:, None], _boxes(count)], 1).to(half)

    def pooled(place: str, number: Any) -> tuple[Any, Any]:
        given = features.to(place, number).requires_grad_()
        found = roi_align(given, rois.to(place, number), (7, 7), 1 / 16, 0, "avg", True)
        found.float().square().sum().backward()
        return found, given.grad

    wanted, found = pooled("cpu", torch.float32), pooled(device(), half)
    return _relative(found[0], wanted[0]), _relative(found[1], wanted[1])


def _relative(found: Any, wanted: Any) -> float:
    difference = (found.detach().cpu().double() - wanted.detach().double()).abs().max()
    return float(difference / wanted.detach().abs().max())


def _levels(count: int, dtype: str) -> tuple[float, float]:
    """A detector's extractor as training builds it: RoIs stay float32 in every precision."""
    import torch
    from mmdet.registry import MODELS
    from mmengine.registry import DefaultScope

    from simmim_bench.tasks.box_precision import keep_boxes_in_float32

    with DefaultScope.overwrite_default_scope("mmdet"):
        extractor = MODELS.build({
            "type": "SingleRoIExtractor",
            "roi_layer": {"type": "RoIAlign", "output_size": 7, "sampling_ratio": 0},
            "out_channels": 8,
            "featmap_strides": [4, 8, 16, 32],
        })  # fmt: skip
    keep_boxes_in_float32(extractor)
    draw = torch.Generator().manual_seed(3)
    maps = [torch.randn(1, 8, 1024 // s, 1024 // s, generator=draw) for s in (4, 8, 16, 32)]
    maps = [one.to(getattr(torch, dtype)) for one in maps]
    rois = torch.cat([torch.zeros(count, 1), _boxes(count)], 1)
    seen = []
    for place in ("cpu", device()):
        levels = extractor.map_roi_levels(rois.to(place), 4).cpu()
        pooled = extractor([one.to(place) for one in maps], rois.to(place)).cpu()
        seen.append((levels, pooled))
    differ = (seen[0][0] != seen[1][0]).sum()
    return float(differ), _relative(seen[1][1], seen[0][1])
