"""Draw what a pretrained model paints on images of one's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simmim_bench.config import load_config
from simmim_bench.errors import BenchError

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
BATCH = 8


def visualize(args: argparse.Namespace, console: Console) -> None:
    """Write the grid and print PSNR and SSIM of each image.

    Args:
        args: Namespace of ``tools/visualize.py``.
        console: Where the table goes.

    Raises:
        BenchError: If config, checkpoint or an image is not usable.
    """
    cfg = pretraining_config(args.config, args.cfg_options)
    paths = find_images(args.images)
    from simmim_bench.engine.failures import explained
    from simmim_bench.engine.process import prepare

    prepare("none", cfg.default_scope)
    import torch

    from simmim_bench.reconstruction import TITLES, Painted, evaluation_pipeline, paint, save_png

    with explained(args.config):
        model = load_model(cfg, args.checkpoint, args.config)
        pipeline = evaluation_pipeline(cfg, seed=args.seed)
        parts = [
            paint(model, pipeline, paths[start : start + BATCH])
            for start in range(0, len(paths), BATCH)
        ]
    fields = ("images", "reconstruction", "mask")
    painted = Painted(*(torch.cat([getattr(part, name) for part in parts]) for name in fields))
    save_png(painted.grid(), args.out, scale=args.scale, titles=TITLES)
    console.print(figures_table(paths, painted.psnr().tolist(), painted.ssim().tolist()))
    console.print(f"written: {args.out}", soft_wrap=True)


def pretraining_config(config: str, overrides: Sequence[str]) -> Any:
    """The config, with ``KEY=VALUE`` overrides, of a pretraining.

    Raises:
        BenchError: If it is none, or cannot be read.
    """
    cfg = load_config(config, overrides=list(overrides))
    if "pretraining" not in cfg:
        raise BenchError(
            f"{config} is no pretraining, so it paints nothing; give a config such as those "
            f"under configs/simmim"
        )
    return cfg


def find_images(given: Sequence[Path]) -> list[Path]:
    """Files as given, and the images of folders, sorted.

    Raises:
        BenchError: If a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in given:
        if not path.exists():
            raise BenchError(f"image {path} does not exist; give files or folders of images")
        inside = [path]
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
        if not inside:
            raise BenchError(f"{path} holds no image ({', '.join(sorted(ENDINGS))})")
        found += inside
    return found


def load_model(cfg: Any, checkpoint: Path, config: str) -> Any:
    """Build the model of a pretraining and load every key of the checkpoint.

    Args:
        cfg: Config of a pretraining.
        checkpoint: ``epoch_N.pth``, or the folder of a finished run.
        config: Name of the config, for errors.

    Raises:
        BenchError: If the target is no image, or the checkpoint does not fit.
    """
    from mmengine.registry import DefaultScope

    from simmim_bench.checkpoint.safe_io import load_checkpoint
    from simmim_bench.checkpoint.whole import load_whole, written_by
    from simmim_bench.reconstruction import paints
    from simmim_bench.registry import MODELS

    file = written_by(checkpoint)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    if not paints(model):
        what = type(getattr(model, "target", model)).__name__
        raise BenchError(
            f"{config} trains {what}, which predicts no image; give a config whose target is made "
            f"of colours"
        )
    load_whole(model, load_checkpoint(file), checkpoint=file, config=config)
    return model.eval()


def figures_table(paths: Sequence[Path], psnr: Sequence[float], ssim: Sequence[float]) -> Table:
    """Rows of PSNR and SSIM on the masked part of each image, and their means."""
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
