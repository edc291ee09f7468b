"""The record: one measured or cited result, and everything needed to trust it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from simmim_bench.records.curves import Curve
from simmim_bench.records.hash import content_sha256, has_sha256
from simmim_bench.records.manifest import (
    ConfigRef,
    Cost,
    DataIdentity,
    Environment,
    Kind,
    Precision,
    Pretraining,
    check_origin,
    label_of,
)
from simmim_bench.records.protocols import Protocol, check_length, check_metrics
from simmim_bench.records.schema import (
    CURRENT,
    EARLIER,
    Name,
    Percent,
    Seed,
    Sha256,
    StrictModel,
    Text,
    Title,
    UtcTime,
    version_of,
)
from simmim_bench.records.tuning import Tuning

SEAL = ("run_id", "sha256")
"""Fields that ``Record.seal`` adds; the hash covers all others."""


class Provenance(StrictModel):
    """Where a result comes from: this harness (``measured``), or a source with table and URL.

    ``published`` results are the authors' own, ``reproduced`` ones those of another code base.
    """

    kind: Literal["measured", "reproduced", "published"]
    table: Title | None = None
    url: Annotated[str, Field(pattern=r"^https?://[^\s<>()\"'\\|`]+$")] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "measured" and (self.table or self.url):
            raise ValueError(
                "kind is 'measured' but a source is given; to cite it, use 'published'"
            )
        if self.kind != "measured" and not (self.table and self.url):
            raise ValueError(f"kind is {self.kind!r} without table and url; state both")
        return self


class RecordBody(StrictModel):
    """The content of a record; ``Record.seal`` adds run id and hash.

    ``cost``, ``deviations``, ``data`` and ``precision`` are those of the fine-tuning alone,
    ``pretraining_cost`` and so on those of the pretraining; ``pretraining_configs`` are of all
    trainings that made the backbone, the first one first; empty: unknown. ``own_initial``: what the
    pretraining started from was trained by one of them, so each seed started from other weights.
    ``card_sealed`` says whether the card of the backbone could be checked against its hash. None:
    unknown. ``tuning`` says how values were chosen on training data; each of them is a deviation;
    None: nothing was tuned.
    """

    schema_version: Literal[6] = 6
    kind: Kind
    method: Name
    backbone: Name
    pretraining: Pretraining | None
    data: DataIdentity | None = None
    precision: Precision | None = None
    pretraining_data: DataIdentity | None = None
    pretraining_precision: Precision | None = None
    card_sealed: bool | None = None
    tuning: Tuning | None = None
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
    pretraining_configs: list[ConfigRef] = []
    own_initial: bool = False
    curves: dict[Name, Curve] = {}
    pretraining_curves: dict[Name, Curve] = {}
    date: UtcTime

    @model_validator(mode="after")
    def _check_body(self) -> Self:
        check_origin(self.method, self.pretraining)
        if self.tuning and not set(self.tuning.deviations()) <= set(self.deviations):
            raise ValueError(f"deviations lack {'; '.join(self.tuning.deviations())}")
        if self.provenance.kind == "measured":
            check_length(self.protocol)
            check_metrics(self.metrics, self.protocol)
            for field in ("seed", "cost", "environment", "config"):
                if getattr(self, field) is None:
                    raise ValueError(f"{field} is missing; a measured record needs it")
        elif self.kind == "smoke" or not set(self.metrics) <= set(self.protocol.metrics):
            raise ValueError(
                f"a {self.provenance.kind} record needs kind 'full' and metrics of its protocol"
            )
        return self

    @property
    def label(self) -> str:
        """The method as tables show it; see ``label_of``."""
        return label_of(self.method, self.pretraining.initial if self.pretraining else None)

    @property
    def untuned_deviations(self) -> list[str]:
        """Deviations, without the values that trials chose."""
        tuned = self.tuning.deviations() if self.tuning else ()
        return [text for text in self.deviations if text not in tuned]

    @property
    def recipe_sha256(self) -> str | None:
        """Hash of the config, without the values that trials chose."""
        if self.tuning:
            return self.tuning.recipe_sha256
        return self.config.sha256 if self.config else None

    @property
    def leaks(self) -> list[str]:
        """What the data of the pretraining and of the task share; a sentence each."""
        first, last = self.pretraining_data, self.data
        if first is None or last is None:
            return []
        found = [
            (each.part, each.images, each.share, each.of, each.back, each.share_back, each)
            for each in first.shared_with(last)
        ]
        found += [
            (each.of, each.back, each.share_back, each.part, each.images, each.share, each)
            for each in last.shared_with(first)
            if not found
        ]
        return [
            f"{count} images of the pretraining ({_place(first, part)}, {100 * share:.2g} %) are "
            f"nearly {back} of {_place(last, of)} ({100 * share_back:.2g} %; {each.method}, up to "
            f"{each.threshold} differ)"
            for part, count, share, of, back, share_back, each in found
        ]

    def make_run_id(self) -> str:
        """Name of the run, made of its inputs only: a repeated run has the same name."""
        origin_of = self.pretraining
        weights = origin_of and (origin_of.checkpoint_sha256 or _known(origin_of))
        inputs = {
            "protocol": [self.protocol.id, self.protocol.version],
            "method": self.method,
            "backbone": self.backbone,
            "seed": self.seed,
            "config": self.config.sha256 if self.config else None,
            "checkpoint": weights,
            "kind": self.kind,
            "provenance": self.provenance.as_json(),
            # unknown in earlier versions, whose records keep their names
            **({"data": self.data.sha256} if self.data else {}),
            **({"precision": self.precision} if self.precision else {}),
            **({"tuning": self.tuning.key()} if self.tuning else {}),
        }
        origin = self.provenance.kind if self.seed is None else f"seed{self.seed}"
        return f"{self.protocol.id}-v{self.protocol.version}-{origin}-{content_sha256(inputs)[:12]}"

    def make_sha256(self) -> str:
        """SHA-256 of everything but run id and hash."""
        return content_sha256(self._sealed())

    def _sealed(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude=set(SEAL))


class Record(RecordBody):
    """A sealed record; its hash must match its content."""

    run_id: str
    sha256: Sha256

    @model_validator(mode="after")
    def _check_seal(self) -> Self:
        if not has_sha256(self._sealed(), self.sha256):
            raise ValueError(_changed(self.sha256, self.make_sha256()))
        run_id = self.make_run_id()
        if self.run_id != run_id:
            raise ValueError(f"run_id is {self.run_id!r}, its inputs give {run_id!r}")
        return self

    @classmethod
    def upgrade(cls, value: Any) -> Any:
        """Convert a record of an earlier version: check its hash, and hash again with new fields.

        The run id stays.

        Raises:
            ValueError: If the version is unknown, or the record was changed after it was written.
        """
        if version_of(value) not in EARLIER:
            return value
        stated = {key: field for key, field in value.items() if key not in SEAL}
        sealed = value.get("sha256")
        if not has_sha256(stated, sealed):
            raise ValueError(_changed(str(sealed), content_sha256(stated)))
        body = RecordBody.model_validate({**stated, "schema_version": CURRENT})
        return {**body.as_json(), "run_id": value.get("run_id"), "sha256": body.make_sha256()}

    @classmethod
    def seal(cls, body: RecordBody) -> Record:
        """Add run id and hash to a body."""
        return cls.model_validate(
            {**body.as_json(), "run_id": body.make_run_id(), "sha256": body.make_sha256()}
        )


def _place(data: DataIdentity, part: str) -> str:
    return f"{data.name} {part}".strip()


def _known(origin: Pretraining) -> dict[str, Any]:
    """What identifies a pretraining without a checkpoint; ``initial`` only if it is known."""
    stated = origin.as_json()
    later = {name: stated.pop(name) for name in ("initial", "initial_sha256")}
    return stated | {name: value for name, value in later.items() if value is not None}


def _changed(stated: str, found: str) -> str:
    return (
        f"sha256 is {stated[:12]}... but the content hashes to {found[:12]}...; the record was "
        f"changed after it was written"
    )
