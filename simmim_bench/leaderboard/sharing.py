"""Packs on the command line: make one of a store, merge one into a store (docs/sharing.md)."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simmim_bench.cli import printable
from simmim_bench.errors import BenchError
from simmim_bench.io import json_text
from simmim_bench.leaderboard.aggregate import check_protocols
from simmim_bench.leaderboard.columns import protocol_key as key_of
from simmim_bench.records.environment import git_origin
from simmim_bench.records.names import counted
from simmim_bench.records.own_protocols import (
    FILE,
    Key,
    OwnProtocol,
    check_protocol,
    make_own,
    read_own,
    unite_own,
)
from simmim_bench.records.pack import KEPT, Origin, Pack, is_pack, read_pack, write_pack
from simmim_bench.records.protocols import is_own, registered_configs
from simmim_bench.records.record import Record
from simmim_bench.records.schema import validate
from simmim_bench.records.store import (
    Outcome,
    add_records,
    compare_records,
    present_records,
    read_record,
    read_records,
)

GIVEN = "give a record.json that simmim-bench test wrote, or a pack"
MOST_SHOWN = 20
"""At most this many groups of records, or places, are listed."""
SHORT = 12
"""Digits of hashes in lists."""
SAYS: dict[Outcome, str] = {
    "added": "new",
    "present": "the same",
    "repeated": "the same metrics, the first record stays",
}


@dataclass(frozen=True)
class _Given:
    """A file of the command line: one record, or those of a pack; each with its source."""

    path: Path
    records: list[tuple[str, Record]]
    pack: Pack | None = None


def pack(args: argparse.Namespace) -> list[str]:
    """Write a pack of a store's records; say what it holds."""
    records = _selected(read_records(args.records), args.method, args.protocol)
    own = _own_of(records, args.records, args.config)
    for record in records:
        check_protocol(record, f"{args.records}: {record.run_id}", own)
    check_protocols(records)
    stated = {"name": args.name, **git_origin(args.records)}
    origin = validate(Origin, stated, source="--as NAME", remedy="give another name")
    manifest = write_pack(args.out, records, own.values(), origin)
    kinds = Counter(record.kind for record in records)
    shown = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    return [
        f"{args.out}: {counted(len(records), 'record')} ({shown})",
        f"seal: {manifest.sha256}",
        f"from: {describe_origin(origin)}",
        *(f"own protocol: {_describe_own(each)}" for each in own.values()),
        *_private_paths(records),
    ]


def add(args: argparse.Namespace) -> list[str]:
    """Merge records and packs into a store, all or none; ``--dry-run`` only says what is new."""
    given = [_open(path) for path in args.files]
    made = [each for one in given for each in one.records]
    packed = [each for one in given if one.pack for each in one.pack.own if is_own(each.protocol)]
    stated = [*map(make_own, args.config), *packed]
    here = read_own(args.records)
    new = _new_own(args.records, made, stated)
    outcomes = compare_records(args.records, made)
    if not args.dry_run:
        outcomes = add_records(
            args.records,
            made,
            # once more: another process may have added others since
            beside=lambda found: _texts(_new_own(args.records, made, stated)) | _kept(given, found),
        )
    left = iter(outcomes)
    lines: list[str] = []
    for one in given:
        these = [next(left) for _ in one.records]
        if one.pack:
            lines += _describe(one.path, one.pack, these, here)
        else:
            said = "would be added" if args.dry_run and these == ["added"] else these[0]
            lines.append(f"{said}: {one.path} as {one.records[0][1].run_id}")
    for each in new:
        lines.append(f"new own protocol: {_describe_own(each)}")
        place = args.records / each.definition.folder
        lines += _shown(each) if args.dry_run else [f"  kept in {place}"]
    return [*lines, *(["dry run: nothing was written"] if args.dry_run else [])]


