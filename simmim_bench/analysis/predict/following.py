"""The command that measures a run which predicted, or continues from it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simmim_bench.config import datasets
from simmim_bench.config_text import names_class
from simmim_bench.data.layouts import data_root
from simmim_bench.data.own import CARD, read_dataset
from simmim_bench.errors import BenchError
from simmim_bench.io import read_json
from simmim_bench.records.manifest import FILE_NAME
from simmim_bench.shipped import CONFIGS, HOME

KEPT = ("--image-size", "--num-classes")


def next_command(trained: Any) -> str | None:
    """A command line for the folder of the repository; None if the config of the run is unknown.

    Args:
        trained: ``Trained``.
    """
    stated = (read_json(trained.folder / FILE_NAME) or {}).get("config")
    stated = stated if isinstance(stated, dict) else {}
    given = stated.get("overrides")
    overrides = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    if trained.task == "pretraining":
        words = _of_pretraining(trained, overrides)
    else:
        words = _of_test(trained, stated.get("path"), overrides)
    return shlex.join(words) if words else None


def _of_pretraining(trained: Any, overrides: Sequence[str]) -> list[str]:
    export = trained.folder / "export"
    weights = export / "backbone.pth"
    if not weights.is_file():
        return ["simmim-bench", "export", str(trained.checkpoint), "--out", str(export)]
    return ["simmim-bench", "evaluate", str(weights), *_labelled(trained, overrides)]


def _labelled(trained: Any, overrides: Sequence[str]) -> list[str]:
    """``--data`` of the run, if something can be measured on it."""
    names = [each.removeprefix("--data=") for each in overrides if each.startswith("--data=")]
    if not names:
        return []
    given = _own(trained, names[0])
    try:
        found = read_dataset(given)
    except BenchError:
        return []
    measurable = found.task != "unlabelled" and found.images.val
    return ["--data", given] if measurable else []


def _of_test(trained: Any, config: Any, overrides: Sequence[str]) -> list[str]:
    path = (HOME / config).resolve() if isinstance(config, str) else HOME
    options = [each for each in overrides if not each.startswith("--")]
    if CONFIGS not in path.parents or not path.is_file() or any(map(_imports, options)):
        return []
    if CONFIGS / "any" in path.parents:  # its backbone is not in the config
        return ["simmim-bench", "leaderboard", "build", "--work-dir", str(trained.folder)]
    words = ["simmim-bench", "test", str(config), str(trained.checkpoint)]
    for each in overrides:
        flag, _, value = each.partition("=")
        if flag == "--data":
            words += [flag, _own(trained, value)]
        elif flag == "--data-root":
            words += [flag, _above(trained, value)]
        elif flag in KEPT:
            words += [flag, value]
    return [*words, "--cfg-options", *options] if options else words


def _imports(option: str) -> bool:
    """Whether an override of a run, which may be a stranger's, could run code."""
    return names_class(option) or option.startswith("custom_imports")


def _own(trained: Any, name: str) -> str:
    """``name`` if it is found below the data root, else the folder that the run was trained on."""
    folder = Path(_root(trained))
    if folder.name == name and (folder / CARD).is_file():
        below = data_root(None) / name
        return name if below.resolve() == folder.resolve() else str(folder)
    return name


def _above(trained: Any, name: str) -> str:
    """The data root of that name; the manifest has no more of its path."""
    root = Path(_root(trained))
    return next((str(each) for each in (root, *root.parents) if each.name == name), name)


def _root(trained: Any) -> str:
    try:
        found = [each.get("data_root") for _, each in datasets(trained.cfg)]
    except BenchError:  # the run is a stranger's, and its config is odd
        return ""
    return str(next(filter(None, found), ""))
