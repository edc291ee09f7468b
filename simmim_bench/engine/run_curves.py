"""The curves of a run that its record keeps: the loss, and the protocol's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simmim_bench.engine.figures import in_percent
from simmim_bench.errors import BenchError
from simmim_bench.results.curve import Against, Curve, thin
from simmim_bench.visualization.curves import read_scalars


def curves_of(
    work_dir: Path, protocol: Mapping[str, Any] | None, *, by_epoch: bool
) -> dict[str, Curve]:
    """Curves from the scalars in a work dir; one that was not logged is left out.

    Args:
        work_dir: Folder of the run.
        protocol: With ``metrics``, from names of records to keys of the evaluator.
        by_epoch: Whether validations are counted in epochs.
    """
    counted: Against = "epoch" if by_epoch else "iteration"
    keys: dict[str, tuple[str, Against]] = {"loss": ("loss", "iteration")}
    if protocol:
        keys |= {name: (key, counted) for name, key in protocol["metrics"].items()}
    curves = {}
    for name, (key, against) in keys.items():
        try:
            steps, values = read_scalars(work_dir, key)
        except BenchError:  # a run of one iteration logs nothing
            continue
        kept = np.isfinite(values)
        if kept.any():
            figures = [in_percent(key, value) for value in np.array(values)[kept]]
            curves[name] = thin(np.array(steps)[kept], figures, against=against)
    return curves
