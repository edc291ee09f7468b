"""The manifest that every stage writes last: its inputs, its outputs, its cost.

A stage is complete when its folder has a ``manifest.json`` that says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from simmim_bench.io import atomic_write_json
from simmim_bench.records import SCRATCH
from simmim_bench.records.curves import Curve
from simmim_bench.records.protocols import MeasuredProtocol, check_metrics
from simmim_bench.records.schema import (
    CURRENT,
    EARLIER,
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
    read_model,
    version_of,
)
from simmim_bench.records.tuning import HeldOut, Tuning

FILE_NAME = "manifest.json"
SUPERSEDED = "superseded"
"""Folder of runs that a suite has replaced by runs with other inputs."""
CPU = "CPU "
"""Start of a cost's device that is not a GPU."""
REMEDY = "delete it and run its stage again"

Kind = Literal["full", "smoke"]
Stage = Literal["data", "pretrain", "export", "trial", "finetune", "test"]
Precision = Literal["float32", "bfloat16", "float16"]


class FileRef(StrictModel):
    """A file and the hash of its content."""

    path: Text
    sha256: Sha256


class ConfigRef(StrictModel):
    """A config file, the hash of the resolved config, and overrides from the command line."""

    path: Text
    sha256: Sha256
    overrides: list[str] = []

    def __str__(self) -> str:
        """Path and the first digits of the hash."""
        return f"{self.path} ({self.sha256[:12]})"


class Overlap(StrictModel):
    """Images that other data have as well, nearly, as ``inspect --against`` found them.

    ``name`` and ``sha256`` are of the other data. ``images`` of ``part`` are also in their part
    ``of`` (empty: they have no parts), which is the ``share``; ``back`` of ``of`` are in ``part``,
    which is ``share_back``. ``threshold`` is the largest difference by ``method``.
    """

    name: Name
    sha256: Sha256
    method: Text
    threshold: Annotated[int, Field(ge=0)]
    part: Text
    of: str
    images: Annotated[int, Field(ge=0)]
    share: Annotated[float, Field(ge=0, le=1)]
    back: Annotated[int, Field(ge=0)]
    share_back: Annotated[float, Field(ge=0, le=1)]


class DataIdentity(StrictModel):
    """The data of a run: their name, and a fingerprint that no other data have.

    ``parts`` are the fingerprints of the training, validation and test data, ``sha256`` is the
    hash of these; ``images`` counts each image once. ``content`` is the fingerprint that own data
    have in their ``dataset.json``, ``overlaps`` what they are known to share with other data.
    """

    name: Name
    sha256: Sha256
    images: PositiveInt | None = None
    parts: dict[Name, Sha256] = {}
    content: Sha256 | None = None
    overlaps: list[Overlap] = []

    def shared_with(self, other: DataIdentity) -> list[Overlap]:
        """Overlaps with ``other``: its name, and its content if both state it; none are of 0."""
        return [
            each
            for each in self.overlaps
            if each.images and each.name == other.name and other.content in (None, each.sha256)
        ]


class Pretraining(StrictModel):
    """Where a backbone comes from; ``checkpoint_sha256`` is that of the exported weights.

    ``initial`` names the weights that the pretraining started from, such as ``supervised
    ImageNet-1k``; None if they were random, or if the pretraining was recorded before version 3.
    """

    method: Name
    backbone: Name
    dataset: Name
    epochs: Epochs | None = None
    image_size: ImageSize | None = None
    seed: Seed | None = None
    checkpoint_sha256: Sha256 | None = None
    initial: Name | None = None
    initial_sha256: Sha256 | None = None


def label_of(method: str, initial: str | None) -> str:
    """A method as tables show it: ``simmim, from supervised ImageNet-1k``.

    Args:
        method: Name of the method, or what else the weights are.
        initial: What the pretraining started from; None: random weights.
    """
    return f"{method}, from {initial}" if initial else method


class Cost(StrictModel):
    """Cost of a stage; memory is in MiB of one process, ``flops`` are of one forward pass.

    ``energy_joules`` is that of all GPUs of the run, or of the CPU packages of its machines
    (``energy_source``); None if no counter can be read.
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
    """Versions and commit that a stage ran with."""

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
    """What one stage did.

    Metrics are in percent with full precision, times in UTC. ``pretraining`` is None for a
    backbone trained from scratch. ``pretraining_data``, ``pretraining_precision`` and
    ``card_sealed`` are of the backbone that a fine-tuning starts from. A trial is a fine-tuning on
    a part of the training data, scored on the rest (``held_out``); it makes no record.
    """

    schema_version: Literal[6] = 6
    stage: Stage
    status: Literal["complete", "failed"]
    kind: Kind
    method: Name | None = None
    backbone: Name | None = None
    seed: Seed | None = None
    config: ConfigRef | None = None
    protocol: MeasuredProtocol | None = None
    pretraining: Pretraining | None = None
    data: DataIdentity | None = None
    precision: Precision | None = None
    pretraining_data: DataIdentity | None = None
    pretraining_precision: Precision | None = None
    card_sealed: bool | None = None
    held_out: HeldOut | None = None
    tuning: Tuning | None = None
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
            raise ValueError("status is 'complete' but failure is given; expected status 'failed'")
        for field in _required(self.stage):
            if getattr(self, field) is None:
                raise ValueError(f"{field} is missing; a manifest of stage {self.stage} needs it")
        if self.tuning and self.stage != "finetune":
            raise ValueError(f"tuning is given, which stage {self.stage} does not have")
        if self.stage in ("trial", "finetune"):
            check_origin(self.method, self.pretraining)
            if self.status == "complete" and self.protocol:
                check_metrics(self.metrics, self.protocol)
        return self

    @classmethod
    def upgrade(cls, value: Any) -> Any:
        """Convert a manifest of an earlier version: fields that it lacks are unknown.

        Raises:
            ValueError: If the version is unknown.
        """
        return {**value, "schema_version": CURRENT} if version_of(value) in EARLIER else value

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read and validate a manifest file.

        Raises:
            BenchError: If it is missing, not JSON or not valid.
        """
        return read_model(cls, path, remedy=REMEDY)

    def write(self, path: Path) -> None:
        """Write atomically: a reader sees the old manifest or the new one."""
        atomic_write_json(path, self.as_json())


def _required(stage: Stage) -> tuple[str, ...]:
    run = ("method", "backbone", "seed", "config", "cost")
    required: dict[Stage, tuple[str, ...]] = {
        "data": (),
        "pretrain": (*run, "pretraining"),
        "export": ("method", "backbone"),
        "trial": (*run, "protocol", "held_out"),
        "finetune": (*run, "protocol"),
        "test": ("config", "protocol", "cost"),
    }
    return required[stage]


def check_origin(method: str | None, pretraining: Pretraining | None) -> None:
    """Raise if a random backbone has a method's name, or a pretrained one is called ``scratch``.

    Raises:
        ValueError: If ``method`` and ``pretraining`` contradict each other.
    """
    if (method == SCRATCH) != (pretraining is None):
        stated = "none" if pretraining is None else f"by {pretraining.method}"
        raise ValueError(
            f"method is {method!r} but pretraining is {stated}; without pretraining, it must be "
            f"{SCRATCH!r}, with pretraining another"
        )
