"""Compare seconds and memory of a training step of sparse and dense SimMIM.

    python benchmarks/sparse.py

The models are Swin-T at 192 px and a plain ViT-S at 224 px, with mask patches of 32 px, on random
images. A step is forward, backward and AdamW. The ways are measured in turn in each round, and the
shortest time of each counts. On a CPU this is CPU time with one thread, which other processes
hardly change. Memory is the peak of a step beyond weights and optimizer states, gradients
included, as counted by torch's allocator.
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
TOKENS = {"swin-t": 4, "plain-vit-s": 16}  # px a side
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
    parser.add_argument("--batch", type=int, default=4, help="images per step (default: 4)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="measured steps of each way (default: 3)"
    )
    return parser.parse_args()


def run() -> None:
    """Print a table; speed-up and memory saving are dense / sparse."""
    args = parse()
    import torch

    torch.set_num_threads(1)
    print(
        "| backbone | ratio | way | seconds | times faster | MB | times less |\n"
        "|---|---:|---|---:|---:|---:|---:|"
    )
    for name in args.backbones:
        for ratio in RATIOS:
            inputs = batch(args.batch, SIZES[name], TOKENS[name], ratio)
            measured = measure(ways(name), *inputs, args.rounds)
            seconds, memory = measured["dense"]
            for way, (step_seconds, step_memory) in measured.items():
                print(
                    f"| {name} | {ratio} | {way} | {step_seconds:.3f} | "
                    f"{seconds / step_seconds:.2f} | {step_memory / MEGABYTE:.0f} | "
                    f"{memory / step_memory:.2f} |",
                    flush=True,
                )


def ways(name: str) -> dict[str, Any]:
    """Models with equal backbones, by name of the way."""
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
    """Build a model on the device, in training mode."""
    import torch

    from simmim_bench import ops

    ops.install()
    from simmim_bench.backbones.fast_attention import speed_up
    from simmim_bench.registry import MODELS

    torch.manual_seed(0)
    loss = {"type": "simmim_bench.MaskedL1Loss"}
    config = {"type": f"simmim_bench.{kind}", "backbone": dict(backbone), "decoder": dict(decoder)}
    model = MODELS.build({**config, "loss": loss, **options})
    model.init_weights()
    speed_up(model)
    model.train()
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def batch(images: int, size: int, token: int, ratio: float) -> tuple[Any, list[Any]]:
    """Random square images, each with its own mask.

    Args:
        images: Number of images.
        size: Side of an image in pixels.
        token: Side of a token in pixels.
        ratio: Masked share.
    """
    import torch
    from mmpretrain.structures import DataSample

    from simmim_bench.masking.base import draw_batch
    from simmim_bench.masking.random_patch import RandomPatchMask

    strategy = RandomPatchMask(mask_patch_size=MASK_PATCH, mask_ratio=ratio, token_size=token)
    masks = draw_batch(strategy, (size, size), [(0, index) for index in range(images)])
    samples = [DataSample().set_mask(mask) for mask in masks]
    inputs = torch.randn(images, 3, size, size, generator=torch.Generator().manual_seed(0))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return inputs.to(device), samples


def measure(
    models: dict[str, Any], inputs: Any, samples: list[Any], rounds: int
) -> dict[str, tuple[float, int]]:
    """Seconds of the fastest step and peak bytes, by name of the way."""
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
    """Peak bytes that a step allocates, as counted by torch's allocator."""
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
    """Seconds of a call: wall time with CUDA, else CPU time."""
    import torch

    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    begin = clock()
    call()
    return clock() - begin


if __name__ == "__main__":
    cli.main(run)
