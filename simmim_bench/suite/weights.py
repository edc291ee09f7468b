"""Existing weights that a suite starts from: as they are, or converted first, once, by a stage."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.io import read_json, sha256_file, without_secrets
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.weights.address import EXPORT, parse_address

FOLDER = "converted"


def read_card(root: Path, weights: str) -> dict[str, Any] | None:
    """The JSON card beside existing weights; None if it is missing or damaged."""
    return read_json((root / weights).with_suffix(".json"))


def is_remote(root: Path, given: str) -> bool:
    """Whether weights are not a file here; an address that cannot be read is reported later."""
    try:
        address = parse_address(given)
    except BenchError:
        return True
    return address.kind != "file" or (root / given).is_dir()


def is_foreign(root: Path, given: str) -> bool:
    """Whether weights have to be converted: remote, or a file without a card."""
    path = root / given
    return is_remote(root, given) or (path.is_file() and not path.with_suffix(".json").exists())


def converted(folder: Path, identifier: str) -> Path:
    """The backbone that a stage of this id writes."""
    return folder / identifier / FOLDER / EXPORT


def inputs_of(root: Path, given: str) -> dict[str, str]:
    """What the result of a conversion depends on: the address, and the content of a file here.

    What is behind an address is not looked at: a plan downloads nothing.
    """
    path = root / given
    content = {"content": sha256_file(path)} if path.is_file() else {}
    return {"weights": without_secrets(given), **content}


def origin_mistakes(plan: Plan, stages: Iterable[Stage]) -> list[str]:
    """What is wrong with weights to convert, without a download.

    Names are looked up in the lists of timm and torchvision, which import torch, so another process
    does it, and only if there are such weights.
    """
    given = [
        [stage.id, str(plan.root / path) if (plan.root / path).exists() else path]
        for stage in stages
        if stage.id.startswith("weights/")
        for path in [dict(itertools.pairwise(stage.command))["convert"]]
    ]
    if not given:
        return []
    command = [sys.executable, "-P", "-m", "simmim_bench.weights.check_origins"]
    checked = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=False
    )
    if checked.returncode:
        raise BenchError(f"the weights could not be checked: {checked.stderr.strip()[-500:]}")
    found: list[list[str]] = json.loads(checked.stdout.splitlines()[-1])
    return [f"{place}: {message}" for place, message in found]