def _new_own(
    store: Path, made: Sequence[tuple[Path | str, Record]], stated: Iterable[OwnProtocol]
) -> list[OwnProtocol]:
    """Own protocols that a store does not have and some records need.

    Raises:
        BenchError: If the protocol of a record is not known, or differs from that of others.
    """
    here = read_own(store)
    own = unite_own(here, stated)
    missing = {key_of(record) for _, record in made if is_own(record.protocol)} - own.keys()
    own |= {key: found for key in sorted(missing) if (found := own_at(key, ()))}
    for source, record in made:
        check_protocol(record, source, own)
    check_protocols([*present_records(store), *(record for _, record in made)])
    used = {key_of(record) for _, record in made}
    return [each for key, each in own.items() if key in used and key not in here]


def describe_origin(origin: Origin) -> str:
    """``Alice; https://host/a/b at commit 0123456789ab, with uncommitted changes``."""
    parts = [origin.name] if origin.name else []
    if origin.git_commit:
        state = {None: "", False: "", True: ", with uncommitted changes"}[origin.git_dirty]
        where = origin.git_remote or "a repository without a remote"
        parts.append(f"{where} at commit {origin.git_commit[:SHORT]}{state}")
    return "; ".join(parts) or "not stated"


def _selected(records: list[Record], methods: list[str], protocols: list[str]) -> list[Record]:
    for flag, wanted, names_of in (
        ("--method", methods, lambda record: (record.method, record.label)),
        (
            "--protocol",
            protocols,
            lambda record: (record.protocol.id, f"{record.protocol.id}@{record.protocol.version}"),
        ),
    ):
        known = {name for record in records for name in names_of(record)}
        for name in wanted:
            if name not in known:
                raise BenchError(
                    f"{flag} {name} has no records; there are: {', '.join(sorted(known))}"
                )
        records = [r for r in records if not wanted or set(wanted) & set(names_of(r))]
    return records


def _own_of(
    records: Iterable[Record], store: Path, configs: Sequence[Path]
) -> dict[Key, OwnProtocol]:
    """Own protocols of some records: kept in the store, of ``--config``, or of the runs' configs.

    Raises:
        BenchError: If the config of one is not found.
    """
    known = unite_own(read_own(store), map(make_own, configs))
    places = _configs_of(records)
    found = {key: known.get(key) or own_at(key, paths) for key, paths in places.items()}
    for key, own in found.items():
        if own is None:
            raise BenchError(
                f"protocol {key[0]}@{key[1]} is your own, and none of its configs states it now "
                f"({', '.join(sorted(places[key])[:MOST_SHOWN])}); give one that does with --config"
            )
    return {key: own for key, own in found.items() if own is not None}


def keep_own(store: Path) -> None:
    """Keep the configs of own protocols in a store, if the configs of the runs still state them."""
    places = _configs_of(present_records(store))
    if places:
        missing = places.keys() - read_own(store).keys()
        found = [own for key in missing if (own := own_at(key, places[key]))]
        add_records(store, [], beside=lambda _: _texts(found))


def _configs_of(records: Iterable[Record]) -> dict[Key, set[str]]:
    """Configs of the runs of each own protocol."""
    places: dict[Key, set[str]] = {}
    for record in sorted(records, key=lambda each: each.run_id):
        if is_own(record.protocol):
            of_key = places.setdefault(key_of(record), set())
            of_key |= {record.config.path} if record.config else set()
    return places


def own_at(key: Key, paths: Iterable[str]) -> OwnProtocol | None:
    """The own protocol that a config states, or one that a user registered; None if none does."""
    for path in (*map(Path, sorted(paths)), *registered_configs()):
        with suppress(BenchError, OSError):
            own = make_own(path)
            if own.key == key:
                return own
    return None


def _open(path: Path) -> _Given:
    if not is_pack(path):
        return _Given(path, [(str(path), read_record(path, remedy=GIVEN))])
    opened = read_pack(path)
    records = [(f"{path}: {name}", record) for name, record in opened.records.items()]
    return _Given(path, records, opened)


