"""Own protocols: those that no config of simmim_bench defines, with the config that states them.

A store keeps each in ``protocols/ID-vVERSION/``: ``protocol.json`` and the texts of the config and
of its bases. The texts are data: a protocol is read from their literals, nothing in them is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from simmim_bench.errors import BenchError
from simmim_bench.io import read_text
from simmim_bench.records.literals import UNREADABLE, base_path, bases_of, literals_of
from simmim_bench.records.names import plain_name
from simmim_bench.records.protocols import Protocol, check_known, check_same, is_own, read_protocol
from simmim_bench.records.record import Record
from simmim_bench.records.schema import Sha256, StrictModel, read_model
from simmim_bench.shipped import OURS

FOLDER, FILE = "protocols", "protocol.json"
MOST_FILES = 32
LARGEST_TEXT = 1 << 20
"""Characters of a config file."""
REMEDY = "restore it, or delete its folder and add the pack or the config again"

Key = tuple[str, int]
"""Id and version of a protocol."""
FileName = Annotated[str, Field(pattern=r"^[0-9]{1,2}-[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.py$")]


class ConfigText(StrictModel):
    """A config file: its hash, and for each ``_base_`` the index of that file in the list.

    None: a base of another package, whose text is not kept.
    """

    name: FileName
    sha256: Sha256
    bases: list[Annotated[int, Field(ge=0)] | None] = []


class Definition(StrictModel):
    """A protocol and the config files that state it: bases first, the config itself last."""

    schema_version: Literal[1] = 1
    protocol: Protocol
    files: Annotated[list[ConfigText], Field(min_length=1, max_length=MOST_FILES)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({file.name for file in self.files}) < len(self.files):
            raise ValueError("two files have the same name")
        for place, file in enumerate(self.files):
            if any(base is not None and base >= place for base in file.bases):
                raise ValueError(f"a base of {file.name} does not stand before it")
        return self

    @property
    def folder(self) -> str:
        """Where its files lie in a store or a pack: ``protocols/ID-vVERSION``."""
        return f"{FOLDER}/{self.protocol.id}-v{self.protocol.version}"

    def paths(self) -> dict[str, ConfigText]:
        """Its files by their paths in a store or a pack."""
        return {f"{self.folder}/{file.name}": file for file in self.files}


@dataclass(frozen=True)
class OwnProtocol:
    """A definition, and the texts of its files by name."""

    definition: Definition
    texts: dict[str, str]

    @property
    def protocol(self) -> Protocol:
        """The protocol that the config states."""
        return self.definition.protocol

    @property
    def key(self) -> Key:
        """Id and version."""
        return self.protocol.id, self.protocol.version

    @property
    def config(self) -> ConfigText:
        """The file that states the protocol."""
        return self.definition.files[-1]

    def files(self) -> dict[str, str]:
        """Texts of its files by their paths in a store or a pack, but for ``protocol.json``."""
        paths = self.definition.paths()
        return {path: self.texts[file.name] for path, file in paths.items()}

    def check(self, source: str) -> None:
        """Check hashes, and that the texts state the protocol.

        Args:
            source: Where they come from, for errors.

        Raises:
            BenchError: Names the file or the field.
        """
        for file in self.definition.files:
            if text_sha256(self.texts[file.name]) != file.sha256:
                raise BenchError(
                    f"{source}: {file.name} is not the file whose SHA-256 is stated; it was "
                    f"changed afterwards"
                )
        stated = _stated_protocol(self.definition.files, self.texts, source)
        check_same(self.protocol, stated, source, deviates=False, by="its config states")


def text_sha256(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def make_own(config: Path) -> OwnProtocol:
    """Read the protocol that a config states, with the texts of the config and its bases.

    Args:
        config: Config of the user. It is not executed.

    Raises:
        BenchError: If a file is missing or not readable, or the protocol is not stated in literals.
    """
    reader = _Reader()
    reader.read(config)
    protocol = _stated_protocol(reader.files, reader.texts, str(config))
    return OwnProtocol(Definition(protocol=protocol, files=reader.files), reader.texts)


def read_own(store: Path) -> dict[Key, OwnProtocol]:
    """Own protocols that a store keeps.

    Raises:
        BenchError: If one is not valid, or its files were changed.
    """
    found = {}
    folders = (store / FOLDER).iterdir() if (store / FOLDER).is_dir() else ()
    for folder in sorted(path for path in folders if not path.name.startswith(".")):
        definition = read_model(Definition, folder / FILE, remedy=REMEDY)
        texts = {file.name: read_text(folder / file.name) for file in definition.files}
        own = OwnProtocol(definition, texts)
        own.check(str(folder))
        if store / definition.folder != folder:
            raise BenchError(f"{folder} belongs at {store / definition.folder}; move it there")
        found[own.key] = own
    return found


def unite_own(
    first: Mapping[Key, OwnProtocol], more: Iterable[OwnProtocol]
) -> dict[Key, OwnProtocol]:
    """Own protocols together; of two with the same protocol, the first is kept.

    Raises:
        BenchError: If two differ in the protocol itself.
    """
    united = dict(first)
    for own in more:
        known = united.setdefault(own.key, own)
        if known.protocol != own.protocol:
            check_same(
                own.protocol, known.protocol, f"own protocol in {own.config.name}", deviates=False,
                by=f"{known.config.name}, which is known here, states",
            )  # fmt: skip
    return united


def check_protocol(record: Record, source: Path | str, own: Mapping[Key, OwnProtocol]) -> None:
    """Raise if a record's protocol is neither the project's nor one of ``own``.

    Args:
        record: Measured.
        source: Its file, for the error.
        own: Own protocols.

    Raises:
        BenchError: Names the field that differs, and the remedy.
    """
    protocol, deviates = record.protocol, bool(record.untuned_deviations)
    known = own.get((protocol.id, protocol.version))
    if known is None or not is_own(protocol):
        check_known(protocol, source, deviates=deviates)
    else:
        by = f"its config {known.config.name} states"
        check_same(protocol, known.protocol, source, deviates=deviates, by=by)


def _stated_protocol(files: list[ConfigText], texts: Mapping[str, str], source: str) -> Protocol:
    read: list[dict[str, Any]] = []
    try:
        for file in files:
            text = texts[file.name]
            if len(bases_of(text)) != len(file.bases):
                raise ValueError(f"{file.name} has other bases than stated")
            read.append(literals_of(text, [read[base] for base in file.bases if base is not None]))
        stated = read[-1]["protocol"]
    except KeyError:
        raise BenchError(
            f"{source} states no protocol in plain values; write protocol = dict(id=..., "
            f"version=1, ...) in it (docs/sharing.md)"
        ) from None
    except UNREADABLE as error:
        raise BenchError(f"{source} is not a config that can be read: {error}") from error
    return read_protocol(stated, source=source, remedy="correct its protocol")


class _Reader:
    """Reads a config and its bases, each file once."""

    def __init__(self) -> None:
        self.files: list[ConfigText] = []
        self.texts: dict[str, str] = {}
        self._places: dict[Path, int | None] = {}  # None: its bases are being read

    def read(self, path: Path) -> int:
        """Index of the file; it and its bases are read unless they were."""
        path = path.resolve()
        if path in self._places:
            place = self._places[path]
            if place is None:
                raise BenchError(f"{path} is its own _base_; remove it from _base_")
            return place
        if not path.is_file():
            raise BenchError(f"config {path} does not exist; give a config, or correct the _base_")
        self._places[path] = None
        text = read_text(path)
        if len(text) > LARGEST_TEXT:
            raise BenchError(f"{path} has {len(text)} characters, a config at most {LARGEST_TEXT}")
        try:
            entries = bases_of(text)
        except UNREADABLE as error:
            raise BenchError(f"{path} is not a config that can be read: {error}") from error
        bases = [self._read_base(entry, path) for entry in entries]
        place = self._places[path] = len(self.files)
        if place >= MOST_FILES:
            raise BenchError(f"{path} has more than {MOST_FILES} bases, which are too many to keep")
        name = f"{place}-{plain_name(path.stem)[:99]}.py"
        self.files.append(ConfigText(name=name, sha256=text_sha256(text), bases=bases))
        self.texts[name] = text
        return place

    def _read_base(self, entry: str, path: Path) -> int | None:
        of_others = "::" in entry and not entry.startswith(OURS)
        return None if of_others else self.read(base_path(path, entry))
