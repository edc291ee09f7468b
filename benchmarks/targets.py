"""Train SimMIM with each target and each decoder on your images, and print how the loss changes.

Backbone, image size and augmentation are those of configs/demo/simmim_swin-demo.py. Targets are
trained with the linear decoder, decoders with the default target. The 256 bins and 512 clusters
have the convolutional decoder, because a linear layer to all classes of 32 x 32 pixels would have
200 and 134 million weights. Losses of different targets have different units: compare the start
and the end of a row, not rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simmim_bench import cli
from simmim_bench.errors import BenchError

CONFIG = Path(__file__).parents[1] / "configs" / "demo" / "simmim_swin-demo.py"
AVERAGED = 10  # steps at the start and at the end
LR = 1e-3
LR_OF = {"inverse Swin-T": 2e-4, "inverse Swin-B": 1e-4}  # far larger than the backbone
WARMUP = 20  # steps
CLIP = 5.0
HEADER = (
    "| target | decoder | loss | lr | at start | at end | change | s / step |\n"
    "|---|---|---|---:|---:|---:|---:|---:|"
)

DECODERS = {
    "linear": {"type": "simmim_bench.LinearDecoder"},
    "MLP": {"type": "simmim_bench.MLPDecoder"},
    "convolutional": {"type": "simmim_bench.ConvDecoder"},
    "inverse Swin-T": {"type": "simmim_bench.InverseSwinDecoder", "arch": "tiny"},
    "inverse Swin-B": {"type": "simmim_bench.InverseSwinDecoder", "arch": "base"},
}


def parse() -> argparse.Namespace:
    """Command line of the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="folder of images, searched with its subfolders")
    parser.add_argument(
        "--steps", type=int, default=200, help="training steps of each row (default: 200)"
    )
    parser.add_argument("--batch-size", type=int, default=16, help="images per step (default: 16)")
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="exported backbone.pth; adds a row with its features as the target",
    )
    parser.add_argument(
        "--only",
        metavar="TEXT",
        default="",
        help="only rows whose 'target decoder loss' contains this, for example 'RGB inverse'",
    )
    parser.add_argument(
        "--clusters", type=int, default=512, help="number of colour clusters (default: 512)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the table to this file"
    )
    return parser.parse_args()


def combinations(palette: Path, teacher: Path | None) -> list[tuple[str, str, dict[str, Any]]]:
    """Target name, decoder name and changes to the model config, for every row."""
    l1, classes = _part("MaskedL1Loss"), _part("MaskedCrossEntropyLoss")
    rows: list[tuple[str, str, dict[str, Any] | None, dict[str, Any]]] = [
        ("RGB", name, None, l1) for name in DECODERS
    ]
    rows += [("RGB", "linear", None, _part(f"Masked{name}Loss")) for name in ("L2", "SmoothL1")]
    rows.append(("RGB", "linear", None, {**l1, "region": "all"}))
    rows += [
        (f"RGB at {64 // stride} px", "linear", _part("DownsampledRGB", stride=stride), l1)
        for stride in (2, 4, 8, 16, 32)
    ]
    rows += [
        ("RGB a patch", "linear", _part("PatchNormalisedRGB", patch_size=16), l1),
        ("RGB in windows", "linear", _part("WindowNormalisedRGB", window_size=47), l1),
        ("8 bins", "linear", _part("ColourBins", bins=8), classes),
        ("256 bins", "convolutional", _part("ColourBins", bins=256), classes),
        ("clusters", "convolutional", _part("ColourClusters", palette=str(palette)), classes),
    ]
    if teacher:
        rows.append(("teacher", "linear", _teacher(teacher), _part("MaskedSmoothL1Loss")))
    return [
        (name, decoder, {"target": target, "decoder": DECODERS[decoder], "loss": loss})
        for name, decoder, target, loss in rows
    ]


