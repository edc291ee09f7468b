"""A pack: records, own protocols and their configs in one file, to give to others.

A zip archive of uncompressed entries: ``manifest.json``, and each file that the manifest lists with
its SHA-256. The manifest carries the hash of its own content, the seal of the pack. The same
records and origin give the same bytes. Nothing is unpacked: entries are read into memory and
checked, and a store decides where it keeps them.
"""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

import simmim_bench
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path, kind_of
from simmim_bench.records.hash import content_sha256
from simmim_bench.records.own_protocols import LARGEST_TEXT, Definition, OwnProtocol
from simmim_bench.records.record import Record
from simmim_bench.records.schema import Name, Sha256, StrictModel, Text, parse_model, read_model
from simmim_bench.records.store import record_path

MANIFEST = "manifest.json"
KEPT = "packs"
"""Folder of a store with the manifests of the packs that were added, by their seals."""
SCHEMA = 1
LARGEST_PACK = 256 << 20
LARGEST_RECORD = 8 << 20
LARGEST_MANIFEST = 32 << 20
"""Bytes. Records of this project have 3 to 20 kB."""
MOST_ENTRIES = 50_000
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every entry, so that a pack has the same bytes whenever it is made."""
REMEDY = "ask for the pack again"


class Origin(StrictModel):
    """Who made a pack: a name that the user gave, and the git repository of the records.

    ``git_remote`` has no user, password or query. None: unknown.
    """

    name: Name | None = None
    git_remote: Annotated[str, Field(pattern="^[A-Za-z0-9._:/~+-]{1,300}$")] | None = None
    git_commit: Annotated[str, Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")] | None = None
    git_dirty: bool | None = None


class PackManifest(StrictModel):
    """What a pack holds: hashes of its files by path, own protocols, and where it comes from."""

    schema_version: Literal[1] = 1
    made_with: Text
    origin: Origin
    records: Annotated[dict[str, Sha256], Field(min_length=1)]
    protocols: list[Definition] = []
    sha256: Sha256

    @model_validator(mode="after")
    def _check_seal(self) -> Self:
        found = content_sha256(self.model_dump(mode="json", exclude={"sha256"}))
        if found != self.sha256:
            raise ValueError(
                f"sha256 is {self.sha256[:12]}... but the manifest hashes to {found[:12]}...; it "
                f"was changed after the pack was made"
            )
        return self

    @classmethod
    def upgrade(cls, value: Any) -> Any:
        """Content of this version, unchanged.

        Raises:
            ValueError: If it is of another version.
        """
        stated = value.get("schema_version") if isinstance(value, dict) else None
        if isinstance(stated, int) and stated != SCHEMA:
            raise ValueError(
                f"schema_version is {stated}, this simmim_bench reads packs of version {SCHEMA}; "
                f"use the same version of simmim_bench on both sides"
            )
        return value


@dataclass(frozen=True)
class Pack:
    """Content of a pack: records by their path in it, own protocols."""

    manifest: PackManifest
    records: dict[str, Record]
    own: list[OwnProtocol]


def write_pack(
    path: Path, records: Iterable[Record], own: Iterable[OwnProtocol], origin: Origin
) -> PackManifest:
    """Write a pack atomically.

    Args:
        path: File to write.
        records: One or more.
        own: Own protocols of these records.
        origin: Who makes the pack.

    Raises:
        BenchError: If the pack would be larger than ``read_pack`` accepts.
    """
    own = sorted(own, key=lambda each: each.key)
    contents = {
        record_path(Path("records"), record).as_posix(): _dump(record.as_json())
        for record in records
    }
    body = {
        "schema_version": SCHEMA,
        "made_with": f"simmim_bench {simmim_bench.__version__}",
        "origin": origin.as_json(),
        "records": {name: _sha256(contents[name]) for name in sorted(contents)},
        "protocols": [each.definition.as_json() for each in own],
    }
    manifest = PackManifest.model_validate({**body, "sha256": content_sha256(body)})
    texts = {name: text.encode() for each in own for name, text in each.files().items()}
    entries = {MANIFEST: _dump(manifest.as_json()), **contents, **texts}
    _check_size(path, len(entries), sum(map(len, entries.values())))
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, entries[name])
    return manifest


def read_pack(path: Path) -> Pack:
    """Read a pack and check all of it; nothing is written.

    Raises:
        BenchError: If it is damaged, too large, of another version, or was changed; if an entry is
            compressed, encrypted, a link, or not listed; if a record or own protocol is not valid.
    """
    if path.exists() and not path.is_file():
        raise BenchError(f"{path} is {kind_of(path)}, expected a pack; give a file")
    _check_size(path, 0, path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeError, ValueError) as error:
        raise BenchError(f"{path} is truncated or damaged ({error}); {REMEDY}") from error


def read_kept(store: Path) -> list[PackManifest]:
    """Manifests of the packs that were added to a store.

    Raises:
        BenchError: If one is not valid or has another name than its seal.
    """
    paths = sorted((store / KEPT).glob("[!.]*")) if (store / KEPT).is_dir() else []
    manifests = [read_model(PackManifest, path, remedy="restore or delete it") for path in paths]
    for path, manifest in zip(paths, manifests, strict=True):
        if path.name != f"{manifest.sha256}.json":
            raise BenchError(f"{path} belongs at {path.with_name(manifest.sha256)}.json; rename it")
    return manifests


def is_pack(path: Path) -> bool:
    """Whether a file looks like a pack, also if its end is missing."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(2) == b"PK" or zipfile.is_zipfile(path)


