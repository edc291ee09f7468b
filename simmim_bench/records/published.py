"""Results that others published, as records: one YAML file per source.

A file states ``kind`` (``published`` by the authors, ``reproduced`` by another code base),
``table`` and ``url`` of the source, the ``date`` on which it was read, ``deviations`` from the
protocol that hold for all of its results, and ``results``. A metric may list several values, one
for each seed of the source. The protocols are in ``protocols.yml`` in the same folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from simmim_bench.errors import BenchError
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.record import Record, RecordBody
from simmim_bench.records.schema import (
    Epochs,
    ImageSize,
    Name,
    Percent,
    StrictModel,
    Text,
    Title,
    UtcTime,
    validate,
)
from simmim_bench.yaml_file import NotYamlError, read_yaml

PROTOCOLS = "protocols.yml"
REMEDY = "correct it according to its source"


class _Origin(StrictModel):
    dataset: Name
    epochs: Epochs | None = None
    image_size: ImageSize | None = None


class _Result(StrictModel):
    method: Name
    backbone: Name
    protocol: Name
    metrics: Annotated[
        dict[Name, Percent | Annotated[list[Percent], Field(min_length=2)]], Field(min_length=1)
    ]
    pretraining: _Origin | None


class _Source(StrictModel):
    kind: Literal["published", "reproduced"]
    table: Title
    url: Text
    date: UtcTime
    deviations: list[Text] = []
    results: Annotated[list[_Result], Field(min_length=1)]


def read_published(folder: Path) -> list[Record]:
    """Read every source in ``folder``.

    Returns:
        Records in the order of files and lines; empty if there is no such folder.

    Raises:
        BenchError: If a file is not valid, names a protocol that ``protocols.yml`` lacks, or has
            another suffix than ``.yml``.
    """
    paths = _sources(folder)
    if not paths:
        return []
    protocols = read_protocols(folder / PROTOCOLS)
    return [record for path in paths for record in _records(path, protocols)]


def _sources(folder: Path) -> list[Path]:
    listed = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in listed:
        if path.suffix.lower() in (".yaml", ".yml", ".json") and path.suffix != ".yml":
            raise BenchError(
                f"{path} would not be read, cited results must be in *.yml files; rename it to "
                f"{path.stem}.yml, or move it out of {folder}"
            )
    return [path for path in listed if path.suffix == ".yml" and path.name != PROTOCOLS]


def bad_sources(folder: Path) -> Iterator[str]:
    """Describe the problem of each bad source in ``folder``; see ``read_published``."""
    try:
        paths = _sources(folder)
        protocols = read_protocols(folder / PROTOCOLS) if paths else {}
    except BenchError as error:
        yield str(error)
        return
    for path in paths:
        try:
            list(_records(path, protocols))
        except BenchError as error:
            yield str(error)


def read_protocols(path: Path) -> dict[str, Protocol]:
    """Protocols of cited results by id.

    Raises:
        BenchError: If the file is missing or not valid.
    """
    entries = _load(path)
    if not isinstance(entries, list):
        raise BenchError(f"{path} must be a list of protocols; {REMEDY}")
    listed = [validate(Protocol, entry, source=str(path), remedy=REMEDY) for entry in entries]
    found = {protocol.id: protocol for protocol in listed}
    if len(found) < len(listed):
        name, _ = Counter(protocol.id for protocol in listed).most_common(1)[0]
        raise BenchError(f"{path} defines {name!r} twice; give one of them another id")
    return found


def _records(path: Path, protocols: dict[str, Protocol]) -> Iterator[Record]:
    source = validate(_Source, _load(path), source=str(path), remedy=REMEDY)
    stated = set[str]()
    for result in source.results:
        what = result.model_dump_json(exclude={"metrics"})
        if what in stated:
            raise BenchError(
                f"{path}: {result.method} on {result.backbone} under {result.protocol} is stated "
                f"twice; several values of a metric are a list"
            )
        stated.add(what)
        if result.protocol not in protocols:
            raise BenchError(
                f"{path}: protocol is {result.protocol!r}, which {PROTOCOLS} does not define; it "
                f"defines {', '.join(protocols)}"
            )
        for seed, metrics in _by_seed(result, path):
            body = _body(source, result, protocols[result.protocol])
            body |= {"seed": seed, "metrics": metrics}
            yield Record.seal(validate(RecordBody, body, source=str(path), remedy=REMEDY))


def _by_seed(result: _Result, path: Path) -> list[tuple[int | None, dict[str, float]]]:
    """Metrics by seed; the only seed is None if a metric has a single value."""
    counts = {len(value) if isinstance(value, list) else 0 for value in result.metrics.values()}
    if len(counts) > 1:
        raise BenchError(
            f"{path}: metrics of {result.method} on {result.backbone} have different numbers of "
            f"values; {REMEDY}"
        )
    if counts == {0}:
        return [(None, {key: v for key, v in result.metrics.items() if isinstance(v, float)})]
    return [
        (seed, {key: v[seed] for key, v in result.metrics.items() if isinstance(v, list)})
        for seed in range(counts.pop())
    ]


def _body(source: _Source, result: _Result, protocol: Protocol) -> dict[str, Any]:
    """Fields of a record except its metrics and seed."""
    origin = result.pretraining
    return {
        "kind": "full",
        "method": result.method,
        "backbone": result.backbone,
        "pretraining": origin
        and {"method": result.method, "backbone": result.backbone, **origin.as_json()},
        "protocol": protocol.as_json(),
        "provenance": {"kind": source.kind, "table": source.table, "url": source.url},
        "deviations": source.deviations,
        "date": source.date.isoformat(),
    }


def _load(path: Path) -> Any:
    if not path.is_file():
        raise BenchError(
            f"{path} does not exist; it must define the protocols of the cited results"
        )
    try:
        return read_yaml(path)
    except NotYamlError as error:
        raise BenchError(f"{path} is not valid YAML ({error}); {REMEDY}") from None
