"""Compute the features of a frozen backbone once, before the training of what follows it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from simmim_bench.data.feature_cache import GB, Entry, Features, Sample, make_room, shard_of
from simmim_bench.data.fingerprint import fingerprint_config
from simmim_bench.errors import BenchError
from simmim_bench.records.environment import PACKAGES, installed
from simmim_bench.records.names import counted
from simmim_bench.registry import HOOKS
from simmim_bench.tasks.frozen import CachedSamples, FrozenModel, kept_of
from simmim_bench.training.data import PATIENCE
from simmim_bench.training.failures import out_of_memory
from simmim_bench.training.hooks.steps import transforms_of
from simmim_bench.training.runner import model_of

FORMAT = 1
"""Goes up when the same facts give other features."""
LOADERS = ("train_dataloader", "val_dataloader")
PROBED = 8
"""Images of which the size is estimated, whose views and kept features are compared."""
TOLERANCE = 0.02
"""Relative difference of features that other kernels may make in bfloat16."""
STORE = "simmim_bench/features"
SEED = "simmim_bench.SeedSample"
LOG_SECONDS = 30.0


@HOOKS.register_module()
class FeatureCacheHook(Hook):
    """Replace the images of both loaders by features, which are computed unless they are known.

    Args:
        limit_gb: Size of the cache in GB (1e9 bytes).
    """

    priority = "HIGH"  # after the weights are loaded

    def __init__(self, *, limit_gb: float) -> None:
        self.limit = limit_gb * GB

    def before_train(self, runner: Any) -> None:
        """Fill the cache.

        Raises:
            BenchError: If the training images differ between epochs, or the features do not fit.
        """
        model = model_of(runner)
        weights = _sha256_of(model.backbone)
        model.eval()
        parts = []
        for name in LOADERS:
            loader = getattr(runner, name)
            if loader is None:
                continue
            if name == "train_dataloader":
                _check_same_view(loader.dataset, runner.cfg.filename)
            facts = _facts(runner.cfg, name, model, weights)
            parts.append(_Part(name.removesuffix("_dataloader"), loader, model, facts))
        if any(part.lacking for part in parts):
            for folder in make_room({part.entry: part.size for part in parts}, self.limit):
                runner.logger.info(f"features that were not used for long are removed: {folder}")
        for part in parts:
            part.replace(runner.logger)
        restart(runner.train_loop)
        model.train()


class _Part:
    """The images of a loader, and their entry of the cache.

    Args:
        name: ``train`` or ``val``.
        loader: Loader of the images.
        model: Gives the features.
        facts: What these depend on.
    """

    def __init__(self, name: str, loader: Any, model: FrozenModel, facts: dict[str, Any]) -> None:
        self.name, self.loader, self.model = name, loader, model
        self.reader = _Reader(loader, model, training=name == "train")
        count = len(loader.dataset)
        probed = range(0, count, max(1, count // PROBED))[:PROBED]
        found = list(self._computed(probed))
        each = sum(sample.size for sample in found) / len(found)
        self.size = each * count
        self.entry = Entry(facts, samples=count, shard=shard_of(each))
        self.entry.prepare()
        self.lacking = self.entry.lacking()
        if not self.lacking:
            _check_current(Features(self.entry), dict(zip(probed, found, strict=True)))

    def _computed(self, chosen: range) -> Iterator[Sample]:
        """Samples of some images.

        Raises:
            BenchError: If memory runs out.
        """
        try:
            yield from self.reader.samples(chosen)
        except RuntimeError as error:
            if not out_of_memory(str(error)):
                raise
            raise BenchError(
                f"out of memory while features of the {self.name} images were computed, "
                f"{self.reader.batch} at a time; set a smaller "
                f"{self.name}_dataloader.batch_size with --cfg-options"
            ) from error

    def replace(self, logger: Any) -> None:
        """Compute what is lacking, and give the loader features in place of images."""
        images, entry = self.loader.dataset, self.entry
        what = f"features of {counted(len(images), f'{self.name} image')}, {self.size / GB:.3g} GB"
        if self.lacking:
            logger.info(f"{what}: computed and kept in {entry.folder}")
            _fill(entry, self.lacking, self._computed, logger)
        else:
            logger.info(f"{what}: those in {entry.folder}")
        _wait_for_all(self.name)
        # DataLoader does not allow setting it; no iterator uses the old one yet.
        self.loader.__dict__["dataset"] = CachedSamples(Features(entry), images, self.model)
        self.loader.collate_fn, self.loader.num_workers = pseudo_collate, 0


def _fill(
    entry: Entry, lacking: list[int], compute: Callable[[range], Iterator[Sample]], logger: Any
) -> None:
    """Compute what is lacking, and say how long it will take."""
    begin = said = time.monotonic()
    wanted = sum(len(entry.members(number)) for number in lacking)
    done = 0
    for members in entry.fill(lacking, compute):
        done += len(members)
        now = time.monotonic()
        if now - said > LOG_SECONDS:
            said = now
            left = (now - begin) / done * (wanted - done)
            logger.info(f"features: {done}/{wanted} images, {left:.0f} s left")
    logger.info(f"features: {wanted} images in {time.monotonic() - begin:.1f} s")


class _Reader:
    """Makes samples of images; its workers stay from one shard to the next.

    Args:
        loader: Loader of the images, with its batch size and number of workers.
        model: Gives the features.
        training: Whether they are images of the training.
    """

    def __init__(self, loader: Any, model: FrozenModel, *, training: bool) -> None:
        self.model, self.training = model, training
        self.batch = loader.batch_sampler.batch_size
        self.indices: list[list[int]] = []
        self.loader = DataLoader(
            loader.dataset,
            batch_sampler=self.indices,
            num_workers=loader.num_workers,
            persistent_workers=loader.num_workers > 0,
            collate_fn=pseudo_collate,
            generator=torch.Generator(),  # not that of the training
        )

    def samples(self, chosen: range) -> Iterator[Sample]:
        """Samples of some images, in their order."""
        self.indices[:] = (
            list(chosen[begin : begin + self.batch]) for begin in range(0, len(chosen), self.batch)
        )
        for batch in self.loader:
            yield from self._kept(batch)

    def _kept(self, batch: dict[str, Any]) -> Iterator[Sample]:
        """Neighbours of one size go through the backbone together."""
        pairs = zip(batch["inputs"], batch["data_samples"], strict=True)
        for _, group in groupby(pairs, key=lambda pair: pair[0].shape):
            images, samples = zip(*group, strict=True)
            data = {"inputs": list(images), "data_samples": list(samples)}
            yield from kept_of(self.model, data, training=self.training)


def _facts(cfg: Any, name: str, model: FrozenModel, weights: str) -> dict[str, Any]:
    """What features depend on."""
    part = name.removesuffix("_dataloader")
    dataset = cfg[name].dataset.to_dict()
    for each in _nested(dataset):
        each.pop("data_root", None)
        if "pipeline" in each:
            each["pipeline"] = [step for step in each["pipeline"] if step["type"] != SEED]
    return {
        "format": FORMAT,
        "weights": weights,
        "backbone": _plain(cfg.model.backbone.to_dict()),
        "neck": _plain(cfg.model.get("neck")),
        "preprocessor": _plain(cfg.model.data_preprocessor.to_dict()),
        "part": part,  # training images may be padded
        "made by": [_name_of(model, each) for each in ("encode", "target_of")],
        "pooled": model.pooled,
        "windows": model.windows,
        "precision": str(model.precision),
        "dataset": _plain(dataset),
        "data": fingerprint_config(cfg, [name]).parts[part],
        "device": next(model.parameters()).device.type,
        "tf32": bool(cfg.get("env_cfg", {}).get("tf32", False)),
        "versions": installed((*PACKAGES, "pillow", "simplejpeg", "timm")),
    }


def restart(loop: Any) -> None:
    """Let a loop over iterations read what its loader reads now: mmengine 0.10.7 starts early."""
    iterator: Any = getattr(loop, "dataloader_iterator", None)
    if getattr(iterator, "_iterator", None) is not None:
        sampler = loop.dataloader.sampler
        sampler.indices = sampler._indices_of_rank()  # those that its workers have fetched, again
        loop.dataloader_iterator = type(iterator)(loop.dataloader)


def _nested(dataset: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A dataset and those that it wraps."""
    yield dataset
    for inner in [dataset.get("dataset"), *dataset.get("datasets", ())]:
        if isinstance(inner, dict):
            yield from _nested(inner)


