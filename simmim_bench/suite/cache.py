"""Is a stage done? Its result is complete, undamaged, and was made from the same inputs.

``stage.json`` in a stage's folder holds the inputs that its content was made from: hashes of the
config and its bases, overrides, seed, version of the tool, and the hashes of the outputs of the
stages that it reads. Times of files decide nothing, so a copied folder stays done.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.records.manifest import SUPERSEDED
from simmim_bench.suite.plan import MANIFEST, Plan, Stage

TRACE = "stage.json"
BENCHMARK = "benchmark.json"


@dataclass(frozen=True)
class Check:
    """Whether a stage is done, else why it runs."""

    cached: bool
    reason: str = ""


def check_plan(plan: Plan) -> dict[str, Check]:
    """Check every stage; one whose needs run again is not done either."""
    checks: dict[str, Check] = {}
    for stage in plan.stages:
        waits = [need for need in stage.needs if not checks[need].cached]
        checks[stage.id] = (
            Check(False, _reason_beside(plan, stage, waits)) if waits else check_stage(plan, stage)
        )
    return checks


def check_stage(plan: Plan, stage: Stage) -> Check:
    """Check one stage, whose needs are taken as they are."""
    trace = read_trace(plan, stage)
    if trace is None:
        return Check(False, "new")
    inputs = current_inputs(plan, stage)
    if inputs is None:
        return Check(False, "what it reads is not there")
    if trace["inputs"] != inputs:
        return Check(False, _difference(trace["inputs"], inputs))
    if not is_complete(plan.result_of(stage)) or not _is_of_this_run(plan, stage, trace):
        return Check(False, _unfinished(plan.folder_of(stage)))
    damage = _damage(plan, stage, trace.get("files", {}))
    return Check(False, damage) if damage else Check(True)


def current_inputs(plan: Plan, stage: Stage) -> dict[str, str] | None:
    """Everything that the result of ``stage`` depends on now; None while a need is not there."""
    inputs = dict(stage.inputs)
    for need in stage.needs:
        result = plan.result_of(plan.stage(need))
        if stage.always:
            # A table shows all of a manifest, also its metrics and times, and may lack some.
            inputs[need] = sha256_file(result) if is_complete(result) else "none"
            continue
        hashes = _output_hashes(result)
        if hashes is None:
            return None
        inputs[need] = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
    return inputs


def begin(plan: Plan, stage: Stage) -> None:
    """Make the folder ready: what was made from other inputs is put aside, never continued.

    Raises:
        FileNotFoundError: If a need of ``stage`` has no result.
    """
    inputs = current_inputs(plan, stage)
    if inputs is None:
        raise FileNotFoundError(f"a result that {stage.id} reads is not there")
    folder = plan.folder_of(stage)
    if plan.result_of(stage).is_relative_to(folder):
        trace = read_trace(plan, stage)
        if trace is None or trace["inputs"] != inputs:
            _put_aside(plan, stage)
        plan.result_of(stage).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.json").unlink(missing_ok=True)
    atomic_write_json(folder / TRACE, {"inputs": inputs})


def finish(plan: Plan, stage: Stage) -> bool:
    """Note size and time of the outputs, to hash them again only if they change.

    Returns:
        Whether the result is there and complete.
    """
    result = plan.result_of(stage)
    if not is_complete(result):
        return False
    files = {name: _stamp(file) for name, (file, _) in _outputs(result).items() if file.is_file()}
    trace = {**(read_trace(plan, stage) or {}), "files": files}
    atomic_write_json(plan.folder_of(stage) / TRACE, trace)
    return True


def is_complete(result: Path) -> bool:
    """Whether a stage ended well: its manifest says so, or its other result is there."""
    if result.name != MANIFEST:
        return result.is_file()
    manifest = read_json(result)
    return manifest is not None and manifest.get("status") == "complete"


def read_json(path: Path) -> dict[str, Any] | None:
    """Content of a JSON object; None if the file is missing or holds no object."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _is_of_this_run(plan: Plan, stage: Stage, trace: dict[str, Any]) -> bool:
    """Whether the result was written since ``begin``, which removes it from the stage's folder.

    One that lies elsewhere, as tables do, may be older; ``finish`` tells.
    """
    return "files" in trace or plan.result_of(stage).is_relative_to(plan.folder_of(stage))


def _damage(plan: Plan, stage: Stage, stamps: dict[str, list[int]]) -> str:
    for name, (file, sha256) in _outputs(plan.result_of(stage)).items():
        if not file.is_file():
            return f"its {file.name} is missing"
        if stamps.get(name) != _stamp(file) and sha256_file(file) != sha256:
            return f"its {file.name} is damaged"
    return ""


def read_trace(plan: Plan, stage: Stage) -> dict[str, Any] | None:
    """What ``stage``'s folder was made from, or None if that is not known."""
    trace = read_json(plan.folder_of(stage) / TRACE)
    return trace if trace and isinstance(trace.get("inputs"), dict) else None


def _reason_beside(plan: Plan, stage: Stage, waits: list[str]) -> str:
    """Why a stage runs, one of whose needs runs: its own reason if it has one."""
    trace = read_trace(plan, stage)
    if trace is None:
        return "new"
    before = {key: value for key, value in trace["inputs"].items() if key not in stage.needs}
    if before != stage.inputs:
        return _difference(before, stage.inputs)
    more = f" and {len(waits) - 1} more, which run" if len(waits) > 1 else ", which runs"
    return f"reads {waits[0]}{more}"


def _unfinished(folder: Path) -> str:
    attempts = (read_json(folder / BENCHMARK) or {}).get("attempts", [])
    code = attempts[-1]["exit_code"] if attempts else None
    return "was interrupted" if code is None else f"failed with exit code {code}"


def _outputs(result: Path) -> dict[str, tuple[Path, str]]:
    """Name to file and hash of what a manifest lists; another result is its own output."""
    if result.name != MANIFEST:
        return {result.name: (result, sha256_file(result))}
    manifest = read_json(result) or {}
    return {
        name: (result.parent / output["path"], output["sha256"])
        for name, output in manifest.get("outputs", {}).items()
    }


def _output_hashes(result: Path) -> dict[str, str] | None:
    if not is_complete(result):
        return None
    return {name: sha256 for name, (_, sha256) in _outputs(result).items()}


def _put_aside(plan: Plan, stage: Stage) -> None:
    """Move the stage's folder away; hours of training are never deleted."""
    folder = plan.folder_of(stage)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    target = plan.folder / SUPERSEDED / stage.id
    number = 1
    while (target / str(number)).exists():
        number += 1
    target.mkdir(parents=True, exist_ok=True)
    folder.rename(target / str(number))


def _difference(before: dict[str, str], now: dict[str, str]) -> str:
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{changed[0]}{more} changed"


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


# Why a stage is done or runs: every input that changed, before and now.


def explain(plan: Plan, stage: Stage, check: Check) -> list[str]:
    """Lines about one stage, of which the first sums the others up."""
    if check.cached:
        return [f"done: {len(stage.inputs)} inputs and the results it reads are as they were"]
    lines = [check.reason]
    trace = read_trace(plan, stage)
    if trace is None:
        return lines
    now = current_inputs(plan, stage)
    before = trace["inputs"]
    if now is None:
        before = {name: value for name, value in before.items() if name not in stage.needs}
        now = dict(stage.inputs)
    return lines + [
        f"{name}: {_shown(before.get(name))} -> {_shown(now.get(name))}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


def _shown(value: str | None) -> str:
    """A value; of a hash its beginning."""
    if value is None:
        return "(not there)"
    is_hash = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return value[:12] if is_hash else value or "(none)"
