"""A run: what the command line and the config ask for, made once and never changed."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from simmim_bench import shipped
from simmim_bench.config import check_start, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.recipe.length import length_of
from simmim_bench.records import SCRATCH
from simmim_bench.records.environment import precision_of
from simmim_bench.records.manifest import DataIdentity, Precision, Pretraining
from simmim_bench.records.names import checked_name
from simmim_bench.records.protocols import read_protocol
from simmim_bench.records.schema import validate
from simmim_bench.records.tuning import Tuning
from simmim_bench.training.overrides import (
    OTHER_DATA,
    check_tuning,
    deviations_of,
    held_out_of,
    overrides_of,
    tuning_of,
)
from simmim_bench.training.weights import widening
from simmim_bench.weights.address import parse_address, require_existing
from simmim_bench.weights.seal import origin_name

if TYPE_CHECKING:
    from simmim_bench.weights.initial import Initial

INITIAL = ("initial", "initial_sha256")


class Note(str):
    """A sentence for the log alone: the result is that of the recipe."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training.

    Attributes:
        config: Path of the config file; ``configs/...`` for one of the package.
        config_sha256: Hash of all that the config resolves to, overrides included.
        overrides: What the command line changed in the config.
        deviations: The overrides as sentences; what ``adapt`` returns is added to them.
        work_dir: Folder for everything that the run writes.
        kind: A smoke run is never shown beside full ones.
        seed: Random seed.
        launcher: How the processes were started.
        world_size: Number of processes.
        stage: ``pretrain``, ``finetune`` for any downstream task, or ``trial`` with ``--held-out``.
        method: Of the pretraining; ``scratch`` without one.
        backbone: Name of the backbone.
        pretraining: Where the weights come from (``records.manifest.Pretraining``); None: scratch.
        protocol: Of a downstream run (``records.protocols.Protocol``).
        data: Name and fingerprint of the data; None for a try, whose data are demo images.
        backbone_facts: Data and precision of the pretraining, and whether its card is sealed.
        inputs: Files that the run reads besides its data, with their hashes.
        pretrained: Exported backbone that a downstream run starts from.
        init: Weights that a pretraining starts from.
        held_out: Share and seed of ``--held-out``; None without.
        tuning: What ``--tuned`` names (``records.tuning.Tuning``); None without.
        resume: Continue from the last checkpoint in ``work_dir``.
        length: Of the schedule, in epochs or iterations as the config counts.
        longer: Length of the whole training, if it goes on after the end of the schedule.
        try_iterations: Length of a ``--try``; None for a real run.

    The other attributes are the flags of ``simmim-bench train``.
    """

    config: str
    config_sha256: str
    overrides: tuple[str, ...]
    deviations: tuple[str, ...]
    work_dir: Path
    kind: Literal["full", "smoke"]
    seed: int
    launcher: Literal["none", "pytorch", "slurm"]
    world_size: int
    stage: Literal["pretrain", "trial", "finetune"]
    method: str
    backbone: str
    pretraining: dict[str, Any] | None
    protocol: dict[str, Any] | None
    data: DataIdentity | None
    backbone_facts: dict[str, Any]
    inputs: dict[str, Any]
    pretrained: str | None
    init: str | None
    held_out: dict[str, Any] | None
    tuning: Tuning | None
    resume: bool
    length: int
    longer: int | None
    try_iterations: int | None
    auto_scale_lr: bool
    precision: Precision | None
    recompute: bool
    compile: bool
    fsdp: bool
    log_to: tuple[str, ...]
    paint_every: int
    probe_every: int | None
    probe_data: str | None
    cache_gb: float

    @property
    def is_try(self) -> bool:
        """Whether this is a ``--try``, which leaves no record."""
        return self.try_iterations is not None

    @property
    def starts_from(self) -> str:
        """The weights that the command line gives, for errors."""
        named = [given["path"] for given in self.inputs.values()]
        return " ".join(["--pretrained" if self.pretrained else "--init", *named])

    @property
    def has_own_data(self) -> bool:
        """Whether the command line names the data."""
        return any(item.startswith(OTHER_DATA) for item in self.overrides)

    def facts(self, deviations: list[str], cfg: Any) -> dict[str, Any]:
        """Fields of the manifest that are known before training.

        Args:
            deviations: From the recipe.
            cfg: The config as it runs.
        """
        return {
            "stage": self.stage,
            "kind": self.kind,
            "method": self.method,
            "backbone": self.backbone,
            "seed": self.seed,
            "config": {
                "path": self.config,
                "sha256": self.config_sha256,
                "overrides": list(self.overrides),
            },
            "protocol": self.protocol,
            "pretraining": self.pretraining,
            "data": self.data and self.data.as_json(),
            "precision": precision_of(cfg.optim_wrapper),
            **self.backbone_facts,
            "held_out": self.held_out,
            "tuning": self.tuning and self.tuning.as_json(),
            "inputs": self.inputs,
            "deviations": deviations,
        }

    def identity(self, cfg: Any) -> dict[str, Any]:
        """Values that a resumed run must share with the run that wrote the checkpoint; JSON types.

        Args:
            cfg: The config as it runs.
        """
        backbone = self.inputs.get("backbone")
        own = self.pretraining if self.stage == "pretrain" else None
        return {
            "kind": self.kind,
            "method": self.method,
            "seed": self.seed,
            "config": self.config_sha256,
            "length": self.length,
            "data": self.data and self.data.as_json(),
            "precision": precision_of(cfg.optim_wrapper),
            "features": cfg.get("model", {}).get("precision"),
            "backbone": backbone["sha256"] if backbone else None,
            "start": origin_name(self.method, self.pretraining)
            if self.pretraining and not own
            else None,
            "initial": own and own["initial"],
            "initial_sha256": own and own["initial_sha256"],
            "processes": self.world_size,
            "images": cfg.train_dataloader.batch_size,
            "accumulation": cfg.optim_wrapper.get("accumulative_counts", 1),
        }


def make_run(
    args: argparse.Namespace,
    cfg: Any,
    world_size: int,
    data: DataIdentity | None = None,
    longer: int | None = None,
) -> Run:
    """The run that a command line asks for.

    Args:
        args: Namespace of ``simmim-bench train``; ``check_origin`` has accepted it.
        cfg: Config with the changes of the command line.
        world_size: Number of processes.
        data: Identity of its data.
        longer: Length of the whole training, if it goes on after the end of the schedule.

    Raises:
        BenchError: If the backbone's card cannot be used.
    """
    overrides = overrides_of(args)
    if args.name and "pretraining" in cfg:
        cfg.pretraining.method = args.name
    origin = (
        _pretraining_of(args, cfg, data, longer)
        if "pretraining" in cfg
        else _backbone_of(args, cfg)
    )
    flags = (
        *("kind", "seed", "launcher", "pretrained", "init", "resume", "try_iterations"),
        *("auto_scale_lr", "precision", "recompute", "compile", "fsdp", "paint_every"),
        *("probe_every", "probe_data", "cache_gb"),
    )
    tuning = tuning_of(args, cfg)
    return Run(
        config=shipped.portable(str(shipped.find(args.config))),
        config_sha256=resolved_hash(cfg),
        overrides=tuple(overrides),
        deviations=(*deviations_of(overrides, tuning), *widening(args)),
        work_dir=work_dir_of(args),
        length=length_of(cfg)[1],
        longer=longer,
        world_size=world_size,
        protocol=cfg.protocol.to_dict() if "protocol" in cfg else None,
        log_to=tuple(args.log_to),
        data=data,
        held_out=held_out_of(args),
        tuning=tuning,
        **origin,
        **{name: getattr(args, name) for name in flags},
    )


def work_dir_of(args: argparse.Namespace) -> Path:
    """Folder of a run: as given, else of the run's name, else of the config's."""
    return Path(args.work_dir or Path("work_dirs") / (args.name or Path(args.config).stem))


def check_origin(args: argparse.Namespace, cfg: Any) -> None:
    """Check that the config states a stage, and that the start on the command line fits it.

    Raises:
        BenchError: If the config is neither a pretraining nor a downstream run, or ``--pretrained``
            and ``--from-scratch`` do not fit it.
    """
    pretraining, downstream = "pretraining" in cfg, "protocol" in cfg
    if pretraining == downstream:
        raise BenchError(
            f"config {args.config} must state either `pretraining` or `protocol`; see the configs "
            "under configs/simmim and configs/imagenet"
        )
    check_start(cfg, f"config {args.config}")
    stated = cfg["pretraining" if pretraining else "protocol"].to_dict()
    source = f"{'pretraining' if pretraining else 'protocol'} of {args.config}"
    if pretraining:
        validate(Pretraining, stated, source=source, remedy="correct it in the config")
    else:
        read_protocol(stated, source=source, remedy="correct it in the config")
    if pretraining and (args.pretrained or args.from_scratch):
        raise BenchError(
            f"{args.config} is a pretraining; --pretrained and --from-scratch are for downstream "
            "configs, leave them out (--init FILE starts a pretraining from weights)"
        )
    if pretraining:
        check_tuning(args)
    if downstream and args.init:
        raise BenchError(
            f"{args.config} is a downstream config; --init is for pretrainings, pass --pretrained "
            "WEIGHTS"
        )
    _check_run_name(args)
    if args.init_name and not args.init:
        raise BenchError("--init-name says what the weights of --init are; pass --init FILE too")
    if pretraining and any(cfg.pretraining.get(name) for name in INITIAL):
        raise BenchError(
            f"pretraining of {args.config} has initial or initial_sha256, which --init sets; "
            "remove them, and pass --init FILE"
        )
    if downstream and bool(args.pretrained) == bool(args.from_scratch):
        raise BenchError(
            f"{args.config} is a downstream config: pass either --pretrained WEIGHTS (a "
            "backbone.pth of simmim-bench export, or any of docs/own-weights.md) or, for the "
            "baseline, --from-scratch"
        )
    _check_weights(args)


def _check_weights(args: argparse.Namespace) -> None:
    for flag in ("pretrained", "init"):
        if given := getattr(args, flag):
            require_existing(parse_address(given), f"--{flag}")


def _check_run_name(args: argparse.Namespace) -> None:
    """Raise unless ``--name`` is absent or can be the name of a method."""
    if args.name is None:
        return
    try:
        checked_name(args.name)
    except ValueError as error:
        raise BenchError(f"--name {args.name!r}: {error}; give another name") from error
    if args.from_scratch or args.name == SCRATCH:
        raise BenchError(
            f"--name {args.name!r}: runs from random weights are called {SCRATCH!r} in all tables, "
            f"and no others; leave out --name, or give another name to a run from weights"
        )


def _pretraining_of(
    args: argparse.Namespace, cfg: Any, data: DataIdentity | None, longer: int | None
) -> dict[str, Any]:
    """Fields of a run that pretrains: from random weights, or those of ``--init``."""
    stated, initial = cfg.pretraining, _initial_of(args) if args.init else None
    pretraining = {
        **stated.to_dict(),
        **({"dataset": data.name} if data else {}),
        "epochs": longer or cfg.train_cfg.get("max_epochs", stated.epochs),
        "seed": args.seed,
        "checkpoint_sha256": None,
        "initial": initial and initial.name,
        "initial_sha256": initial and initial.sha256,
    }
    if initial:
        remedy = "give another --init-name"
        validate(Pretraining, pretraining, source=f"--init {args.init}", remedy=remedy)
    return {
        "stage": "pretrain",
        "method": stated.method,
        "backbone": stated.backbone,
        "pretraining": pretraining,
        "backbone_facts": {},
        "inputs": {"initial": {"path": args.origin or args.init, "sha256": initial.sha256}}
        if initial
        else {},
    }


def _initial_of(args: argparse.Namespace) -> Initial:
    from simmim_bench.weights.initial import read_initial

    initial = read_initial(Path(args.init), args.init_name)
    _check_kind(args, initial.kind, f"--init {args.init}")
    return initial


def _check_kind(args: argparse.Namespace, kind: str, what: str) -> None:
    if kind == "smoke" and args.kind == "full" and args.try_iterations is None:
        raise BenchError(
            f"{what} comes from a smoke run, which cannot make a full result; pass --kind smoke, "
            "or a backbone of a full pretraining"
        )


def _backbone_of(args: argparse.Namespace, cfg: Any) -> dict[str, Any]:
    """Fields of a downstream run: its backbone is an export, or random."""
    kind = "finetune" if args.held_out is None else "trial"
    stage = {"stage": kind, "backbone": cfg.backbone_name}
    if args.from_scratch:
        none: dict[str, Any] = {"pretraining": None, "backbone_facts": {}, "inputs": {}}
        return {**stage, "method": SCRATCH, **none}
    from simmim_bench.weights.card import is_sealed, read_card

    checkpoint = Path(args.pretrained)
    card = read_card(checkpoint)
    _check_kind(args, card["kind"], f"--pretrained {checkpoint}")
    sha = card["sha256"]
    return {
        **stage,
        "method": args.name or card["method"],
        "pretraining": {**card["pretraining"], "checkpoint_sha256": sha},
        "backbone_facts": {
            "pretraining_data": card.get("data"),
            "pretraining_precision": card.get("precision"),
            "card_sealed": is_sealed(card),
        },
        "inputs": {"backbone": {"path": args.origin or args.pretrained, "sha256": sha}},
    }
