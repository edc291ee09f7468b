"""Train configs of configs/variants for a few steps on your images; print loss, time and memory.

    python benchmarks/variants.py FOLDER --steps 60
    python benchmarks/variants.py FOLDER --only cosine infonce
    python benchmarks/variants.py FOLDER --only semantic --maps ADE

FOLDER is a folder of images, searched with its subfolders. ADE has images/training and
annotations/training; configs with masks of regions train on these. Augmentation, batch size and
optimizer are those of the config; the learning rate warms up. The first row is plain SimMIM
(configs/demo/simmim_swin-demo.py), and the others are compared with it. Seconds are the median CPU
time of a step with one thread, without data loading; other processes hardly change it. Memory is
the peak of a step beyond weights and optimizer states, as counted by torch's allocator.
"""

from __future__ import annotations

import argparse
import copy
import functools
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simmim_bench import cli
from simmim_bench.errors import BenchError

CONFIGS = Path(__file__).parents[1] / "configs"
PLAIN = CONFIGS / "demo" / "simmim_swin-demo.py"
AVERAGED = 10  # steps at the start and at the end
WARMUP = 20  # steps
MEGABYTE = 2**20
SUFFIXES = {".jpg", ".jpeg", ".png"}
HEADER = (
    "| config | loss at start | at end | parts at start | at end | s / step | x plain | MB |"
    " x plain |\n"
    "|---|---:|---:|---|---|---:|---:|---:|---:|"
)


