"""Write the folder of an evaluation: weights, a config for each backbone and task, a suite file."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from simmim_bench.config import load_config
from simmim_bench.data.layouts import data_root
from simmim_bench.data.own import OwnDataset
from simmim_bench.evaluation.leaf import leaf_text
from simmim_bench.evaluation.recipes import DEMO, FULL, PROBES, Job
from simmim_bench.io import atomic_write_text, sha256_file
from simmim_bench.plugins import imported
from simmim_bench.recipe.any_backbone import Levels, backbone_name
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.records import SCRATCH
from simmim_bench.records.manifest import Kind
from simmim_bench.records.names import plain_name
from simmim_bench.shipped import SUITE_SCHEMA
from simmim_bench.weights.widen import Rule

SUITE = "suite.yaml"
RGB = 3
FULL_RESOURCES = {"threads": 8, "gpus": 8}  # the recipes' devices
HEADER = """\
# yaml-language-server: $schema={schema}
# Written by simmim-bench evaluate; edit it, and the configs beside it, then
#   simmim-bench suite {suite} --work-dir {folder}
# GPU hours are hours of one process on a {machine}, from a timing of the backbones there.
"""


@dataclass(frozen=True)
class Entry:
    """Weights to evaluate.

    Attributes:
        given: As the command line names them.
        weights: Local ``backbone.pth``.
        card: Its card, as ``weights.levels.read_backbone`` returns it.
        method: Name in the suite.
        backbone: Same; with a number if earlier weights have a backbone of that name with other
            options, such as windows.
    """

    given: str
    weights: Path
    card: Mapping[str, Any]
    method: str
    backbone: str

    @property
    def is_first(self) -> bool:
        """Whether no earlier weights have a backbone of that name."""
        return self.backbone == plain_name(backbone_name(self.card))


def recipe_of(entry: Entry, job: Job, image_size: int | None = None) -> Any:
    """The recipe of a task with the backbone of some weights, at its image size or another.

    Raises:
        BenchError: If it does not fit the backbone or the data.
    """
    data = None if job.own is None else str(job.own.folder)
    return load_recipe(
        str(job.config(Levels(entry.card).shape)),
        Changes(card=entry.card, data=data, image_size=image_size),
    )


def write_files(
    folder: Path,
    entries: Sequence[Entry],
    jobs: Sequence[Job],
    *,
    scratch: bool,
    seeds: int,
    kind: Kind,
    image_size: int | None = None,
    widen: Rule = "mean",
    cache_gb: int | None = None,
    hours: Mapping[tuple[str, str], float],
    machine: str,
) -> Path:
    """Write everything that the suite reads; files with the same content are not touched.

    Args:
        folder: For all of it.
        entries: Weights.
        jobs: Tasks.
        scratch: Whether random weights are measured too.
        seeds: Number of seeds.
        kind: ``smoke`` for test runs.
        image_size: Instead of that of the recipes.
        widen: How weights of other channels than the data's are used.
        cache_gb: Most GB of features that probes keep.
        hours: Estimate by name of backbone and task.
        machine: Where it was timed.

    Returns:
        The suite file.
    """
    for entry in entries:
        _keep(entry.weights, folder / "weights" / entry.backbone / entry.method)
        for job in jobs:
            _write_leaf(folder, entry, job)
    suite = folder / SUITE
    relative = os.path.relpath(SUITE_SCHEMA, folder.resolve())
    header = HEADER.format(
        schema=Path(relative).as_posix(),
        suite=shlex.quote(shown(suite)),
        folder=shlex.quote(shown(folder)),
        machine=machine,
    )
    content: dict[str, Any] = {
        "name": suite_name(folder),
        "kind": kind,
        "seeds": seeds,
        **({"imports": list(imported())} if imported() else {}),
        **_matrix(folder, entries, jobs, scratch=scratch, hours=hours),
    }
    widened = {
        job.name
        for job in jobs
        if any(channels_of(e.card) != (job.own.channels if job.own else RGB) for e in entries)
    }
    probes = {job.name for job in jobs if job.task in PROBES}
    for name, task in content["tasks"].items():
        task.update({"image_size": image_size} if image_size else {})
        task.update({"widen": widen} if name in widened else {})
        task.update({"cache_gb": cache_gb} if name in probes and cache_gb is not None else {})
    _write(suite, header + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))
    return suite


def suite_name(folder: Path) -> str:
    """Name of the suite in a folder of any name."""
    return plain_name(folder.absolute().name)


def channels_of(card: Mapping[str, Any]) -> int:
    """Channels of the images that weights are for."""
    return int(card["backbone_config"].get("in_channels", RGB))


def _write_leaf(folder: Path, entry: Entry, job: Job) -> None:
    target = folder / "configs" / entry.backbone / f"{job.name}.py"
    base = job.config(Levels(entry.card).shape)
    title = f"{job.task} of {entry.backbone} on {job.data}: configs/any/{base.name}, filled."
    filled = load_recipe(str(base), Changes(card=entry.card))  # the suite names own data
    before, after = (cfg._cfg_dict.to_dict() for cfg in (load_config(str(base)), filled))
    _write(target, leaf_text(base, before, after, title))


def _matrix(
    folder: Path,
    entries: Sequence[Entry],
    jobs: Sequence[Job],
    *,
    scratch: bool,
    hours: Mapping[tuple[str, str], float],
) -> dict[str, Any]:
    backbones = list(dict.fromkeys(entry.backbone for entry in entries))
    methods = list(dict.fromkeys(entry.method for entry in entries))
    made = {(entry.method, entry.backbone) for entry in entries}
    lacking = [
        {"method": method, "backbone": backbone}
        for method in methods
        for backbone in backbones
        if (method, backbone) not in made
    ]
    again = [entry.backbone for entry in entries if not entry.is_first]
    lacking += [{"method": SCRATCH, "backbone": name} for name in dict.fromkeys(again) if scratch]
    override = [
        {"backbone": backbone, "task": job.name, "gpu_hours": hours[backbone, job.name]}
        for backbone in backbones[1:]
        for job in jobs
    ]
    full = any(job.data in FULL for job in jobs)
    return {
        **({"data": DEMO} if any(job.data == DEMO for job in jobs) else {}),
        "backbones": backbones,
        "weights": {
            method: from_root(folder / "weights" / "{backbone}" / method / "backbone.pth")
            for method in methods
        },
        **({"baselines": [SCRATCH]} if scratch else {}),
        "tasks": {
            job.name: {
                "config": from_root(folder / "configs" / "{backbone}" / f"{job.name}.py"),
                "gpu_hours": hours[backbones[0], job.name],
                **({"data": _own_data(job.own)} if job.own is not None else {}),
            }
            for job in jobs
        },
        "resources": FULL_RESOURCES if full else {"threads": 1},
        **({"exclude": lacking} if lacking else {}),
        **({"override": override} if override else {}),
    }


def _own_data(own: OwnDataset) -> str:
    """Own data as a suite names them: by name, or by folder if that is elsewhere."""
    named = own.folder.resolve() == (data_root() / own.name).resolve()
    return own.name if named else from_root(own.folder)


def _keep(weights: Path, folder: Path) -> None:
    """The weights and their card below the folder of the evaluation, without a second copy."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in (".pth", ".json"):
        source, target = weights.with_suffix(suffix).resolve(), folder / f"backbone{suffix}"
        if target.is_file() and sha256_file(target) == sha256_file(source):
            continue
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copyfile(source, target)


def _write(path: Path, text: str) -> None:
    """Write a text unless the file has it; another version is kept beside it."""
    if path.is_file():
        before = path.read_text("utf-8")
        if before == text:
            return
        atomic_write_text(path.with_name(f"{path.name}.before"), before)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, text)


def from_root(path: Path) -> str:
    """A path as suites have it: from the current folder if below it."""
    return _relative(path, Path.cwd())


def shown(path: Path) -> str:
    """A path, relative to the current folder if below it."""
    return _relative(path, Path.cwd())


def _relative(path: Path, folder: Path) -> str:
    whole = path.absolute()  # links are kept
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()
