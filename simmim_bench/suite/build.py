"""Build the plan of a suite: one stage for each pretraining, export, task and the leaderboard."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.suite.matrix import chain_of, group_cells
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.profile import Profile
from simmim_bench.suite.schema import PRETRAIN, Cell, Suite
from simmim_bench.suite.stages import StageMaker
from simmim_bench.suite.steps import repeated
from simmim_bench.suite.trials import name_of, trials_of


def build_plan(suite: Suite, *, root: Path, folder: Path, profile: Profile | None = None) -> Plan:
    """List the stages of ``suite``.

    A stage whose config cannot be read says so in ``problem``; ``simmim_bench.suite.check`` refuses
    to run it.

    Args:
        suite: Valid suite.
        root: Folder of relative paths and outputs, usually the current one.
        folder: Suite's folder, usually ``work_dirs/<name>`` below the root.
        profile: How trainings are started; one process each by default.

    Raises:
        BenchError: If two stages would write into one folder.
    """
    root, folder = root.resolve(), folder.resolve()
    maker = StageMaker(suite, root, folder, profile or Profile())
    stages = [*maker.data(), *maker.conversions(), *_Cells(suite, maker)]
    stages.append(maker.leaderboard(stages))
    if twice := repeated([stage.id for stage in stages]):
        raise BenchError(
            f"two stages would write into {twice[0]}; rename a method or a backbone of the suite: "
            f"their names are joined by '__'"
        )
    return Plan(suite.name, root, folder, tuple(_in_order(stages)))


def _in_order(stages: list[Stage]) -> Iterable[Stage]:
    """Each stage after those that it needs, else in the given order: included cells come last."""
    known, placed = {stage.id: stage for stage in stages}, dict[str, Stage]()

    def place(stage: Stage) -> None:
        for need in stage.needs:
            if need in known and need not in placed:
                place(known[need])
        placed.setdefault(stage.id, stage)

    for stage in stages:
        place(stage)
    return placed.values()


class _Cells:
    """The stages of all cells, each after those that it needs.

    Args:
        suite: Valid suite.
        stages: Makes them.
    """

    def __init__(self, suite: Suite, stages: StageMaker) -> None:
        self._suite, self._stages = suite, stages
        self._choices: dict[tuple[str, str, str], Stage] = {}  # by task, method and backbone

    def __iter__(self) -> Iterator[Stage]:
        """Pretraining, export and fine-tunings of every seed, backbone and method."""
        methods = self._suite.methods()
        for (seed, backbone, method), cells in group_cells(self._suite).items():
            name = f"{method}__{backbone}/seed{seed}"
            pretrain = export = None
            if method in methods:
                cell = Cell(method, backbone, PRETRAIN, seed)
                pretrain = self._stages.train(f"pretrain/{name}", cell, None)
                export = self._stages.export(f"export/{name}", pretrain)
                yield from (pretrain, export)
            yield from self._tasks(cells, name, pretrain, export)

    def _tasks(
        self, cells: list[Cell], name: str, pretrain: Stage | None, export: Stage | None
    ) -> Iterator[Stage]:
        """Fine-tunings of one backbone, and exports of those that another task starts from."""
        tasks = self._suite.tasks
        exports: dict[str | None, Stage | None] = {
            None: export
        }  # by the task that trained the backbone; None: the pretraining
        sources = {tasks[cell.task].init_from for cell in cells}
        for cell in sorted(cells, key=lambda cell: len(chain_of(self._suite, cell.task))):
            identifier = f"finetune/{cell.task}/{name}"
            if pretrain and tasks[cell.task].tool == "evaluate_painting":
                yield self._stages.paint(identifier, cell, pretrain)
                continue
            start = exports[tasks[cell.task].init_from]
            choice = yield from self._tuning(cell, start)
            stage = self._stages.train(identifier, cell, start, choice=choice)
            yield stage
            if cell.task in sources:
                exported = self._stages.export(f"export/{cell.task}/{name}", stage)
                exports[cell.task] = exported
                yield exported

    def _tuning(self, cell: Cell, start: Stage | None) -> Generator[Stage, None, Stage | None]:
        """Trials of a task, method and backbone, with its first seed, and the stage that chooses.

        All seeds have the values that the first one chose: one recipe, whose noise is measured.
        """
        tune, place = self._suite.tune_of(cell.task), (cell.task, cell.method, cell.backbone)
        if tune is not None and place not in self._choices:
            name = f"{cell.task}/{cell.method}__{cell.backbone}"
            values = trials_of(tune)
            trials = [
                self._stages.train(f"tune/{name}/{name_of(some)}", cell, start, trial=(tune, some))
                for some in values
            ]
            yield from trials
            self._choices[place] = self._stages.choose(f"choose/{name}", tune, trials, values)
            yield self._choices[place]
        return self._choices.get(place)
