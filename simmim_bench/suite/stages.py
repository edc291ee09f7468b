"""Make the stages of a plan: the command of each, its inputs, and the stages that it needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from simmim_bench import launch
from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.data.layouts import data_root, home
from simmim_bench.data.own import read_dataset
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.plugins import flags, hash_module
from simmim_bench.records import SCRATCH
from simmim_bench.suite.matrix import group_cells, step_of
from simmim_bench.suite.plan import CHOICE, MANIFEST, Stage
from simmim_bench.suite.profile import Profile
from simmim_bench.suite.schema import DEMO, PRETRAIN, Cell, Suite
from simmim_bench.suite.sources import custom_imports, hash_sources
from simmim_bench.suite.steps import Pretrain, Step, Task, Tune
from simmim_bench.suite.trials import CHOOSE, Values
from simmim_bench.suite.weights import converted, inputs_of, is_foreign, is_remote, read_card
from simmim_bench.weights.address import EXPORT

# Raise the number of a tool that starts to compute something else from the same input; all its
# stages then run again.
TOOL_VERSIONS = {
    "data": 2,
    "train": 3,
    "export": 1,
    "convert": 1,
    "leaderboard": 1,
    "evaluate_painting": 1,
    "choose": 1,
}


class _Start(NamedTuple):
    """Where the backbone of a training comes from.

    Attributes:
        arguments: Of ``simmim-bench train``.
        inputs: Of the stage.
        needs: Stages that write the weights.
    """

    arguments: list[str]
    inputs: dict[str, str] = {}
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageMaker:
    """Makes the stages of ``suite`` in its ``folder``; relative paths are from ``root``."""

    suite: Suite
    root: Path
    folder: Path
    profile: Profile
    hashes: dict[str, str] = field(default_factory=dict)
    """Of modules of the user, by name."""

    def data(self) -> Iterator[Stage]:
        """Preparation of the embedded dataset, if the suite uses one."""
        if not self.suite.is_demo:
            return
        yield Stage(
            id="data",
            command=_alone("data", DEMO),
            result=(home(DEMO, data_root()) / "dataset.json").as_posix(),
            needs=(),
            inputs={"tool": _version("data"), "dataset": DemoSpec().fingerprint()},
            threads=self.suite.resources.threads,
        )

    def conversions(self) -> Iterator[Stage]:
        """Conversion of existing weights of other libraries, once for all seeds."""
        groups = {(method, backbone): seed for seed, backbone, method in group_cells(self.suite)}
        for (method, backbone), seed in groups.items():
            given, name = self._foreign(Cell(method, backbone, PRETRAIN, seed))
            identifier = f"weights/{method}__{backbone}"
            if given is None:
                continue
            target = converted(self.folder, identifier)
            yield Stage(
                id=identifier,
                command=_alone(
                    *("convert", given, self._relative(target.parent)),
                    *(["--method", name] if name else []),
                    *flags(self.suite.imports),
                ),
                result=self._relative(target.with_suffix(".json")),
                needs=(),
                inputs={
                    "tool": _version("convert"),
                    "method": name or "",
                    **inputs_of(self.root, given),
                    **self._modules(self.suite.imports),
                },
                threads=self.suite.resources.threads,
            )

    def _foreign(self, cell: Cell) -> tuple[str | None, str | None]:
        """Weights of other libraries that a method starts from, and their name; None: no such."""
        if weights := self.suite.weights_of(cell.method, cell.backbone):
            return (weights if is_foreign(self.root, weights) else None), cell.method
        if cell.method not in self.suite.methods():
            return None, None
        step = step_of(self.suite, cell._replace(task=PRETRAIN))
        if not isinstance(step, Pretrain) or step.init is None:
            return None, None
        given = step.init.replace("{backbone}", cell.backbone)
        return (given if is_remote(self.root, given) else None), step.init_name

    def leaderboard(self, stages: list[Stage]) -> Stage:
        """Records and tables of the fine-tunings that have succeeded."""
        return Stage(
            id="leaderboard",
            command=_alone(
                *("leaderboard", "build", "--work-dir", self._relative(self.folder)),
                *flags(dict.fromkeys(name for stage in stages for name in stage.imports)),
            ),
            result=self._relative(self.folder / "results" / "leaderboard" / "README.md"),
            needs=tuple(stage.id for stage in stages if stage.id.startswith("finetune/")),
            inputs={"tool": _version("leaderboard")},
            always=True,
        )

    def train(
        self,
        identifier: str,
        cell: Cell,
        export: Stage | None,
        *,
        trial: tuple[Tune, Values] | None = None,
        choice: Stage | None = None,
    ) -> Stage:
        """A run of ``train``: pretraining, or fine-tuning from ``export`` or scratch.

        Args:
            identifier: Id of the stage.
            cell: What runs.
            export: Stage that writes the weights to start from.
            trial: Search and values of a trial.
            choice: Stage that chooses the values of a tuned fine-tuning.
        """
        step = step_of(self.suite, cell)
        config, seed, used = step.path(cell.backbone), str(cell.seed), self._used(step, cell)
        tried = [f"{key}={value}" for key, value in trial[1].items()] if trial else []
        options = [*step.options(), *(f"{key}={path}" for key, (_, path) in used.items()), *tried]
        # the weights themselves are among what the stage needs, wherever the folder is
        named = [*step.options(), *(f"{key}={stage}" for key, (stage, _) in used.items()), *tried]
        held_out = (trial[0].held_out, trial[0].seed) if trial else (None, 0)
        resources = step.resources or self.suite.resources
        start = self._start(step, cell, export)
        hashes, imports, problem = self._sources(config, cell)
        data = self.suite.data_of(step)
        tool = (
            *("train", config, "--work-dir", self._relative(self.folder / identifier)),
            *("--seed", seed, "--kind", self.suite.kind, *start.arguments, "--resume"),
            *resources.flags(self.profile.processes(resources)),
            *(["--data", data] if data else []),
            *(["--dataset-name", step.dataset_name] if step.dataset_name else []),
            *_sized(step.image_size),
            *(["--widen", step.widen] if step.widen else []),
            *(["--tuned", choice.result] if choice else []),
            *_cache(step),
            *(
                ["--held-out", f"{held_out[0]}", "--held-out-seed", f"{held_out[1]}"]
                if trial
                else []
            ),
            *(["--cfg-options", *options] if options else []),
            *flags(self.suite.imports),
        )
        processes = self.profile.processes(resources)
        return Stage(
            id=identifier,
            command=self.profile.command(tool, resources),
            result=self._manifest(identifier),
            needs=(
                *(["data"] if self.suite.is_demo else []),
                *start.needs,
                *(needed for needed, _ in used.values()),
                *([choice.id] if choice else []),
            ),
            inputs={
                **{
                    "tool": _version("train"),
                    "kind": self.suite.kind,
                    "seed": seed,
                    **start.inputs,
                },
                **{"config": config, "overrides": " ".join(named)},
                **({"precision": resources.precision} if resources.precision else {}),
                **({"data": _data(data)} if data else {}),
                **({"dataset name": step.dataset_name} if step.dataset_name else {}),
                **({"image size": str(step.image_size)} if step.image_size else {}),
                **({"widen": step.widen} if step.widen else {}),
                **({"held out": f"{held_out[0]} by seed {held_out[1]}"} if trial else {}),
                **hashes,
            },
            threads=resources.threads,
            config=config,
            options=tuple(options),
            imports=imports,
            data=data or "",
            image_size=step.image_size,
            held_out=held_out[0],
            held_out_seed=held_out[1],
            tuned=choice.result if choice else "",
            processes=processes,
            gpus=processes if self.profile.on_gpus else 0,
            memory_mb=resources.memory,
            minutes=resources.time,
            gpu_hours=step.gpu_hours,
            problem=problem,
        )

    def paint(self, identifier: str, cell: Cell, pretrain: Stage) -> Stage:
        """A run of ``analyze painting`` with the whole model of ``pretrain``."""
        step = step_of(self.suite, cell)
        protocol, resources = step.path(cell.backbone), step.resources or self.suite.resources
        source, target = self.folder / pretrain.id, self.folder / identifier
        hashes, imports, problem = self._sources(protocol, cell)
        imports = tuple(dict.fromkeys((*pretrain.imports, *imports)))
        data = self.suite.data_of(step)
        return Stage(
            id=identifier,
            command=_alone(
                *("analyze", "painting", pretrain.config, self._relative(source)),
                *("--protocol", protocol, "--out", self._relative(target)),
                *(["--data", data] if data else []),
                *(["--dataset-name", step.dataset_name] if step.dataset_name else []),
                *_sized(pretrain.image_size),
                *(["--cfg-options", *pretrain.options] if pretrain.options else []),
                *flags(imports),
            ),
            result=self._manifest(identifier),
            needs=(*(["data"] if self.suite.is_demo else []), pretrain.id),
            inputs={
                **{"tool": _version("evaluate_painting"), "config": protocol, **hashes},
                **self._modules(pretrain.imports),
                **({"data": _data(data)} if data else {}),
                **({"dataset name": step.dataset_name} if step.dataset_name else {}),
            },
            threads=resources.threads,
            config=protocol,
            imports=imports,
            data=data or "",
            memory_mb=resources.memory,
            minutes=resources.time,
            gpu_hours=step.gpu_hours,
            problem=problem,
        )

    def export(self, identifier: str, training: Stage) -> Stage:
        """The export of the backbone of ``training``."""
        source, target = self._relative(self.folder / training.id), self.folder / identifier
        return Stage(
            id=identifier,
            command=_alone(
                *("export", source, "--out", self._relative(target)),
                *flags(training.imports),
            ),
            result=self._manifest(identifier),
            needs=(training.id,),
            inputs={"tool": _version("export"), **self._modules(training.imports)},
            threads=self.suite.resources.threads,
            imports=training.imports,
        )

    def choose(
        self, identifier: str, tune: Tune, trials: list[Stage], values: list[Values]
    ) -> Stage:
        """The choice between ``trials``, which had ``values``."""
        asked = {
            "search": tune.by_key(),
            "seed": tune.seed,
            "trials": {stage.result: some for stage, some in zip(trials, values, strict=True)},
        }
        result = self._relative(self.folder / identifier / CHOICE)
        return Stage(
            id=identifier,
            command=(sys.executable, "-P", "-m", CHOOSE, result, json.dumps(asked)),
            result=result,
            needs=tuple(stage.id for stage in trials),
            inputs={"tool": _version("choose"), "search": json.dumps(asked)},
        )

    def _used(self, step: Step, cell: Cell) -> dict[str, tuple[str, str]]:
        """Config key to the export that it is set to: the stage and the path of the weights."""
        found = {}
        for key, method in step.uses.items():
            stage = f"export/{method}__{cell.backbone}/seed{cell.seed}"
            found[key] = (stage, self._relative(self.folder / stage / EXPORT))
        return found

    def _start(self, step: Step, cell: Cell, export: Stage | None) -> _Start:
        """Where the backbone of a training comes from."""
        flag = "--init" if isinstance(step, Pretrain) else "--pretrained"
        if export is not None:
            path = self._relative(self.folder / export.id / EXPORT)
            return _Start([flag, path], needs=(export.id,))
        given, _ = self._foreign(cell)
        if given is not None:
            identifier = f"weights/{cell.method}__{cell.backbone}"
            path = self._relative(converted(self.folder, identifier))
            return _Start([flag, path], needs=(identifier,))
        if isinstance(step, Pretrain):
            return self._initial(step, cell.backbone)
        if weights := self.suite.weights_of(cell.method, cell.backbone):
            card = read_card(self.root, weights) or {}
            return _Start(["--pretrained", weights], {"weights": str(card.get("sha256", "none"))})
        scratch = _Start(["--from-scratch"], {"start": SCRATCH})
        if self.suite.is_probe(cell.task):
            return self._like_another(step, cell, scratch)
        return scratch

    def _like_another(self, step: Step, cell: Cell, scratch: _Start) -> _Start:
        """A random start of a probe, whose recipe takes its backbone from weights of the suite."""
        for seed, backbone, method in group_cells(self.suite):
            if (seed, backbone) != (cell.seed, cell.backbone) or method == SCRATCH:
                continue
            if method in self.suite.methods():
                stage = f"export/{method}__{backbone}/seed{seed}"
                path = self._relative(self.folder / stage / EXPORT)
                return _Start([*scratch.arguments, "--like", path], scratch.inputs, (stage,))
            other = self._start(step, cell._replace(method=method), None)
            like = [*scratch.arguments, "--like", other.arguments[-1]]
            return _Start(like, scratch.inputs, other.needs)
        return scratch

    def _initial(self, step: Pretrain, backbone: str) -> _Start:
        """Where a pretraining starts: weights that are here, or random ones."""
        if step.init is None:
            return _Start([])
        path = step.init.replace("{backbone}", backbone)
        card, file = read_card(self.root, path), self.root / path
        found = card.get("sha256") if card else sha256_file(file) if file.is_file() else "none"
        name = ["--init-name", step.init_name] if step.init_name else []
        stated = {"init": str(found), "init_name": step.init_name or ""}
        return _Start(["--init", path, *name], stated)

    def _sources(self, config: str, cell: Cell) -> tuple[dict[str, str], tuple[str, ...], str]:
        """Hashes of a config's files and modules, the modules, and why they cannot be read."""
        imports = self.suite.imports
        try:
            hashes = hash_sources(config, root=self.root)
            imports = [*dict.fromkeys([*imports, *custom_imports(hashes, root=self.root)])]
            return {**hashes, **self._modules(imports)}, tuple(imports), ""
        except BenchError as error:
            place = f"pretrain.{cell.method}" if cell.task == PRETRAIN else f"tasks.{cell.task}"
            return {}, tuple(imports), f"{place}: {error}"

    def _modules(self, names: Iterable[str]) -> dict[str, str]:
        """Inputs of a stage: the hash of the source of each module of the user."""
        for name in names:
            if name not in self.hashes:
                self.hashes[name] = hash_module(name)
        return {f"module {name}": self.hashes[name] for name in names}

    def _manifest(self, identifier: str) -> str:
        return self._relative(self.folder / identifier / MANIFEST)

    def _relative(self, path: Path) -> str:
        """Path from the root if below it, so that manifests hold nothing of this machine."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def _alone(*tool: str) -> tuple[str, ...]:
    return launch.alone(tool)


def _cache(step: Step) -> list[str]:
    """The size of the cache of features; it changes no result."""
    if not isinstance(step, Task) or step.cache_gb is None:
        return []
    return ["--cache-gb", str(step.cache_gb)]


def _sized(image_size: int | None) -> list[str]:
    return ["--image-size", str(image_size)] if image_size else []


def _data(given: str) -> str:
    """Name and fingerprint of own data; the check of the plan reports what is missing."""
    try:
        return f"{given} {read_dataset(given).fingerprint}"
    except BenchError:
        return f"{given} missing"


def _version(tool: str) -> str:
    return f"{tool} {TOOL_VERSIONS[tool]}"
