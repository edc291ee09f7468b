"""From a suite to its plan: which commands, in which folders, from which inputs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.data.layouts import data_root
from simmim_bench.errors import BenchError
from simmim_bench.suite.cells import group_cells, step_of
from simmim_bench.suite.plan import MANIFEST, Plan, Stage
from simmim_bench.suite.profile import Profile
from simmim_bench.suite.resources import Resources
from simmim_bench.suite.schema import SCRATCH, Step, Suite
from simmim_bench.suite.selectors import PRETRAIN, Cell
from simmim_bench.suite.sources import hash_sources
from simmim_bench.suite.validate import fingerprint

# A number is raised when that tool starts to compute something else from the same input:
# every stage that it made then runs again.
TOOL_VERSIONS = {
    "prepare_data": 2,
    "train": 3,
    "export_backbone": 1,
    "leaderboard": 1,
    "evaluate_painting": 1,
}


def build_plan(suite: Suite, *, root: Path, folder: Path, profile: Profile | None = None) -> Plan:
    """List the stages of ``suite``.

    Args:
        suite: Checked suite.
        root: Project's root, which has ``tools`` and ``configs``.
        folder: Suite's folder, usually ``work_dirs/<name>`` below the root.
        profile: How trainings are started; one process each by default.

    Raises:
        BenchError: If a config or one of its bases cannot be read, or two stages would write
            into one folder.
    """
    root, folder = root.resolve(), folder.resolve()
    builder = _Builder(suite, root, folder, profile or Profile())
    stages = [*builder.data(), *builder.cells()]
    _check_folders(stages)
    stages.append(builder.leaderboard(stages))
    return Plan(suite.name, root, folder, tuple(stages))


@dataclass(frozen=True)
class _Builder:
    suite: Suite
    root: Path
    folder: Path
    profile: Profile

    def data(self) -> Iterator[Stage]:
        """Preparation of the embedded dataset, if the suite uses one."""
        if self.suite.data is None:
            return
        yield Stage(
            id="data",
            command=self._tool("prepare_data", self.suite.data),
            result=(data_root() / self.suite.data / "dataset.json").as_posix(),
            needs=(),
            inputs={"tool": _version("prepare_data"), "dataset": DemoSpec().fingerprint()},
            threads=self.suite.resources.threads,
        )

    def cells(self) -> Iterator[Stage]:
        """Pretraining, export and fine-tuning of every seed, backbone and method."""
        methods = self.suite.methods()
        for (seed, backbone, method), cells in group_cells(self.suite).items():
            name = f"{method}__{backbone}/seed{seed}"
            pretrain = export = None
            if method in methods:
                pretrain = self._train(
                    f"pretrain/{name}", Cell(method, backbone, PRETRAIN, seed), None
                )
                export = self._export(f"export/{name}", pretrain)
                yield from (pretrain, export)
            for cell in cells:
                identifier = f"finetune/{cell.task}/{name}"
                if pretrain and self.suite.tasks[cell.task].tool == "evaluate_painting":
                    yield self._paint(identifier, cell, pretrain)
                else:
                    yield self._train(identifier, cell, export)

    def leaderboard(self, stages: list[Stage]) -> Stage:
        """Records and tables from whatever fine-tuning has ended."""
        return Stage(
            id="leaderboard",
            command=self._tool("leaderboard", "build", "--work-dir", self._shown(self.folder)),
            result=self._shown(self.folder / "results" / "leaderboard" / "README.md"),
            needs=tuple(stage.id for stage in stages if stage.id.startswith("finetune/")),
            inputs={"tool": _version("leaderboard")},
            always=True,
        )

    def _train(self, identifier: str, cell: Cell, export: Stage | None) -> Stage:
        """A run of ``tools/train.py``: pretraining, or fine-tuning from ``export`` or scratch."""
        step = step_of(self.suite, cell)
        config, seed, used = step.path(cell.backbone), str(cell.seed), self._used(step, cell)
        options = [*step.options(), *(f"{key}={path}" for key, (_, path) in used.items())]
        resources = step.resources or self.suite.resources
        origin, start = self._origin(cell, export)
        tool = self._tool(
            *("train", config, "--work-dir", self._shown(self.folder / identifier)),
            *("--seed", seed, "--kind", self.suite.kind, *origin, "--resume"),
            *resources.flags(self.profile.processes(resources)),
            *(["--cfg-options", *options] if options else []),
        )
        return Stage(
            id=identifier,
            command=self.profile.command(tool, resources),
            result=self._manifest(identifier),
            needs=(
                *(["data"] if self.suite.data else []),
                *([export.id] if export else []),
                *(needed for needed, _ in used.values()),
            ),
            inputs={
                **{"tool": _version("train"), "kind": self.suite.kind, "seed": seed, **start},
                **{"config": config, "overrides": " ".join(options)},
                **({"precision": resources.precision} if resources.precision else {}),
                **hash_sources(config, root=self.root),
            },
            threads=resources.threads,
            config=config,
            options=tuple(options),
            **self._share(step, resources),
        )

    def _used(self, step: Step, cell: Cell) -> dict[str, tuple[str, str]]:
        """Config key to the export that it takes: the stage and the path of the weights."""
        found = {}
        for key, method in step.uses.items():
            stage = f"export/{method}__{cell.backbone}/seed{cell.seed}"
            found[key] = (stage, self._shown(self.folder / stage / "backbone.pth"))
        return found

    def _origin(self, cell: Cell, export: Stage | None) -> tuple[list[str], dict[str, str]]:
        """Arguments and inputs that say where the backbone comes from."""
        if export is not None:
            return ["--pretrained", self._shown(self.folder / export.id / "backbone.pth")], {}
        if cell.task == PRETRAIN:
            return [], {}
        if given := self.suite.given(cell.method, cell.backbone):
            return ["--pretrained", given], {"weights": fingerprint(self.root, given)}
        return ["--from-scratch"], {"start": SCRATCH}

    def _share(self, step: Step, resources: Resources) -> dict[str, Any]:
        """Fields of a stage that say what it may use."""
        processes = self.profile.processes(resources)
        return {
            "processes": processes,
            "gpus": processes if self.profile.on_gpus else 0,
            "memory_mb": resources.memory,
            "minutes": resources.time,
            "gpu_hours": step.gpu_hours,
        }

    def _paint(self, identifier: str, cell: Cell, pretrain: Stage) -> Stage:
        """A run of ``tools/analyze.py painting`` with the whole of ``pretrain``."""
        step = step_of(self.suite, cell)
        protocol, resources = step.path(cell.backbone), step.resources or self.suite.resources
        source, target = self.folder / pretrain.id, self.folder / identifier
        return Stage(
            id=identifier,
            command=self._tool(
                *("analyze", "painting", pretrain.config, self._shown(source)),
                *("--protocol", protocol, "--out", self._shown(target)),
                *(["--cfg-options", *pretrain.options] if pretrain.options else []),
            ),
            result=self._manifest(identifier),
            needs=(*(["data"] if self.suite.data else []), pretrain.id),
            inputs={
                **{"tool": _version("evaluate_painting"), "config": protocol},
                **hash_sources(protocol, root=self.root),
            },
            threads=resources.threads,
            config=protocol,
            memory_mb=resources.memory,
            minutes=resources.time,
            gpu_hours=step.gpu_hours,
        )

    def _export(self, identifier: str, pretrain: Stage) -> Stage:
        source, target = self.folder / pretrain.id, self.folder / identifier
        return Stage(
            id=identifier,
            command=self._tool(
                "export_backbone", self._shown(source), "--out", self._shown(target)
            ),
            result=self._manifest(identifier),
            needs=(pretrain.id,),
            inputs={"tool": _version("export_backbone")},
            threads=self.suite.resources.threads,
        )

    def _tool(self, name: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, f"tools/{name}.py", *arguments)

    def _manifest(self, identifier: str) -> str:
        return self._shown(self.folder / identifier / MANIFEST)

    def _shown(self, path: Path) -> str:
        """Path from the root where possible, so that manifests hold none of this machine."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def _check_folders(stages: list[Stage]) -> None:
    """Refuse two stages with one folder: names with ``__`` can run into one another."""
    seen: set[str] = set()
    for stage in stages:
        if stage.id in seen:
            raise BenchError(
                f"two stages would write into {stage.id}; rename a method or a backbone of the "
                f"suite, whose names are joined by '__'"
            )
        seen.add(stage.id)


def _version(tool: str) -> str:
    return f"{tool} {TOOL_VERSIONS[tool]}"
