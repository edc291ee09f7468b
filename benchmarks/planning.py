"""What a SimMIM pretraining needs on 1 to 512 GPUs: time, memory, traffic, loaders, storage.

    python -m benchmarks.planning                          # prints the tables of docs/planning.md
    python -m benchmarks.planning --page docs/planning.md  # and writes them into the page
    python -m benchmarks.planning --measured FOLDER/gpu.json

Operations, weights and activations are counted from the models. All else is an assumption of
``Assumptions``, each with its source, or measured by ``python -m benchmarks.gpu``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.counting import Counted, count
from simmim_bench import cli
from simmim_bench.errors import BenchError

MODELS = {
    "Swin-B": "simmim/swin-b_8xb128.py",
    "Swin-L": "simmim/swin-l_8xb128_800e.py",
    "ViT-B": "simmim/vit-b_8xb128.py",
    "Swin V2-B": "simmim/swinv2-b_8xb128_800e.py",
    "Swin V2-H": "simmim/swinv2-h_32xb32_800e.py",
}
COUNTS = (1, 8, 64, 512)
"""Numbers of GPUs."""
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bfloat16 operations a second by a part of the name: NVIDIA's data sheets, SXM modules."""
DATASETS = {
    # https://image-net.org/challenges/LSVRC/2012, size of ILSVRC2012_img_train.tar
    "ImageNet-1k": (1_281_167, 147_897_477_120 / 1_281_167),
    # https://image-net.org/download-images: all of it, 1.31 TB
    "ImageNet-22k": (14_197_122, 1.31e12 / 14_197_122),
    # https://laion.ai/blog/laion-400-open-dataset: 10 TB at 256 px
    "LAION-400M": (400_000_000, 10e12 / 400e6),
    # img2dataset, dataset_examples/laion5B.md: 5.85 thousand million images, 240 TB at 384 px
    "LAION-2B": (2_320_000_000, 240e12 / 5.85e9),
}
"""Number of images and mean bytes of one."""
STATE_BYTES = 16
"""Of a parameter: float32 weight and gradient, and two moments of AdamW."""
GRADIENT_BYTES = 4
START, END = "<!-- tables: python -m benchmarks.planning -->", "<!-- end of the tables -->"


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What was not measured here. Rates of links are bytes a second in one direction.

    Attributes:
        gpu: Whose peak is taken.
        memory: Bytes of a GPU: data sheet of the H200.
        efficiency_swin: Share of the peak that a step of 128 images or more reaches. Not measured:
            the aim of this project for Swin-B.
        efficiency_vit: The same for ViT-B.
        launch: Seconds of the CPU to start a kernel: a usual value of PyTorch without graphs.
        node_gpus: GPUs of a machine: DGX H200.
        node_link: Bytes a second between GPUs of a machine: NVLink 4, 900 GB/s in both directions
            (data sheet).
        network: Bytes a second from a machine to others: eight adapters of 400 Gbit/s (DGX H200).
        slow_network: The same with one adapter of 100 Gbit/s.
        link_share: Share of a link's rate that collectives reach: a usual value of nccl-tests.
        hidden: Share of a step during which gradients can travel: the backward pass is two thirds.
        loader_rate: Images a second that one core decodes, crops and masks at full size: measured
            on a core of a busy machine without a GPU (benchmarks/notes.md); measure yours.
        node_cores: Physical cores of a machine: DGX H200.
        storage: Bytes a second of a machine: a fast network file system or a local NVMe disk.
        resized: Bytes of an image that was stored with a shorter side of 256 px: as LAION-400M's.
        resized_rate: Images a second of such an image and a core, in proportion to its pixels.
    """

    gpu: str = "H200"
    memory: float = 141e9
    efficiency_swin: float = 0.35
    efficiency_vit: float = 0.5
    launch: float = 6e-6
    node_gpus: int = 8
    node_link: float = 450e9
    network: float = 400e9
    slow_network: float = 12.5e9
    link_share: float = 0.8
    hidden: float = 2 / 3
    loader_rate: float = 424
    node_cores: int = 112
    storage: float = 5e9
    resized: float = 25e3
    resized_rate: float = 424 * (500 * 375) / (341 * 256)


@dataclass(frozen=True)
class Plan:
    """One model on ``gpus`` GPUs; ``rate``: images a second of one that waits for nothing."""

    counted: Counted
    gpus: int
    rate: float
    assumed: Assumptions

    @property
    def images(self) -> float:
        """Images of a GPU in an optimiser step; fewer than 1 if there are more GPUs than images."""
        return self.counted.batch / self.gpus

    @property
    def compute(self) -> float:
        """Seconds of a GPU in an optimiser step without traffic: its rate, or starting kernels."""
        return max(self.images / self.rate, self.launches)

    @property
    def launches(self) -> float:
        """Seconds in which the CPU starts the kernels of an optimiser step."""
        return self.iterations * self.counted.kernels * self.assumed.launch

    def traffic(self, *, sharded: bool) -> float:
        """Bytes that a GPU sends in an optimiser step.

        DDP sums gradients in a ring: each GPU sends them twice. FSDP gathers the weights twice in
        each iteration and sums the gradients once, each of which sends them once.
        """
        passes = 2 * self.iterations + 1 if sharded else 2
        return passes * GRADIENT_BYTES * self.counted.parameters * (self.gpus - 1) / self.gpus

    @property
    def iterations(self) -> int:
        """Iterations of an optimiser step: at most 128 images at a time."""
        return max(1, -(-int(self.images) // 128))

    def link(self, network: float | None = None) -> float:
        """Bytes a second through a ring, by its slowest part.

        A machine sends over all its adapters what one GPU sends within it.
        """
        one_node = self.gpus <= self.assumed.node_gpus
        between = network or self.assumed.network
        link = self.assumed.node_link if one_node else min(self.assumed.node_link, between)
        return link * self.assumed.link_share

    def exposed(self, *, sharded: bool, network: float | None = None) -> float:
        """Seconds of a step that wait for traffic, beyond what the backward pass hides."""
        travel = self.traffic(sharded=sharded) / self.link(network)
        # while gradients are accumulated, DDP sends in the last iteration alone
        over = self.compute if sharded else self.compute / self.iterations
        return max(0.0, travel - self.assumed.hidden * over)

    def total_rate(self, *, sharded: bool = False, network: float | None = None) -> float:
        """Images a second of all GPUs."""
        return self.counted.batch / (self.compute + self.exposed(sharded=sharded, network=network))

    def hours(self, images: int) -> float:
        """Hours of the recipe's epochs."""
        return self.counted.epochs * images / self.total_rate() / 3600

    def memory(self, *, sharded: bool, recomputed: bool = False) -> float:
        """Bytes of a GPU: weights, gradients, moments, and activations of an iteration."""
        state = STATE_BYTES * self.counted.parameters
        if sharded:  # and the block that computes, with the next one
            state = state / self.gpus + 2 * 4 * self.counted.largest_block
        kept = self.counted.saved_recomputed if recomputed else self.counted.saved
        return state + kept * self.images / self.iterations

    def limit(self, image_bytes: float, loader_rate: float, network: float | None = None) -> str:
        """What cannot keep up with the computation; else where most of the time goes."""
        gpus = min(self.gpus, self.assumed.node_gpus)
        rate = self.total_rate(network=network) / self.gpus * gpus
        if self.assumed.node_cores * gpus / self.assumed.node_gpus * loader_rate < rate:
            return "loader"
        if self.assumed.storage / image_bytes < rate:
            return "storage"
        waiting, busy = self.exposed(sharded=False, network=network), self.images / self.rate
        found = {"network": waiting, "GPU": busy, "launches": self.launches - busy}
        return max(found, key=found.__getitem__)


