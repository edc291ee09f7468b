"""Adapt a config to a run: the list ``ADAPTATIONS`` is what happens to it, in order.

An adaptation is a function ``change(cfg, run)``. It changes the config in place and returns a
deviation from the recipe (a sentence for the manifest and the log), a ``Note`` (for the log alone)
or None.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import torch

from simmim_bench.config import datasets
from simmim_bench.data.fingerprint import reduced_images
from simmim_bench.errors import BenchError
from simmim_bench.recipe.channels import LEFT_OUT, kind_of, parts
from simmim_bench.recipe.image_size import described
from simmim_bench.recipe.quick_steps import use_quick_steps
from simmim_bench.records.environment import precision_of
from simmim_bench.registry import class_of
from simmim_bench.training.batch import keep_batch, use_smaller_batch
from simmim_bench.training.length import train_longer
from simmim_bench.training.mistakes import training_images
from simmim_bench.training.run import Note, Run
from simmim_bench.training.try_out import shrink

SEED_STEP = "simmim_bench.SeedSample"

WRAPPERS = {
    "float32": "OptimWrapper",
    "bfloat16": "simmim_bench.Bfloat16OptimWrapper",
    "float16": "AmpOptimWrapper",
}
TRACKERS = {
    "tensorboard": "mmengine.TensorboardVisBackend",
    "wandb": "mmengine.WandbVisBackend",
    "mlflow": "mmengine.MLflowVisBackend",
}
"""mmengine's back ends by the name of the package that each needs."""


def adapt(cfg: Any, run: Run) -> list[str]:
    """Apply all adaptations; return what they say.

    Args:
        cfg: Config; changed in place.
        run: The run.

    Raises:
        BenchError: If the flags of the run cannot be combined, or do not fit this machine.
    """
    said = (change(cfg, run) for change in ADAPTATIONS)
    return [text for text in said if text is not None]


def add_trackers(cfg: Any, run: Run) -> None:
    """``--log-to``: send scalars and pictures to these trackers as well.

    Raises:
        BenchError: If a package is not installed.
    """
    for name in run.log_to:
        if importlib.util.find_spec(name) is None:
            raise BenchError(
                f"--log-to {name} needs the package {name}; install it with `pip install {name}`"
            )
        cfg.visualizer.vis_backends.append({"type": TRACKERS[name]})


def say_sizes(cfg: Any, run: Run) -> str | None:
    """``--image-size``, a deviation already: what follows from it."""
    given = any(item.startswith("--image-size=") for item in run.overrides)
    return Note(described(cfg)) if given else None


def say_reduced(cfg: Any, _run: Run) -> str | None:
    """Packed images that were written smaller than they were."""
    return "; ".join(reduced_images(cfg)) or None


def has_tracker(cfg: Any) -> bool:
    """Whether scalars and pictures go anywhere else than to files in the work dir."""
    backends = cfg.visualizer.get("vis_backends") or []
    return any(not backend["type"].endswith("LocalVisBackend") for backend in backends)


def shard(cfg: Any, run: Run) -> None:
    """``--fsdp``: do not wrap the model in DDP; ``FullyShardHook`` shards it.

    Raises:
        BenchError: If there is one process, or the precision, of the command line or the config,
            is float16.
    """
    cfg.pop("fsdp", None)  # of a run that wrote this config
    if not run.fsdp:
        return
    if run.world_size == 1:
        raise BenchError(
            "--fsdp shards a model over several processes, got 1; start more with "
            "tools/dist_train.sh CONFIG GPUS --fsdp"
        )
    precision = run.precision or precision_of(cfg.optim_wrapper)
    if precision == "float16":
        raise BenchError(
            f"--fsdp works with --precision bfloat16 or float32, got {precision}"
            f"{'' if run.precision else ' from the config'}; pass one of them"
        )
    if run.precision is None and precision == "bfloat16":
        _use_precision(cfg, precision)  # mmengine's scales the loss of each process
    cfg.fsdp = True


