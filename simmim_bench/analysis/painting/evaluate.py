"""Measure what a pretraining paints on held-out images, under a protocol, as a record."""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from simmim_bench.analysis.images import Marks, Pixels, find_images, read_image
from simmim_bench.analysis.painting.figures import (
    Judge,
    PairLevels,
    compare,
    load_judge,
    protocol_hash,
)
from simmim_bench.analysis.painting.inpaint import inpaint
from simmim_bench.analysis.painting.marks import random_squares
from simmim_bench.analysis.painting.painter import Painter, load_painter
from simmim_bench.analysis.painting.super_resolve import enlarged, reduced, super_resolve
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.reconstruction import save_png
from simmim_bench.records.collect import make_record
from simmim_bench.records.environment import collect_environment
from simmim_bench.records.manifest import FILE_NAME, ConfigRef, Cost, Manifest
from simmim_bench.records.protocols import protocol_metrics
from simmim_bench.training.cost import cost_of

RECORD, GALLERY = "record.json", "gallery.png"
STATED = ("count", "square", "ratio", "scale", "seed")
COLUMNS = ("image", "mean", "inpaint", "small", "bicubic", "super")


def evaluate(args: argparse.Namespace, console: Console) -> None:
    """Write manifest, record and gallery of ``args.protocol`` for a finished pretraining.

    Args:
        args: Namespace of ``tools/analyze.py painting``.
        console: Where the figures go.

    Raises:
        BenchError: If the protocol, its judge, the run or an image is not usable.
    """
    started, begin = datetime.now(timezone.utc), time.monotonic()
    if args.rows < 1:
        raise BenchError(f"--rows is {args.rows}, expected at least 1; the gallery's images")
    protocol, run = _read_protocol(args.protocol), _read_run(args.run)
    judge, images = load_judge(protocol, args.protocol), held_out(protocol)
    painter = load_painter(args.config, args.run, overrides=args.cfg_options)
    stated = protocol.protocol.image_size
    if painter.image_size != (stated, stated):
        raise BenchError(
            f"{args.config} paints at {painter.image_size}, protocol {protocol.protocol.id} is of "
            f"{stated} pixels; give a pretraining of that size"
        )
    how = {name: protocol.painting[name] for name in ("scale", "seed")}
    results = paint_all(painter, images, marks_of(protocol), **how)
    measured = figures(results, judge=judge.features if judge else None)
    facts = {"metrics": protocol_metrics(protocol.protocol, measured), "started": started}
    facts["cost"] = _cost(painter, time.monotonic() - begin, len(images))
    facts["config"] = ConfigRef(path=args.protocol, sha256=protocol_hash(protocol, judge))
    manifest = _manifest(protocol, run, judge, facts)
    save_png(gallery(results, rows=args.rows), args.out / GALLERY, scale=2, titles=COLUMNS)
    manifest.write(args.out / FILE_NAME)
    record = make_record(manifest, args.out / FILE_NAME, {run.outputs["checkpoint"].sha256: run})
    atomic_write_json(args.out / RECORD, record.as_json())
    for name, value in manifest.metrics.items():
        console.print(f"{name:18} {value:6.2f}")
    console.print(f"written: {args.out}", soft_wrap=True)


def held_out(protocol: Any) -> Pixels:
    """The first images by name, short edge resized, centre cropped: (B, S, S, 3), uint8."""
    dataset, side = protocol.test_dataloader.dataset, protocol.protocol.image_size
    paths = find_images([Path(dataset.data_root) / dataset.data_prefix])
    count = protocol.painting.count
    if len(paths) < count:
        raise BenchError(f"{len(paths)} images are there, the protocol is of {count}; get the rest")
    return np.stack([_square(read_image(path), side) for path in paths[:count]])


def marks_of(protocol: Any) -> Marks:
    """What is painted in the images of ``protocol``, whatever the method: Bool, (B, S, S)."""
    side, stated = protocol.protocol.image_size, protocol.painting
    squares = {"side": stated.square, "ratio": stated.ratio, "seed": stated.seed}
    return random_squares(stated.count, (side, side), **squares)