def peak_of(gpu: str) -> float | None:
    """Dense bfloat16 peak of a GPU by its name; None if it is unknown."""
    return next((peak for name, peak in PEAKS.items() if name in gpu), None)


def plans(assumed: Assumptions, measured: Mapping[str, float]) -> dict[str, list[Plan]]:
    """Plans of every model on every number of GPUs.

    Args:
        assumed: Assumptions.
        measured: Images a second of one GPU by model, where they were measured.
    """
    made = {}
    for name, file in MODELS.items():
        counted = count(file)
        share = assumed.efficiency_vit if "ViT" in name else assumed.efficiency_swin
        rate = measured.get(name, share * PEAKS[assumed.gpu] / counted.flops)
        made[name] = [Plan(counted, gpus, rate, assumed) for gpus in COUNTS]
    return made


def tables(assumed: Assumptions, measured: Mapping[str, float]) -> str:
    """All tables of the page."""
    made = plans(assumed, measured)
    parts = [
        _models(made),
        _time(made),
        _traffic(made),
        _loaders(made),
        _storage(made),
        _limits(made),
    ]
    return "\n".join([*parts, _assumptions(assumed, measured)])


def _table(heading: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"### {heading}\n", f"| {' | '.join(header)} |"]
    lines.append("|---|" + "---:|" * (len(header) - 1))
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _models(made: Mapping[str, list[Plan]]) -> str:
    rows = []
    for name, (_, eight, *_) in made.items():
        one = eight.counted
        rows.append((
            name, f"{one.image_size}", f"{one.parameters / 1e6:.0f}", f"{one.flops / 1e9:.0f}",
            f"{one.kernels:,}",
            f"{one.saved / 1e6:.0f}", f"{one.saved_recomputed / 1e6:.0f}",
            *(f"{eight.memory(sharded=sharded, recomputed=again) / 1e9:.1f}"
              for sharded, again in ((False, False), (True, False), (False, True))),
        ))  # fmt: skip
    header = (
        "model", "px", "million weights", "GFLOP of an image", "kernels of a step",
        "MB an image keeps", "with `--recompute`", "GB, 8 GPUs, 128 images", "with `--fsdp`",
        "with `--recompute`",
    )  # fmt: skip
    return _table("Models", header, rows)


