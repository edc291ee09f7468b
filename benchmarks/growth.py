"""How cost grows with images, batch, depth, detections and records.

    python -m benchmarks.growth --picture docs/images/growth.png --json benchmarks/growth.json

Seconds are CPU time of one thread, the shortest of a few runs; memory of a step is what torch's
allocator gives it beyond weights and moments. An exponent is the slope of a straight line through
all points of a curve on logarithmic axes: 1 is proportional, 2 quadratic. The second number is the
slope between the last two points, where fixed costs matter least.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import records, sparse
from simmim_bench import cli

RATIO = 0.6
ROUNDS = 2
TOKENS = {"Swin-T": 4, "plain ViT-S": 16}  # px a side
SIZE, BATCH = 192, 2
SIZES = (96, 192, 288, 384)  # px
BATCHES = (1, 2, 4, 8)
DEPTHS = {"Swin-T": (2, 6, 12), "plain ViT-S": (4, 8, 12)}
"""Blocks: of the third stage of Swin, of the whole ViT."""
DETECTIONS = (1_000, 4_000, 16_000, 56_000)
PER_IMAGE = 28
CLASSES = 80
RECORDS = (300, 1_000, 3_000, 10_000)
STEP_SECONDS, STEP_MEMORY = "seconds of a step", "memory of a step, MB"
EVALUATION, TABLES = "seconds of a COCO evaluation", "seconds of building the tables"
COLUMNS = ("image side, px", "images a batch", "blocks")


@dataclass(frozen=True)
class Curve:
    """One cost against one size.

    Attributes:
        cost: What is measured, with its unit.
        against: What grows.
        name: Which model or kind.
        points: Pairs of size and cost.
    """

    cost: str
    against: str
    name: str
    points: tuple[tuple[float, float], ...]

    def exponent(self) -> float:
        """Slope of the line through all points on logarithmic axes (least squares)."""
        import numpy as np

        sizes, costs = np.log(np.array(self.points)).T
        return float(np.polyfit(sizes, costs, 1)[0])

    def last_exponent(self) -> float:
        """Slope between the last two points."""
        (size, cost), (next_size, next_cost) = self.points[-2:]
        return math.log(next_cost / cost) / math.log(next_size / size)

    def json(self) -> dict[str, Any]:
        """Plain values, exponents included."""
        fitted = {"exponent": self.exponent(), "last_exponent": self.last_exponent()}
        return {**asdict(self), **fitted}


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--small", action="store_true", help="two small sizes of each, to try it out"
    )
    parser.add_argument("--json", type=cli.output_file, metavar="FILE", help="store the result")
    parser.add_argument("--picture", type=cli.output_file, metavar="FILE", help="draw it, as PNG")
    return parser.parse_args()


def run() -> None:
    """Measure, print the table, store and draw it."""
    args = parse()
    import torch

    from benchmarks.environment import environment
    from simmim_bench.io import atomic_write_text

    torch.set_num_threads(1)
    measured = [*step_curves(args.small), *evaluation_curves(args.small), records_curve(args.small)]
    stored = {"environment": environment(), "curves": [curve.json() for curve in measured]}
    print(markdown(stored["curves"]), end="")
    if args.json:
        atomic_write_text(args.json, json.dumps(stored, indent=1) + "\n")
    if args.picture:
        draw(measured, args.picture)


def markdown(curves: Iterable[Mapping[str, Any]]) -> str:
    """Table of the exponents, from plain values as they are stored."""
    lines = ["| cost | of | against | from | to | exponent | at the end |",
             "|---|---|---|---:|---:|---:|---:|"]  # fmt: skip
    lines += [
        f"| {one['cost']} | {one['name']} | {one['against']} | {_pair(one['points'][0])} | "
        f"{_pair(one['points'][-1])} | {one['exponent']:.2f} | {one['last_exponent']:.2f} |"
        for one in curves
    ]
    return "\n".join(lines) + "\n"


def _pair(point: Iterable[float]) -> str:
    size, cost = point
    return f"{size:,.0f}: {cost:.3g}"


def step_curves(small: bool) -> list[Curve]:
    """Seconds and memory of a dense SimMIM step against image side, batch and depth."""
    curves = []
    for name, token in TOKENS.items():
        depth = DEPTHS[name][1]
        cases: dict[str, list[tuple[int, tuple[int, int, int]]]] = {
            COLUMNS[0]: [(size, (size, 1, depth)) for size in SIZES],
            COLUMNS[1]: [(batch, (SIZE, batch, depth)) for batch in BATCHES],
            COLUMNS[2]: [(blocks, (SIZE, BATCH, blocks)) for blocks in DEPTHS[name]],
        }
        for against, sizes in cases.items():
            found = [(size, _step(name, token, *case)) for size, case in _few(sizes, small)]
            for cost, place in ((STEP_SECONDS, 0), (STEP_MEMORY, 1)):
                points = tuple((float(size), measured[place]) for size, measured in found)
                curves.append(Curve(cost, against, name, points))
    return curves


def _few(sizes: Any, small: bool) -> Any:
    return sizes[:2] if small else sizes


def _step(name: str, token: int, size: int, batch: int, depth: int) -> tuple[float, float]:
    """Seconds and MB of a step."""
    import torch

    linear = {"type": "simmim_bench.LinearDecoder"}
    model = sparse.build("SimMIM", _backbone(name, size, depth), linear)
    inputs, samples = sparse.batch(batch, size, token, RATIO)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        model(inputs, samples, mode="loss")["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()  # the next step starts without gradients, and counts them

    step()  # warm-up
    memory = sparse.peak(step)
    return min(sparse.timed(step) for _ in range(ROUNDS)), memory / sparse.MEGABYTE


def _backbone(name: str, size: int, depth: int) -> dict[str, Any]:
    from mmengine.config import Config

    file = name.lower().replace(" ", "-")
    found: dict[str, Any] = Config.fromfile(sparse.MODELS_FOLDER / f"{file}.py")[
        file.replace("-", "_")
    ].to_dict()
    if name == "Swin-T":
        found["arch"]["depths"] = [2, 2, depth, 2]
        windows = {"window_size": 6, "pad_small_map": True, "drop_path_rate": 0.0}
        return {**found, **windows, "img_size": size}
    found["arch"]["num_layers"] = depth
    return {**found, "img_size": size, "out_type": "featmap"}


def evaluation_curves(small: bool) -> list[Curve]:
    """Seconds from predictions to COCO's metrics, for boxes and for masks."""
    from simmim_bench import ops

    ops.install()
    from simmim_bench.tasks.detection import CocoMetric

    found: dict[str, list[tuple[float, float]]] = {"bbox": [], "segm": []}
    with tempfile.TemporaryDirectory() as folder:
        for count in _few(DETECTIONS, small):
            file = Path(folder) / f"{count}.json"
            truth, samples = detections(count // PER_IMAGE)
            file.write_text(json.dumps(truth))
            classes = tuple(category["name"] for category in truth["categories"])
            for kind, points in found.items():
                metric = CocoMetric(ann_file=str(file), metric=kind)
                metric.dataset_meta = {"classes": classes}
                seconds = _timed(partial(_evaluate, metric, samples))
                points.append((float(len(samples) * PER_IMAGE), seconds))
    names = {"bbox": "boxes", "segm": "masks"}
    return [
        Curve(EVALUATION, "detections", names[kind], tuple(points))
        for kind, points in found.items()
    ]


def _evaluate(metric: Any, samples: list[dict[str, Any]]) -> None:
    metric.process(None, samples)
    metric.evaluate(size=len(samples))


def detections(images: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations in COCO's layout and predictions near them, the same at every call.

    Returns:
        Content of an annotation file with a quarter as many objects as detections, and a sample
        for each image as a detector gives it, its masks run-length encoded.
    """
    import numpy as np
    import torch
    from pycocotools import mask as coder

    draw = np.random.default_rng(0)
    side = 320
    objects, samples = [], []
    for image in range(images):
        corners = draw.uniform(0, side * 0.7, (PER_IMAGE, 2))
        boxes = np.concatenate([corners, corners + draw.uniform(8, side * 0.3, (PER_IMAGE, 2))], 1)
        labels = draw.integers(CLASSES, size=PER_IMAGE)
        near = np.clip(boxes + draw.normal(0, 4, boxes.shape), 0, side)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        for box, label in zip(boxes[::4].tolist(), labels[::4].tolist(), strict=True):
            left, top, right, bottom = box
            outline = [left, top, right, top, right, bottom, left, bottom]
            width, height = right - left, bottom - top
            objects.append({
                "id": len(objects) + 1, "image_id": image, "category_id": label + 1,
                "bbox": [left, top, width, height], "area": width * height,
                "segmentation": [outline], "iscrowd": 0,
            })  # fmt: skip
        masks = [
            coder.frPyObjects([[a, b, c, b, c, d, a, d]], side, side)[0]
            for a, b, c, d in near.tolist()
        ]
        predicted = {
            "bboxes": torch.tensor(near, dtype=torch.float32),
            "scores": torch.tensor(draw.uniform(size=PER_IMAGE)),
            "labels": torch.tensor(labels),
            "masks": masks,
        }
        shape = (side, side)
        samples.append({"img_id": image, "ori_shape": shape, "pred_instances": predicted})
    names = [{"id": label + 1, "name": f"class {label}"} for label in range(CLASSES)]
    files = [
        {"id": n, "file_name": f"{n}.jpg", "width": side, "height": side} for n in range(images)
    ]
    return {"images": files, "annotations": objects, "categories": names}, samples


def records_curve(small: bool) -> Curve:
    """Seconds of reading all records and writing the tables and the web page."""
    from simmim_bench.leaderboard.build import render

    points, written = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in _few(RECORDS, small):
            records.fill(folder / "records", range(written, count))
            written = count
            seconds = _timed(lambda: render(folder, published=None, everything_cited=False))
            points.append((float(count), seconds))
    return Curve(TABLES, "records", "leaderboard", tuple(points))


def _timed(call: Callable[[], object]) -> float:
    """CPU seconds of the fastest of a few calls, after a first one."""
    call()
    found = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        call()
        found.append(time.process_time() - begin)
    return min(found)


def draw(curves: list[Curve], path: Path) -> None:
    """Draw all curves with their fitted lines."""
    from matplotlib.ticker import LogLocator

    from simmim_bench.plots import new_figure, save_figure

    places = [(cost, against) for cost in (STEP_SECONDS, STEP_MEMORY) for against in COLUMNS]
    places.insert(3, (EVALUATION, "detections"))
    places.append((TABLES, "records"))
    figure = new_figure(width=13, height=6)
    for axes, (cost, against) in zip(figure.subplots(2, 4).flat, places, strict=True):
        shown = [one for one in curves if (one.cost, one.against) == (cost, against)]
        for one in shown:
            _draw_curve(axes, one)
        axes.set(xlabel=against, title=cost, xscale="log", yscale="log")
        sizes = sorted({size for one in shown for size, _ in one.points})
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small")
    save_figure(figure, path)


def _draw_curve(axes: Any, curve: Curve) -> None:
    sizes, costs = zip(*curve.points, strict=True)
    exponent = curve.exponent()
    middle = sum(math.log(c) - exponent * math.log(s) for s, c in curve.points) / len(sizes)
    label = f"{curve.name}: {exponent:.2f}, at the end {curve.last_exponent():.2f}"
    [line] = axes.plot(sizes, [math.exp(middle) * size**exponent for size in sizes], alpha=0.5)
    axes.plot(sizes, costs, "o", color=line.get_color(), label=label)


if __name__ == "__main__":
    cli.main(run)
