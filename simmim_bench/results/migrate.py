"""Bring what earlier versions wrote to the current schema.

Version 2 added curves and energy; what version 1 did not measure stays unknown.
"""

from __future__ import annotations

from typing import Any

from simmim_bench.results.canonical import content_sha256

CURRENT = 2
SEAL = frozenset({"run_id", "sha256"})


def manifest_to_current(value: Any) -> Any:
    """A manifest of version 1 as one of version 2.

    Raises:
        ValueError: If it is of a version that is not known.
    """
    return {**value, "schema_version": CURRENT} if _version(value) == 1 else value


def record_to_current(value: Any) -> Any:
    """A record of version 1 as one of version 2, sealed anew; its run id stays.

    Raises:
        ValueError: If it is of a version that is not known, or was changed after it was sealed.
    """
    if _version(value) != 1:
        return value
    body = {key: field for key, field in value.items() if key not in SEAL}
    sealed, found = value.get("sha256"), content_sha256(body)
    if sealed != found:
        raise ValueError(
            f"sha256 is {str(sealed)[:12]}... but the content hashes to {found[:12]}...; the "
            f"record was changed after it was written"
        )
    costs = {
        name: {"energy_joules": None, "energy_source": None, **body[name]}
        for name in ("cost", "pretraining_cost")
        if isinstance(body.get(name), dict)
    }
    added = {"schema_version": CURRENT, "curves": {}, "pretraining_curves": {}}
    body = {**body, **costs, **added}
    return {**body, "run_id": value.get("run_id"), "sha256": content_sha256(body)}


def _version(value: Any) -> int:
    """Version of a file; the newest where it states none or no number, which is refused later.

    Raises:
        ValueError: If it is newer than this code.
    """
    stated = value.get("schema_version") if isinstance(value, dict) else None
    if not isinstance(stated, int) or isinstance(stated, bool):
        return CURRENT
    if stated > CURRENT:
        raise ValueError(
            f"schema_version is {stated}, this simmim_bench knows versions up to {CURRENT} and "
            f"has to be updated to read it"
        )
    return stated
