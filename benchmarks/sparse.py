"""Seconds and memory of a training step, sparse SimMIM against dense, in one run.

    python benchmarks/sparse.py

Swin-T at 192 px and a plain ViT-S at 224 px, the mask patch 32 px, on random images: forward,
backward and AdamW. Ways are measured in turn, round after round, and the shortest time of each is
taken; on CPU it is the process's CPU time with one thread, which other processes disturb little.
Memory is what a step holds at its peak beyond weights and optimiser states (gradients included), as
torch's allocator counts it.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simmim_bench import cli

ROOT = Path(__file__).parents[1]
MODELS_FOLDER = ROOT / "configs" / "_base_" / "models"
SIZES = {"swin-t": 192, "plain-vit-s": 224}
DECODERS: dict[str, dict[str, Any]] = {
    "swin-t": {"width": 512},  # GreenMIM, scripts/run_greenmim_swin_base.sh: dec512b1
    "plain-vit-s": {"width": 256, "heads": 8},  # MAE, table 1b: as good as 512 in fine-tuning
}
RATIOS = (0.6, 0.75)  # of SimMIM; of MAE and GreenMIM
MASK_PATCH = 32
MEGABYTE = 2**20


def parse() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbones", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--batch", type=int, default=4, help="images a step (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="steps of each way (default: 3)")
    return parser.parse_args()


def run() -> None:
    """Print a table; ratios are dense / sparse."""
    args = parse()
    import torch

    torch.set_num_threads(1)
    print(
        "| backbone | ratio | way | seconds | times faster | MB | times less |\n"
        "|---|---:|---|---:|---:|---:|---:|"
    )
    for name in args.backbones:
        for ratio in RATIOS:
            figures = measure(ways(name), *batch(name, args.batch, ratio), args.rounds)
            seconds, memory = figures["dense"]
            for way, (own, held) in figures.items():
                print(
                    f"| {name} | {ratio} | {way} | {own:.3f} | {seconds / own:.2f} | "
                    f"{held / MEGABYTE:.0f} | {memory / held:.2f} |",
                    flush=True,
                )


def ways(name: str) -> dict[str, Any]:
    """Models by name of the way, with equal backbones."""
    from mmengine.config import Config

    backbone = Config.fromfile(MODELS_FOLDER / f"{name}.py")[name.replace("-", "_")].to_dict()
    backbone["img_size"] = SIZES[name]
    backbone.update({"window_size": 6, "drop_path_rate": 0.0} if "swin" in name else {})
    backbone.update({"out_type": "featmap"} if "vit" in name else {})
    light = {"type": "simmim_bench.LightTransformerDecoder", **DECODERS[name]}
    built = {
        "dense": build("SimMIM", backbone, {"type": "simmim_bench.LinearDecoder"}),
        "sparse": build("SparseSimMIM", backbone, light),
    }
    if "swin" in name:
        built["sparse, one mask a batch"] = build(
            "SparseSimMIM", backbone, light, one_mask_per_batch=True
        )
    return built


def build(kind: str, backbone: dict[str, Any], decoder: dict[str, Any], **options: Any) -> Any:
    """An algorithm on the device, in training mode."""
    import torch

    from simmim_bench import ops

    ops.install()
    from simmim_bench.registry import MODELS

    torch.manual_seed(0)
    loss = {"type": "simmim_bench.MaskedL1Loss"}
    config = {"type": f"simmim_bench.{kind}", "backbone": dict(backbone), "decoder": dict(decoder)}
    model = MODELS.build({**config, "loss": loss, **options})
    model.init_weights()
    model.train()
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def batch(name: str, images: int, ratio: float) -> tuple[Any, list[Any]]:
    """Random images, and samples with a mask of their own each."""
    import torch
    from mmpretrain.structures import DataSample

    from simmim_bench.masking.base import draw_batch
    from simmim_bench.masking.random_patch import RandomPatchMask

    strategy = RandomPatchMask(
        mask_patch_size=MASK_PATCH, mask_ratio=ratio, token_size=4 if "swin" in name else 16
    )
    size = (SIZES[name], SIZES[name])
    masks = draw_batch(strategy, size, [(0, index) for index in range(images)])
    samples = [DataSample().set_mask(mask) for mask in masks]
    inputs = torch.randn(images, 3, *size, generator=torch.Generator().manual_seed(0))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return inputs.to(device), samples


def measure(
    models: dict[str, Any], inputs: Any, samples: list[Any], rounds: int
) -> dict[str, tuple[float, int]]:
    """Seconds of the quickest step and peak bytes, by way."""
    import torch

    optimizers = {way: torch.optim.AdamW(model.parameters()) for way, model in models.items()}

    def step(way: str) -> None:
        loss = models[way](inputs, samples, mode="loss")["loss"]
        optimizers[way].zero_grad()
        loss.backward()
        optimizers[way].step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    seconds: dict[str, list[float]] = {way: [] for way in models}
    memory = {}
    for way in models:
        step(way)  # warm-up
        memory[way] = peak(functools.partial(step, way))
    for _ in range(rounds):
        for way in models:
            seconds[way].append(timed(functools.partial(step, way)))
    return {way: (min(seconds[way]), memory[way]) for way in models}


def peak(step: Callable[[], None]) -> int:
    """Most bytes that a step held beyond what was there before it, by torch's allocator."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return int(torch.cuda.max_memory_allocated()) - before
    with torch.profiler.profile(profile_memory=True) as profile:
        step()
    events = profile.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(itertools.accumulate(change for _, change in changes))


def timed(call: Callable[[], None]) -> float:
    """Seconds of a call: on the wall with CUDA, else of the CPU."""
    import torch

    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    begin = clock()
    call()
    return clock() - begin


if __name__ == "__main__":
    cli.main(run)
