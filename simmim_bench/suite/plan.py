"""The plan of a suite as data: which commands run, in which folders, from which inputs.

A plan is written to ``plan.json``, which the process of each stage reads. This file imports nothing
heavy, so that stages start fast.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from simmim_bench import shipped
from simmim_bench.errors import BenchError
from simmim_bench.io import parse_json, read_bytes, read_json

LOG = "log.txt"
MANIFEST = "manifest.json"  # as in records.manifest, which is slow to import
SUPERSEDED = "superseded"
CHOICE = "choice.json"
"""File of the values that trials chose (``records.tuning.Choice``)."""
_TUPLES = ("command", "needs", "options", "imports")  # JSON makes them lists


@dataclass(frozen=True)
class Stage:
    """One command and the folder that it fills.

    Attributes:
        id: Folder of the stage below the suite's folder.
        command: Arguments, run from the root.
        result: File that says, by its existence and content, that the stage is complete; a path
            from the root.
        needs: Ids of the stages whose results it reads.
        inputs: What its result depends on besides ``needs``: name to value or hash.
        threads: CPU threads of each process.
        always: Whether it runs last, even if some of ``needs`` failed.
        config: Config of a training, from the root; empty for other tools.
        options: Its overrides, ``KEY=VALUE``.
        imports: Modules of the user that it imports.
        data: Own data that it reads; empty: those that the config names.
        image_size: Shorter side of its images; None: that of the config.
        held_out: Share of the training data that a trial is scored on; None: it is no trial.
        held_out_seed: Which images these are.
        tuned: File of the values that trials chose, from the root; empty: none.
        processes: Processes of a training.
        gpus: GPUs that it gets; 0 where there are none.
        memory_mb: Main memory that it needs, if stated.
        minutes: Time after which it is asked to end, if stated.
        gpu_hours: Estimated cost, if stated.
        problem: Why its config cannot be read; empty if it can.
    """

    id: str
    command: tuple[str, ...]
    result: str
    needs: tuple[str, ...]
    inputs: dict[str, str]
    threads: int = 1
    always: bool = False
    config: str = ""
    options: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    data: str = ""
    image_size: int | None = None
    held_out: float | None = None
    held_out_seed: int = 0
    tuned: str = ""
    processes: int = 1
    gpus: int = 0
    memory_mb: int | None = None
    minutes: int | None = None
    gpu_hours: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """Stages of a suite in an order in which they could run.

    Attributes:
        name: Name of the suite.
        root: Folder of relative paths; commands run there.
        folder: The suite's folder.
        stages: Each stage stands after those that it needs; the leaderboard is the last.
    """

    name: str
    root: Path
    folder: Path
    stages: tuple[Stage, ...]

    def stage(self, identifier: str) -> Stage:
        """The stage called ``identifier``.

        Raises:
            BenchError: If there is none, as in a job of an earlier plan of the suite.
        """
        if identifier not in self._by_id:
            raise BenchError(f"{self.name} has no stage {identifier} now; start the suite again")
        return self._by_id[identifier]

    @cached_property
    def _by_id(self) -> dict[str, Stage]:
        return {stage.id: stage for stage in self.stages}

    def recipe_of(self, stage: Stage) -> Any:
        """The config of a training with all that the suite changes in it.

        Values that trials choose are in it as soon as they are chosen.

        Raises:
            BenchError: As ``recipe.command_line.load_recipe``.
        """
        from simmim_bench.recipe.command_line import Changes, load_recipe  # not in each stage

        changes = Changes(
            overrides=(*stage.options, *read_chosen(self.root / stage.tuned)),
            data=stage.data or None,
            image_size=stage.image_size,
            held_out=stage.held_out,
            held_out_seed=stage.held_out_seed,
        )
        return load_recipe(str(self.path_of(stage.config)), changes)

    def path_of(self, config: str) -> Path:
        """File of a config: a path from the root, or one of the package."""
        return shipped.find(config, base=self.root)

    def folder_of(self, stage: Stage) -> Path:
        """Absolute folder of ``stage``."""
        return self.folder / stage.id

    def log_of(self, stage: Stage) -> Path:
        """Absolute path of the output of ``stage``."""
        return self.folder / stage.id / LOG

    def result_of(self, stage: Stage) -> Path:
        """Absolute path of the file that completes ``stage``."""
        return self.root / stage.result

    @property
    def state(self) -> Path:
        """Folder of what belongs to running the suite rather than to its results."""
        return self.folder / ".suite"

    @property
    def file(self) -> Path:
        """Where the plan is written for the processes of its stages."""
        return self.state / "plan.json"

    @property
    def markers(self) -> Path:
        """Folder of the files that tell Snakemake which stages have succeeded."""
        return self.state / "done"

    def marker_of(self, stage: Stage) -> Path:
        """The file that tells Snakemake that ``stage`` has succeeded."""
        return self.markers / stage.id / "ok"

    def to_json(self) -> dict[str, Any]:
        """JSON value that ``read`` takes."""
        stages = [dataclasses.asdict(stage) for stage in self.stages]
        return {
            "name": self.name,
            "root": str(self.root),
            "folder": str(self.folder),
            "stages": stages,
        }

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a file that was written from ``to_json``.

        Raises:
            BenchError: If it is missing or damaged.
        """
        try:
            raw = parse_json(read_bytes(path))
            stages = tuple(
                Stage(**{**stage, **{name: tuple(stage[name]) for name in _TUPLES}})
                for stage in raw["stages"]
            )
            return cls(raw["name"], Path(raw["root"]), Path(raw["folder"]), stages)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchError(
                f"the plan {path} is missing or damaged ({error}); start the suite again"
            ) from error


def read_chosen(path: Path) -> list[str]:
    """The values in a file of ``suite.choose`` as ``KEY=VALUE``; none if there is no such file."""
    chosen = (read_json(path) or {}).get("chosen") if path.is_file() else None
    return [f"{key}={value}" for key, value in chosen.items()] if isinstance(chosen, dict) else []
