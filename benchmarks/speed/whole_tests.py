"""``simmim-bench test`` from its start to the metrics, beside mmengine's runner.

Images are as large as those of the data sets; models are small, so that the time of loading, of
postprocessing and of the metrics can be seen beside theirs. The peer reads the same config, in
which data sets, loading of images and metrics are replaced by those of the libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.against_stock import HALF_DIGIT, ROOT, gap, make_stock
from benchmarks.speed.dense_pipelines import make_ade20k, make_coco
from benchmarks.speed.pipelines import write_photographs
from benchmarks.speed.work import OURS, Work
from simmim_bench.errors import BenchError

CLASSIFICATION = """
_base_ = ["simmim_bench::demo/classification_swin-demo.py"]
model = dict(backbone=dict(img_size=224))
bicubic = dict(backend="pillow", interpolation="bicubic")
at = dict(dataset=dict(data_root="{folder}/imagenet"))
train_dataloader = val_dataloader = at
test_dataloader = dict(dataset=dict(data_root="{folder}/imagenet", pipeline=[
    dict(type="simmim_bench.LoadImage"),
    dict(type="ResizeEdge", scale=256, edge="short", **bicubic),
    dict(type="CenterCrop", crop_size=224),
    dict(type="PackInputs"),
]))
"""
DETECTION = """
_base_ = ["simmim_bench::small/mask-rcnn_swin-demo_fpn.py"]
at = dict(dataset=dict(data_root="{folder}/coco"))
train_dataloader = val_dataloader = test_dataloader = at
model = dict(test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=20)))  # the weights are random
"""
SEGMENTATION = """
_base_ = ["simmim_bench::small/upernet_swin-demo.py"]
at = dict(dataset=dict(data_root="{folder}/ade/ADEChallengeData2016"))
train_dataloader = val_dataloader = test_dataloader = at
"""
TASKS = {
    "classification": CLASSIFICATION,
    "detection": DETECTION,
    "segmentation": SEGMENTATION,
}
CLASSES = 11  # of the segmentation config


def works(small: bool) -> Iterator[Work]:
    """Each task on 500 images; if ``small``, segmentation on 20, which starts three processes."""
    number = 20 if small else 500
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs = write_photographs(folder / "photographs", 10)
        for index in range(number):
            place = folder / f"imagenet/val/{index % 10}/{index}.JPEG"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(photographs[index % 10])
        (folder / "imagenet/train").symlink_to(folder / "imagenet/val")
        make_coco(folder, number)
        make_ade20k(folder, number, CLASSES)
        for task in ["segmentation"] if small else TASKS:
            text = TASKS[task]
            config = folder / f"{task}.py"
            config.write_text(text.format(folder=folder))
            checkpoint = folder / f"{task}.pth"
            _start("benchmarks.speed.whole_tests", "save", config, checkpoint)
            results = {kind: folder / kind for kind in (OURS, "stock")}
            yield Work(
                name=f"whole test, {task}, {number} images",
                unit="images",
                amount=number,
                runs={
                    OURS: partial(_ours, config, checkpoint, results[OURS]),
                    "mmengine's runner": partial(_stock, config, checkpoint, results["stock"]),
                },
                cold=True,
                target=1.2,
                equal=partial(_compared, task, *results.values()),
            )


def _ours(config: Path, checkpoint: Path, results: Path) -> None:
    _start("simmim_bench", "test", config, checkpoint, "--work-dir", results)


def _stock(config: Path, checkpoint: Path, results: Path) -> None:
    _start("benchmarks.speed.whole_tests", "stock", config, checkpoint, "--results", results)


def _start(module: str, *words: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode != 0:
        raise BenchError(f"{module} {words[0]} failed: {done.stderr[-500:]}")


def _compared(task: str, ours: Path, theirs: Path) -> str:
    """Compare the metrics of both.

    Raises:
        BenchError: If one differs by more than the libraries round.
    """
    mine, stock = (json.loads((folder / "test.json").read_text()) for folder in (ours, theirs))
    worst = max(gap(mine[name], value) for name, value in stock.items())
    if worst > HALF_DIGIT[task]:
        raise BenchError(f"metrics of {task} differ by {worst:.1e}, more than the libraries round")
    return f"{len(stock)} metrics: {worst:.0e}; the libraries round by {HALF_DIGIT[task]:.0e}"


def save(config: str, checkpoint: str) -> None:
    """Save the weights of a new model."""
    import torch

    from simmim_bench.config import load_config
    from simmim_bench.registry import MODELS
    from simmim_bench.training.adapt import use_cpu
    from simmim_bench.training.process import prepare

    cfg = load_config(config)
    prepare("none", cfg.default_scope)
    from mmengine.registry import DefaultScope

    use_cpu(cfg)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    model.init_weights()
    torch.save({"state_dict": model.state_dict(), "meta": {}}, checkpoint)


def stock(config: str, checkpoint: str, results: str) -> None:
    """Test with mmengine's runner and parts of the libraries."""
    from mmengine.runner import Runner

    from simmim_bench import ops
    from simmim_bench.config import load_config
    from simmim_bench.training.adapt import use_cpu

    cfg = load_config(config)
    ops.install()  # nms and roi_align, where mmcv has none
    make_stock(cfg, image={"type": "LoadImageFromFile"})
    use_cpu(cfg)  # synchronised batch norm has no CPU kernel
    cfg.work_dir, cfg.load_from = results, checkpoint
    metrics = {key: float(value) for key, value in Runner.from_cfg(cfg).test().items()}
    Path(results, "test.json").write_text(json.dumps(metrics))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("save", "stock"))
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("--results")
    given = parser.parse_args()
    if given.kind == "save":
        save(given.config, given.checkpoint)
    else:
        stock(given.config, given.checkpoint, given.results)
