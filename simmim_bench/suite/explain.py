"""Why a stage is done or runs: every input that changed, before and now."""

from __future__ import annotations

from simmim_bench.suite import cache
from simmim_bench.suite.cache import Check
from simmim_bench.suite.plan import Plan, Stage


def explain(plan: Plan, stage: Stage, check: Check) -> list[str]:
    """Lines about one stage, of which the first sums the others up."""
    if check.cached:
        return [f"done: {len(stage.inputs)} inputs and the results it reads are as they were"]
    lines = [check.reason]
    trace = cache.read_trace(plan, stage)
    if trace is None:
        return lines
    now = cache.current_inputs(plan, stage)
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
