"""Check that every stage to run has what it needs, before the first one starts."""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from simmim_bench.config import (
    added_arguments,
    check_start,
    datasets,
)
from simmim_bench.config_text import keeps_backbone, names_class
from simmim_bench.data.content import content_mistakes
from simmim_bench.data.layouts import data_root, home, missing_data
from simmim_bench.errors import BenchError
from simmim_bench.recipe.held_out import DECAY
from simmim_bench.records.names import plain_name
from simmim_bench.suite.matrix import group_cells
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.schema import DEMO, Suite
from simmim_bench.suite.weights import is_foreign, origin_mistakes, read_card
from simmim_bench.training.mistakes import config_mistakes, data_mistakes
from simmim_bench.weights.seal import initial_name, problem_of

COMMANDS = {"train": "train", "evaluate_painting": "analyze painting"}


def find_mistakes(plan: Plan, stages: Iterable[Stage], suite: Suite) -> list[str]:
    """Messages about what would fail later: configs, overrides, data, weights, budget.

    Args:
        plan: Of ``suite``.
        stages: Those that have to run.
        suite: As read from its file.
    """
    stages = list(stages)
    choosing = {stage.id for stage in stages}
    stages = [
        # what an earlier search chose does not count
        replace(stage, tuned="") if stage.tuned and choosing.intersection(stage.needs) else stage
        for stage in stages
    ]
    unreadable = {stage.config: stage.problem for stage in reversed(plan.stages) if stage.problem}
    # Seeds share a config and its overrides.
    runs = {
        (stage.id.split("/")[0], stage.config, stage.options, stage.data, stage.image_size): stage
        for stage in stages
        if stage.config and not stage.problem
    }
    reported: set[Path] = {home(DEMO, data_root()).resolve()} if suite.is_demo else set()
    seen: set[Any] = set()
    return [
        *reversed(unreadable.values()),
        *(
            text
            for stage in runs.values()
            for text in _config_mistakes(plan, stage, reported, seen)
        ),
        *_weights_mistakes(plan, stages, suite),
        *dict.fromkeys(_initial_mistakes(plan, stages, suite)),
        *origin_mistakes(plan, stages),
        *_cost_mistakes(stages, suite),
        *_argument_mistakes(plan, runs.values()),
    ]


def estimated_gpu_hours(stages: Iterable[Stage]) -> float:
    """Sum of the estimates that ``stages`` state."""
    return sum(stage.gpu_hours or 0.0 for stage in stages)


def _config_mistakes(
    plan: Plan, stage: Stage, reported: set[Path], seen: set[Any]
) -> Iterator[str]:
    """Mistakes of one config and its data.

    Args:
        plan: Of the suite.
        stage: That runs the config.
        reported: Missing paths below one of these are skipped.
        seen: Data that were checked; what is checked now is added.
    """
    try:
        cfg = plan.recipe_of(stage)
        check_start(cfg, "it")
    except BenchError as error:
        message = str(error).replace(f"{plan.root}/", "")
        yield f"{stage.config}: {message}"
        return
    yield from _role_mistakes(stage, cfg)
    yield from _frozen_mistakes(plan, stage, cfg)
    for message in config_mistakes(cfg):
        yield f"{stage.config}: {message}"
    network = cfg.get("painting", {}).get("reference_network")
    weights = network.get("checkpoint") if isinstance(network, dict) else None
    if isinstance(weights, str) and not (plan.root / weights).is_file():
        yield (
            f"{stage.config}: the reference network's weights {weights} do not exist; get them as "
            f"docs/generation.md describes"
        )
    lacking = list(missing_data(cfg))
    if not lacking and not any(
        Path(dataset.get("data_root") or ".").resolve().is_relative_to(built)
        for built in reported
        for _, dataset in datasets(cfg)
    ):
        for message in (*data_mistakes(cfg), *content_mistakes(cfg, [], seen=seen)):
            yield f"{stage.config}: {message}"
    for path, message in lacking:
        if not any(path.resolve().is_relative_to(folder) for folder in reported):
            reported.add(path.resolve())
            yield f"{stage.config}: {message}"


def _role_mistakes(stage: Stage, cfg: Any) -> Iterator[str]:
    """A pretraining among the tasks, a task among the pretrainings, or the wrong tool."""
    section, key = ("tasks", "protocol")
    if stage.id.startswith("pretrain/"):
        section, key = ("pretrain", "pretraining")
    tool = "evaluate_painting" if "painting" in cfg else "train"
    if key not in cfg:
        yield f"{stage.config} is listed under {section!r}, but defines no `{key}`"
    elif section == "tasks" and stage.inputs["tool"].split()[0] != tool:
        yield (
            f"{stage.config} runs with simmim-bench {COMMANDS[tool]}; add `tool: {tool}` to the "
            "task"
        )


