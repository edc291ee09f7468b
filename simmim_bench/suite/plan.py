"""Stages of a suite and where they lie: pure data, read by every stage's process."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
_LISTS = ("command", "needs", "options")  # tuples that JSON makes lists


@dataclass(frozen=True)
class Stage:
    """One command and the folder that it fills.

    Attributes:
        id: Folder of the stage below the suite's folder.
        command: Arguments, run from the project's root.
        result: File whose existence and content say that the stage is complete, as a path from
            the root.
        needs: Ids of the stages whose results it reads.
        inputs: What its result depends on besides ``needs``: name to value or hash.
        threads: CPU threads of each process.
        always: Whether it runs, last, even if some of ``needs`` failed.
        config: Config of a training, from the root; empty for other tools.
        options: Its overrides, ``KEY=VALUE``.
        processes: Processes of a training.
        gpus: GPUs that it gets; 0 where there are none.
        memory_mb: Main memory that it needs, if that is stated.
        minutes: Time after which it is asked to end, if there is such.
        gpu_hours: Estimated cost, if that is stated.
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
    processes: int = 1
    gpus: int = 0
    memory_mb: int | None = None
    minutes: int | None = None
    gpu_hours: float | None = None


@dataclass(frozen=True)
class Plan:
    """Stages of a suite in an order in which they could run.

    Attributes:
        name: Name of the suite.
        root: Project's root; commands run there.
        folder: The suite's folder.
        stages: A stage stands after those that it needs.
    """

    name: str
    root: Path
    folder: Path
    stages: tuple[Stage, ...]

    def stage(self, identifier: str) -> Stage:
        """The stage called ``identifier``."""
        return next(stage for stage in self.stages if stage.id == identifier)

    def folder_of(self, stage: Stage) -> Path:
        """Absolute folder of ``stage``."""
        return self.folder / stage.id

    def result_of(self, stage: Stage) -> Path:
        """Absolute path of the file that completes ``stage``."""
        return self.root / stage.result

    @property
    def state(self) -> Path:
        """Folder of what belongs to the running of the suite rather than to its results."""
        return self.folder / ".suite"

    def to_json(self) -> dict[str, Any]:
        """JSON value that ``from_json`` takes."""
        stages = [dataclasses.asdict(stage) for stage in self.stages]
        return {
            "name": self.name,
            "root": str(self.root),
            "folder": str(self.folder),
            "stages": stages,
        }

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read what was written from ``to_json``."""
        raw = json.loads(path.read_text("utf-8"))
        stages = (
            Stage(**{**stage, **{name: tuple(stage[name]) for name in _LISTS}})
            for stage in raw["stages"]
        )
        return cls(raw["name"], Path(raw["root"]), Path(raw["folder"]), tuple(stages))
