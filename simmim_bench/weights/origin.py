"""Weights of any origin as a local ``backbone.pth`` with its card, converted once and kept.

What is kept is named by a hash of the content and of all options, so the same weights are converted
once. Processes that want the same weights wait for the first one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from simmim_bench import ops
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.weights.address import EXPORT, parse_address
from simmim_bench.weights.card import read_card, save_backbone
from simmim_bench.weights.fetch import cache_folder, fetch
from simmim_bench.weights.files import load_checkpoint
from simmim_bench.weights.seal import SEAL
from simmim_bench.weights.widen import Rule, check_channels, widen_state, widened

VERSION = 2
"""Raise it when the same content and options give other weights or another card."""


def local_backbone(
    given: str,
    *,
    name: str | None = None,
    channels: int | None = None,
    widen: Rule = "mean",
    own_class: bool = False,
) -> Path:
    """Path of an exported backbone with its card.

    Args:
        given: Exported ``backbone.pth``, which is returned as it is, or its folder; path or URL of
            a checkpoint of another library; ``timm:NAME``, ``timm:hf-hub:ORG/NAME``,
            ``hf:ORG/NAME[@REVISION]`` or ``torchvision:NAME.EXPORT``.
        name: What tables call the weights; by default a part of ``given``.
        channels: Channels of the images; weights of another number are widened.
        widen: How (``weights/widen.py``).
        own_class: Whether a model of timm stays timm's class.

    Raises:
        BenchError: If there are no such weights, or they cannot be converted completely.
    """
    if channels is not None:
        check_channels(channels)
    address = parse_address(given)
    if address.is_export:
        return _for_channels(Path(address.name), channels, widen)
    ops.install()  # before the libraries are imported
    from simmim_bench.weights.convert.write import Stated, named, write_backbone
    from simmim_bench.weights.foreign import convert_weights

    method = named(name, "the name of the weights") if name else address.label
    waiting = cache_folder() / "locks" / hashlib.sha256(given.encode()).hexdigest()[:16]
    waiting.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(waiting):
        fetched = fetch(address)
        stated = Stated(method=method, origin=address.shown, revision=fetched.revision)

        def make(target: Path) -> None:
            found = convert_weights(
                address,
                fetched,
                own_class=own_class,
                ours=False,
                channels=channels,
                widen=widen,
            )
            write_backbone(found, target, stated, with_report=True)

        key = {"content": fetched.sha256(), "own_class": own_class, **vars(stated)}
        return _kept({**key, "channels": channels, "widen": channels and widen}, make)


def _kept(key: dict[str, Any], make: Callable[[Path], None]) -> Path:
    """What ``make`` writes into a folder, made now or before."""
    text = json.dumps({**key, "version": VERSION}, sort_keys=True)
    folder = cache_folder() / hashlib.sha256(text.encode()).hexdigest()[:32]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if folder.is_dir():
            if _is_whole(folder / EXPORT):
                return folder / EXPORT
            shutil.rmtree(folder)
        make(folder)
    return folder / EXPORT


def _is_whole(weights: Path) -> bool:
    try:
        return bool(read_card(weights)["sha256"] == sha256_file(weights))
    except BenchError:
        return False


def _for_channels(weights: Path, channels: int | None, rule: Rule) -> Path:
    """An exported backbone for images of so many channels."""
    if channels is None:
        return weights
    card = read_card(weights)
    given = card["architecture"].get("in_channels", 3)
    if given == channels:
        return weights
    key = {"content": card["sha256"], "channels": channels, "widen": rule}
    return _kept(key, lambda folder: _widen_export(weights, card, channels, rule, folder))


def _widen_export(
    weights: Path, card: dict[str, Any], channels: int, rule: Rule, folder: Path
) -> None:
    """Write an exported backbone again, for images of another number of channels."""
    ops.install()  # before the libraries are imported
    from simmim_bench.backbones import adapter_for
    from simmim_bench.weights.safe_config import build_from_file
    from simmim_bench.weights.strict import load_strict

    config = {**card["backbone_config"], "in_channels": channels}
    backbone = build_from_file(
        config, source=weights.with_suffix(".json"), entry="backbone_config", scope="mmpretrain"
    )
    state = widen_state(load_checkpoint(weights), backbone.state_dict(), rule, weights)
    load_strict(
        backbone,
        state,
        source=f"{weights} does not fit its card",
        remedy="export the backbone again",
    )
    adapter = adapter_for(backbone)
    before = card["architecture"].get("in_channels", 3)
    changed = {
        "architecture": adapter.architecture(),
        "sizes": adapter.sizes(),
        "parameters": sum(value.numel() for value in backbone.parameters()),
        "backbone_config": config,
        "keys": {key: list(value.shape) for key, value in state.items()},
        "widened": widened(before, channels, rule),
    }
    facts = {key: value for key, value in card.items() if key not in (SEAL, "sha256")}
    save_backbone(state, {**facts, **changed}, folder / EXPORT)
