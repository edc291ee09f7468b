"""Measure inpainting and super-resolution of a pretraining under a protocol; write a record."""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from simmim_bench.analysis.images import PixelMask, Pixels, find_images, read_image
from simmim_bench.analysis.painting.inpaint import inpaint, random_squares
from simmim_bench.analysis.painting.metrics import (
    PairLevels,
    ReferenceNetwork,
    compare,
    load_reference,
    protocol_hash,
)
from simmim_bench.analysis.painting.predictor import Predictor, load_predictor
from simmim_bench.analysis.painting.super_resolve import enlarged, reduced, super_resolve
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.reconstruction import save_png
from simmim_bench.records.collect import make_record
from simmim_bench.records.environment import collect_environment
from simmim_bench.records.manifest import FILE_NAME, ConfigRef, Cost, Manifest
from simmim_bench.records.protocols import protocol_metrics
from simmim_bench.training.cost import cost_of
from simmim_bench.training.data import check_name, identify, name_of

RECORD, GALLERY = "record.json", "gallery.png"
REQUIRED = ("count", "square", "ratio", "scale", "seed")
COLUMNS = ("image", "mean", "inpaint", "small", "bicubic", "super")


def evaluate(args: argparse.Namespace, console: Console) -> None:
    """Write manifest, record and gallery of ``args.protocol`` for a finished pretraining.

    Args:
        args: Namespace of ``simmim-bench analyze painting``.
        console: Prints the metrics.

    Raises:
        BenchError: If the protocol, its reference network, the run or an image is not usable.
    """
    started, begin = datetime.now(timezone.utc), time.monotonic()
    if args.rows < 1:
        raise BenchError(f"--rows must be an integer >= 1, got {args.rows}")
    check_name(args)
    protocol, run = _read_protocol(args.protocol, args.data), _read_run(args.run)
    reference, images = load_reference(protocol, args.protocol), held_out(protocol)
    data = identify(args.protocol, protocol, name_of(args))
    predictor = load_predictor(args.config, args.run, args.cfg_options, image_size=args.image_size)
    stated = protocol.protocol.image_size
    if predictor.image_size != (stated, stated):
        raise BenchError(
            f"{args.config} has image size {predictor.image_size}, protocol {protocol.protocol.id} "
            f"expects {stated}; give a pretraining of that size"
        )
    how = {name: protocol.painting[name] for name in ("scale", "seed")}
    results = predict_all(predictor, images, masks_of(protocol), **how)
    measured = measure(results, reference=reference.features if reference else None)
    facts = {"metrics": protocol_metrics(protocol.protocol, measured), "started": started}
    facts["cost"] = _cost(predictor, time.monotonic() - begin, len(images))
    facts["config"] = ConfigRef(path=args.protocol, sha256=protocol_hash(protocol, reference))
    facts["data"] = data
    manifest = _manifest(protocol, run, reference, facts)
    save_png(gallery(results, rows=args.rows), args.out / GALLERY, scale=2, titles=COLUMNS)
    manifest.write(args.out / FILE_NAME)
    record = make_record(manifest, args.out / FILE_NAME, {run.outputs["checkpoint"].sha256: run})
    atomic_write_json(args.out / RECORD, record.as_json())
    for name, value in manifest.metrics.items():
        console.print(f"{name:18} {value:6.2f}")
    console.print(f"written: {args.out}", soft_wrap=True)


def held_out(protocol: Any) -> Pixels:
    """First images by name, resized (short edge) and cropped: (B, S, S, 3), uint8."""
    dataset, side = protocol.test_dataloader.dataset, protocol.protocol.image_size
    paths = find_images([Path(dataset.data_root) / dataset.data_prefix])
    count = protocol.painting.count
    if len(paths) < count:
        raise BenchError(f"found {len(paths)} images, the protocol needs {count}; add the others")
    return np.stack([_square(read_image(path), side) for path in paths[:count]])


