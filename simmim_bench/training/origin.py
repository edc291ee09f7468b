"""Where a run starts from: a pretraining from nothing, a downstream run from a backbone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simmim_bench.config import resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import SCRATCH, Pretraining
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.schema import validate

METHOD_OVERRIDE = "pretraining.method="  # names an ablation; changes nothing of the recipe


def _check_origin(args: argparse.Namespace, cfg: Any) -> None:
    """Refuse a config of no known stage, and a start that does not fit the stage."""
    pretraining, downstream = "pretraining" in cfg, "protocol" in cfg
    if pretraining == downstream:
        raise BenchError(
            f"config {args.config} must state either `pretraining` or `protocol`; see the configs "
            "under configs/simmim and configs/imagenet"
        )
    for name, model in (("pretraining", Pretraining), ("protocol", Protocol)):
        if name in cfg:
            validate(
                model,
                cfg[name].to_dict(),
                source=f"{name} of {args.config}",
                remedy="correct it in the config",
            )
    if pretraining and (args.pretrained or args.from_scratch):
        raise BenchError(
            f"{args.config} is a pretraining; --pretrained and --from-scratch belong to "
            "downstream configs"
        )
    if downstream and bool(args.pretrained) == bool(args.from_scratch):
        raise BenchError(
            f"{args.config} needs a backbone: pass --pretrained BACKBONE.PTH (made by "
            "tools/export_backbone.py) or, for the baseline, --from-scratch; one of the two"
        )
    if args.pretrained and not Path(args.pretrained).is_file():
        raise BenchError(
            f"--pretrained {args.pretrained} does not exist; make it with "
            "`python tools/export_backbone.py CHECKPOINT --out DIR`"
        )


def _stated(override: str) -> str:
    """An override; an exported backbone by its method, since each seed of a row has its own."""
    key, _, value = override.partition("=")
    if not (value.endswith(".pth") and Path(value).with_suffix(".json").is_file()):
        return override
    from simmim_bench.weights.files import read_card

    return f"{key}=backbone of {read_card(Path(value))['method']}"


def _facts(args: argparse.Namespace, cfg: Any) -> dict[str, Any]:
    """Fields of the manifest that are known before the run."""
    pretraining = cfg.get("pretraining")
    protocol = cfg.get("protocol")
    overrides = [item for item in args.cfg_options if not item.startswith(METHOD_OVERRIDE)]
    overrides += [f"--data-root={Path(args.data_root).name}"] if args.data_root else []
    overrides += [f"--num-classes={args.num_classes}"] if args.num_classes else []
    facts: dict[str, Any] = {
        "kind": args.kind,
        "seed": args.seed,
        "config": {
            "path": args.config,
            "sha256": resolved_hash(cfg),
            "overrides": overrides,
        },
        "deviations": [f"override {_stated(item)}" for item in overrides],
        "protocol": protocol.to_dict() if protocol else None,
        "inputs": {},
    }
    if pretraining is not None:
        facts.update(stage="pretrain", method=pretraining.method, backbone=pretraining.backbone)
        facts["pretraining"] = {
            **pretraining.to_dict(),
            "epochs": cfg.train_cfg.get("max_epochs", pretraining.epochs),
            "seed": args.seed,
            "checkpoint_sha256": None,
        }
        return facts
    return {**facts, "stage": "finetune", "backbone": cfg.backbone_name, **_origin(args)}


def _origin(args: argparse.Namespace) -> dict[str, Any]:
    """Where the backbone of a downstream run comes from: an export, or nothing, as was said."""
    if args.from_scratch:
        return {"method": SCRATCH, "pretraining": None}
    from simmim_bench.weights.files import read_card

    checkpoint = Path(args.pretrained)
    card = read_card(checkpoint)
    if card["kind"] == "smoke" and args.kind == "full" and args.try_iterations is None:
        raise BenchError(
            f"--pretrained {checkpoint} comes from a smoke run, which cannot make a full result; "
            "pass --kind smoke, or a backbone of a full pretraining"
        )
    sha = card["sha256"]
    return {
        "method": card["method"],
        "pretraining": {**card["pretraining"], "checkpoint_sha256": sha},
        "inputs": {"backbone": {"path": str(checkpoint), "sha256": sha}},
    }
