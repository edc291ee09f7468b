"""The cells of a suite: product of methods, backbones, tasks and seeds, less and more."""

from __future__ import annotations

from collections.abc import Iterator

from simmim_bench.suite.schema import Step, Suite
from simmim_bench.suite.selectors import PRETRAIN, Cell, Include, listed

Group = tuple[int, str, str]  # seed, backbone, method


def list_cells(suite: Suite) -> list[Cell]:
    """Every downstream run of ``suite``, those of one pretraining side by side."""
    product = [
        Cell(method, backbone, task, seed)
        for seed in range(suite.seeds)
        for backbone in suite.backbones
        for method in (*suite.methods(), *suite.weights, *suite.baselines)
        for task in suite.tasks
    ]
    kept = [cell for cell in product if not any(part.matches(cell) for part in suite.exclude)]
    joined = [cell for part in suite.include for cell in included(suite, part)]
    return list(dict.fromkeys([*kept, *joined]))


def group_cells(suite: Suite) -> dict[Group, list[Cell]]:
    """Cells by the backbone that they start from, in the order of the file."""
    groups: dict[Group, list[Cell]] = {}
    for cell in list_cells(suite):
        groups.setdefault((cell.seed, cell.backbone, cell.method), []).append(cell)
    return groups


def step_of(suite: Suite, cell: Cell) -> Step:
    """The step of ``cell``, with what the suite changes for this cell."""
    step = suite.methods()[cell.method] if cell.task == PRETRAIN else suite.tasks[cell.task]
    for change in suite.override:
        if change.matches(cell):
            step = step.model_copy(
                update={
                    "config": change.config or step.config,
                    "overrides": {**step.overrides, **change.set},
                    "resources": change.resources or step.resources,
                    "gpu_hours": step.gpu_hours if change.gpu_hours is None else change.gpu_hours,
                }
            )
    return step


def cell_mistakes(suite: Suite) -> list[str]:
    """Parts of the matrix that name nothing, in sentences."""
    mistakes = [
        f"include {number}: {sentence}"
        for number, part in enumerate(suite.include, 1)
        for sentence in include_mistakes(suite, part)
    ]
    if mistakes:
        return mistakes
    full = list_cells(suite.model_copy(update={"exclude": []}))
    if not list_cells(suite):
        return ["every cell of the matrix is excluded; nothing would run"]
    for number, part in enumerate(suite.exclude, 1):
        if part.task == PRETRAIN:
            mistakes.append(
                f"exclude {number} names the task {PRETRAIN!r}; a pretraining is left out when "
                f"all its tasks are"
            )
        elif not any(part.matches(cell) for cell in full):
            mistakes.append(f"exclude {number} matches no cell of the matrix")
    methods = suite.methods()
    pretrainings = [
        Cell(method, backbone, PRETRAIN, seed)
        for seed, backbone, method in group_cells(suite)
        if method in methods
    ]
    mistakes += dict.fromkeys(_use_mistakes(suite))
    mistakes += _painting_mistakes(suite)
    for number, change in enumerate(suite.override, 1):
        if not any(change.matches(cell) for cell in (*list_cells(suite), *pretrainings)):
            mistakes.append(f"override {number} matches no cell of the matrix")
    return mistakes


def included(suite: Suite, part: Include) -> Iterator[Cell]:
    """Cells that ``part`` of ``suite`` stands for."""
    seeds = range(suite.seeds) if part.seed is None else listed(part.seed)
    for seed in seeds:
        for task in listed(part.task):
            yield Cell(part.method, part.backbone, task, seed)


def include_mistakes(suite: Suite, part: Include) -> Iterator[str]:
    """Names in ``part`` that ``suite`` does not have, in sentences."""
    methods = [*suite.methods(), *suite.weights, *suite.baselines]
    if part.method not in methods:
        known = ", ".join(methods)
        yield f"no method is called {part.method!r}; there are {known}"
    for task in listed(part.task):
        if task not in suite.tasks:
            known = ", ".join(suite.tasks)
            yield f"no task is called {task!r}; there are {known}"


def _use_mistakes(suite: Suite) -> Iterator[str]:
    """Exported backbones that are used and not there, or not yet."""
    methods, before = suite.methods(), set[Group]()
    for seed, backbone, method in group_cells(suite):
        for used in methods[method].uses.values() if method in methods else ():
            if used not in methods or (seed, backbone, used) not in before:
                yield (
                    f"{method!r} uses the backbone of {used!r}, which no pretraining before it "
                    f"with {backbone} makes; list {used!r} first under pretrain, with the same "
                    "backbones and a task"
                )
        before.add((seed, backbone, method))


def _painting_mistakes(suite: Suite) -> Iterator[str]:
    """Paintings of what was not pretrained, or with values of their own."""
    for name, task in suite.tasks.items():
        cells = [cell for cell in list_cells(suite) if cell.task == name]
        if task.tool == "train":
            continue
        if any(step_of(suite, cell).overrides for cell in cells):
            yield f"task {name!r} has overrides; a painting protocol is measured as it stands"
        if unable := sorted({cell.method for cell in cells} - set(suite.methods())):
            yield (
                f"task {name!r} paints with the decoder of a pretraining, and {unable[0]} has "
                f"none; exclude that method for the task"
            )
