"""Weights that a suite starts from and did not pretrain: a supervised model of another library."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from simmim_bench.suite.cache import read_json
from simmim_bench.suite.cells import group_cells
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.schema import Suite


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
