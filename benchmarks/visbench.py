"""Compare our cached probes with VisBench's: same backbone, images, head, schedule and metric.

    python -m venv OTHER && OTHER/bin/python -m pip install visbench timm
    python -m benchmarks.visbench data/camvid --other OTHER/bin/python --json build/visbench.json

A linear layer on the frozen features of a random ViT-S of timm segments images of 224 px: 1 x 1
convolution, AdamW, ten epochs, batch 8. FOLDER is in ADE20K's layout, with 11 classes and 0 for
ignored pixels. Both sides get the same PNGs, cut beforehand, and run as commands of their own with
one thread: without a cache (VisBench's dense probes need one), with an empty and with a full one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simmim_bench import cli
from simmim_bench.errors import BenchError

MODEL = "vit_small_patch16_224"
SIZE = 224
CLASSES = 11
EPOCHS, BATCH, LR, WEIGHT_DECAY, WARMUP = 10, 8, 5e-4, 1e-4, 1.5  # VisBench's defaults
SPLITS = ("training", "validation")
RUNS = ("no cache", "empty cache", "full cache")

CONFIG = """
_base_ = ["{configs}/_base_/runtime/default.py", "{configs}/_base_/models/any.py"]
default_scope = "mmseg"
backbone_name, backbone_init = "any", "library"
ignored_share = 0.3
protocol = dict(
    id="visbench-linear", version=1, task="segmentation", dataset="CamVid", split="val",
    image_size={size}, epochs={epochs}, metrics=dict(miou="mIoU"), primary="miou",
)
model = dict(
    type="simmim_bench.FrozenSegmentor",
    data_preprocessor=dict(
        type="SegDataPreProcessor", size=({size}, {size}), bgr_to_rgb=True, pad_val=0,
        seg_pad_val=255, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(_base_.of_weights, img_size={size}, layers=1),
    decode_head=dict(
        type="FCNHead", in_channels=0, channels=384, num_classes={classes}, num_convs=0,
        concat_input=False, dropout_ratio=0.0, align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss"),
    ),
)
by_backbone = _base_.no_drop_path
steps = [
    dict(type="simmim_bench.LoadImage"),
    dict(type="LoadAnnotations", reduce_zero_label=True),
    dict(type="PackSegInputs"),
]
data = dict(
    type="simmim_bench.SegLayoutDataset", data_root="{images}", num_classes={classes},
    reduce_zero_label=True, pipeline=steps,
)
train_dataloader = dict(
    batch_size={batch}, num_workers=0, sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        data, data_prefix=dict(img_path="images/training", seg_map_path="annotations/training")
    ),
)
val_dataloader = dict(
    batch_size={batch}, num_workers=0, sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        data, data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation")
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="simmim_bench.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="AdamW", lr={lr}, weight_decay={weight_decay})
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / {warmup}, by_epoch=False, begin=0, end={warmup}),
    dict(type="CosineAnnealingLR", eta_min=0.0, by_epoch=False, begin={warmup}, end={steps}),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs={epochs}, val_interval={epochs})
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size={batch})
"""

OTHER = """
import json, sys
from pathlib import Path

import numpy as np, timm, torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms import Compose, Normalize, ToTensor
import visbench
from visbench.backbones.custom import CustomBackbone
from visbench.cache import FeatureCache
from visbench.data.dense import DenseFolderDataset

asked = json.loads(sys.argv[1])
torch.set_num_threads(1)
root, size = Path(asked["images"]), asked["size"]
model = timm.create_model(asked["model"])
model.load_state_dict(load_file(asked["weights"]))


def features(module, images):
    tokens = module.forward_features(images)
    return tokens[:, 1:], tokens[:, 0], (size // 16, size // 16)


def labels(path):
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image).astype(np.float32) - 1)  # 0, ignored, becomes -1