def _time(made: Mapping[str, list[Plan]]) -> str:
    images = DATASETS["ImageNet-1k"][0]
    rows = [
        (f"{name}, {plan_list[0].counted.epochs} epochs",
         *(f"{_whole(plan.total_rate())}, {_hours(plan.hours(images))}" for plan in plan_list))
        for name, plan_list in made.items()
    ]  # fmt: skip
    header = ("model", *(f"{gpus} GPU{'s' if gpus > 1 else ''}" for gpus in COUNTS))
    return _table("Images a second, and the recipe's time on ImageNet-1k", header, rows)


def _traffic(made: Mapping[str, list[Plan]]) -> str:
    rows = []
    for name, plan_list in made.items():
        for plan in plan_list[1:]:
            slow = plan.assumed.slow_network if plan.gpus > plan.assumed.node_gpus else None
            rows.append((
                f"{name}, {plan.gpus} GPUs", f"{1e3 * plan.compute:.0f}",
                *(f"{plan.traffic(sharded=sharded) / 1e9:.2f}" for sharded in (False, True)),
                *(f"{1e3 * plan.exposed(sharded=sharded):.0f}" for sharded in (False, True)),
                f"{1e3 * plan.exposed(sharded=False, network=slow):.0f}" if slow else "",
            ))  # fmt: skip
    header = (
        "model", "ms of computing", "GB sent, DDP", "GB sent, FSDP",
        "ms of waiting, DDP", "ms of waiting, FSDP", "ms of waiting, DDP, slow network",
    )  # fmt: skip
    return _table("Traffic of a GPU in an optimiser step of 2048 images", header, rows)


def _loaders(made: Mapping[str, list[Plan]]) -> str:
    rows = []
    for name, (_, eight, *_) in made.items():
        rate, assumed = eight.total_rate(), eight.assumed
        full = DATASETS["ImageNet-1k"][1]
        rows.append((
            name, _whole(rate), f"{rate / assumed.loader_rate:.0f}", f"{rate * full / 1e9:.2f}",
            f"{rate / assumed.resized_rate:.0f}", f"{rate * assumed.resized / 1e9:.2f}",
        ))  # fmt: skip
    header = (
        "model, machine of 8 GPUs", "images/s", "cores, full size", "GB/s read",
        "cores, stored at 256 px", "GB/s read",
    )  # fmt: skip
    return _table("Loader of a machine", header, rows)


