"""Evaluate a checkpoint with tools/test.py and with the OpenMMLab libraries alone; compare both.

The second run is mmengine's Runner without any part of this project: datasets, image loading and
metrics are those of mmpretrain, mmdet (with pycocotools) and mmseg. The libraries round metric
values to three digits (COCO) or two (mIoU), so values may differ by half of the last digit.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simmim_bench import cli
from simmim_bench.errors import BenchError

ROOT = Path(__file__).parents[1]
HALF_DIGIT = {"classification": 5e-5, "detection": 5e-4, "segmentation": 5e-3}
"""Half of the last digit that each library keeps; float32 in mmpretrain's accuracy."""

STOCK_IMAGE = {
    "type": "LoadImageFromFile",
    "imdecode_backend": "pillow",
    "color_type": "color_ignore_orientation",
}


def parse() -> argparse.Namespace:
    """Command line of the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config of a downstream task")
    parser.add_argument("checkpoint", help="epoch_*.pth or iter_*.pth of a training run")
    return parser.parse_args()


def run() -> None:
    """Print a table of the metric values and the seconds of both runs.

    Raises:
        BenchError: If a value differs by more than rounding; the exit code is 2.
    """
    args = parse()
    from simmim_bench.config import load_config

    task = load_config(args.config).protocol.task
    ours, our_seconds = of_ours(args.config, args.checkpoint)
    stock, stock_seconds = of_stock(args.config, args.checkpoint)
    print("| metric | tools/test.py | libraries | difference |\n|---|---:|---:|---:|")
    worst = 0.0
    for name, value in stock.items():
        difference = gap(ours[name], value)
        worst = max(worst, difference)
        print(f"| {name} | {ours[name]:.6f} | {value:.6f} | {difference:.1e} |")
    print(f"| seconds | {our_seconds:.1f} | {stock_seconds:.1f} | |")
    if worst > HALF_DIGIT[task]:
        raise BenchError(f"metric values differ by {worst:.1e}, more than the libraries round")


def gap(ours: float, stock: float) -> float:
    """Absolute difference; 0 for two NaN (nothing to measure), infinity for NaN and a number."""
    if math.isnan(ours) or math.isnan(stock):
        return 0.0 if math.isnan(ours) and math.isnan(stock) else math.inf
    return abs(ours - stock)


def of_ours(config: str, checkpoint: str) -> tuple[dict[str, float], float]:
    """Metric values and seconds of tools/test.py."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "tools/test.py", config, checkpoint, "--work-dir", folder]
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
        seconds = time.perf_counter() - start
        return json.loads((Path(folder) / "test.json").read_text("utf-8")), seconds


def of_stock(config: str, checkpoint: str) -> tuple[dict[str, float], float]:
    """Metric values and seconds of mmengine's Runner without this project."""
    from mmengine.runner import Runner

    from simmim_bench.config import load_config
    from simmim_bench.training.adapt import use_cpu
    from simmim_bench.training.process import prepare

    start = time.perf_counter()
    cfg = load_config(config)
    prepare("none", cfg.default_scope)  # nms and roi_align, where mmcv has none
    make_stock(cfg)
    use_cpu(cfg)  # synchronised batch norm has no CPU kernel
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir, cfg.load_from = folder, checkpoint
        metrics = Runner.from_cfg(cfg).test()
    return {key: float(value) for key, value in metrics.items()}, time.perf_counter() - start


def make_stock(cfg: Any, image: Mapping[str, Any] = STOCK_IMAGE) -> None:
    """Replace dataset, image loading and metric of the test by those of the libraries.

    Args:
        cfg: Config; changed in place.
        image: Step that loads the images.

    Raises:
        BenchError: If a part of this project remains.
    """
    for key in ("train_dataloader", "val_dataloader", "optim_wrapper", "param_scheduler"):
        cfg.pop(key, None)
    for key in ("train_cfg", "val_cfg", "val_evaluator", "auto_scale_lr"):
        cfg.pop(key, None)
    dataset, metric = cfg.test_dataloader.dataset, cfg.test_evaluator
    dataset.pipeline = [
        dict(image) if step["type"] == "simmim_bench.LoadImage" else step
        for step in dataset.pipeline
    ]
    root = Path(dataset.data_root)
    if dataset.type == "simmim_bench.CocoLayoutDataset":
        path = root / dataset.ann_file
        categories = json.loads(path.read_text("utf-8"))["categories"]
        dataset.type = "CocoDataset"
        names = [c["name"] for c in sorted(categories, key=lambda category: category["id"])]
        dataset.metainfo = {"classes": tuple(names)}
        metric.type, metric.ann_file = "CocoMetric", str(path)
    elif dataset.type == "simmim_bench.SegLayoutDataset":
        classes = tuple(map(str, range(dataset.pop("num_classes"))))
        dataset.type, dataset.metainfo = "BaseSegDataset", {"classes": classes}
        dataset.img_suffix = next((root / dataset.data_prefix.img_path).iterdir()).suffix
        metric.type = "IoUMetric"
    remaining = [part for part in str(cfg._cfg_dict).split("'") if part.startswith("simmim_bench.")]
    if remaining:
        raise BenchError(
            f"{remaining[0]} has no counterpart in the libraries, so this config cannot be compared"
        )


if __name__ == "__main__":
    cli.main(run)
