"""Train SimMIM with each target and each decoder on your images, and print what the loss did.

The backbone, the images' size and the augmentation are those of configs/demo/simmim_swin-demo.py.
Targets are trained with the linear decoder, decoders with the default target; 256 bins and 512
clusters have the convolutional one, since a linear layer to all their classes of 32 x 32 pixels
has 200 and 134 million weights. Losses of different targets have different units: compare start
and end, not rows.
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
    parser.add_argument("images", type=Path, help="folder with images in it or below")
    parser.add_argument("--steps", type=int, default=200, help="of each row (default: 200)")
    parser.add_argument("--batch-size", type=int, default=16, help="images a step (default: 16)")
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="exported backbone.pth, adds a row with its features",
    )
    parser.add_argument(
        "--only",
        metavar="WORDS",
        default="",
        help="rows whose 'target decoder loss' contains this, for example 'RGB inverse'",
    )
    parser.add_argument("--clusters", type=int, default=512, help="colours (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table there, too")
    return parser.parse_args()


def combinations(palette: Path, teacher: Path | None) -> list[tuple[str, str, dict[str, Any]]]:
    """Name of the target, name of the decoder, and what they change in the model's config."""
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
    """Losses of a step per batch and the median of their seconds."""
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
    """One line of the table; ``names`` of target, decoder and loss."""
    start, end = statistics.fmean(losses[:AVERAGED]), statistics.fmean(losses[-AVERAGED:])
    change = f"{100 * (end / start - 1):+.0f} %"
    cells = [*names, f"{lr:g}", f"{start:.4f}", f"{end:.4f}", change, f"{seconds:.3f}"]
    return f"| {' | '.join(cells)} |"


def _batches(config: Any, steps: int) -> Iterator[Any]:
    """Batches of the shuffled images, epoch after epoch."""
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

    from simmim_bench.data.layouts import image_files

    found = len(image_files(args.images))
    if found < args.batch_size:
        raise BenchError(
            f"{args.images} has {found} images for batches of {args.batch_size}; give a folder "
            f"with more, or a smaller --batch-size"
        )
    config = Config.fromfile(CONFIG)
    config.train_dataloader.batch_size = args.batch_size
    config.train_dataloader.dataset.update(data_root=str(args.images), data_prefix="")
    return config


def _name_of(loss: dict[str, Any]) -> str:
    """As in the table: ``L1``, or ``L1, all pixels``."""
    name = loss["type"].removeprefix("simmim_bench.Masked").removesuffix("Loss")
    return f"{name}, all pixels" if loss.get("region") == "all" else name


def _part(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": f"simmim_bench.{name}", **arguments}


def _teacher(weights: Path) -> dict[str, Any]:
    """An exported backbone says in its card what it is."""
    card = weights.with_suffix(".json")
    if not card.is_file():
        raise BenchError(f"{weights} has no {card.name} beside it; give an exported backbone")
    model = json.loads(card.read_text("utf-8"))["backbone_config"]
    return _part("TeacherFeatures", checkpoint=str(weights), model=model)


def run() -> None:
    """Parse first: the libraries take seconds."""
    args = parse()
    if args.steps < 2 * AVERAGED:
        raise BenchError(f"{args.steps} steps are too few; use {2 * AVERAGED} or more")
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
