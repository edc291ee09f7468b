"""Protocols: what makes numbers comparable, and which of them the configs define.

A protocol is stated by a downstream config. Records repeat it, so that a table can be made without
the config; ``check_known`` compares the two.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from simmim_bench.errors import BenchError
from simmim_bench.plugins import FLAG, HINT, Table, caller
from simmim_bench.records.literals import UNREADABLE, literals_in
from simmim_bench.records.schema import (
    Epochs,
    ImageSize,
    Name,
    PositiveInt,
    StrictModel,
    Text,
    validate,
)
from simmim_bench.shipped import CONFIGS

BY_SIZE = ("_mAP_s", "_mAP_m", "_mAP_l")
"""Endings of COCO's metrics of small, medium and large objects, which a data set may lack."""
SMALLER_IS_BETTER = frozenset({"rmse", "rmse_log", "abs_rel", "sq_rel", "log10", "silog"})
"""Keys of the evaluator of depth. Tables do not rank them."""
PLAIN = r"[a-z0-9]+([._-][a-z0-9]+)*"
FIXED = ("task", "metrics", "primary")
"""Fields that must agree even if a run deviates from its protocol, for example in its images."""
KEEP = (
    "A protocol of your own is kept by `simmim-bench leaderboard add RECORD --config CONFIG`; a "
    f"module of yours that calls register_protocols is named with {FLAG}"
)

NAMES = "classification detection segmentation depth retrieval vqa generation"
_TASKS = Table("task", dict.fromkeys(NAMES.split(), ""))
_FOLDERS: Table[Path] = Table("folder of protocols", {})


def tasks() -> tuple[str, ...]:
    """Names of all tasks, in the order of the tables; those of users come last."""
    return tuple(_TASKS.all())


def register_task(name: str) -> None:
    """Let protocols have the task ``name``, beside those of the package.

    The metrics of its protocols are in percent, 0 to 100, and larger is better, as for all tasks.

    Args:
        name: Lower case letters, digits, ``.``, ``_`` and ``-``.

    Raises:
        BenchError: If there is such a task, or ``name`` has other characters.
    """
    if not re.fullmatch(PLAIN, name):
        raise BenchError(
            f"a task is named by lower case letters, digits, '.', '_' and '-', got {name!r}"
        )
    _TASKS.add(name, "", caller())


def register_protocols(folder: Path) -> None:
    """Let records have the protocols that the configs below ``folder`` state.

    Args:
        folder: Of configs, often ``Path(__file__).parent / "configs"``. They are read, not run.

    Raises:
        BenchError: If there is no such folder, or no config in it states a protocol.
    """
    if not folder.is_dir():
        raise BenchError(f"the folder of protocols {folder} does not exist; give one with configs")
    if not known_protocols(folder):
        raise BenchError(f"no config below {folder} states a `protocol`")
    _FOLDERS.add(str(folder.resolve()), folder.resolve(), caller())


def _known_task(name: str) -> str:
    if name not in _TASKS:
        raise ValueError(f"there is no task {name!r}, expected {', '.join(tasks())}; {HINT}")
    return name


Task = Annotated[str, AfterValidator(_known_task)]


class Protocol(StrictModel):
    """What makes numbers comparable; if any of it changes, ``version`` goes up.

    ``metrics`` maps names in records to keys of the evaluator; ``primary`` is one of the names.
    The length of the schedule is stated in ``epochs`` or in ``iterations``; only protocols of cited
    results may leave both out, where the source does not say it.
    """

    id: Annotated[str, Field(pattern=f"^{PLAIN}$")]
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
        if self.metrics[self.primary] in SMALLER_IS_BETTER:
            raise ValueError(f"of primary {self.primary!r} smaller is better; name another")
        return self


def check_length(protocol: Protocol) -> Protocol:
    """The protocol; raises if it states no length, which only that of a cited result may.

    Raises:
        ValueError: If both ``epochs`` and ``iterations`` are missing.
    """
    if protocol.epochs is None and protocol.iterations is None:
        raise ValueError("a protocol needs epochs or iterations, got neither")
    return protocol


MeasuredProtocol = Annotated[Protocol, AfterValidator(check_length)]
"""A protocol that states the length of its schedule."""


def read_protocol(stated: Any, *, source: str, remedy: str) -> Protocol:
    """The protocol of a config.

    Args:
        stated: Its fields.
        source: The config, for the error.
        remedy: What to do about a bad value, for the error.

    Raises:
        BenchError: If it is not valid or states no length.
    """
    protocol = validate(Protocol, stated, source=source, remedy=remedy)
    try:
        return check_length(protocol)
    except ValueError as error:
        raise BenchError(f"{source}: {error}; {remedy}") from error


def protocol_metrics(
    protocol: Mapping[str, Any] | None, measured: Mapping[str, float] | None
) -> dict[str, float]:
    """Metrics of a protocol in percent, by their names in records; empty without a protocol.

    COCO's metrics of an object size that the data lack are left out.

    Args:
        protocol: With ``metrics``, from names in records to keys of the evaluator.
        measured: Value for each key of the evaluator; COCO's are fractions of 1.

    Raises:
        BenchError: If a metric was not measured or is out of range.
    """
    if not protocol:
        return {}
    measured, metrics = measured or {}, {}
    for name, key in protocol["metrics"].items():
        if key not in measured:
            raise BenchError(
                f"the protocol's metric {name!r} needs {key!r} from the evaluator, which measured: "
                f"{', '.join(measured) or 'nothing'}"
            )
        value = float(measured[key])
        if value == -1 and key.endswith(BY_SIZE) and name != protocol["primary"]:
            continue  # the data have no object of that size
        metrics[name] = in_percent(key, value)
        if not 0 <= metrics[name] <= 100:
            hint = "check the labels"
            if key.startswith("coco/"):
                hint = "it is -1 if the validation set has no such object: check the annotations"
            raise BenchError(
                f"the evaluator measured {value} for {key!r}, expected 0 to 100 percent; {hint}"
            )
    return metrics


