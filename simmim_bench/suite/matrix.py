"""From a suite to its plan: which commands, in which folders, from which inputs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.data.layouts import data_root
from simmim_bench.suite.plan import MANIFEST, Plan, Stage
from simmim_bench.suite.schema import SCRATCH, Step, Suite
from simmim_bench.suite.sources import hash_sources

# A number is raised when that tool starts to compute something else from the same input:
# every stage that it made then runs again.
TOOL_VERSIONS = {"prepare_data": 1, "train": 3, "export_backbone": 1, "leaderboard": 1}


def build_plan(suite: Suite, *, root: Path, folder: Path) -> Plan:
    """List the stages of ``suite``.

    Args:
        suite: Checked suite.
        root: Project's root, which has ``tools`` and ``configs``.
        folder: Suite's folder, usually ``work_dirs/<name>`` below the root.

    Raises:
        BenchError: If a config or one of its bases cannot be read.
    """
    root, folder = root.resolve(), folder.resolve()
    builder = _Builder(suite, root, folder)
    stages = [*builder.data(), *builder.cells()]
    stages.append(builder.leaderboard(stages))
    return Plan(suite.name, root, folder, tuple(stages))


@dataclass(frozen=True)
class _Builder:
    suite: Suite
    root: Path
    folder: Path

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
        for seed in range(self.suite.seeds):
            for backbone in self.suite.backbones:
                for method, step in self.suite.methods().items():
                    cell = f"{method}__{backbone}/seed{seed}"
                    pretrain = self._train(f"pretrain/{cell}", step, backbone, seed)
                    export = self._export(f"export/{cell}", pretrain)
                    yield from (pretrain, export)
                    yield from self._downstream(cell, backbone, seed, export)
                for method in self.suite.baselines:
                    yield from self._downstream(f"{method}__{backbone}/seed{seed}", backbone, seed)

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

    def _downstream(
        self, cell: str, backbone: str, seed: int, export: Stage | None = None
    ) -> Iterator[Stage]:
        for task, step in self.suite.tasks.items():
            yield self._train(f"finetune/{task}/{cell}", step, backbone, seed, export)

    def _train(
        self, identifier: str, step: Step, backbone: str, seed: int, export: Stage | None = None
    ) -> Stage:
        """A run of ``tools/train.py``: pretraining, or fine-tuning from ``export`` or scratch."""
        config, options = step.path(backbone), step.options()
        origin: list[str] = []
        inputs = {"tool": _version("train"), "kind": self.suite.kind, "seed": str(seed)}
        if export is not None:
            origin = ["--pretrained", self._shown(self.folder / export.id / "backbone.pth")]
        elif identifier.startswith("finetune/"):
            origin = ["--from-scratch"]
            inputs["start"] = SCRATCH
        inputs |= {"config": config, "overrides": " ".join(options)}
        inputs |= hash_sources(config, root=self.root)
        return Stage(
            id=identifier,
            command=self._tool(
                *("train", config, "--work-dir", self._shown(self.folder / identifier)),
                *("--seed", str(seed), "--kind", self.suite.kind, *origin, "--resume"),
                *(["--cfg-options", *options] if options else []),
            ),
            result=self._manifest(identifier),
            needs=(*(["data"] if self.suite.data else []), *([export.id] if export else [])),
            inputs=inputs,
            threads=(step.resources or self.suite.resources).threads,
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


def _version(tool: str) -> str:
    return f"{tool} {TOOL_VERSIONS[tool]}"
