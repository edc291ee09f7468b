"""Where weights may come from, and the forms in which a command line says it; imports no torch."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from simmim_bench.errors import BenchError
from simmim_bench.io import without_secrets

SCHEMES = ("http", "https", "file")
HUB = "hf-hub:"
FORMS = (
    "an exported backbone.pth, another file, a URL, timm:NAME, timm:hf-hub:ORG/NAME, "
    "hf:ORG/NAME[@REVISION] or torchvision:NAME.WEIGHTS"
)
PREFIX = re.compile(r"[A-Za-z][\w+-]+")  # a drive letter of Windows is not one
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
REVISION = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
CARD = ".json"
LOOKED_AT = 512  # bytes
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
POINTER = "version https://git-lfs"
SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".safetensors")
EXPORT = "backbone.pth"
CONFIG = "config.json"
Kind = Literal["file", "url", "timm", "hf", "torchvision"]


@dataclass(frozen=True)
class Address:
    """Where weights come from.

    Attributes:
        kind: Kind of place. ``hf`` is a repository of the Hugging Face Hub.
        name: Path, URL, name of a model or repository.
        revision: Branch, tag or commit of a repository.
        by_timm: Whether timm wrote the repository.
    """

    kind: Kind
    name: str
    revision: str | None = None
    by_timm: bool = False

    @property
    def shown(self) -> str:
        """As a card and a message may show it: without folders of this machine and passwords."""
        if self.kind == "file":
            return Path(self.name).name
        if self.kind == "url":
            return without_secrets(self.name)
        hub, revision = HUB if self.by_timm else "", f"@{self.revision}" if self.revision else ""
        return f"{'timm' if self.by_timm else self.kind}:{hub}{self.name}{revision}"

    @property
    def is_named(self) -> bool:
        """Whether its name says what the weights are; that of a file may say anything."""
        return self.kind not in ("file", "url")

    @property
    def is_export(self) -> bool:
        """Whether it is a file with a card beside it."""
        path = Path(self.name)
        return self.kind == "file" and path.is_file() and path.with_suffix(CARD).is_file()

    @property
    def label(self) -> str:
        """What tables call the weights by default."""
        if self.kind in ("file", "url"):
            path = self.name if self.kind == "file" else urlsplit(self.name).path
            text = Path(path).name
            while Path(text).suffix.lower() in SUFFIXES:
                text = Path(text).stem
        else:
            text = f"{'timm' if self.by_timm else self.kind} {self.name}"
        return " ".join(re.sub(r"[^A-Za-z0-9._-]+", " ", text).split()).lstrip("._-") or self.kind


def parse_address(given: str) -> Address:
    """Read what a command line or a suite names.

    Raises:
        BenchError: If it has no such form, or is a file that does not exist.
    """
    if not given:
        raise BenchError(f"no weights are named; expected {FORMS}")
    if "://" in given:
        scheme = given.partition("://")[0]
        if scheme not in SCHEMES:
            raise BenchError(
                f"the scheme of a URL must be one of {', '.join(SCHEMES)}, got "
                f"{without_secrets(given)}"
            )
        try:
            urlsplit(given).path.encode()
        except ValueError as error:
            raise BenchError(
                f"{without_secrets(given)!r} is not an address ({error}); check it"
            ) from error
        return Address("url", given)
    prefix, colon, name = given.partition(":")
    if prefix == "timm" and colon:
        hub = name.startswith(HUB)
        return _repository(given, name.removeprefix(HUB), True) if hub else _named("timm", name)
    if prefix == "hf" and colon:
        return _repository(given, name, False)
    if prefix == "torchvision" and colon:
        return _named("torchvision", name)
    if colon and PREFIX.fullmatch(prefix) and not Path(given).exists():
        near = difflib.get_close_matches(prefix, ("timm", "hf", "torchvision"), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}:{name}? " if near else ""
        raise BenchError(f"unknown origin {prefix!r} of weights in {given}; {hint}Give {FORMS}")
    inside = Path(given) / EXPORT  # of a folder that an export or a conversion wrote
    return Address("file", str(inside) if given and inside.is_file() else given)


def _named(kind: Kind, name: str) -> Address:
    if not NAME.fullmatch(name):
        example = {"timm": "timm:swin_tiny_patch4_window7_224.ms_in1k"}.get(
            kind, "torchvision:resnet50.IMAGENET1K_V2"
        )
        raise BenchError(f"{kind}:{name} does not name a model; expected a form like {example}")
    return Address(kind, name)


def _repository(given: str, text: str, by_timm: bool) -> Address:
    name, at, revision = text.partition("@")
    if not REPOSITORY.fullmatch(name) or (at and not _is_revision(revision)):
        raise BenchError(
            f"{given} does not name a repository of the Hugging Face Hub; expected "
            f"{'timm:hf-hub:' if by_timm else 'hf:'}ORG/NAME, or with @REVISION a branch, tag or "
            f"commit"
        )
    return Address("hf", name, revision or None, by_timm)


def _is_revision(text: str) -> bool:
    """It names a file in the cache of huggingface_hub, so it must not lead elsewhere."""
    return REVISION.fullmatch(text) is not None and ".." not in text


def require_existing(address: Address, what: str) -> None:
    """Check that a file exists, and that it is not a text.

    Args:
        address: Where weights come from.
        what: The argument, to start the message.

    Raises:
        BenchError: If it is a file that does not exist, a text, or a folder of other things; names
            similar files and forms.
    """
    path = Path(address.name)
    if address.kind == "file" and path.is_file():
        _check_start(path, what)
    if address.kind != "file" or path.is_file():
        return
    if (path / CONFIG).is_file():
        return
    if path.is_dir():
        raise BenchError(f"{what} {path} is a folder without {EXPORT} or {CONFIG}; give a file")
    beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    names = [item.name for item in beside if item.suffix in SUFFIXES]
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(str(path.parent / name) for name in near)}?"
    elif not path.suffix and REPOSITORY.fullmatch(address.name) and "/" in address.name:
        hint = f"a repository of the Hugging Face Hub is hf:{address.name}"
    else:
        hint = f"expected {FORMS}"
    raise BenchError(f"{what} {path} does not exist; {hint}")


def _check_start(path: Path, what: str) -> None:
    """Raise if a file is a text: each format of weights has control characters at its start."""
    with path.open("rb") as stream:
        start = stream.read(LOOKED_AT)
    if not start or CONTROL.search(start):
        return
    line = start.decode(errors="replace").split("\n")[0].strip()
    remedy = "give a file of weights, such as .pth or .safetensors"
    if line.startswith(POINTER):
        remedy = "it is a pointer of Git LFS: get the file with `git lfs pull`"
    raise BenchError(f"{what} {path} is a text that starts with {line!r:.60}, no weights; {remedy}")