def in_percent(key: str, value: float) -> float:
    """The evaluator's value for ``key`` in percent: COCO's are fractions of 1, others percent."""
    return 100 * value if key.startswith("coco/") else value


def check_metrics(metrics: dict[str, float], protocol: Protocol) -> None:
    """Raise unless ``metrics`` are those of the protocol; metrics by object size may be missing.

    Raises:
        ValueError: Names both sets.
    """
    optional = {name for name, key in protocol.metrics.items() if key.endswith(BY_SIZE)}
    if set(metrics) | optional - {protocol.primary} != set(protocol.metrics):
        raise ValueError(
            f"metrics are {', '.join(sorted(metrics)) or 'empty'}, protocol "
            f"{protocol.id}@{protocol.version} has {', '.join(sorted(protocol.metrics))}"
        )


def check_known(protocol: Protocol, source: Path | str, *, deviates: bool) -> None:
    """Raise if a measured record's protocol is not what the configs define under its id.

    Earlier versions of a protocol are not compared: no config states them any more.

    Args:
        protocol: As the record states it.
        source: File of the record, for the error.
        deviates: Whether the run deviates from its protocol; only ``FIXED`` is compared then.

    Raises:
        BenchError: Names similar ids, or the field that differs.
    """
    known = all_protocols()
    if not known:
        return
    defined = known.get(protocol.id)
    if defined is None:
        near = difflib.get_close_matches(protocol.id, sorted(known), n=3)
        hint = f"did you mean {' or '.join(near)}? {KEEP}" if near else KEEP
        raise BenchError(
            f"{source}: protocol.id is {protocol.id!r}, which no config defines; {hint}"
        )
    if protocol.version > defined.version:
        raise BenchError(
            f"{source}: protocol.version is {protocol.version}, the newest that configs define of "
            f"{protocol.id} is {defined.version}; update simmim_bench, or give the run's protocol "
            f"an id of its own"
        )
    if protocol.version == defined.version:
        check_same(protocol, defined, source, deviates=deviates)


def check_same(
    protocol: Protocol,
    defined: Protocol,
    source: Path | str,
    *,
    deviates: bool,
    by: str = "configs define",
) -> None:
    """Raise if a record's protocol is not the one that is defined under its id and version.

    Args:
        protocol: As the record states it.
        defined: As it is defined.
        source: File of the record, for the error.
        deviates: Whether the run deviates from its protocol; only ``FIXED`` is compared then.
        by: What defines it, with a verb, for the error.

    Raises:
        BenchError: Names the field that differs.
    """
    for field in FIXED if deviates else tuple(Protocol.model_fields):
        found, expected = getattr(protocol, field), getattr(defined, field)
        if found != expected:
            raise BenchError(
                f"{source}: protocol.{field} is {found!r}, {by} {expected!r} for "
                f"{protocol.id}@{protocol.version}; run with the config unchanged, or give the "
                f"changed protocol another id or version"
            )


def all_protocols() -> dict[str, Protocol]:
    """Protocols by id: of the package's configs, and of the folders that users registered.

    Raises:
        BenchError: If two configs define the same id in different ways.
    """
    found = dict(known_protocols())
    for folder in _FOLDERS.all().values():
        for name, protocol in known_protocols(folder).items():
            if found.setdefault(name, protocol) != protocol:
                raise BenchError(
                    f"a config below {folder} defines the protocol {name!r} unlike the package, or "
                    f"another folder of protocols; give yours another id or version"
                )
    return found


def registered_configs() -> list[Path]:
    """Config files below the folders that users registered."""
    return [path for folder in _FOLDERS.all().values() for path in sorted(folder.rglob("*.py"))]


def is_own(protocol: Protocol) -> bool:
    """Whether no config of simmim_bench defines a protocol with this id."""
    known = known_protocols()
    return bool(known) and protocol.id not in known


@cache
def known_protocols(folder: Path = CONFIGS) -> dict[str, Protocol]:
    """Protocols by id, in the newest version that configs below ``folder`` state.

    Raises:
        BenchError: If a config cannot be read, its protocol is not valid, or two configs state one
            version of a protocol differently.
    """
    found: dict[str, tuple[Path, Protocol]] = {}
    for path in sorted(folder.rglob("*.py")):
        if "_base_" in path.relative_to(folder).parts:  # a part of a config, not one to run
            continue
        try:
            stated = literals_in(path).get("protocol")
        except UNREADABLE as error:
            raise BenchError(f"{path} is not a config that can be read: {error}") from error
        if not stated:
            continue
        protocol = read_protocol(stated, source=str(path), remedy="correct its protocol")
        first, known = found.setdefault(protocol.id, (path, protocol))
        if protocol.version > known.version:
            found[protocol.id] = path, protocol
        elif protocol.version == known.version and protocol != known:
            raise BenchError(
                f"{path} and {first} state {protocol.id}@{protocol.version} differently; give one "
                f"of them another id or version"
            )
    return {name: protocol for name, (_, protocol) in found.items()}
