"""The identity of a run's data, computed once before training: a name and a fingerprint."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simmim_bench.config import datasets, load_config
from simmim_bench.data.fingerprint import ConfigData, fingerprint_config, sha256_of
from simmim_bench.data.own import read_dataset
from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import DataIdentity, Overlap
from simmim_bench.records.names import checked_name

UNNAMED = ", own subset"
"""Ending of the data's name in configs that anyone runs on data of their own."""
KEY = "simmim_bench/data"
PATIENCE = timedelta(hours=12)
"""Listing a million files on a slow network disk takes longer than NCCL waits."""


def data_of(args: argparse.Namespace, cfg: Any) -> DataIdentity:
    """Identity of the data of a run; the first process lists the files for all.

    Args:
        args: Namespace of ``simmim-bench train`` or ``simmim-bench test``.
        cfg: Config with the changes of the command line.

    Raises:
        BenchError: If the data have no valid name.
        OSError: If a file or folder cannot be read.
    """
    if args.launcher == "none":
        return _with_overlaps(identify(args.config, cfg, name_of(args)), args)
    import torch.distributed as dist

    if not dist.is_initialized():
        _init_dist(args.launcher, cfg.get("env_cfg", {}))
    # The store is reached from every node, and waits longer than a collective of NCCL.
    store = dist.distributed_c10d._get_default_store()
    if dist.get_rank() == 0:
        try:
            data = _with_overlaps(identify(args.config, cfg, name_of(args)), args)
            answer: dict[str, Any] = {"data": data.as_json()}
        except (BenchError, OSError) as error:
            answer = {"error": str(error)}
        store.set(KEY, json.dumps(answer))
    store.wait([KEY], PATIENCE)
    answer = json.loads(store.get(KEY))
    if "error" in answer:
        raise BenchError(answer["error"])
    return DataIdentity.model_validate(answer["data"])


def _init_dist(launcher: str, stated: Any) -> None:
    """Start the processes' group as mmengine's runner would do a little later."""
    from mmengine.dist import init_dist
    from mmengine.utils.dl_utils import set_multi_processing

    set_multi_processing(**stated.get("mp_cfg", {}), distributed=True)
    init_dist(launcher, **stated.get("dist_cfg", {}))


def identify(config: str, cfg: Any, given: str | None = None) -> DataIdentity:
    """Identity of the data of a run.

    Args:
        config: Path of the config.
        cfg: Config with the changes of the command line.
        given: Name on the command line.

    Raises:
        BenchError: If the data have no valid name.
        OSError: If a file or folder cannot be read.
    """
    found = fingerprint_config(cfg)
    return DataIdentity(
        name=_name(config, cfg, given, found),
        sha256=sha256_of(found.parts),
        images=found.images or None,
        parts=found.parts,
    )


def data_of_test(
    args: argparse.Namespace, cfg: Any, trained: DataIdentity | None
) -> DataIdentity | None:
    """Identity of the data of a test: those of the training, and what was evaluated.

    Args:
        args: Namespace of ``simmim-bench test``.
        cfg: Config with the changes of the command line.
        trained: Data of the training; None if unknown.

    Returns:
        ``trained`` if the test data are its test or validation data; None if the training's are
        unknown and the command line names no others.
    """
    if trained is None and not (args.data or args.data_root or args.dataset_name):
        return None
    found = fingerprint_config(cfg, ("test_dataloader",))
    known = trained.parts if trained else {}
    if found.parts["test"] in (known.get("test"), known.get("val")):
        return trained
    parts = {**known, **found.parts}
    name = _name(args.config, cfg, name_of(args), found)
    return _with_overlaps(DataIdentity(name=name, sha256=sha256_of(parts), parts=parts), args)


def _with_overlaps(data: DataIdentity, args: argparse.Namespace) -> DataIdentity:
    """``data``; of own data with the content and the overlaps that their ``dataset.json`` states.

    Overlaps with data whose name no record can have are left out: no record can meet them.
    """
    if args.data is None:
        return data
    own, overlaps = read_dataset(args.data), []
    for each in own.overlaps:
        stated = each.model_dump(exclude={"with_"})
        with suppress(ValidationError):
            overlaps.append(Overlap(name=each.with_, sha256=stated.pop("fingerprint"), **stated))
    return data.model_copy(update={"content": own.fingerprint, "overlaps": overlaps})


def check_name(args: argparse.Namespace) -> None:
    """Raise if ``--dataset-name``, or else the name of own data, is not a valid name.

    Raises:
        BenchError: Names it and the rule.
    """
    if args.dataset_name is not None:
        _checked(args.dataset_name, f"--dataset-name {args.dataset_name!r}", "give another name")
    elif (name := name_of(args)) is not None:
        _checked(name, f"--data {args.data}: {name!r}", "pass --dataset-name NAME")


def name_of(args: argparse.Namespace) -> str | None:
    """Name of the data on the command line: of ``--dataset-name``, else of own data."""
    if args.dataset_name is not None or args.data is None:
        return args.dataset_name
    return read_dataset(args.data).name


def _name(config: str, cfg: Any, given: str | None, found: ConfigData) -> str:
    """Name of the data: as given, else as the config says, else that of their folder.

    The config's name is used for the config's own folder, unless it has fewer or more images than
    the published dataset, and if the name is given by ``--cfg-options``.

    Args:
        config: Path of the config.
        cfg: Config with the changes of the command line.
        given: Name on the command line.
        found: What the config reads.
    """
    if given is not None:
        return checked_name(given)
    stated, original = _stated(cfg), load_config(config)
    if stated != _stated(original):
        return stated
    folder = Path(_roots(cfg)[0]).resolve().name
    if _roots(cfg) == _roots(original):
        if found.is_published is not False:
            return stated.removesuffix(UNNAMED)
        folder += f", {found.images} images"
    return _checked(folder, f"the folder's name {folder!r}", "pass --dataset-name NAME")


def _stated(cfg: Any) -> str:
    """Name of the dataset in a config."""
    return str((cfg.get("pretraining") or cfg.protocol).dataset)


def _roots(cfg: Any) -> list[str]:
    return [str(dataset.get("data_root") or ".") for _, dataset in datasets(cfg)]


def _checked(name: str, source: str, remedy: str) -> str:
    try:
        return checked_name(name)
    except ValueError as error:
        raise BenchError(f"{source} cannot be the name of the data: {error}; {remedy}") from error
