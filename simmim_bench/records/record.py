"""The record: one measured or cited result with all that it takes to trust it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator
from typing_extensions import Self

from simmim_bench.records.curve import Curve
from simmim_bench.records.hash import has_sha256, model_sha256
from simmim_bench.records.manifest import (
    ConfigRef,
    Cost,
    Environment,
    Kind,
    Pretraining,
    Protocol,
    check_metrics,
    check_origin,
)
from simmim_bench.records.schema import (
    SEAL,
    Name,
    Percent,
    Seed,
    Sha256,
    StrictModel,
    Text,
    Title,
    UtcTime,
    record_to_current,
)

SEAL_CHECKED_BESIDE = {"seal": "checked in another process"}
"""Context of a validation that leaves run id and hash, a third of its time, to somebody else."""


class Provenance(StrictModel):
    """Who says so: this harness (``measured``), or a source with its table and URL.

    ``published`` is the authors' own figure, ``reproduced`` that of another code base.
    """

    kind: Literal["measured", "reproduced", "published"]
    table: Title | None = None
    url: Annotated[str, Field(pattern=r"^https?://[^\s<>()\"'\\|`]+$")] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "measured" and (self.table or self.url):
            raise ValueError("kind is 'measured' but a source is given; cite it as 'published'")
        if self.kind != "measured" and not (self.table and self.url):
            raise ValueError(f"kind is {self.kind!r} without table and url; state both")
        return self


class RecordBody(StrictModel):
    """The content of a record; ``Record.seal`` adds run id and hash.

    ``cost`` and ``deviations`` are those of the fine-tuning alone, ``pretraining_cost`` and
    ``pretraining_deviations`` those of the pretraining.
    """

    schema_version: Literal[2] = 2
    kind: Kind
    method: Name
    backbone: Name
    pretraining: Pretraining | None
    protocol: Protocol
    metrics: Annotated[dict[Name, Percent], Field(min_length=1)]
    seed: Seed | None = None
    cost: Cost | None = None
    pretraining_cost: Cost | None = None
    environment: Environment | None = None
    config: ConfigRef | None = None
    provenance: Provenance
    deviations: list[Text] = []
    pretraining_deviations: list[Text] = []
    curves: dict[Name, Curve] = {}
    pretraining_curves: dict[Name, Curve] = {}
    date: UtcTime

    @model_validator(mode="after")
    def _check_body(self) -> Self:
        check_origin(self.method, self.pretraining)
        if self.provenance.kind == "measured":
            check_metrics(self.metrics, self.protocol)
            for field in ("seed", "cost", "environment", "config"):
                if getattr(self, field) is None:
                    raise ValueError(f"{field} is missing; a measured record states it")
        elif self.kind == "smoke" or not set(self.metrics) <= set(self.protocol.metrics):
            raise ValueError(
                f"a {self.provenance.kind} record is of kind 'full' and has metrics of its protocol"
            )
        return self

    def make_run_id(self) -> str:
        """Name of the run, from its inputs alone: the same run always has the same."""
        origin_of = self.pretraining
        weights = origin_of.checkpoint_sha256 or origin_of.as_json() if origin_of else None
        inputs = {
            "protocol": [self.protocol.id, self.protocol.version],
            "method": self.method,
            "backbone": self.backbone,
            "seed": self.seed,
            "config": self.config.sha256 if self.config else None,
            "checkpoint": weights,
            "kind": self.kind,
            "provenance": self.provenance.as_json(),
        }
        origin = self.provenance.kind if self.seed is None else f"seed{self.seed}"
        return f"{self.protocol.id}-v{self.protocol.version}-{origin}-{model_sha256(inputs)[:12]}"

    def make_sha256(self) -> str:
        """SHA-256 of everything but run id and hash."""
        return model_sha256(self._sealed())

    def _sealed(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude=set(SEAL))


class Record(RecordBody):
    """A sealed record; its hash must match its content."""

    run_id: str
    sha256: Sha256

    @model_validator(mode="after")
    def _check_seal(self, info: ValidationInfo) -> Self:
        if info.context is SEAL_CHECKED_BESIDE:
            return self
        if not has_sha256(self._sealed(), self.sha256):
            found = self.make_sha256()
            raise ValueError(
                f"sha256 is {self.sha256[:12]}... but the content hashes to {found[:12]}...; the "
                f"record was changed after it was written"
            )
        run_id = self.make_run_id()
        if self.run_id != run_id:
            raise ValueError(f"run_id is {self.run_id!r}, its inputs give {run_id!r}")
        return self

    @classmethod
    def upgrade(cls, value: Any) -> Any:
        """Read what earlier versions wrote; their seal is checked, then made anew."""
        return record_to_current(value)

    @classmethod
    def seal(cls, body: RecordBody) -> Record:
        """Add run id and hash to a body."""
        return cls.model_validate(
            {**body.as_json(), "run_id": body.make_run_id(), "sha256": body.make_sha256()}
        )