def set_precision(cfg: Any, run: Run) -> str | None:
    """``--precision`` of the forward pass; without a GPU float32 instead of a recipe's float16.

    Raises:
        BenchError: If the flag asks for float16 and there is no GPU.
    """
    recipe, without_gpu = precision_of(cfg.optim_wrapper), not torch.cuda.is_available()
    if run.precision == "float16" and without_gpu:
        raise BenchError("--precision float16 needs a GPU, found none; use bfloat16")
    if run.precision is not None:
        of_features = cfg.model.get("precision")
        _use_precision(cfg, run.precision)
        said = [f"precision {run.precision} instead of {recipe}"] * (run.precision != recipe)
        if cfg.model.get("precision") != of_features:
            said.append(f"features in {run.precision} instead of {of_features or 'float32'}")
        return "; ".join(said) or None
    if recipe == "float16" and without_gpu:
        _use_precision(cfg, "float32")
        return Note("no GPU: float32 instead of the recipe's float16")
    return None


def _use_precision(cfg: Any, precision: str) -> None:
    if getattr(class_of(cfg.model.type, "MODELS", cfg.default_scope), "caches_features", False):
        cfg.model.precision = precision
    cfg.optim_wrapper.type = WRAPPERS[precision]
    for option in ("dtype", "loss_scale"):  # of AmpOptimWrapper
        cfg.optim_wrapper.pop(option, None)


def use_cpu(cfg: Any, run: Run | None = None) -> None:  # noqa: ARG001  (as every adaptation)
    """Without a GPU: plain batch norm, since the synchronised one has no CPU kernel."""
    if not torch.cuda.is_available():
        _replace_sync_bn(cfg.model)


def _replace_sync_bn(node: Any) -> None:
    if isinstance(node, (list, tuple)):
        for child in node:
            _replace_sync_bn(child)
    elif hasattr(node, "items"):
        for key, child in node.items():
            if key == "type" and child == "SyncBN":
                node[key] = "BN"
            else:
                _replace_sync_bn(child)


def cap_neighbours(cfg: Any, run: Run) -> str | None:
    """Say that all training images vote where a k-NN protocol asks for more neighbours."""
    wanted = cfg.model.get("neighbours")
    if not wanted or run.is_try:
        return None
    images = training_images(cfg, max(wanted))
    more = [k for k in wanted if images is not None and k > images]
    if not more:
        return None
    return f"k = {', '.join(map(str, more))}: all {images} training images vote, there are no more"


def seed_samples(cfg: Any, run: Run) -> None:
    """Let the run's seed decide augmentations, and masks unless the config states their seed."""
    earlier: list[int] = []  # the seed of a run that wrote this config
    for loader, dataset in datasets(cfg):
        if loader == "train_dataloader":
            kept = [step for step in dataset.pipeline if step["type"] != SEED_STEP]
            earlier = [step["seed"] for step in dataset.pipeline if step["type"] == SEED_STEP]
            dataset.pipeline = [{"type": SEED_STEP, "seed": run.seed}, *kept]
        for transform in dataset.get("pipeline", []):
            is_mask = transform["type"] == "simmim_bench.GenerateMask"
            if is_mask and transform.get("seed") in (None, *earlier):
                transform["seed"] = run.seed


def use_quick(cfg: Any, run: Run) -> None:  # noqa: ARG001
    """Quicker steps for the training images, with the pixels of Pillow within rounding."""
    if cfg.get("default_scope") == "mmpretrain":
        use_quick_steps((kind_of(part), part) for part in parts(cfg.train_dataloader.dataset))


def say_left_out(cfg: Any, run: Run) -> str | None:  # noqa: ARG001
    """``--data`` of other channels: steps of the recipe that need 8-bit RGB."""
    return "; ".join(cfg.get(LEFT_OUT) or ()) or None


ADAPTATIONS: tuple[Callable[[Any, Run], str | None], ...] = (
    train_longer,  # --resume --epochs N after the end of the schedule
    say_sizes,  # --image-size
    say_reduced,  # data shards --short-side
    say_left_out,  # --data of other channels
    shrink,  # --try: tiny data, batch and schedule
    add_trackers,  # --log-to
    shard,  # --fsdp
    set_precision,  # --precision
    use_smaller_batch,  # an earlier start of this run ran out of memory
    keep_batch,  # the recipe's batch on any number of processes
    use_cpu,  # no GPU
    cap_neighbours,  # fewer training images than neighbours
    seed_samples,
    use_quick,
)
"""All of them, in the order in which they act."""
