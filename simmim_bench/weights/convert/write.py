"""Write a converted checkpoint: a backbone folder of ours, or one file of another library."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.records.names import checked_name
from simmim_bench.weights.card import save_backbone
from simmim_bench.weights.convert.conversion import Conversion, convert_checkpoint
from simmim_bench.weights.convert.libraries import loaded_backbone
from simmim_bench.weights.convert.source import read_source
from simmim_bench.weights.convert.transformers_model import write_folder
from simmim_bench.weights.export import make_card
from simmim_bench.weights.files import save_whole
from simmim_bench.weights.seal import CONVERTED, UNKNOWN


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


def write_conversion(conversion: Conversion, destination: Path, *, method: str | None) -> None:
    """Write ``destination`` and its report beside it; all of it or nothing.

    Args:
        conversion: What to write.
        destination: Folder for our backbone and for transformers, file for the other libraries.
        method: Name of the method that pretrained the weights, for our card.

    Raises:
        BenchError: If ``destination`` exists or no adapter serves the backbone.
    """
    check_free(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if conversion.layout.library == "simmim_bench":
        _write_folder(conversion, destination, method)
    elif conversion.layout.library == "transformers":
        _write_transformers(conversion, destination)
    else:
        wrapper = conversion.layout.wrapper
        content = {wrapper: conversion.state} if wrapper else conversion.state
        save_whole(content, destination)
    atomic_write_json(report_path(destination), conversion.report.to_dict())


def _write_folder(conversion: Conversion, destination: Path, method: str | None) -> None:
    card = _card(conversion, method)
    staging = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}."))
    try:
        save_backbone(conversion.state, card, staging / "backbone.pth")
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


def _card(conversion: Conversion, method: str | None) -> dict[str, Any]:
    report = conversion.report
    adapter = adapter_for(loaded_backbone(conversion.architecture, conversion.state))
    card = make_card(
        adapter,
        conversion.state,
        backbone_config=report.architecture,
        pretraining={
            "method": method or CONVERTED + report.layout,
            "backbone": adapter.name,
            "dataset": UNKNOWN,
            "epochs": None,
            "image_size": conversion.architecture.image_size,
            "seed": None,
        },
        epochs_planned=None,
        kind=conversion.kind,
    )
    return {**card, "source": {"file": report.source, "sha256": report.sha256}}


def convert_file(
    *,
    source: str,
    destination: Path,
    to: str = "simmim_bench",
    window: int | None = None,
    image_size: int | None = None,
    resize: str = "geometric",
    method: str | None = None,
    sha256: str | None = None,
    trust_pickle: bool = False,
) -> None:
    """Read, convert, write, and print the report; arguments are those of the tool.

    Raises:
        BenchError: See ``read_source``, ``convert_checkpoint`` and ``write_conversion``. Nothing is
            written then.
    """
    check_free(destination)
    if method is not None:
        try:
            method = checked_name(method)
        except ValueError as error:
            raise BenchError(f"--method {method!r} is not a name: {error}") from error
    given = read_source(source, sha256=sha256, trust_pickle=trust_pickle)
    conversion = convert_checkpoint(
        given, to=to, resize=resize, window=window, image_size=image_size
    )
    write_conversion(conversion, destination, method=method)
    sys.stdout.write(conversion.report.table())
    sys.stdout.write(f"wrote {destination} and {report_path(destination).name}\n")