def _frozen_mistakes(plan: Plan, stage: Stage, cfg: Any) -> Iterator[str]:
    """A task that trains no backbone, but from whose backbone another task starts."""
    task = stage.id.split("/")[1]
    export = stage.id.replace("finetune", "export", 1)
    starts = any(other.id == export for other in plan.stages)
    if stage.id.startswith("finetune/") and starts and keeps_backbone(cfg.get("model", {})):
        yield (
            f"{stage.config} trains no backbone ({cfg.model.type} leaves it as it is), so no task "
            f"can start from it; remove `init_from: {task}`"
        )


def _argument_mistakes(plan: Plan, stages: Iterable[Stage]) -> list[str]:
    """Overrides with an argument that the class does not have, or a class that is not registered.

    Looking at classes imports torch, so another process does it, and only if one is needed.
    """
    added = []
    for config, options in dict.fromkeys(
        # a config need not state its layer decay (``take_layer_decay``)
        (stage.config, tuple(item for item in stage.options if not item.startswith(f"{DECAY}=")))
        for stage in stages
    ):
        with suppress(BenchError):  # reported with the config
            classes = any(map(names_class, options))
            if classes or (options and added_arguments(str(plan.path_of(config)), list(options))):
                added.append([config, list(options)])
    if not added:
        return []
    command = [sys.executable, "-P", "-m", "simmim_bench.training.config_check"]
    checked = subprocess.run(
        command,
        cwd=plan.root,
        input=json.dumps(added),
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode:
        raise BenchError(f"the overrides could not be checked: {checked.stderr.strip()[-500:]}")
    return [f"{config}: {message}" for config, message in json.loads(checked.stdout)]


def _weights_mistakes(plan: Plan, stages: Iterable[Stage], suite: Suite) -> Iterator[str]:
    """Existing weights that ``stages`` start from and that are missing or of another method."""
    pending = {stage.id for stage in stages}
    used = set()
    for (seed, backbone, method), cells in group_cells(suite).items():
        path = suite.weights_of(method, backbone)
        name = f"{method}__{backbone}/seed{seed}"
        if path is None or is_foreign(plan.root, path):  # a stage converts it
            continue
        if any(f"finetune/{cell.task}/{name}" in pending for cell in cells):
            used.add((method, path))
    for method, path in sorted(used):
        folder = shlex.quote(Path(path).parent.as_posix())
        remedy = f"`simmim-bench convert FILE {folder} --method {method}`"
        card = read_card(plan.root, path)
        if card is None or not (plan.root / path).is_file():
            yield f"weights.{method}: {path} or its .json is missing; create both with {remedy}"
        elif problem := problem_of(card):
            yield f"weights.{method}: the card of {path} was changed: {problem}; create both again"
        elif plain_name(str(card.get("method"))) != plain_name(method):
            yield (
                f"weights.{method}: {path} belongs to the method {card.get('method')!r}; use that "
                f"name here, or create the file again with {remedy}"
            )


def _initial_mistakes(plan: Plan, stages: Iterable[Stage], suite: Suite) -> Iterator[str]:
    """Weights from which pretrainings among ``stages`` start and that cannot be used."""
    for stage in stages:
        remote = any(need.startswith("weights/") for need in stage.needs)
        if "--init" in stage.command and not remote:
            given = dict(itertools.pairwise(stage.command))
            path, name = given["--init"], given.get("--init-name")
            if problem := _initial_problem(plan, path, name, suite.kind):
                yield f"{stage.config}: init: {problem}"


def _initial_problem(plan: Plan, path: str, name: str | None, kind: str) -> str | None:
    if not (plan.root / path).is_file():
        return f"{path} does not exist"
    card = read_card(plan.root, path)
    if card is None:
        return None if name else f"{path} has no card beside it; state in init_name what it is"
    if changed := problem_of(card):
        return f"the card of {path} was changed: {changed}; create both again"
    if card.get("kind") == "smoke" and kind == "full":
        return f"{path} comes from a smoke run, which cannot make a full result"
    try:
        initial_name(card, name, path)
    except BenchError as error:
        return str(error)
    return None


def _cost_mistakes(stages: list[Stage], suite: Suite) -> Iterator[str]:
    hours = estimated_gpu_hours(stages)
    if suite.budget and hours > suite.budget.gpu_hours:
        yield (
            f"the stages to run are estimated at {hours:g} GPU hours, but budget.gpu_hours is "
            f"{suite.budget.gpu_hours:g}; raise it, or run a part with --only"
        )