def train(
    config: Any, changes: dict[str, Any], batches: Sequence[Any], *, lr: float, seed: int
) -> tuple[list[float], float]:
    """Loss of each step and median seconds of a step."""
    import torch
    from mmengine.runner import set_random_seed

    from simmim_bench.registry import MODELS

    set_random_seed(seed)
    model = MODELS.build({**config.model, **changes, "_scope_": "mmpretrain"})
    model.train()  # weights as torch draws them, as in the demo
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05)
    losses, seconds = [], []
    for step, batch in enumerate(batches):
        begin = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / WARMUP)
        loss = model(**model.data_preprocessor(batch, training=True), mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - begin)
    return losses, statistics.median(seconds)


def row(names: Sequence[str], lr: float, losses: list[float], seconds: float) -> str:
    """Row of the table; ``names`` are those of target, decoder and loss."""
    start, end = statistics.fmean(losses[:AVERAGED]), statistics.fmean(losses[-AVERAGED:])
    change = f"{100 * (end / start - 1):+.0f} %"
    cells = [*names, f"{lr:g}", f"{start:.4f}", f"{end:.4f}", change, f"{seconds:.3f}"]
    return f"| {' | '.join(cells)} |"


def _batches(config: Any, steps: int) -> Iterator[Any]:
    """Batches of shuffled images, over several epochs if needed."""
    from mmengine.runner import Runner

    given, epoch = 0, 0
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    while given < steps:
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            if given < steps:
                given += 1
                yield batch
        epoch += 1


def _config(args: argparse.Namespace) -> Any:
    from mmengine.config import Config

    from simmim_bench.data.image_files import image_files

    found = len(image_files(args.images))
    if found < args.batch_size:
        raise BenchError(
            f"{args.images} has {found} images, but a batch needs {args.batch_size}; give a folder "
            f"with more images, or a smaller --batch-size"
        )
    config = Config.fromfile(CONFIG)
    config.train_dataloader.batch_size = args.batch_size
    config.train_dataloader.dataset.update(data_root=str(args.images), data_prefix="")
    return config


def _name_of(loss: dict[str, Any]) -> str:
    """Name of a loss in the table: ``L1``, or ``L1, all pixels``."""
    name = loss["type"].removeprefix("simmim_bench.Masked").removesuffix("Loss")
    return f"{name}, all pixels" if loss.get("region") == "all" else name


def _part(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": f"simmim_bench.{name}", **arguments}


def _teacher(weights: Path) -> dict[str, Any]:
    """Target config of an exported backbone, read from its card."""
    card = weights.with_suffix(".json")
    if not card.is_file():
        raise BenchError(
            f"{weights}: {card.name} is missing in the same folder; give a backbone exported by "
            f"tools/export_backbone.py"
        )
    model = json.loads(card.read_text("utf-8"))["backbone_config"]
    return _part("TeacherFeatures", checkpoint=str(weights), model=model)


def run() -> None:
    """Parse first: the libraries take seconds."""
    args = parse()
    if args.steps < 2 * AVERAGED:
        raise BenchError(f"--steps must be at least {2 * AVERAGED}, got {args.steps}")
    from mmengine.registry import init_default_scope
    from mmengine.runner import set_random_seed

    from simmim_bench.io import atomic_write_text
    from simmim_bench.models.targets.colours import fit_palette
    from simmim_bench.training.process import prepare

    prepare("none", "mmpretrain")
    init_default_scope("mmpretrain")
    config = _config(args)
    set_random_seed(args.seed)
    batches = list(_batches(config, args.steps))  # the same for every row
    print(HEADER, flush=True)
    lines = [HEADER]
    with tempfile.TemporaryDirectory() as folder:
        palette = Path(folder) / "palette.json"
        fit_palette(args.images, palette, clusters=args.clusters, seed=args.seed)
        for target, decoder, changes in combinations(palette, args.teacher):
            loss = _name_of(changes["loss"])
            if args.only not in f"{target} {decoder} {loss}":
                continue
            lr = LR_OF.get(decoder, LR)
            losses, seconds = train(config, changes, batches, lr=lr, seed=args.seed)
            lines.append(row((target, decoder, loss), lr, losses, seconds))
            print(lines[-1], flush=True)
            if args.out:
                atomic_write_text(args.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    cli.main(run)