def parse() -> argparse.Namespace:
    """Command line of the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, help="folder of images, searched with its subfolders")
    parser.add_argument(
        "--only", nargs="+", default=[""], help="only configs whose names contain one of these"
    )
    parser.add_argument(
        "--steps", type=cli.positive, default=60, help="training steps of each row (default: 60)"
    )
    parser.add_argument(
        "--batch-size", type=cli.positive, default=64, help="images per step (default: 64)"
    )
    parser.add_argument(
        "--frozen", metavar="FILE", help="exported backbone.pth for the perceptual variant"
    )
    parser.add_argument(
        "--maps",
        type=Path,
        metavar="ADE",
        help="folder of images with label maps, for the semantic variant",
    )
    return parser.parse_args()


def run() -> None:
    """Print a table, row by row."""
    args = parse()
    found = _chosen(args.only)
    import torch
    from mmengine.logging import MMLogger

    from simmim_bench import ops

    ops.install()
    torch.set_num_threads(1)
    MMLogger.get_instance("variants", log_level="WARNING")  # no line for each parameter
    chosen = [path for path in found if _can_run(path, args)]
    print(HEADER)
    plain: tuple[float, float] | None = None
    for path in (PLAIN, *chosen):
        logged, seconds, held = train(path, args)
        plain = plain or (seconds, held)
        ends = [_means(logged[:AVERAGED]), _means(logged[-AVERAGED:])]
        parts = [", ".join(f"{k} {v:.3f}" for k, v in end.items() if k != "loss") for end in ends]
        print(
            f"| {path.stem} | {ends[0]['loss']:.3f} | {ends[1]['loss']:.3f} | {parts[0]} | "
            f"{parts[1]} | {seconds:.3f} | {seconds / plain[0]:.2f} | {held:.0f} | "
            f"{held / plain[1]:.2f} |",
            flush=True,
        )


def _chosen(parts: list[str]) -> list[Path]:
    """Configs of variants whose names contain one of ``parts``."""
    known = sorted((CONFIGS / "variants").glob("*-demo.py"))
    for part in parts:
        if not any(part in path.stem for path in known):
            names = ", ".join(path.stem for path in known)
            raise BenchError(f"--only {part} matches no config; available: {names}")
    return [path for path in known if any(part in path.stem for part in parts)]


def _can_run(path: Path, args: argparse.Namespace) -> bool:
    """Whether the options that a config needs were given; prints what is missing."""
    from mmengine.config import Config

    cfg = Config.fromfile(path)
    needs_maps = "seg_map_path" in cfg.train_dataloader.dataset.get("data_prefix", {})
    lacks = "label maps; give --maps" if needs_maps and not args.maps else ""
    if cfg.model.get("features", {}).get("checkpoint") and not args.frozen:
        lacks = "a frozen network; give --frozen"
    if lacks:
        sys.stderr.write(f"skipped: {path.stem} needs {lacks}\n")
    return not lacks


def train(path: Path, args: argparse.Namespace) -> tuple[list[dict[str, float]], float, float]:
    """Logged values of each step, median seconds of a step, and its peak memory in MiB."""
    from mmengine.config import Config
    from mmengine.dataset import Compose
    from mmengine.logging import MessageHub
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import TRANSFORMS, DefaultScope
    from mmengine.runner import set_random_seed

    from simmim_bench.registry import MODELS

    cfg = Config.fromfile(path)
    if args.frozen and cfg.model.get("features", {}).get("checkpoint"):
        cfg.model.features.checkpoint = args.frozen
    set_random_seed(0)
    hub = MessageHub.get_instance(path.stem)
    hub.update_info("max_iters", args.steps)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
        model.init_weights()
        steps = [TRANSFORMS.build(step) for step in cfg.train_dataloader.dataset.pipeline]
    samples = _samples(cfg.train_dataloader.dataset, args)
    batches = _batches(Compose(steps), samples, args.batch_size)
    model.train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    lr, logged, seconds = cfg.optim_wrapper.optimizer.lr, list[dict[str, float]](), []
    for step, batch in enumerate(itertools.islice(batches, args.steps)):
        hub.update_info("iter", step)
        for group in wrapper.optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / WARMUP)
        begin = time.process_time()
        values = model.train_step(batch, wrapper)
        seconds.append(time.process_time() - begin)
        logged.append({name: value.item() for name, value in values.items()})
    data = next(batches)
    held = _peak(functools.partial(model.train_step, data, wrapper)) / MEGABYTE
    return logged, statistics.median(seconds), held


def _samples(dataset: Any, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Inputs of the pipeline: all images of the folder, or those with label maps."""
    prefix = dataset.get("data_prefix", {})
    has_maps = "seg_map_path" in prefix
    folder = args.maps / prefix["img_path"] if has_maps else args.images
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(paths) < args.batch_size:
        raise BenchError(
            f"{folder} has {len(paths)} images, but a batch needs {args.batch_size}; give a folder "
            "with more images, or a smaller --batch-size"
        )
    if not has_maps:
        return [{"img_path": str(path)} for path in paths]
    known = {"reduce_zero_label": dataset["reduce_zero_label"], "seg_fields": []}
    maps = args.maps / prefix["seg_map_path"]
    files = [maps / path.relative_to(folder).with_suffix(".png") for path in paths]
    if missing := [path for path in files if not path.is_file()]:
        raise BenchError(
            f"{len(missing)} of {len(files)} images below {folder} have no label map, such as "
            f"{missing[0]}; give --maps a folder in ADE20K's layout"
        )
    return [
        {**known, "img_path": str(path), "seg_map_path": str(file)}
        for path, file in zip(paths, files, strict=True)
    ]


def _batches(
    pipeline: Callable[..., Any], samples: list[dict[str, Any]], size: int
) -> Iterator[Any]:
    """Endless batches of ``size`` samples that went through the pipeline."""
    import torch
    from mmengine.dataset import default_collate

    generator = torch.Generator().manual_seed(0)
    while True:
        order = torch.randperm(len(samples), generator=generator).tolist()
        for start in range(0, len(order) - size + 1, size):
            numbers = order[start : start + size]
            batch = [{**copy.deepcopy(samples[number]), "sample_idx": number} for number in numbers]
            yield default_collate([pipeline(sample) for sample in batch])


def _means(logged: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.mean(each[name] for each in logged) for name in logged[0]}


def _peak(step: Callable[[], Any]) -> int:
    """Peak bytes that a step allocates."""
    import torch

    with torch.profiler.profile(profile_memory=True) as profile:
        step()
    events = profile.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(itertools.accumulate(change for _, change in changes))


if __name__ == "__main__":
    cli.main(run)
