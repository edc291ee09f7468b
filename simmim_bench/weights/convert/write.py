"""Write a converted checkpoint: a backbone folder of ours, or one file of another library."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.plugins import flags, imported
from simmim_bench.records.names import checked_name
from simmim_bench.weights.address import parse_address
from simmim_bench.weights.card import save_backbone
from simmim_bench.weights.convert.config_own import as_stored
from simmim_bench.weights.convert.conversion import Conversion
from simmim_bench.weights.convert.libraries import loaded_backbone
from simmim_bench.weights.convert.transformers_model import write_folder
from simmim_bench.weights.export import make_card
from simmim_bench.weights.fetch import fetch
from simmim_bench.weights.files import save_whole
from simmim_bench.weights.foreign import convert_weights
from simmim_bench.weights.seal import CONVERTED, UNKNOWN
from simmim_bench.weights.widen import Rule, check_channels


def report_path(destination: Path) -> Path:
    """Where the report of a conversion to ``destination`` goes."""
    return destination.with_name(f"{destination.name}.report.json")


def check_free(destination: Path) -> None:
    """Refuse to overwrite a file or folder.

    Raises:
        BenchError: If ``destination`` or its report exists.
    """
    if not destination.name:
        raise BenchError(f"DST is {str(destination)!r}, expected the path of a new file or folder")
    for path in (destination, report_path(destination)):
        if os.path.lexists(path):
            raise BenchError(f"{path} already exists; remove it or give another destination")


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What a card says besides what the weights show.

    Attributes:
        method: Name of the method that pretrained the weights; None for their layout.
        origin: Where they come from.
        revision: Commit of the repository that they come from.
    """

    method: str | None = None
    origin: str | None = None
    revision: str | None = None


def write_conversion(conversion: Conversion, destination: Path, stated: Stated) -> None:
    """Write ``destination`` and its report beside it; all of it or nothing.

    Args:
        conversion: What to write.
        destination: Folder for our backbone and for transformers, file for the other libraries.
        stated: For our card.

    Raises:
        BenchError: If ``destination`` exists or no adapter serves the backbone.
    """
    check_free(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if conversion.layout.name == "simmim_bench backbone":
        write_backbone(conversion, destination, stated)
    elif conversion.layout.library == "transformers":
        _write_transformers(conversion, destination)
    else:
        wrapper = conversion.layout.wrapper
        content: dict[str, Any] = {wrapper: conversion.state} if wrapper else conversion.state
        if conversion.layout.name == "simmim_bench pretraining":
            content["meta"] = as_stored(conversion.report.architecture)
        save_whole(content, destination)
    atomic_write_json(report_path(destination), conversion.report.to_dict())


def write_backbone(
    conversion: Conversion, destination: Path, stated: Stated, *, with_report: bool = False
) -> None:
    """Write ``backbone.pth`` and its card into a new folder; all of it or nothing.

    Args:
        conversion: What to write.
        destination: The folder.
        stated: For the card.
        with_report: Whether ``report.json`` stands in the folder, too.
    """
    card = _card(conversion, stated)
    staging = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}."))
    try:
        save_backbone(conversion.state, card, staging / "backbone.pth")
        if with_report:
            atomic_write_json(staging / "report.json", conversion.report.to_dict())
        staging.chmod(0o755)
        staging.replace(destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_transformers(conversion: Conversion, destination: Path) -> None:
    """A folder for ``from_pretrained``, all of it or nothing."""
    staging = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}."))
    try:
        name = conversion.layout.name
        write_folder(staging, conversion.architecture, conversion.state, name)
        staging.chmod(0o755)
        staging.replace(destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _card(conversion: Conversion, stated: Stated) -> dict[str, Any]:
    report = conversion.report
    adapter = adapter_for(loaded_backbone(conversion.architecture, conversion.state))
    card = make_card(
        adapter,
        conversion.state,
        backbone_config=report.architecture,
        pretraining={
            "method": stated.method or CONVERTED + report.layout,
            "backbone": adapter.name,
            "dataset": UNKNOWN,
            "epochs": None,
            "image_size": conversion.architecture.image_size,
            "seed": None,
        },
        epochs_planned=None,
        kind=conversion.kind,
    )
    source = {"file": report.source, "sha256": report.sha256}
    source |= {
        name: value
        for name, value in (("origin", stated.origin), ("revision", stated.revision))
        if value
    }
    source |= report.reading()
    wide = {"widened": conversion.widened} if conversion.widened else {}
    return {**card, "source": source, **wide}


def convert_file(
    *,
    source: str,
    destination: Path,
    method: str | None = None,
    channels: int | None = None,
    widen: Rule = "mean",
    **options: Any,
) -> None:
    """Fetch, read, convert, write, and print the report; arguments are those of the tool.

    Raises:
        BenchError: See ``fetch``, ``convert_weights`` and ``write_conversion``. Nothing is written
            then.
    """
    check_free(destination)
    if method is not None:
        method = named(method, "--method")
    if channels is not None:
        check_channels(channels)
    address = parse_address(source)
    fetched = fetch(address)
    conversion = convert_weights(address, fetched, channels=channels, widen=widen, **options)
    is_remote = address.kind != "file"
    stated = Stated(
        method=method or (address.label if address.is_named else None),
        origin=address.shown if is_remote else None,
        revision=fetched.revision,
    )
    write_conversion(conversion, destination, stated)
    sys.stdout.write(conversion.report.table())
    sys.stdout.write(f"wrote {destination} and {report_path(destination).name}\n")
    if conversion.layout.library == "simmim_bench":
        command = ["simmim-bench", "evaluate", str(destination), *flags(imported())]
        sys.stdout.write(f"next: {shlex.join(command)}\n")


def named(name: str, flag: str) -> str:
    """A name that tables may show.

    Raises:
        BenchError: If it is not one.
    """
    try:
        return checked_name(name)
    except ValueError as error:
        raise BenchError(f"{flag} {name!r} is not a name: {error}") from error
