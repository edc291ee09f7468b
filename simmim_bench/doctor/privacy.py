"""Remove from a text what is nobody else's business: paths, names, addresses and secrets."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import simmim_bench
from simmim_bench.io import without_secrets

SECRET = "<secret>"  # noqa: S105  (what stands in its place)
USUAL_USERS = ("root", "user", "ubuntu", "runner", "docker", "jovyan", "nobody")
"""Names of accounts that tell nothing, and that are words of our sentences."""
SECRET_NAMES = re.compile(r"TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH|COOKIE|WEBHOOK", re.IGNORECASE)
"""Environment variables whose values are secrets."""
SHORTEST = 4
"""Characters of a value of such a variable, below which it is a word or a number."""
KNOWN_TOKEN = re.compile(r"\b(?:hf|gh[a-z]|github_pat|glpat|sk|pk|xox[a-z]|AKIA)[-_]?[\w-]{10,}")
NAMED_TOKEN = re.compile(
    r"(?i)\b(?:bearer\s+|(?:token|password|passwd|secret|api[-_]?key)\s*[:=]\s*)\S+"
)
LONG_TOKEN = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{32,}")
URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>|)]+")
OPEN_URLS = ("https://pytorch.org/",)
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")
IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)(?::\d+)?")
IPV6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![\w:])")
FREE = r"(?!/(?:dev/shm|etc/hosts)\b)"
"""Paths that are the same on every machine."""
ROOT = r"(~|<(?:here|temporary|outputs|cache)>|)"
"""What stands for a folder whose content is private, too; nothing for any other folder."""
QUOTED_PATH = re.compile(rf"(['\"`]){ROOT}{FREE}/[^'\"`\n]*\1")
PATH = re.compile(
    # after its first part up to the last slash of the clause: names may contain spaces
    rf"(?<![\w.<>~-]){ROOT}{FREE}/(?:[^'\"`:;,()<>|\n]*/)?[^\s'\"`:;,()<>|]*"
)


@dataclass(frozen=True)
class Private:
    """What a machine and its user have to themselves.

    Attributes:
        folders: Path to what stands in its place, such as ``~``.
        words: Names and secrets to what stands in their place.
        keep: Texts that look like an address or secret and are none, such as versions.
    """

    folders: Mapping[str, str]
    words: Mapping[str, str]
    keep: frozenset[str] = frozenset()

    @classmethod
    def of_this_machine(
        cls,
        folders: Mapping[str, Path] | None = None,
        names: Iterable[str] = (),
        keep: Iterable[str] = (),
    ) -> Private:
        """What this process can know of it, without asking a network.

        Args:
            folders: Further folders, by what to call them.
            names: Further names that are private, such as those of own data.
            keep: See the class.
        """
        named = {
            **{f"<{name}>": path for name, path in (folders or {}).items()},
            "<simmim_bench>": Path(simmim_bench.__file__).parent,
            "<environment>": Path(sys.prefix),
            "<python>": Path(sys.base_prefix),
            "<temporary>": Path(tempfile.gettempdir()),
            "<here>": Path.cwd(),
        }
        with suppress(RuntimeError):  # no home
            named["~"] = Path.home()
        places = {
            spelled: label
            for label, path in named.items()
            for spelled in (str(path.absolute()), os.path.realpath(path))
            if len(Path(spelled).parts) > 1  # not the root
        }
        words = {**_words(), **dict.fromkeys(names, "<name>")}
        return cls(places, words, frozenset(keep))

    def without(self, text: str) -> str:
        """``text`` with placeholders for all that is private."""
        text = URL.sub(lambda found: self._url(found[0]), text)
        for word in sorted(self.words, key=len, reverse=True):
            if self.words[word] == SECRET:
                text = text.replace(word, SECRET)
        for folder in sorted(self.folders, key=len, reverse=True):
            spelled = re.escape(folder)
            text = re.sub(rf"(?<![\w.~/-]){spelled}(?![\w-]|\.\w)", self.folders[folder], text)
        text = self._tokens(without_secrets(text))
        text = MAIL.sub("<address>", text)
        for pattern in (IPV4, IPV6):
            text = pattern.sub(lambda found: self._kept(found[0], "<address>"), text)
        text = QUOTED_PATH.sub(lambda found: f"{found[1]}{found[2]}<path>{found[1]}", text)
        text = PATH.sub(lambda found: f"{found[1]}<path>", text)
        return self._names(text)

    def _names(self, text: str) -> str:
        """Names of user and machine, the latter with its domain; also in other names."""
        for word, label in sorted(self.words.items(), key=lambda item: -len(item[0])):
            if label == SECRET:
                continue
            domain = r"(?:\.[A-Za-z][\w-]*)*" if label == "<host>" else ""
            pattern = rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9]){domain}"
            text = re.sub(pattern, label, text, flags=re.IGNORECASE)
        return text

    def _tokens(self, text: str) -> str:
        text = NAMED_TOKEN.sub(SECRET, KNOWN_TOKEN.sub(SECRET, text))
        return LONG_TOKEN.sub(lambda found: self._kept(found[0], SECRET), text)

    def _kept(self, found: str, otherwise: str) -> str:
        return found if found in self.keep else otherwise

    @staticmethod
    def _url(found: str) -> str:
        return found if found.startswith(OPEN_URLS) else "<url>"


def _words() -> dict[str, str]:
    """Names and secrets of this process, to what stands in their place."""
    words = {}
    with suppress(OSError, KeyError, ImportError):  # an account without a name
        words[getpass.getuser()] = "<user>"
    for name in ("USER", "LOGNAME", "SUDO_USER", "SLURM_JOB_USER"):
        words[os.environ.get(name, "")] = "<user>"
    with suppress(ImportError, KeyError):
        import pwd

        entry = pwd.getpwuid(os.getuid())
        words[entry.pw_name] = "<user>"
        words[entry.pw_gecos.split(",")[0].strip()] = "<user>"
    words = {word: label for word, label in words.items() if word not in USUAL_USERS}
    for host in (socket.gethostname(), platform.node(), os.environ.get("HOSTNAME", "")):
        words[host.split(".")[0]] = "<host>"
    for name in (
        "SLURM_JOB_ACCOUNT",
        "SLURM_JOB_NAME",
        "SLURM_CLUSTER_NAME",
        "SLURM_JOB_PARTITION",
    ):
        words[os.environ.get(name, "")] = "<job>"
    words.pop("", None)
    words.pop("localhost", None)
    secrets = {
        value: SECRET
        for name, value in os.environ.items()
        if SECRET_NAMES.search(name) and len(value) >= SHORTEST
    }
    return {**words, **secrets}
