"""Versions, commit and machine that a result depends on; imports no package that it names."""

from __future__ import annotations

import platform
import re
import resource
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import simmim_bench
from simmim_bench import family
from simmim_bench.io import without_secrets
from simmim_bench.records.manifest import CPU, Environment, Precision

PACKAGES = ("torch", "torchvision", "numpy", "opencv-python", *family.PACKAGES, "simmim_bench")
GIT_TIMEOUT = 20  # seconds; a slow network disk must not delay a run
REMOTE = re.compile(
    r"(?:(?:https?|ssh|git)://|(?!file:)(?=[^/]+:))[A-Za-z0-9.-]+(?::|/)[A-Za-z0-9._/~+:-]+"
)
"""Address of a repository elsewhere, without a user: ``https://host/a/b``, ``host:a/b``."""
LONGEST_REMOTE = 300
STATUS = ("--no-optional-locks", "status", "--porcelain", "--ignore-submodules=all")
PLAIN_SETTINGS = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode"
    r"|symlinks)|remote\..*\.(url|pushurl|fetch)|branch\..*|user\.(name|email)|(pull|push)\..*"
)
"""What git, GitHub and their users write into a repository; others can name programs to run."""


def collect_environment(packages: Iterable[str] = PACKAGES) -> Environment:
    """Describe the running environment.

    Args:
        packages: Distribution names; packages that are not installed are left out.
    """
    ours = _repository()
    commit = _git(ours or Path.cwd(), "rev-parse", "--verify", "HEAD")
    # status runs programs that the repository's own configuration names
    changes = _git(ours, "status", "--porcelain") if ours and commit else None
    return Environment(
        python=platform.python_version(),
        torch=_version("torch"),
        versions=installed(packages),
        git_commit=commit,
        git_dirty=None if changes is None else bool(changes),
        platform=platform.platform(),
    )


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions that are installed, by name."""
    return {name: found for name in packages if (found := _version(name)) is not None}


def git_origin(folder: Path) -> dict[str, Any]:
    """Remote, commit and state of the git repository of a folder; None for what is unknown.

    Passwords, tokens and users in the address are left out; a remote on this machine is unknown.

    Returns:
        ``git_remote``, ``git_commit``, ``git_dirty``.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return {"git_remote": None, "git_commit": None, "git_dirty": None}
    remote = _git(folder, "config", "--get", "remote.origin.url") or ""
    changes = _git(folder, *STATUS) if _has_plain_settings(folder) else None
    return {
        "git_remote": public_remote(remote),
        "git_commit": commit,
        "git_dirty": None if changes is None else bool(changes),
    }


def public_remote(address: str) -> str | None:
    """The address of a remote without user, password and query; None if it is a path.

    ``https://me:token@host/a/b.git`` becomes ``https://host/a/b.git``, ``git@host:a/b`` becomes
    ``host:a/b``.
    """
    plain = re.sub(r"^((?:[a-z+]+://)?)[^/]*@", r"\1", without_secrets(address))
    plain = re.split(r"[?#]", plain)[0]
    return plain if REMOTE.fullmatch(plain) and len(plain) <= LONGEST_REMOTE else None


def _has_plain_settings(folder: Path) -> bool:
    """Whether the repository's own configuration can name no program that ``git status`` runs."""
    listed = _git(folder, "config", "--list", "--includes", "--show-scope", "--null")
    if listed is None:
        return False
    scopes, settings = listed.split("\0")[:-1:2], listed.split("\0")[1::2]
    own = [
        setting.partition("\n")[0]
        for scope, setting in zip(scopes, settings, strict=False)
        if scope in ("local", "worktree")
    ]
    return all(map(PLAIN_SETTINGS.fullmatch, own))


def cpu_name() -> str:
    """Device of a ``Cost`` measured without a GPU."""
    return f"{CPU}{platform.machine()}"


def resident_memory_mb() -> float:
    """Peak resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _repository() -> Path | None:
    """Folder of the package if git tracks it; None if it is installed."""
    source = Path(simmim_bench.__file__).resolve()
    tracked = _git(source.parent, "ls-files", "--error-unmatch", source.name)
    return source.parent if tracked is not None else None


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command; None if git is missing, slow or fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def precision_of(wrapper: Mapping[str, Any]) -> Precision:
    """Precision of the forward pass that the ``optim_wrapper`` of a config trains with."""
    kind = str(wrapper.get("type") or "OptimWrapper").rpartition(".")[2]
    if kind == "Bfloat16OptimWrapper":
        return "bfloat16"
    if kind != "AmpOptimWrapper":
        return "float32"
    stated = str(wrapper.get("dtype") or "float16").removeprefix("torch.")
    return "bfloat16" if stated == "bfloat16" else "float16"