def paint_all(
    painter: Painter, images: Pixels, marks: Marks, *, scale: int, seed: int
) -> dict[str, Any]:
    """Everything that the gallery shows and the figures compare, by name.

    Args:
        painter: Who paints.
        images: (B, H, W, 3), uint8, at the painter's size.
        marks: Bool, (B, H, W); the pixels to inpaint. Every patch of the painter that one touches
            is hidden from it.
        scale: Of the super-resolution; divides H and W.
        seed: Of its halves.

    Raises:
        BenchError: If an image's marks touch all of the painter's patches.
    """
    pairs = list(zip(images, marks, strict=True))
    small = np.stack([reduced(image, scale) for image in images])
    return {
        "image": images,
        "marks": marks,
        "mean": np.stack([_mean_fill(*pair) for pair in pairs]),
        "inpaint": np.stack(
            [inpaint(painter, *pair, name="the protocol's mask") for pair in pairs]
        ),
        "small": small.repeat(scale, axis=1).repeat(scale, axis=2),
        "bicubic": np.stack([enlarged(each, scale) for each in small]),
        "super": np.stack([super_resolve(painter, each, scale=scale, seed=seed) for each in small]),
    }


def figures(results: dict[str, Any], *, judge: PairLevels | None = None) -> dict[str, float]:
    """``<task>/<figure>`` of both tasks and of what each is held against; see ``compare``."""
    images, marks = results["image"], results["marks"]
    everywhere = np.ones_like(marks)
    counted = {"inpaint": marks, "mean": marks, "super": everywhere, "bicubic": everywhere}
    return {
        f"{task}/{name}": value
        for task, where in counted.items()
        for name, value in compare(results[task], images, where, judge=judge).items()
    }


def gallery(results: dict[str, Any], *, rows: int) -> Pixels:
    """Rows of image, mean fill, inpainting, small image, bicubic, super-resolution."""
    columns = [
        np.pad(results[name][:rows], ((0, 0), (0, 4), (0, 4), (0, 0)), constant_values=255)
        for name in COLUMNS
    ]
    tiles = np.concatenate(columns, axis=2)  # (rows, H + 4, 6 (W + 4), 3)
    return tiles.reshape(-1, *tiles.shape[2:])


def _square(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    image = Image.fromarray(pixels).crop((left, top, left + short, top + short))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def _mean_fill(image: Pixels, marks: Marks) -> Pixels:
    """``image`` with the mean colour of its visible pixels at marked ones."""
    filled = image.copy()
    filled[marks] = image[~marks].mean(axis=0).round()
    return filled


def _cost(painter: Painter, seconds: float, images: int) -> Cost:
    return cost_of(painter.model, wall_seconds=seconds, images_per_second=images / seconds)


def _read_protocol(path: str) -> Any:
    protocol = load_config(path)
    missing = [name for name in STATED if name not in protocol.get("painting", {})]
    if missing:
        raise BenchError(
            f"{path} does not state {', '.join(missing)} in `painting`; give one of "
            f"configs/generation/*.py, or state them as these do"
        )
    return protocol


def _read_run(folder: Path) -> Manifest:
    source = folder / FILE_NAME
    run = Manifest.read(source)
    if run.stage != "pretrain" or run.status != "complete" or run.pretraining is None:
        raise BenchError(f"{source} is of a {run.stage} that is {run.status}; give a pretraining")
    return run


def _manifest(protocol: Any, run: Manifest, judge: Judge | None, facts: dict[str, Any]) -> Manifest:
    """Of a run whose weights are the whole pretraining checkpoint, decoder included."""
    weights = run.outputs["checkpoint"]
    origin = run.pretraining and run.pretraining.model_copy(
        update={"checkpoint_sha256": weights.sha256}
    )
    return Manifest(
        stage="finetune",  # what the leaderboard collects
        status="complete",
        kind=run.kind,
        method=run.method,
        backbone=run.backbone,
        seed=run.seed,
        protocol=protocol.protocol.to_dict(),
        pretraining=origin,
        inputs={"checkpoint": weights, **({"judge": judge.file} if judge else {})},
        environment=collect_environment(),
        finished=datetime.now(timezone.utc),
        **facts,
    )
