"""Draw what a pretrained model predicts for masked images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simmim_bench.analysis.images import find_images
from simmim_bench.data.shown_bands import KEY

BATCH = 8


def reconstruct(args: argparse.Namespace, console: Console) -> None:
    """Write a picture of the reconstructions; print PSNR and SSIM of each image.

    Args:
        args: Namespace of ``simmim-bench analyze reconstruct``.
        console: Prints the table.

    Raises:
        BenchError: If config, checkpoint or an image is not usable.
    """
    paths = find_images(args.images)
    import torch

    from simmim_bench.analysis.models import open_pretraining
    from simmim_bench.reconstruction import (
        TITLES,
        Prediction,
        evaluation_pipeline,
        picture_bands,
        predict,
        save_png,
    )
    from simmim_bench.training.failures import explained

    cfg, model = open_pretraining(
        args.config,
        args.checkpoint,
        args.cfg_options,
        data=args.data,
        image_size=args.image_size,
    )
    with explained(args.config):
        if args.bands is not None:
            cfg[KEY] = args.bands
        bands = picture_bands(cfg)
        pipeline = evaluation_pipeline(cfg, seed=args.seed)
        parts = [
            predict(model, pipeline, paths[start : start + BATCH], first=start)
            for start in range(0, len(paths), BATCH)
        ]
    fields = ("images", "reconstruction", "mask")
    prediction = Prediction(
        *(torch.cat([getattr(part, name) for part in parts]) for name in fields)
    )
    save_png(prediction.grid(bands), args.out, scale=args.scale, titles=TITLES)
    console.print(metrics_table(paths, prediction.psnr().tolist(), prediction.ssim().tolist()))
    console.print(f"written: {args.out}", soft_wrap=True)


def metrics_table(paths: Sequence[Path], psnr: Sequence[float], ssim: Sequence[float]) -> Table:
    """Table of PSNR and SSIM of the masked part of each image, and their means."""
    table = Table(box=SIMPLE, title="masked part", title_justify="left")
    table.add_column("image", overflow="fold")
    table.add_column("PSNR (dB)", justify="right")
    table.add_column("SSIM", justify="right")
    for path, first, second in zip(paths, psnr, ssim, strict=True):
        table.add_row(path.name, f"{first:.2f}", f"{second:.3f}")
    table.add_section()
    count = len(paths)
    table.add_row(f"mean of {count}", f"{sum(psnr) / count:.2f}", f"{sum(ssim) / count:.3f}")
    return table
