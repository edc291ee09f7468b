"""The matrix of a suite: methods x backbones x tasks x seeds, minus exclude, plus include."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from simmim_bench.records import SCRATCH
from simmim_bench.suite.schema import PRETRAIN, Cell, Include, Suite, as_list
from simmim_bench.suite.steps import Step, repeated

MOST_CELLS = 10_000
Group = tuple[int, str, str]  # seed, backbone, method


def list_cells(suite: Suite) -> list[Cell]:
    """Every downstream run of ``suite``; those of one pretraining follow one another."""
    kept = [cell for cell in _product(suite) if not any(p.matches(cell) for p in suite.exclude)]
    return list(dict.fromkeys([*kept, *_included(suite)]))


def group_cells(suite: Suite) -> dict[Group, list[Cell]]:
    """Cells by the backbone that they start from, in the order of the file."""
    groups: dict[Group, list[Cell]] = {}
    for cell in list_cells(suite):
        groups.setdefault((cell.seed, cell.backbone, cell.method), []).append(cell)
    return groups


def step_of(suite: Suite, cell: Cell) -> Step:
    """The step of ``cell``, with the overrides of the suite."""
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


def matrix_mistakes(suite: Suite) -> list[str]:
    """Parts of a valid suite that contradict one another, one message each."""
    if (size := _size(suite)) > MOST_CELLS:
        return [
            f"the matrix has {size} cells (seeds x backbones x methods x tasks), at most "
            f"{MOST_CELLS} are supported; reduce seeds or axes, or split the suite"
        ]
    # Later checks need the names and cells that earlier ones accept.
    if mistakes := list(_name_mistakes(suite)) or list(_include_mistakes(suite)):
        return mistakes
    if not list_cells(suite):
        return ["exclude leaves no cell of the matrix; nothing would run"]
    return [
        *_exclude_mistakes(suite),
        *dict.fromkeys(_use_mistakes(suite)),
        *_painting_mistakes(suite),
        *_override_mistakes(suite),
    ]


def _size(suite: Suite) -> int:
    """Number of cells, computed without listing them."""
    entries = [prod(map(len, entry.axes.values())) for entry in suite.pretrain.values()]
    methods = sum(entries) + len(suite.weights) + len(suite.baselines)
    product = suite.seeds * len(suite.backbones) * max(methods, 1) * len(suite.tasks)
    return product + sum(
        len(as_list(part.task)) * (suite.seeds if part.seed is None else len(as_list(part.seed)))
        for part in suite.include
    )


def _product(suite: Suite) -> list[Cell]:
    return [
        Cell(method, backbone, task, seed)
        for seed in range(suite.seeds)
        for backbone in suite.backbones
        for method in (*suite.methods(), *suite.weights, *suite.baselines)
        for task in suite.tasks
    ]


def _included(suite: Suite) -> list[Cell]:
    return [cell for part in suite.include for cell in _cells_of(part, suite.seeds)]


def _cells_of(part: Include, seeds: int) -> Iterator[Cell]:
    for seed in range(seeds) if part.seed is None else as_list(part.seed):
        for task in as_list(part.task):
            yield Cell(part.method, part.backbone, task, seed)


def _name_mistakes(suite: Suite) -> Iterator[str]:
    methods = [*(variant.method for variant in suite.variants()), *suite.weights]
    for method in repeated(methods):
        yield f"two methods are called {method!r}; give one of them another name"
    if SCRATCH in methods:
        yield f"a method with weights cannot be called {SCRATCH!r}, the baseline's name"
    if not (methods or suite.baselines):
        yield "nothing to compare: 'pretrain', 'weights' and 'baselines' are all empty"


def _include_mistakes(suite: Suite) -> Iterator[str]:
    methods = [*suite.methods(), *suite.weights, *suite.baselines]
    for number, part in enumerate(suite.include, 1):
        if part.method not in methods:
            yield f"include {number}: unknown method {part.method!r}; methods: {', '.join(methods)}"
        for task in as_list(part.task):
            if task not in suite.tasks:
                known = ", ".join(suite.tasks)
                yield f"include {number}: unknown task {task!r}; tasks: {known}"


def _exclude_mistakes(suite: Suite) -> Iterator[str]:
    full = [*_product(suite), *_included(suite)]
    for number, part in enumerate(suite.exclude, 1):
        if part.task == PRETRAIN:
            yield (
                f"exclude {number} names the task {PRETRAIN!r}; exclude all tasks of a pretraining "
                f"to leave it out"
            )
        elif not any(part.matches(cell) for cell in full):
            yield f"exclude {number} matches no cell of the matrix"


def _override_mistakes(suite: Suite) -> Iterator[str]:
    methods = suite.methods()
    cells = list_cells(suite)
    cells += [
        Cell(method, backbone, PRETRAIN, seed)
        for seed, backbone, method in group_cells(suite)
        if method in methods
    ]
    for number, change in enumerate(suite.override, 1):
        if not any(change.matches(cell) for cell in cells):
            yield f"override {number} matches no cell of the matrix"


def _use_mistakes(suite: Suite) -> Iterator[str]:
    """Uses of exported backbones that no earlier pretraining makes."""
    methods, before = suite.methods(), set[Group]()
    for seed, backbone, method in group_cells(suite):
        for used in methods[method].uses.values() if method in methods else ():
            if used not in methods or (seed, backbone, used) not in before:
                yield (
                    f"{method!r} uses the backbone of {used!r}, but no earlier pretraining makes "
                    f"it for {backbone}; list {used!r} first under pretrain, with the same "
                    "backbones and at least one task"
                )
        before.add((seed, backbone, method))


def _painting_mistakes(suite: Suite) -> Iterator[str]:
    """Painting tasks without a pretrained decoder, or with overrides."""
    methods = suite.methods()
    for name, task in suite.tasks.items():
        cells = [cell for cell in list_cells(suite) if cell.task == name]
        if task.tool == "train":
            continue
        if any(step_of(suite, cell).overrides for cell in cells):
            yield f"task {name!r} has overrides, but painting protocols run unchanged; remove them"
        if without := sorted({cell.method for cell in cells} - set(methods)):
            yield (
                f"task {name!r} needs the decoder of a pretraining, which {without[0]!r} does not "
                f"have; exclude that method for the task"
            )