def _read(archive: zipfile.ZipFile, path: Path) -> Pack:
    entries = archive.infolist()
    _check_size(path, len(entries), sum(entry.file_size for entry in entries))
    for entry in entries:
        _check_entry(entry, path)
    sizes = {entry.filename: entry.file_size for entry in entries}
    if len(sizes) < len(entries):
        raise BenchError(f"{path} has two entries of the same name; {REMEDY}")
    if sizes.get(MANIFEST, LARGEST_MANIFEST + 1) > LARGEST_MANIFEST:
        raise BenchError(
            f"{path} has no {MANIFEST} of a pack; give a file that `simmim-bench leaderboard pack` "
            f"wrote"
        )
    manifest = parse_model(
        PackManifest, archive.read(MANIFEST), source=f"{path}: {MANIFEST}", remedy=REMEDY
    )
    texts = [name for each in manifest.protocols for name in each.paths()]
    listed = {MANIFEST, *manifest.records, *texts}
    if unlike := sorted(listed ^ set(sizes)):
        what = "lacks" if unlike[0] in listed else "has an entry that its manifest does not list:"
        raise BenchError(f"{path} {what} {unlike[0]!r:.200}; {REMEDY}")
    records = {
        name: _record(archive, name, digest, path) for name, digest in manifest.records.items()
    }
    own = [_own(archive, each, path) for each in manifest.protocols]
    return Pack(manifest, records, own)


def _record(archive: zipfile.ZipFile, name: str, digest: str, path: Path) -> Record:
    content = _entry(archive, name, LARGEST_RECORD, digest, path)
    record = parse_model(Record, content, source=f"{path}: {name}", remedy=REMEDY)
    if record_path(Path("records"), record).as_posix() != name:
        raise BenchError(f"{path}: {name!r:.200} is the record {record.run_id}; {REMEDY}")
    return record


def _own(archive: zipfile.ZipFile, definition: Definition, path: Path) -> OwnProtocol:
    texts = {
        file.name: _entry(archive, name, LARGEST_TEXT, file.sha256, path).decode("utf-8")
        for name, file in definition.paths().items()
    }
    own = OwnProtocol(definition, texts)
    own.check(f"{path}: {definition.folder}")
    return own


def _entry(archive: zipfile.ZipFile, name: str, largest: int, digest: str, path: Path) -> bytes:
    if (size := archive.getinfo(name).file_size) > largest:
        raise BenchError(f"{path}: {name!r:.200} has {size} bytes, expected at most {largest}")
    content = archive.read(name)
    if _sha256(content) != digest:
        raise BenchError(
            f"{path}: {name!r:.200} is not the file whose SHA-256 the manifest states; it was "
            f"changed after the pack was made; {REMEDY}"
        )
    return content


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    """Refuse what ``write_pack`` never writes; names are compared with the manifest later."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    wrong = (
        "encrypted" if entry.flag_bits & 1
        else "a link, a folder or a device" if kind not in (0, stat.S_IFREG) or entry.is_dir()
        else "compressed" if entry.compress_type != zipfile.ZIP_STORED
        else "compressed" if entry.compress_size != entry.file_size
        else None
    )  # fmt: skip
    if wrong:
        raise BenchError(
            f"{path}: entry {entry.filename!r:.200} is {wrong}, a pack has plain files only; give "
            f"the file as `simmim-bench leaderboard pack` wrote it"
        )


def _check_size(path: Path, entries: int, size: int) -> None:
    if entries > MOST_ENTRIES or size > LARGEST_PACK:
        raise BenchError(
            f"{path} has {entries} entries and {size >> 20} MiB, a pack at most {MOST_ENTRIES} and "
            f"{LARGEST_PACK >> 20} MiB; make several, see --method and --protocol"
        )


def _dump(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
