"""Columns of the tables: a version of a protocol on one set of data.

Data are told apart by their fingerprint, never by their name. A record of an earlier version states
no data; such records have a column of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import DataIdentity
from simmim_bench.records.protocols import Protocol, tasks
from simmim_bench.records.record import Record

SHORT = 8
"""Digits of a fingerprint that tables show where names are not enough."""

ProtocolKey = tuple[str, int]
"""Protocol id and version."""


class ColumnKey(NamedTuple):
    """Protocol id, version, and fingerprint of the data; None: the records do not state it."""

    id: str
    version: int
    data: str | None = None


def protocol_key(record: Record) -> ProtocolKey:
    """Protocol and version of a record, whatever its data."""
    return record.protocol.id, record.protocol.version


def place_records(records: Iterable[Record]) -> Callable[[Record], ColumnKey]:
    """Function from a record to its column.

    A cited result is of the data that its protocol names. It is in the column of the only measured
    data with that name, if there are any.
    """
    named: dict[tuple[ProtocolKey, str], set[str]] = defaultdict(set)
    for record in records:
        if record.data:
            named[protocol_key(record), record.data.name].add(record.data.sha256)

    def place(record: Record) -> ColumnKey:
        protocol = record.protocol
        data = record.data.sha256 if record.data else None
        if data is None and record.provenance.kind != "measured":
            alike = named.get((protocol_key(record), protocol.dataset), set())
            data = next(iter(alike)) if len(alike) == 1 else None
        return ColumnKey(protocol.id, protocol.version, data)

    return place


def columns_of(
    records: Iterable[Record], place: Callable[[Record], ColumnKey]
) -> dict[ColumnKey, Protocol]:
    """Protocols in the order of tasks; ``dataset`` is the name of the column's own data.

    A run that deviates does not define its protocol.

    Raises:
        BenchError: If records of one protocol version disagree about what the protocol is.
    """
    defined: dict[ProtocolKey, Record] = {}
    data: dict[ColumnKey, DataIdentity | None] = {}
    plain_first = sorted(records, key=lambda one: (bool(one.untuned_deviations), one.date))
    for record in plain_first:
        first = defined.setdefault(protocol_key(record), record)
        data[place(record)] = record.data or data.get(place(record))  # the newest name
        if not record.untuned_deviations and record.protocol.__dict__ != first.protocol.__dict__:
            raise BenchError(
                f"protocol {record.protocol.id}@{record.protocol.version} differs between the "
                f"records {first.run_id} and {record.run_id} ({_differing(first, record)}); raise "
                f"the version in the config that changed"
            )
    protocols = {key: defined[key[:2]].protocol for key in data}
    shown = dict(_shown_protocols(protocols, data))
    order = sorted(
        shown, key=lambda key: (tasks().index(shown[key].task), *key[:2], key.data or "")
    )
    return {key: shown[key] for key in order}


def label_of(key: ColumnKey, columns: Mapping[ColumnKey, Protocol]) -> str:
    """``ID@VERSION``, with the name of the data if a table has the protocol on several data."""
    text = f"{key.id}@{key.version}"
    alone = sum(other[:2] == key[:2] for other in columns) == 1
    return text if alone else f"{text} on {columns[key].dataset}"


def subject_of(key: ColumnKey, columns: Mapping[ColumnKey, Protocol]) -> str:
    """The task of a column; its data or its protocol if others have the same task.

    All columns of a task show the same: their data, if these tell them apart.
    """
    protocol = columns[key]
    data = [other.dataset for other in columns.values() if other.task == protocol.task]
    if len(data) == 1:
        return protocol.task
    return protocol.dataset if len(set(data)) == len(data) else label_of(key, columns)


def tell_apart(name: str, data: DataIdentity | None, others: Sequence[str]) -> str:
    """A name of data; with their number of images and fingerprint if others have the same.

    Args:
        name: Name of the data.
        data: Their identity; None if unknown.
        others: Names of the data that it is shown with, its own included.
    """
    if others.count(name) < 2:
        return name
    if data is None:
        return f"{name} (data not stated)"
    images = f"{data.images} images, " if data.images else ""
    return f"{name} ({images}fingerprint {data.sha256[:SHORT]})"


def _shown_protocols(
    protocols: Mapping[ColumnKey, Protocol], data: Mapping[ColumnKey, DataIdentity | None]
) -> Iterable[tuple[ColumnKey, Protocol]]:
    names: dict[ProtocolKey, dict[ColumnKey, str]] = defaultdict(dict)
    for key, protocol in protocols.items():
        found = data[key]
        names[key[:2]][key] = found.name if found else protocol.dataset
    for alike in names.values():
        for key, name in alike.items():
            text = tell_apart(name, data[key], list(alike.values()))
            yield key, protocols[key].model_copy(update={"dataset": text})


def _differing(one: Record, other: Record) -> str:
    first, second = one.protocol.as_json(), other.protocol.as_json()
    return "; ".join(
        f"{name}: {first[name]} and {second[name]}" for name in first if first[name] != second[name]
    )
