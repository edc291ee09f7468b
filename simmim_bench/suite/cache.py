"""Decide which stages are done: their result is complete, undamaged and of the same inputs.

``stage.json`` in a stage's folder holds the inputs of its content: hashes of the config and its
bases, overrides, seed, version of the tool, and hashes of the outputs of the stages that it reads.
File times do not matter, so a copied folder stays done. Neither do changes of config files that
resolve to the config that the stage ran with. The data of a finished training are compared with the
fingerprint in its manifest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.config import resolved_hash
from simmim_bench.data.fingerprint import (
    Fingerprint,
    fingerprint_config,
    is_packed,
    sha256_of,
)
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, read_json, sha256_file
from simmim_bench.records.hash import content_sha256
from simmim_bench.suite.plan import CHOICE, MANIFEST, SUPERSEDED, Plan, Stage, read_chosen
from simmim_bench.suite.state import (
    read_attempts,
    read_config_hash,
    read_data_hash,
    read_inputs,
    read_outputs,
)

TRACE = "stage.json"


@dataclass(frozen=True)
class Check:
    """Whether a stage is done, else why it runs."""

    cached: bool
    reason: str = ""


def check_plan(plan: Plan) -> dict[str, Check]:
    """Check every stage; a stage that needs one which runs again is not done either."""
    checks: dict[str, Check] = {}
    known: dict[Path, Fingerprint] = {}
    for stage in plan.stages:
        running = [need for need in stage.needs if not checks[need].cached]
        checks[stage.id] = (
            Check(False, _reason_of_dependant(plan, stage, running))
            if running
            else check_stage(plan, stage, known)
        )
    return checks


def check_stage(plan: Plan, stage: Stage, known: dict[Path, Fingerprint] | None = None) -> Check:
    """Check one stage, with the results of its needs as they are.

    Args:
        plan: The suite.
        stage: One of its stages.
        known: Fingerprints of folders that other stages read; new ones are added.
    """
    if stage.problem:
        return Check(False, "its config cannot be read")
    trace = read_trace(plan, stage)
    if trace is None:
        return Check(False, "new")
    inputs = current_inputs(plan, stage)
    if inputs is None:
        return Check(False, "a result that it reads is missing")
    changed = _changed(trace["inputs"], inputs)
    if changed and not _is_same_config(plan, stage, changed):
        return Check(False, _shortened(changed))
    if not is_complete(plan.result_of(stage)) or not _is_of_this_run(plan, stage, trace):
        return Check(False, _unfinished(plan.folder_of(stage)))
    reason = _damage(plan, stage, trace.get("files", {}))
    if not reason and _has_other_data(plan, stage, {} if known is None else known):
        reason = "its data changed"
    return Check(not reason, reason)


def current_inputs(plan: Plan, stage: Stage) -> dict[str, str] | None:
    """Everything that the result of ``stage`` depends on now; None if a need has no result."""
    inputs = dict(stage.inputs)
    for need in stage.needs:
        result = plan.result_of(plan.stage(need))
        if stage.always:
            # Tables show metrics and times of the manifest itself, and may lack some stages.
            inputs[need] = sha256_file(result) if is_complete(result) else "none"
            continue
        hashes = _output_hashes(result)
        if hashes is None:
            return None
        inputs[need] = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
    return inputs


def begin(plan: Plan, stage: Stage) -> None:
    """Prepare the folder; results of other inputs are moved away, never continued.

    Raises:
        FileNotFoundError: If a need of ``stage`` has no result.
    """
    inputs = current_inputs(plan, stage)
    if inputs is None:
        raise FileNotFoundError(f"a result that {stage.id} reads is missing")
    folder = plan.folder_of(stage)
    if plan.result_of(stage).is_relative_to(folder):
        trace = read_trace(plan, stage)
        if trace is None or trace["inputs"] != inputs or _has_other_data(plan, stage, {}):
            _move_away(plan, stage)
        plan.result_of(stage).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.json").unlink(missing_ok=True)
    atomic_write_json(folder / TRACE, {"inputs": inputs})


def finish(plan: Plan, stage: Stage) -> bool:
    """Store size and time of the outputs; they are hashed again only if these change.

    Returns:
        Whether the result exists and is complete.
    """
    result = plan.result_of(stage)
    if not is_complete(result):
        return False
    files = {name: _stamp(file) for name, (file, _) in _outputs(result).items() if file.is_file()}
    trace = {**(read_trace(plan, stage) or {}), "files": files}
    atomic_write_json(plan.folder_of(stage) / TRACE, trace)
    return True


def is_complete(result: Path) -> bool:
    """Whether a stage succeeded: by its manifest, or by the existence of another result.

    A trial that diverged is complete: that is its result.
    """
    if result.name == CHOICE:
        return bool(read_chosen(result))
    if result.name != MANIFEST:
        return result.is_file()
    manifest = read_json(result) or {}
    ended = ("complete", "failed") if manifest.get("stage") == "trial" else ("complete",)
    return manifest.get("status") in ended and read_outputs(result) is not None


def read_trace(plan: Plan, stage: Stage) -> dict[str, Any] | None:
    """Content of ``stage.json``; None if it is missing or damaged."""
    return read_inputs(plan.folder_of(stage) / TRACE)


def explain(plan: Plan, stage: Stage, check: Check) -> list[str]:
    """Why a stage is done or runs: a summary, then each input that changed, before and now."""
    trace = read_trace(plan, stage)
    if trace is None:
        return [check.reason]
    before, now = trace["inputs"], current_inputs(plan, stage)
    if check.cached and before == now:
        return ["its inputs and the results that it reads are unchanged"]
    if check.cached:
        return ["its config files changed, but the config that they give is the same"]
    if now is None:
        before = {name: value for name, value in before.items() if name not in stage.needs}
        now = dict(stage.inputs)
    changes = [
        f"{name}: {_shown(before.get(name))} -> {_shown(now.get(name))}"
        for name in _changed(before, now)
    ]
    return [check.reason, *changes]


def _has_other_data(plan: Plan, stage: Stage, known: dict[Path, Fingerprint]) -> bool:
    """Whether the data of a finished training are no longer those that it read.

    False if this cannot be told: the manifest is of an earlier version, or the data are not here,
    as in a folder that was copied, or they are packed.
    """
    stated = read_data_hash(plan.result_of(stage))
    if stated is None or not stage.config:
        return False
    try:
        cfg = plan.recipe_of(stage)
        if is_packed(cfg):
            return False
        parts = fingerprint_config(cfg, known=known).parts
    except (BenchError, OSError):
        return False
    return sha256_of(parts) != stated


def _is_of_this_run(plan: Plan, stage: Stage, trace: dict[str, Any]) -> bool:
    """Whether the result was written since ``begin``, which removes it from the stage's folder.

    Results in other folders, such as tables, may be older; then ``finish`` must have run.
    """
    return "files" in trace or plan.result_of(stage).is_relative_to(plan.folder_of(stage))


def _damage(plan: Plan, stage: Stage, stamps: dict[str, Any]) -> str:
    result = plan.result_of(stage)
    outputs = _outputs(result)
    if lacking := [name for name in stamps if name not in outputs]:
        return f"its {result.name} lacks the output {lacking[0]}"
    for name, (file, sha256) in outputs.items():
        if not file.is_file():
            return f"its {file.name} is missing"
        if stamps.get(name) != _stamp(file) and sha256_file(file) != sha256:
            return f"its {file.name} is damaged"
    return ""


def _reason_of_dependant(plan: Plan, stage: Stage, running: list[str]) -> str:
    """Why a stage runs that needs ``running`` stages: its own reason if it has one."""
    trace = read_trace(plan, stage)
    if trace is None:
        return "new"
    before = {key: value for key, value in trace["inputs"].items() if key not in stage.needs}
    if changed := _changed(before, stage.inputs):
        return _shortened(changed)
    more = f" and {len(running) - 1} more, which run" if len(running) > 1 else ", which runs"
    return f"reads {running[0]}{more}"


def _unfinished(folder: Path) -> str:
    attempts = read_attempts(folder)
    code = attempts[-1]["exit_code"] if attempts else None
    return "was interrupted" if code is None else f"failed with exit code {code}"


def _outputs(result: Path) -> dict[str, tuple[Path, str]]:
    """Name to file and hash of the outputs in a manifest; another result is its own output."""
    if result.name != MANIFEST:
        return {result.name: (result, sha256_file(result))}
    return read_outputs(result) or {}


def _output_hashes(result: Path) -> dict[str, str] | None:
    if not is_complete(result):
        return None
    if result.name == CHOICE:  # hours and curves of a repeated trial differ
        choice = read_json(result) or {}
        tried = [trial["values"] for trial in choice["trials"]]
        return {CHOICE: content_sha256([choice["search"], tried, choice["chosen"]])}
    return {name: sha256 for name, (_, sha256) in _outputs(result).items()}


def _move_away(plan: Plan, stage: Stage) -> None:
    """Move the stage's folder to ``superseded``; results are never deleted."""
    folder = plan.folder_of(stage)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    target = plan.folder / SUPERSEDED / stage.id
    number = 1
    while (target / str(number)).exists():
        number += 1
    target.mkdir(parents=True, exist_ok=True)
    folder.rename(target / str(number))


def _changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [key for key in {**before, **now} if before.get(key) != now.get(key)]


def _is_same_config(plan: Plan, stage: Stage, changed: list[str]) -> bool:
    """Whether only config files changed, and they resolve to what the stage ran with.

    Moving a config, or splitting it into other bases, does not repeat a training.
    """
    if not stage.config or any(key != "config" and not key.endswith(".py") for key in changed):
        return False
    used = read_config_hash(plan.result_of(stage))
    if used is None:
        return False
    try:
        cfg = plan.recipe_of(stage)
    except BenchError:
        return False
    return bool(resolved_hash(cfg) == used)


def _shortened(changed: list[str]) -> str:
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{changed[0]}{more} changed"


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _shown(value: str | None) -> str:
    """A value; hashes are shortened."""
    if value is None:
        return "(missing)"
    is_hash = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return value[:12] if is_hash else value or "(none)"