shown = Compose([ToTensor(), Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
backbone = CustomBackbone(
    model, shown, has_cls_token=True, patch_size=16, feature_fn=features, image_size=size,
    embed_dim=384, device="cpu",
)
train, val = (
    DenseFolderDataset(root, f"images/{split}", f"annotations/{split}", image_size=size,
                       target_loader=labels)
    for split in ("training", "validation")
)
cache = FeatureCache(asked["cache"])
found = visbench.run(
    backbone, "semantic_segmentation", val, train, cache=cache, batch_size=asked["batch"],
    device="cpu", **asked["head"],
)
print(json.dumps(found.metrics))
"""


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="images and label maps in ADE20K's layout")
    parser.add_argument("--other", type=Path, required=True, help="python that has visbench")
    parser.add_argument("--json", type=cli.output_file, metavar="FILE", help="store the result")
    parser.add_argument("--limit", type=cli.positive, help="images a split, to try it out")
    return parser.parse_args()


def run() -> None:
    """Print a row for each run."""
    args = parse()
    from benchmarks.environment import environment
    from simmim_bench.io import atomic_write_text

    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = cut(args.folder, folder / "images", args.limit)
        weights = save_weights(folder / "weights")
        for side, command, runs in (
            ("simmim_bench", ours(folder, weights, count), RUNS),
            ("VisBench", theirs(folder, weights, args.other), RUNS[1:]),
        ):
            for what in runs:
                found.append({"side": side, "run": what, **measured(command, what)})
                print(row(found[-1]), flush=True)
    if args.json:
        stored = {"environment": environment(), "images": count, "runs": found}
        atomic_write_text(args.json, json.dumps(stored, indent=1) + "\n")


def row(found: dict[str, Any]) -> str:
    """A row of the table."""
    return (
        f"| {found['side']} | {found['run']} | {found['seconds']:.1f} | {found['cpu']:.1f} | "
        f"{found['memory']:.0f} | {found['miou']:.2f} |"
    )


def cut(source: Path, target: Path, limit: int | None) -> int:
    """Write images and label maps of 224 px, cut from the middle; returns the training images.

    Raises:
        BenchError: If there are none.
    """
    from PIL import Image

    counts = []
    for split in SPLITS:
        files = sorted((source / "images" / split).glob("*"))[:limit]
        if not files:
            raise BenchError(f"{source / 'images' / split} has no files; give ADE20K's layout")
        counts.append(len(files))
        for file in files:
            label = source / "annotations" / split / f"{file.stem}.png"
            for path, kind, way in (
                (file, "images", Image.Resampling.BICUBIC),
                (label, "annotations", Image.Resampling.NEAREST),
            ):
                out = target / kind / split / f"{file.stem}.png"
                out.parent.mkdir(parents=True, exist_ok=True)
                with Image.open(path) as image:
                    side = min(image.size)
                    left, top = ((length - side) // 2 for length in image.size)
                    box = (left, top, left + side, top + side)
                    image.resize((SIZE, SIZE), way, box=box).save(out)
    return counts[0]


def save_weights(folder: Path) -> Path:
    """A random model of timm, as a file."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir()
    model = timm.create_model(MODEL)
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


Command = Callable[[str], tuple[list[str], dict[str, str], Callable[[str], float]]]
"""From the name of a run to a command, variables of its environment, and what reads its mIoU."""


def ours(folder: Path, weights: Path, count: int) -> Command:
    """``simmim-bench train`` of a config with VisBench's head and schedule."""
    from simmim_bench.shipped import CONFIGS

    steps = -(-count // BATCH)
    config = folder / "probe.py"
    config.write_text(
        CONFIG.format(
            configs=CONFIGS, images=folder / "images", size=SIZE, classes=CLASSES, epochs=EPOCHS,
            batch=BATCH, lr=LR, weight_decay=WEIGHT_DECAY, warmup=int(WARMUP * steps),
            steps=EPOCHS * steps,
        )
    )  # fmt: skip
    program = [sys.executable, "-m", "simmim_bench", "train", str(config)]
    given = ["--pretrained", str(weights), "--seed", "0"]

    def command(what: str) -> tuple[list[str], dict[str, str], Callable[[str], float]]:
        work = folder / f"ours-{what.replace(' ', '-')}"
        size = "0" if what == "no cache" else "50"
        asked = [*program, *given, "--work-dir", str(work), "--cache-gb", size]

        def miou(_printed: str) -> float:
            manifest = json.loads((work / "manifest.json").read_text())
            return float(manifest["metrics"]["miou"])

        return asked, {"XDG_CACHE_HOME": str(folder / "cache")}, miou

    return command


def theirs(folder: Path, weights: Path, python: Path) -> Command:
    """VisBench's ``run``, in its own environment."""

    def command(_what: str) -> tuple[list[str], dict[str, str], Callable[[str], float]]:
        head = {"num_classes": CLASSES, "epochs": EPOCHS, "lr": LR, "weight_decay": WEIGHT_DECAY,
                "warmup_epochs": WARMUP}  # fmt: skip
        asked = {
            "images": str(folder / "images"), "size": SIZE, "model": MODEL,
            "weights": str(weights), "batch": 32, "head": head,
            "cache": str(folder / "their-cache"),
        }  # fmt: skip

        def miou(printed: str) -> float:
            return 100 * float(json.loads(printed.splitlines()[-1])["miou"])

        return [str(python), "-c", OTHER, json.dumps(asked)], {}, miou

    return command


def measured(command: Command, what: str) -> dict[str, float]:
    """Wall and CPU seconds, peak memory in MB, and mIoU in percent.

    Raises:
        BenchError: If the command fails.
    """
    asked, variables, miou = command(what)
    begin = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = subprocess.Popen(asked, stdout=out, stderr=errors, env=environment)
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        printed, said = ("".join(_lines(stream)) for stream in (out, errors))
    if started.returncode:
        raise BenchError(f"{' '.join(asked[:4])} failed:\n{said[-3000:]}")
    return {
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
        "miou": miou(printed),
    }


def _lines(stream: Any) -> Iterator[str]:
    stream.seek(0)
    yield from stream


if __name__ == "__main__":
    cli.main(run)