def _storage(made: Mapping[str, list[Plan]]) -> str:
    swin = made["Swin-B"]
    rows = []
    for name, (images, size) in DATASETS.items():
        assumed = swin[0].assumed
        small = min(size, assumed.resized)
        rows.append((
            name, f"{images / 1e6:,.1f}", f"{size / 1e3:.0f}", f"{images * size / 1e12:.2f}",
            f"{images * small / 1e12:.2f}", _hours(images * size / assumed.storage / 3600),
            *(_hours(images / plan.total_rate() / 3600) for plan in swin[1:]),
        ))  # fmt: skip
    epochs = (f"an epoch of Swin-B, {gpus} GPUs" for gpus in COUNTS[1:])
    header = ("data", "million images", "kB", "TB", "TB at 256 px", "to copy it once", *epochs)
    return _table("Storage", header, rows)


def _limits(made: Mapping[str, list[Plan]]) -> str:
    rows = []
    full = DATASETS["ImageNet-1k"][1]
    for name, plan_list in made.items():
        for network, text in ((None, ""), (plan_list[0].assumed.slow_network, ", slow network")):
            chosen = [plan.limit(full, plan.assumed.loader_rate, network) for plan in plan_list]
            rows.append((f"{name}{text}", *chosen))
    header = ("model", *(f"{gpus} GPU{'s' if gpus > 1 else ''}" for gpus in COUNTS))
    return _table("What a training waits for, with full-size JPEGs", header, rows)


def _assumptions(assumed: Assumptions, measured: Mapping[str, float]) -> str:
    said = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", Assumptions.__doc__ or "", re.MULTILINE)
    texts = {name: " ".join(text.split()) for name, text in said}
    rows = [(f"`{name}`", _shown(value), texts[name])
            for name, value in dataclasses.asdict(assumed).items()]  # fmt: skip
    rows.append(("dense bfloat16 peak", _shown(PEAKS[assumed.gpu]), "NVIDIA's data sheet"))
    rows += [
        (f"{name}, images/s of a GPU", _whole(rate), "measured") for name, rate in measured.items()
    ]
    return _table("Assumptions", ("name", "value", "source"), rows)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.0f} min" if hours > 1 / 60 else f"{3600 * hours:.0f} s"
    return f"{hours:,.0f} h" if hours < 1000 else f"{hours / 24:,.0f} d"


def read_measured(path: Path) -> dict[str, float]:
    """Images a second by model in bfloat16, batch 256, from the result of ``benchmarks.gpu``.

    Raises:
        BenchError: If the file is no such result, or has none of these rates.
    """
    try:
        sections = json.loads(path.read_text("utf-8"))["sections"]
        rates = {one["what"]: one["value"] for part in sections for one in part["found"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} is no result of benchmarks.gpu: {error}") from error
    wanted = {name: f"{name}, bfloat16, batch 256" for name in MODELS}
    found = {name: float(rates[what]) for name, what in wanted.items() if what in rates}
    if not found:
        raise BenchError(f"{path} has no throughput in bfloat16; run its section throughput")
    return found


def written_into(page: str, text: str) -> str:
    """The page with ``text`` between the two marks.

    Raises:
        BenchError: If a mark is missing.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise BenchError(f"the page has no lines {START!r} and {END!r} for the tables")
    return f"{before}{start}\n\n{text}\n{end}{after}"


def run() -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measured", type=Path, metavar="FILE", help="result of benchmarks.gpu")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into this page")
    for one in dataclasses.fields(Assumptions):
        if one.name != "gpu":
            flag = f"--{one.name.replace('_', '-')}"
            parser.add_argument(flag, type=type(one.default), default=one.default)
    parser.add_argument("--gpu", choices=PEAKS, default="H200")
    args = vars(parser.parse_args())
    page, measured = args.pop("page"), args.pop("measured")
    text = tables(Assumptions(**args), read_measured(measured) if measured else {})
    if page is None:
        print(text, end="")
        return
    from simmim_bench.io import atomic_write_text

    atomic_write_text(page, written_into(page.read_text("utf-8"), text))


if __name__ == "__main__":
    cli.main(run)
