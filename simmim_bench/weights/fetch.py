"""Bring weights of any origin to this machine: the files, their revision and their hash.

Downloads go through the libraries that own the places and stay in their caches: huggingface_hub for
the Hub, timm and torchvision for their models. Files of other addresses are kept in ours. What
cannot be had is one sentence.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from filelock import FileLock

from simmim_bench.errors import BenchError
from simmim_bench.io import cache_home, parse_json, read_bytes, sha256_file, without_secrets
from simmim_bench.weights.address import CONFIG, Address, require_existing

TIMEOUT = 60  # seconds to connect, and between two packets
ANSWERS = 10  # seconds that the Hub may take to answer at all
FULL = (errno.ENOSPC, errno.EDQUOT)
HASH_IN_NAME = re.compile(r"-([a-f0-9]{8,})\.")  # of files of PyTorch's and timm's servers
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of weights in a repository, safetensors first."""
INDEX = ".index.json"
LARGEST_JSON = 2**26


@dataclass(frozen=True)
class Fetched:
    """Weights on this machine.

    Attributes:
        files: One file, or the parts of one checkpoint.
        revision: Commit of the repository that they come from.
        config: Content of the repository's ``config.json``.
    """

    files: tuple[Path, ...]
    revision: str | None = None
    config: dict[str, Any] = field(default_factory=dict)

    def sha256(self) -> str:
        """Hash of the file, or of the hashes of all parts."""
        found = [sha256_file(path) for path in self.files]
        return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def cache_folder() -> Path:
    """Where downloads and converted weights are kept."""
    return cache_home() / "weights"


def fetch(address: Address) -> Fetched:
    """Download what is not here.

    Raises:
        BenchError: If there is no such file, name, repository or revision, it may not be read, or
            there is no connection.
    """
    if address.kind == "file":
        return _local_files(address)
    if address.kind == "url":
        return Fetched((_url_file(address.name),))
    if address.kind == "timm":
        return _timm_files(address)
    if address.kind == "torchvision":
        return Fetched((hub_file(torchvision_weights(address.name).url),))
    return repository_files(
        address.name, address.revision, HUB_FILES, address.shown.partition("@")[0]
    )


def _local_files(address: Address) -> Fetched:
    path = Path(address.name)
    if path.is_dir():
        return _folder_files(path)
    require_existing(address, "weights")
    beside = path.with_name(CONFIG)
    described = path.name in HUB_FILES and beside.is_file()
    return Fetched((path,), config=_read_object(beside) if described else {})


def download_to(url: str, path: Path, *, hash_prefix: str | None = None) -> None:
    """Download a file, all of it or nothing.

    Args:
        url: Of scheme http, https or file.
        path: File to write.
        hash_prefix: Start of the SHA-256 that it must have.

    Raises:
        BenchError: If it cannot be downloaded, or has another hash.
        OSError: If the disk is full.
    """
    shown, before = without_secrets(url), socket.getdefaulttimeout()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        socket.setdefaulttimeout(TIMEOUT)  # torch waits forever
        torch.hub.download_url_to_file(url, str(path), hash_prefix, progress=True)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise BenchError(
            without_secrets(f"cannot download {shown} ({error}); check the address and the network")
        ) from error
    except RuntimeError as error:  # of the hash
        raise BenchError(f"{shown}: {error}; the file is damaged, download it again") from error
    finally:
        socket.setdefaulttimeout(before)


def _url_file(url: str) -> Path:
    name = Path(urlsplit(url).path).name or "checkpoint"
    folder = cache_folder() / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16]
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not path.is_file():
            download_to(url, path)
    return path


