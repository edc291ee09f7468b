"""Does every stage that has to run have what it needs? Asked before the first one starts."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from simmim_bench.data.layouts import data_root
from simmim_bench.errors import BenchError
from simmim_bench.suite.cache import read_json
from simmim_bench.suite.cells import group_cells
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.schema import Suite


def find_mistakes(plan: Plan, stages: Iterable[Stage], suite: Suite) -> list[str]:
    """What would fail later: configs, overrides, data, weights, budget; one sentence each.

    Args:
        plan: Of ``suite``.
        stages: Those that have to run.
        suite: As read from its file.
    """
    stages = list(stages)
    prepared = (data_root() / suite.data).resolve() if suite.data else None
    # Seeds share a config and its overrides.
    told: set[Path] = set()
    trainings = {
        (stage.id.split("/")[0], stage.config, stage.options): stage
        for stage in stages
        if stage.config
    }
    mistakes: dict[str, str] = {}
    for stage in trainings.values():
        for key, mistake in _training_mistakes(plan, stage, prepared, told):
            mistakes.setdefault(key, mistake)
    found = [*mistakes.values(), *weights_mistakes(plan, stages, suite)]
    found += _cost_mistakes(stages, suite)
    return found + _argument_mistakes(plan, trainings.values())


def estimated_gpu_hours(stages: Iterable[Stage]) -> float:
    """Sum of the estimates that ``stages`` state."""
    return sum(stage.gpu_hours or 0.0 for stage in stages)


def _training_mistakes(
    plan: Plan, stage: Stage, prepared: Path | None, told: set[Path]
) -> Iterator[tuple[str, str]]:
    """(What it is about, sentence) for each mistake; equal ones are told once.

    What lies in a folder that is itself missing, one of ``told``, is not told again.
    """
    from simmim_bench.config import load_config
    from simmim_bench.data.layouts import missing_data

    try:
        cfg = load_config(str(plan.root / stage.config), overrides=list(stage.options))
    except BenchError as error:
        sentence = str(error).replace(f"{plan.root}/", "")
        yield f"{stage.config} {sentence}", f"{stage.config}: {sentence}"
        return
    kind = _kind_mistake(stage, cfg)
    if kind:
        yield kind, kind
    judge = _judge_mistake(plan, stage, cfg)
    if judge:
        yield judge, judge
    for path, sentence in missing_data(cfg):
        covered = [*told, prepared] if prepared else [*told]
        if not any(path.resolve().is_relative_to(folder) for folder in covered):
            told.add(path.resolve())
            yield str(path), f"{stage.config}: {sentence}"


def _argument_mistakes(plan: Plan, trainings: Iterable[Stage]) -> list[str]:
    """Overrides that add an argument which the class of that part does not have.

    Looking at classes imports torch, so another process does it, and only if an argument is added.
    """
    from simmim_bench.config import added_arguments

    asked = []
    for config, options in dict.fromkeys((stage.config, stage.options) for stage in trainings):
        path = str(plan.root / config)
        with suppress(BenchError):  # reported already
            if options and added_arguments(path, list(options)):
                asked.append([path, list(options)])
    if not asked:
        return []
    command = [sys.executable, "-m", "simmim_bench.training.config_check"]
    checked = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    if checked.returncode:
        raise BenchError(f"checking the overrides failed: {checked.stderr.strip()[-500:]}")
    return [
        f"{Path(path).relative_to(plan.root)}: {message}"
        for path, message in json.loads(checked.stdout)
    ]


def _kind_mistake(stage: Stage, cfg: Any) -> str:
    """Sentence about a pretraining among the tasks, or the other way round."""
    wanted, role = (
        ("pretraining", "pretrain") if stage.id.startswith("pretrain/") else ("protocol", "tasks")
    )
    if wanted in cfg:
        return "" if role == "pretrain" else _tool_mistake(stage, paints="painting" in cfg)
    return f"{stage.config} stands under {role!r}, but states no `{wanted}`"


def _tool_mistake(stage: Stage, *, paints: bool) -> str:
    """Sentence about a protocol that the stage's tool does not run."""
    tool, script = ("evaluate_painting", "analyze.py") if paints else ("train", "train.py")
    if f"tools/{script}" in stage.command:
        return ""
    command = "tools/analyze.py painting" if paints else "tools/train.py"
    return f"{stage.config} is a protocol of {command}; write `tool: {tool}` under the task"


def _judge_mistake(plan: Plan, stage: Stage, cfg: Any) -> str:
    """Sentence about a painting protocol whose judge has no weights."""
    judge = cfg.get("painting", {}).get("judge")
    path = judge.get("checkpoint") if isinstance(judge, dict) else None
    if not isinstance(path, str) or (plan.root / path).is_file():
        return ""
    return (
        f"{stage.config}: the judge's weights {path} are not there; put them there, as "
        f"docs/generation.md says"
    )


def _cost_mistakes(stages: list[Stage], suite: Suite) -> Iterator[str]:
    hours = estimated_gpu_hours(stages)
    if suite.budget and hours > suite.budget.gpu_hours:
        yield (
            f"what has to run is estimated at {hours:g} GPU hours and the budget is "
            f"{suite.budget.gpu_hours:g}; raise budget.gpu_hours, or run a part with --only"
        )


# Weights that a suite starts from and did not pretrain: a supervised model of another library.


def fingerprint(root: Path, weights: str) -> str:
    """Hash of ``weights`` by the card beside it, which every training checks; 'none' without."""
    card = read_json(_card(root, weights)) or {}
    return str(card.get("sha256", "none"))


def weights_mistakes(plan: Plan, stages: Iterable[Stage], suite: Suite) -> Iterator[str]:
    """Weights of ``stages`` that are not there, or that another method made, in sentences."""
    waiting = {stage.id for stage in stages}
    told = set()
    for (seed, backbone, method), cells in group_cells(suite).items():
        path = suite.given(method, backbone)
        name = f"{method}__{backbone}/seed{seed}"
        if path and any(f"finetune/{cell.task}/{name}" in waiting for cell in cells):
            told.add((method, path))
    for method, path in sorted(told):
        yield from _mistake(plan.root, method, path)


def _mistake(root: Path, method: str, path: str) -> Iterator[str]:
    folder = shlex.quote(Path(path).parent.as_posix())
    remedy = f"`python tools/convert_checkpoint.py FILE {folder} --method {method}`"
    card = read_json(_card(root, path))
    if card is None or not (root / path).is_file():
        yield f"weights.{method}: {path} or the .json beside it is missing; make both with {remedy}"
    elif card.get("method") != method:
        yield (
            f"weights.{method}: {path} is of the method {card.get('method')!r}; call it so, or "
            f"write it anew with {remedy}"
        )


def _card(root: Path, weights: str) -> Path:
    return (root / weights).with_suffix(".json")
