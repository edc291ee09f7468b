"""Weights that a run starts from, of any origin, as a local file with its card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.io import read_json
from simmim_bench.weights.address import Address, parse_address
from simmim_bench.weights.seal import SAY_INITIAL

RGB = 3


def local_weights(args: argparse.Namespace, cfg: Any) -> argparse.Namespace:
    """The same command line with local weights: fetched, converted, or as they are.

    A checkpoint of another library for ``--init`` stays as it is if it is here and the images have
    three channels: it is converted while it is loaded.

    Args:
        args: Namespace of ``simmim-bench train``; ``check_origin`` has accepted it.
        cfg: Its config.

    Raises:
        BenchError: As ``local_backbone``; also if nothing says what the weights of ``--init`` are.
    """
    flag = "pretrained" if args.pretrained else "init"
    given = getattr(args, flag)
    if not given:
        return args
    address, name = parse_address(given), args.init_name
    if flag == "init" and not address.is_export:
        if not (name or address.is_named):
            raise BenchError(f"--init {given} has no card beside it; {SAY_INITIAL}")
        if address.kind == "file" and Path(given).is_file() and _channels(cfg) == RGB:
            return args
    from simmim_bench.weights.origin import local_backbone

    own_class = str(cfg.model.backbone.get("type")).endswith("TimmFeatures")
    path = local_backbone(given, name=name, own_class=own_class)
    return argparse.Namespace(**{**vars(args), flag: str(path), "origin": shown(address)})


def for_channels(args: argparse.Namespace, cfg: Any) -> argparse.Namespace:
    """The same command line with weights for as many channels as the images of the config have.

    Args:
        args: As ``local_weights`` returns it.
        cfg: Its config, with a backbone.

    Raises:
        BenchError: If the first layer of the backbone does not allow it.
    """
    flag = "pretrained" if args.pretrained else "init"
    given = getattr(args, flag)
    if not given or not parse_address(given).is_export:
        return args
    from simmim_bench.weights.origin import local_backbone

    path = local_backbone(given, channels=_channels(cfg), widen=args.widen)
    return argparse.Namespace(**{**vars(args), flag: str(path)})


def check_same_backbone(args: argparse.Namespace, cfg: Any) -> None:
    """Refuse weights of another kind of backbone before anything is built.

    Args:
        args: As ``for_channels`` returns it.
        cfg: Its config; the libraries are imported.

    Raises:
        BenchError: If the card of the weights states another kind than the config's class has.
    """
    weights = args.pretrained or args.init
    card = read_json(Path(weights).with_suffix(".json")) if weights else None
    if not card:
        return
    from simmim_bench.backbones.base import adapter_name
    from simmim_bench.registry import class_of
    from simmim_bench.weights.pretrained import check_adapter

    name = adapter_name(class_of(cfg.model.backbone.type, "MODELS", cfg.default_scope))
    if name is not None:
        check_adapter(name, card, start_of(args), whole=bool(args.init))


def start_of(args: argparse.Namespace) -> str:
    """The weights that a run starts from as its command line gives them, for errors."""
    flag = "pretrained" if args.pretrained else "init"
    return f"--{flag} {args.origin or getattr(args, flag)}"


def shown(address: Address) -> str:
    """Where weights come from, for a manifest."""
    return address.name if address.kind == "file" else address.shown


def widening(args: argparse.Namespace) -> list[str]:
    """The deviation of a run whose weights were made for other channels; none otherwise."""
    from simmim_bench.weights.widen import say_widened

    given = args.pretrained or args.init
    card = read_json(Path(given).with_suffix(".json")) if given else None
    return [say_widened(card["widened"])] if card and card.get("widened") else []


def _channels(cfg: Any) -> int:
    return int(cfg.model.backbone.get("in_channels", RGB))