def masks_of(protocol: Any) -> PixelMask:
    """Masks of the images of ``protocol``, the same for all methods: Bool, (B, S, S)."""
    side, stated = protocol.protocol.image_size, protocol.painting
    squares = {"side": stated.square, "ratio": stated.ratio, "seed": stated.seed}
    return random_squares(stated.count, (side, side), **squares)


def predict_all(
    predictor: Predictor, images: Pixels, masks: PixelMask, *, scale: int, seed: int
) -> dict[str, Any]:
    """Images of the gallery and for the metrics, by name.

    Args:
        predictor: The model.
        images: (B, H, W, 3), uint8, at the size of the model.
        masks: Bool, (B, H, W); pixels to inpaint. Patches that contain one are hidden from the
            model.
        scale: Scale of the super-resolution; divides H and W.
        seed: Seed of its masked halves.

    Raises:
        BenchError: If a mask touches all patches of the model.
    """
    pairs = list(zip(images, masks, strict=True))
    small = np.stack([reduced(image, scale) for image in images])
    return {
        "image": images,
        "masks": masks,
        "mean": np.stack([_mean_fill(*pair) for pair in pairs]),
        "inpaint": np.stack(
            [inpaint(predictor, *pair, name="the protocol's mask") for pair in pairs]
        ),
        "small": small.repeat(scale, axis=1).repeat(scale, axis=2),
        "bicubic": np.stack([enlarged(each, scale) for each in small]),
        "super": np.stack(
            [super_resolve(predictor, each, scale=scale, seed=seed) for each in small]
        ),
    }


def measure(results: dict[str, Any], *, reference: PairLevels | None = None) -> dict[str, float]:
    """``<task>/<metric>`` of both tasks and of their baselines; see ``compare``."""
    images, masks = results["image"], results["masks"]
    everywhere = np.ones_like(masks)
    counted = {"inpaint": masks, "mean": masks, "super": everywhere, "bicubic": everywhere}
    return {
        f"{task}/{name}": value
        for task, where in counted.items()
        for name, value in compare(results[task], images, where, reference=reference).items()
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


def _mean_fill(image: Pixels, mask: PixelMask) -> Pixels:
    """``image`` with masked pixels replaced by the mean colour of the others."""
    filled = image.copy()
    filled[mask] = image[~mask].mean(axis=0).round()
    return filled


def _cost(predictor: Predictor, seconds: float, images: int) -> Cost:
    return cost_of(predictor.model, wall_seconds=seconds, images_per_second=images / seconds)


def _read_protocol(path: str, data: str | None) -> Any:
    protocol = load_recipe(path, Changes(data=data))
    missing = [name for name in REQUIRED if name not in protocol.get("painting", {})]
    if missing:
        raise BenchError(
            f"{path} does not state {', '.join(missing)} in `painting`; see "
            f"configs/generation/*.py for examples"
        )
    return protocol


def _read_run(folder: Path) -> Manifest:
    source = folder / FILE_NAME
    run = Manifest.read(source)
    if run.stage != "pretrain" or run.status != "complete" or run.pretraining is None:
        raise BenchError(f"{source}: {run.stage} run, {run.status}; give a complete pretraining")
    return run


def _manifest(
    protocol: Any, run: Manifest, reference: ReferenceNetwork | None, facts: dict[str, Any]
) -> Manifest:
    """Manifest of the measurement; its weights are the whole checkpoint, with the decoder."""
    weights = run.outputs["checkpoint"]
    origin = run.pretraining and run.pretraining.model_copy(
        update={"checkpoint_sha256": weights.sha256}
    )
    return Manifest(
        stage="finetune",  # the stage that the leaderboard collects
        status="complete",
        kind=run.kind,
        method=run.method,
        backbone=run.backbone,
        seed=run.seed,
        protocol=protocol.protocol.to_dict(),
        pretraining=origin,
        precision="float32",
        pretraining_data=run.data,
        pretraining_precision=run.precision,
        inputs={
            "checkpoint": weights,
            **({"reference_network": reference.file} if reference else {}),
        },
        environment=collect_environment(),
        finished=datetime.now(timezone.utc),
        **facts,
    )
