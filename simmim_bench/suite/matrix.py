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


def chain_of(suite: Suite, task: str) -> list[str]:
    """Tasks that train a backbone one after the other, from the first one to ``task``.

    In a cycle, which ``matrix_mistakes`` reports, the last entry occurs twice.
    """
    chain = [task]
    while (source := suite.tasks[chain[0]].init_from) is not None:
        chain.insert(0, source)
        if source not in suite.tasks or source in chain[1:]:
            break
    return chain


def matrix_mistakes(suite: Suite) -> list[str]:
    """Parts of a valid suite that contradict one another, one message each."""
    if (size := _size(suite)) > MOST_CELLS:
        return [
            f"the matrix has {size} cells (seeds x backbones x methods x tasks), at most "
            f"{MOST_CELLS} are supported; reduce seeds or axes, or split the suite"
        ]
    # Later checks need the names, chains and cells that earlier ones accept.
    if mistakes := [*_name_mistakes(suite), *_chain_mistakes(suite)]:
        return mistakes
    if mistakes := list(_include_mistakes(suite)):
        return mistakes
    if not list_cells(suite):
        return ["exclude leaves no cell of the matrix; nothing would run"]
    return [
        *_exclude_mistakes(suite),
        *dict.fromkeys(_use_mistakes(suite)),
        *dict.fromkeys(_gap_mistakes(suite)),
        *_painting_mistakes(suite),
        *dict.fromkeys(_tune_mistakes(suite)),
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


def _chain_mistakes(suite: Suite) -> Iterator[str]:
    """Tasks that start from a task that does not exist, from themselves, or that train nothing."""
    for name, task in suite.tasks.items():
        source = task.init_from
        if source is None:
            continue
        if source not in suite.tasks:
            yield (
                f"task {name!r} starts from the task {source!r}, which does not exist; tasks: "
                f"{', '.join(suite.tasks)}"
            )
        elif (chain := chain_of(suite, name))[0] == name:
            yield (
                f"task {name!r} would start from its own backbone ({' -> '.join(chain)}); remove "
                f"init_from from one of these tasks"
            )
        elif "evaluate_painting" in (task.tool, suite.tasks[source].tool):
            yield (
                f"task {name!r} cannot start from {source!r}: evaluate_painting trains no backbone "
                f"and needs the decoder of a pretraining; remove init_from"
            )


def _gap_mistakes(suite: Suite) -> Iterator[str]:
    """Cells that start from the backbone of a cell that is not in the matrix."""
    cells = set(list_cells(suite))
    for cell in list_cells(suite):
        source = suite.tasks[cell.task].init_from
        if source is not None and cell._replace(task=source) not in cells:
            yield (
                f"task {cell.task!r} starts from the task {source!r}, which does not run for "
                f"{cell.method!r} on {cell.backbone}; exclude {cell.task!r} there too, or keep "
                f"{source!r}"
            )


def _painting_mistakes(suite: Suite) -> Iterator[str]:
    """Painting tasks without a pretrained decoder, or with overrides."""
    methods = suite.methods()
    for name, task in suite.tasks.items():
        cells = [cell for cell in list_cells(suite) if cell.task == name]
        if task.tool == "train":
            continue
        if any(step_of(suite, cell).overrides for cell in cells):
            yield f"task {name!r} has overrides, but painting protocols run unchanged; remove them"
        if ignored := [key for key in ("image_size", "uses", "widen") if getattr(task, key)]:
            yield f"task {name!r} states {ignored[0]}, which painting does not use; remove it"
        if without := sorted({cell.method for cell in cells} - set(methods)):
            yield (
                f"task {name!r} needs the decoder of a pretraining, which {without[0]!r} does not "
                f"have; exclude that method for the task"
            )


def _tune_mistakes(suite: Suite) -> Iterator[str]:
    """Searches of what a task states itself, and searches in tasks that train nothing."""
    for name, task in suite.tasks.items():
        if task.tune and task.tool != "train":
            yield f"task {name!r} trains nothing that could be tuned; remove tune"
    for cell in list_cells(suite):
        tune = suite.tune_of(cell.task)
        searched = tune.by_key() if tune else {}
        for key in step_of(suite, cell).overrides:
            if key in searched:
                yield (
                    f"task {cell.task!r} sets {key} and its tune searches it; remove it from one "
                    f"of the two"
                )
