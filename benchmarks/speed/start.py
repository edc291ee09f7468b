"""From the start of a process to the end of its first training iteration.

The peer is a plain script of the OpenMMLab libraries: it reads the same config, in which loading,
parameter groups, datasets and metrics are replaced by those of the libraries, and trains it with
mmengine's ``Runner``. Ours also checks the data, takes their fingerprint, counts FLOPs, and more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.work import OURS, Work

ROOT = Path(__file__).parents[2]
CONFIGS = {
    "Mask R-CNN": "configs/demo/mask-rcnn_swin-demo_fpn.py",
    "UperNet": "configs/demo/upernet_swin-demo.py",
    "classification": "configs/demo/classification_swin-demo.py",
}


def works(small: bool) -> Iterator[Work]:
    """One work for each task of the demo, whose data are made if they are missing."""
    subprocess.run([sys.executable, "-m", "simmim_bench", "data", "demo"], cwd=ROOT, check=True)
    for name, config in list(CONFIGS.items())[: 1 if small else None]:
        yield Work(
            name=f"start to first iteration, demo {name}",
            unit="starts",
            amount=1,
            runs={
                OURS: lambda config=config: _run("ours", config),
                "mmengine's runner": lambda config=config: _run("stock", config),
            },
            cold=True,
            target=1.25,
            wall=True,
            equal="none: the same model, data and batch",
        )


def _run(kind: str, config: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.speed.start", kind, config, folder],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def ours(config: str, folder: str) -> None:
    """``simmim-bench train``, which ends after its first iteration."""
    from simmim_bench.commands import main

    _end_after_first_iteration()
    main("train", config, "--from-scratch", "--work-dir", folder, "--kind", "smoke")


def stock(config: str, folder: str) -> None:
    """A plain script of mmengine, which ends after its first iteration."""
    from mmengine.config import Config

    from simmim_bench import ops, unused_imports

    unused_imports.UNUSED.clear()
    ops.install()  # nms and roi_align, where mmcv has none
    from mmengine.runner import Runner

    cfg = Config.fromfile(str(ROOT / config))
    cfg.work_dir = folder
    _make_stock(cfg)
    _end_after_first_iteration()
    Runner.from_cfg(cfg).train()


def _end_after_first_iteration() -> None:
    from mmengine.hooks import IterTimerHook

    def end(*_: Any, **__: Any) -> None:
        os._exit(0)

    IterTimerHook.after_train_iter = end  # type: ignore[method-assign]


def _make_stock(cfg: Any) -> None:
    """Parts of the libraries instead of ours."""
    from benchmarks.against_stock import STOCK_IMAGE

    for key in ("val_dataloader", "val_cfg", "val_evaluator"):
        cfg.pop(key, None)
    for key in ("test_dataloader", "test_cfg", "test_evaluator"):
        cfg.pop(key, None)
    cfg.optim_wrapper.pop("constructor", None)
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = [
        STOCK_IMAGE if step["type"] == "simmim_bench.LoadImage" else step
        for step in dataset.pipeline
    ]
    if dataset.type == "simmim_bench.CocoLayoutDataset":
        path = ROOT / dataset.data_root / dataset.ann_file
        categories = json.loads(path.read_text("utf-8"))["categories"]
        names = tuple(each["name"] for each in sorted(categories, key=lambda each: each["id"]))
        dataset.type, dataset.metainfo = "CocoDataset", {"classes": names}
    elif dataset.type == "simmim_bench.SegLayoutDataset":
        count = dataset.pop("num_classes")
        dataset.type, dataset.metainfo = (
            "BaseSegDataset",
            {"classes": tuple(map(str, range(count)))},
        )
    remaining = [part for part in str(cfg._cfg_dict).split("'") if part.startswith("simmim_bench.")]
    if remaining:
        raise AssertionError(f"{remaining[0]} has no counterpart in the libraries")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("ours", "stock"))
    parser.add_argument("config")
    parser.add_argument("folder")
    given = parser.parse_args()
    sys.argv = sys.argv[:1]
    {"ours": ours, "stock": stock}[given.kind](given.config, given.folder)
