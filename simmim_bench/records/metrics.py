"""From an evaluator's figures to a protocol's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import BY_SIZE


def protocol_metrics(
    protocol: Mapping[str, Any] | None, measured: Mapping[str, float] | None
) -> dict[str, float]:
    """The protocol's metrics in percent, by their names in records; none without a protocol.

    COCO's figures of a size of which the data have no object are left out.

    Args:
        protocol: With ``metrics``, from names of records to keys of the evaluator.
        measured: Key of the evaluator to figure; COCO's are fractions of 1.

    Raises:
        BenchError: If a metric was not measured or is out of range.
    """
    if not protocol:
        return {}
    measured, named = measured or {}, {}
    for name, key in protocol["metrics"].items():
        if key not in measured:
            raise BenchError(
                f"the protocol's metric {name!r} is the evaluator's {key!r}, which measured: "
                f"{', '.join(measured) or 'nothing'}"
            )
        value = float(measured[key])
        if value == -1 and key.endswith(BY_SIZE) and name != protocol["primary"]:
            continue  # these data have no object of that size
        named[name] = in_percent(key, value)
        if not 0 <= named[name] <= 100:
            raise BenchError(
                f"the evaluator measured {value} for {key!r}; COCO figures are -1 where the "
                "validation set has no such object: check the annotations"
            )
    return named


def in_percent(key: str, value: float) -> float:
    """An evaluator's figure in percent; COCO's are fractions of 1, the others percents."""
    return 100 * value if key.startswith("coco/") else value