def _check_current(kept: Features, computed: Mapping[int, Sample]) -> None:
    """Compare some kept features with new ones of the same images.

    Raises:
        BenchError: If they differ.
    """
    for index, new in computed.items():
        old = kept[index]
        ours, theirs = (numbers_of(each.rows) for each in (new, old))
        if (
            ours.shape != theirs.shape
            or not np.array_equal(new.target, old.target)
            or np.linalg.norm(ours - theirs) > TOLERANCE * np.linalg.norm(theirs)
        ):
            raise BenchError(
                f"the features in {kept.entry.folder} are not those of these images and this code: "
                f"image {index} gives others now, as after a file or a class of yours was edited; "
                f"delete the folder, or pass --cache-gb 0"
            )


def numbers_of(rows: NDArray[Any]) -> NDArray[Any]:
    """Kept rows as float32."""
    if rows.dtype != np.int16:
        return rows
    return (rows.view(np.uint16).astype(np.uint32) << 16).view(np.float32)  # bfloat16


def _wait_for_all(name: str) -> None:
    """Wait longer than a collective of NCCL: on another node features may take hours."""
    if get_world_size() > 1:
        store = torch.distributed.distributed_c10d._get_default_store()
        store.set(f"{STORE}/{name}/{get_rank()}", "")
        store.wait([f"{STORE}/{name}/{rank}" for rank in range(get_world_size())], PATIENCE)


def _name_of(model: FrozenModel, method: str) -> str:
    """Which class defines a method of a model: subclasses may give other features or labels."""
    found = getattr(type(model), method)
    return f"{found.__module__}.{found.__qualname__}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _sha256_of(backbone: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(backbone.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_same_view(images: Any, config: str) -> None:
    """Raise if a sample differs between epochs."""
    seeded = [each for each in transforms_of(images) if hasattr(each, "set_epoch")]
    for index in range(min(PROBED, len(images))):
        views = []
        for epoch in (1, 0):
            for transform in seeded:
                transform.set_epoch(epoch)
            views.append(images[index]["inputs"])
        if views[0].shape != views[1].shape or not torch.equal(*views):
            raise BenchError(
                f"the training images of {config} are drawn anew in every epoch, so their features "
                "cannot be kept; put simmim_bench.FixedView first in the pipeline of "
                "train_dataloader, or pass --cache-gb 0"
            )