def hub_file(url: str) -> Path:
    """A file of PyTorch's or timm's servers, in the folder where torch.hub keeps it.

    Raises:
        BenchError: As ``download_to``; also if the file that is there has another hash than its
            name says.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / Path(urlsplit(url).path).name
    found = HASH_IN_NAME.search(path.name)
    prefix = found and found.group(1)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{path.name}.lock"):
        if not path.is_file():
            download_to(url, path, hash_prefix=prefix)
        elif prefix and not sha256_file(path).startswith(prefix):
            raise BenchError(
                f"{path} is damaged: its SHA-256 does not start with {prefix}; remove it and run "
                f"the command again"
            )
    return path


def _timm_files(address: Address) -> Fetched:
    from simmim_bench.weights.timm_models import pretrained_config

    config = pretrained_config(address.name)
    if config.hf_hub_id:
        names = (config.hf_hub_filename,) if config.hf_hub_filename else HUB_FILES
        name, _, revision = config.hf_hub_id.partition("@")
        return repository_files(name, revision or None, names, address.shown, described=False)
    url = config.url if isinstance(config.url, str) else config.url[0]
    return Fetched((hub_file(url),))


def torchvision_weights(name: str) -> Any:
    """The entry of torchvision's list of weights.

    Args:
        name: ``MODEL.WEIGHTS``, such as ``resnet50.IMAGENET1K_V2``.

    Raises:
        BenchError: If torchvision has no such model or weights; names similar ones.
    """
    from torchvision.models import get_model_weights, list_models

    from simmim_bench.weights.timm_models import near_names

    model, _, wanted = name.partition(".")
    if model not in list_models():
        hint = near_names(model, list_models(), "torchvision:")
        raise BenchError(f"torchvision has no model {model!r}; {hint}")
    known = get_model_weights(model).__members__
    if wanted not in known:
        listed = ", ".join(f"torchvision:{model}.{each}" for each in known) or "none"
        raise BenchError(f"torchvision:{name} names no weights of {model}; there are {listed}")
    return known[wanted]


def repository_files(
    name: str, revision: str | None, names: Sequence[str], given: str, *, described: bool = True
) -> Fetched:
    """Weights of a repository of the Hugging Face Hub; nothing in it is executed.

    Args:
        name: ``ORG/NAME``.
        revision: Branch, tag or commit.
        names: Files to look for, each whole or in parts with an index.
        given: What the command line names, for errors.
        described: Whether its ``config.json`` is of use.

    Raises:
        BenchError: If there are none, the repository or revision does not exist or may not be read,
            or there is no connection.
    """
    commit, offline = revision, not _is_reachable()

    def find(file: str) -> Path | None:
        nonlocal commit
        found = _repository_file(name, file, commit, given, offline=offline)
        commit = _commit_of(found) if found else commit
        return found

    fetched = _weights_among(find, names, described=described)
    if fetched is None:
        raise BenchError(
            f"{given} has no {' or '.join(names)}; if it has weights under another name, give "
            f"their URL: https://huggingface.co/{name}/resolve/{revision or 'main'}/FILE"
        )
    return replace(fetched, revision=commit)


def _folder_files(folder: Path) -> Fetched:
    """Weights of a folder with the files of such a repository."""

    def find(file: str) -> Path | None:
        return folder / file if (folder / file).is_file() else None

    fetched = _weights_among(find, HUB_FILES)
    if fetched is None:
        raise BenchError(
            f"{folder} is a folder without {' or '.join(HUB_FILES)}; give a file of weights in it"
        )
    return fetched


def _weights_among(
    find: Callable[[str], Path | None], names: Sequence[str], *, described: bool = True
) -> Fetched | None:
    """The first of the weights that are there, with ``config.json``."""
    description = find(CONFIG) if described else None
    config = _read_object(description) if description else {}
    for wanted in names:
        if found := find(wanted):
            return Fetched((found,), config=config)
        if index := find(wanted + INDEX):
            parts = [(part, find(part)) for part in _parts_of(index)]
            if missing := [part for part, path in parts if path is None]:
                raise BenchError(f"{index.name} names {missing[0]}, which does not exist beside it")
            return Fetched(tuple(path for _, path in parts if path), config=config)
    return None


def _is_reachable() -> bool:
    """Whether the Hub answers, asked once; huggingface_hub itself tries for a minute."""
    import huggingface_hub
    from huggingface_hub import constants

    huggingface_hub.logging.set_verbosity_error()  # each of its retries would be a line
    try:
        huggingface_hub.get_session().head(constants.ENDPOINT, timeout=ANSWERS)
    except Exception:  # of one of several HTTP libraries, by its version
        return False
    return True


def _repository_file(
    name: str, file: str, revision: str | None, given: str, *, offline: bool
) -> Path | None:
    """Path of a file of a repository; None if it has none of that name."""
    from huggingface_hub import constants, errors, hf_hub_download, try_to_load_from_cache

    try:
        return Path(hf_hub_download(name, file, revision=revision, local_files_only=offline))
    except errors.LocalEntryNotFoundError as error:
        known = try_to_load_from_cache(name, file, revision=revision)
        if isinstance(known, str | None):  # else the cache knows that there is no such file
            missing = f"{file} is not in the cache of huggingface_hub"
            folder = f"give a local folder with the files of https://huggingface.co/{name}"
            if constants.HF_HUB_OFFLINE:
                raise BenchError(
                    f"HF_HUB_OFFLINE is set, which forbids to download {given}, and {missing}; "
                    f"unset it, or {folder}"
                ) from error
            raise BenchError(
                f"{given} cannot be reached, and {missing}; check the network, or set "
                f"HF_HUB_OFFLINE=1 with a cache that was filled elsewhere, or {folder}"
            ) from error
        return None
    except errors.EntryNotFoundError:
        return None
    except (OSError, errors.HFValidationError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise BenchError(_refusal(error, name, file, revision, given)) from error


def _refusal(error: Exception, name: str, file: str, revision: str | None, given: str) -> str:
    """What an error of huggingface_hub means, and the remedy."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{name}"
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{given} is a gated repository; accept its terms on {page} and log in with `hf auth "
            f"login`"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{given} has no revision {revision!r}; {page}/commits/main lists them"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{given} does not exist or is private; check the name on {page}, or log in with `hf "
            f"auth login`"
        )
    if isinstance(error, errors.HFValidationError):
        return f"{given} is not a name of a repository ({error}); expected hf:ORG/NAME"
    reason = " ".join(without_secrets(str(error)).split())[:200]
    return (
        f"{file} of {given} cannot be downloaded ({reason}); check the network and run the "
        f"command again"
    )


def _commit_of(path: Path) -> str | None:
    """Commit in the path of a file in the cache of huggingface_hub."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BenchError: If the file is too large or something else.
    """
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ValueError(f"it has {path.stat().st_size} bytes")
        value = parse_json(read_bytes(path))
    except ValueError as error:
        raise BenchError(f"{path.name} of the repository is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise BenchError(f"{path.name} of the repository is not a JSON object")
    return value


def _parts_of(index: Path) -> list[str]:
    """File names in an index of parts; none leads out of the repository."""
    named = _read_object(index).get("weight_map")
    values = sorted({str(value) for value in named.values()}) if isinstance(named, dict) else []
    odd = [value for value in values if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", value)]
    if odd or not values:
        what = f"names {odd[0]!r:.80}, which is not a file name" if odd else "names no files"
        raise BenchError(f"{index.name} of the repository {what}; do not use it")
    return values