def _texts(own: Iterable[OwnProtocol]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for each in own:
        texts |= each.files()
        texts[f"{each.definition.folder}/{FILE}"] = json_text(each.definition.as_json())
    return texts


def _kept(given: Iterable[_Given], outcomes: Iterable[Outcome]) -> dict[str, str]:
    """Manifests of the packs that bring something new, by their places in a store."""
    left = iter(outcomes)
    news = [(one.pack, "added" in [next(left) for _ in one.records]) for one in given]
    manifests = [pack.manifest for pack, is_new in news if pack and is_new]
    return {f"{KEPT}/{each.sha256}.json": json_text(each.as_json()) for each in manifests}


def _describe(
    path: Path, given: Pack, outcomes: Sequence[Outcome], here: Mapping[Key, OwnProtocol]
) -> Iterator[str]:
    """Lines about a pack: seal, origin, code, own protocols, what is new."""
    manifest, records = given.manifest, list(given.records.values())
    yield f"{path}: {counted(len(records), 'record')}, made with {printable(manifest.made_with)}"
    yield f"  seal: {manifest.sha256}"
    yield f"  from: {describe_origin(manifest.origin)}"
    yield f"  code: {_describe_code(records)}"
    for each in given.own:
        known = here.get(each.key)
        if known and known.config.sha256 != each.config.sha256:
            yield (
                f"  note: the config of {each.protocol.id}@{each.protocol.version} has another "
                f"text than the one kept here (SHA-256 {each.config.sha256[:SHORT]}, "
                f"{known.config.sha256[:SHORT]}), with the same protocol; the kept one stays"
            )
    groups = Counter(
        (outcome, _group(record)) for outcome, record in zip(outcomes, records, strict=True)
    )
    for outcome, said in SAYS.items():
        if number := outcomes.count(outcome):
            yield f"  {said}: {counted(number, 'record')}"
            texts = [(text, count) for (of, text), count in groups.items() if of == outcome]
            for text, count in texts[:MOST_SHOWN] if outcome == "added" else []:
                yield f"    {text}: {count}"
            if outcome == "added" and len(texts) > MOST_SHOWN:
                yield f"    and {len(texts) - MOST_SHOWN} more groups"


def _group(record: Record) -> str:
    kind = "" if record.kind == "full" else f", {record.kind}"
    own = ", own protocol" if is_own(record.protocol) else ""
    deviates = ", deviates" if record.deviations else ""
    protocol = f"{record.protocol.id}@{record.protocol.version}"
    return f"{record.label} on {record.backbone}, {protocol}{own}{kind}{deviates}"


def _describe_code(records: Iterable[Record]) -> str:
    """Commits and states of the code that the records were made with."""
    states = Counter(
        "unknown commit"
        if record.environment is None or record.environment.git_commit is None
        else f"commit {record.environment.git_commit[:SHORT]}"
        + (" with uncommitted changes" if record.environment.git_dirty else "")
        for record in records
    )
    shown = [f"{state} ({number})" for state, number in states.most_common(MOST_SHOWN)]
    return ", ".join(shown)


def _describe_own(own: OwnProtocol) -> str:
    protocol = own.protocol
    return (
        f"{protocol.id}@{protocol.version}, {protocol.task} on {protocol.dataset}, primary "
        f"{protocol.primary}; config {own.config.name}, SHA-256 {own.config.sha256}"
    )


def _shown(own: OwnProtocol) -> Iterator[str]:
    """The text of its config, and its bases."""
    for line in own.texts[own.config.name].splitlines():
        yield f"  | {printable(line)}"
    for file in own.definition.files[:-1]:
        yield f"  base {file.name}, SHA-256 {file.sha256}"


def _private_paths(records: Iterable[Record]) -> Iterator[str]:
    """A note if records name configs by absolute paths, which others will read."""
    paths = {record.config.path for record in records if record.config}
    absolute = sorted(path for path in paths if Path(path).is_absolute())
    if absolute:
        more = ", ..." if len(absolute) > 1 else ""
        yield (
            f"note: the records name configs by their place on this machine ({absolute[0]}{more}), "
            f"which everybody can read who gets the pack"
        )
