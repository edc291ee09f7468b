"""The manifest that every stage writes last: what went in, what came out, what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from simmim_bench.io import atomic_write_json
from simmim_bench.records.curve import Curve
from simmim_bench.records.schema import (
    Epochs,
    ImageSize,
    JsonObject,
    Name,
    NonNegativeFloat,
    Percent,
    PositiveInt,
    Seed,
    Sha256,
    StrictModel,
    Text,
    UtcTime,
    manifest_to_current,
    read_model,
)

FILE_NAME = "manifest.json"
SUPERSEDED = "superseded"  # folder of runs that a suite has replaced
SCRATCH = "scratch"
BY_SIZE = ("_mAP_s", "_mAP_m", "_mAP_l")  # COCO's figures of small, medium and large objects
CPU = "CPU "  # how the device of a cost begins that is no GPU
REMEDY = "delete it and run its stage again"

Kind = Literal["full", "smoke"]
Stage = Literal["data", "pretrain", "export", "finetune", "test"]
Task = Literal["classification", "detection", "segmentation", "retrieval", "vqa", "generation"]


class FileRef(StrictModel):
    """A file and what it held."""

    path: Text
    sha256: Sha256


class ConfigRef(StrictModel):
    """A config file, the hash of all it resolves to, and what the command line changed."""

    path: Text
    sha256: Sha256
    overrides: list[str] = []


class Protocol(StrictModel):
    """What makes numbers comparable; a change of any of it raises ``version``.

    ``metrics`` maps names of records to keys of the evaluator; ``primary`` is one of the names.
    The schedule is stated in ``epochs`` or, where the recipe counts so, in ``iterations``.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]
    version: PositiveInt
    task: Task
    dataset: Name
    split: Name
    image_size: ImageSize | None = None
    epochs: Epochs | None = None
    iterations: PositiveInt | None = None
    metrics: Annotated[dict[Name, Text], Field(min_length=1)]
    primary: Name

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.primary not in self.metrics:
            raise ValueError(
                f"primary is {self.primary!r}, expected one of {', '.join(self.metrics)}"
            )
        if self.epochs is None and self.iterations is None:
            raise ValueError("neither epochs nor iterations is given; a protocol states a schedule")
        return self


class Pretraining(StrictModel):
    """Where a backbone comes from; ``checkpoint_sha256`` is that of the exported weights."""

    method: Name
    backbone: Name
    dataset: Name
    epochs: Epochs | None = None
    image_size: ImageSize | None = None
    seed: Seed | None = None
    checkpoint_sha256: Sha256 | None = None


class Cost(StrictModel):
    """What a stage took; memory in MiB of one process, ``flops`` of one forward pass.

    ``energy_joules`` is that of all GPUs of the run, or of the CPU packages of its machines
    (``energy_source``); None where no counter can be read.
    """

    device: Text
    device_count: PositiveInt
    wall_seconds: NonNegativeFloat
    peak_memory_mb: NonNegativeFloat
    images_per_second: NonNegativeFloat | None = None
    parameters: PositiveInt | None = None
    flops: PositiveInt | None = None
    energy_joules: NonNegativeFloat | None = None
    energy_source: Literal["GPU", "CPU"] | None = None


class Environment(StrictModel):
    """Versions and commit a stage ran with."""

    python: Text
    torch: Text | None = None
    versions: dict[str, str] = {}
    git_commit: Annotated[str, Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")] | None = None
    git_dirty: bool | None = None
    platform: Text


class Failure(StrictModel):
    """Why a run failed for good, and at which iteration (from 1)."""

    reason: Text
    iteration: PositiveInt


class Manifest(StrictModel):
    """One stage: a folder is done when its manifest says ``complete``.

    Metrics are percent in full precision; times are UTC. ``pretraining`` is None from scratch.
    """

    schema_version: Literal[2] = 2
    stage: Stage
    status: Literal["complete", "failed"]
    kind: Kind
    method: Name | None = None
    backbone: Name | None = None
    seed: Seed | None = None
    config: ConfigRef | None = None
    protocol: Protocol | None = None
    pretraining: Pretraining | None = None
    inputs: dict[str, FileRef] = {}
    outputs: dict[str, FileRef] = {}
    metrics: dict[Name, Percent] = {}
    cost: Cost | None = None
    environment: Environment
    load_report: JsonObject | None = None
    curves: dict[Name, Curve] = {}
    deviations: list[Text] = []
    failure: Failure | None = None
    started: UtcTime
    finished: UtcTime

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.failure and self.status == "complete":
            raise ValueError("status is complete, but failure says why it failed")
        for field in _required(self.stage):
            if getattr(self, field) is None:
                raise ValueError(f"{field} is missing; a manifest of stage {self.stage} states it")
        if self.stage == "finetune":
            check_origin(self.method, self.pretraining)
            if self.status == "complete" and self.protocol:
                check_metrics(self.metrics, self.protocol)
        return self

    @classmethod
    def upgrade(cls, value: Any) -> Any:
        """Read what earlier versions wrote."""
        return manifest_to_current(value)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read and validate a manifest file.

        Raises:
            BenchError: If it is missing, no JSON or not valid; names file, field and remedy.
        """
        return read_model(cls, path, remedy=REMEDY)

    def write(self, path: Path) -> None:
        """Write atomically; a reader sees the old manifest or the new one."""
        atomic_write_json(path, self.as_json())


def _required(stage: Stage) -> tuple[str, ...]:
    run = ("method", "backbone", "seed", "config", "cost")
    required: dict[Stage, tuple[str, ...]] = {
        "data": (),
        "pretrain": (*run, "pretraining"),
        "export": ("method", "backbone"),
        "finetune": (*run, "protocol"),
        "test": ("config", "protocol", "cost"),
    }
    return required[stage]


def check_origin(method: str | None, pretraining: Pretraining | None) -> None:
    """Refuse a random backbone under a method's name, and a pretrained one as ``scratch``.

    Raises:
        ValueError: If ``method`` and ``pretraining`` contradict one another.
    """
    if (method == SCRATCH) != (pretraining is None):
        stated = "none" if pretraining is None else f"by {pretraining.method}"
        raise ValueError(
            f"method is {method!r} but pretraining is {stated}; 'scratch' and no pretraining go "
            f"together"
        )


def check_metrics(metrics: dict[str, float], protocol: Protocol) -> None:
    """Refuse metrics that are not exactly the protocol's, but for what data may not have.

    Raises:
        ValueError: Names both sets.
    """
    by_size = {name for name, key in protocol.metrics.items() if key.endswith(BY_SIZE)}
    if set(metrics) | by_size - {protocol.primary} != set(protocol.metrics):
        raise ValueError(
            f"metrics are {', '.join(sorted(metrics)) or 'empty'}, protocol "
            f"{protocol.id}@{protocol.version} has {', '.join(sorted(protocol.metrics))}"
        )


def stage_done(folder: Path) -> bool:
    """Whether the stage in ``folder`` has a manifest that says ``complete``.

    Raises:
        BenchError: If there is a manifest that is not valid.
    """
    path = folder / FILE_NAME
    return path.is_file() and Manifest.read(path).status == "complete"
