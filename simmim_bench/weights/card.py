"""The card of an exported backbone: ``backbone.json`` beside ``backbone.pth``, sealed with it.

See ``seal.py`` for what the seal is.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, read_bytes, sha256_file
from simmim_bench.records.manifest import DataIdentity, Kind, Precision, Pretraining
from simmim_bench.records.schema import StrictModel, validate
from simmim_bench.weights.files import load_checkpoint, save_whole
from simmim_bench.weights.seal import SEAL, STORED, differences, facts_of, problem_of, seal_of

FORMAT = "simmim_bench backbone"
FORMAT_VERSION = 1
CARD_KEYS = {
    "adapter": str,
    "architecture": dict,
    "sizes": dict,
    "backbone_config": dict,
    "method": str,
    "pretraining": dict,
    "pretraining.method": str,
    "pretraining.backbone": str,
    "pretraining.dataset": str,
    "kind": str,
    "sha256": str,
}
"""Type of each key of a card that is read; a dot leads into an object."""
EXPORT_FIRST = (
    "export it with `simmim-bench export CHECKPOINT --out DIR` (own runs), or convert "
    "it with `simmim-bench convert CHECKPOINT DIR` (other libraries)"
)


class Stated(StrictModel):
    """What a card says besides ``pretraining`` and manifests repeat."""

    kind: Kind
    data: DataIdentity | None = None
    precision: Precision | None = None


def read_card(weights: Path) -> dict[str, Any]:
    """Read the card beside an exported ``backbone.pth``, and check its seal if it has one.

    Raises:
        BenchError: If it is missing, not JSON, has another format version, lacks a key, or was
            changed after the export.
    """
    path = weights.with_suffix(".json")
    try:
        card: dict[str, Any] = json.loads(read_bytes(path).decode("utf-8"))
    except FileNotFoundError as error:
        raise BenchError(
            f"{weights} has no {path.name} beside it, so it is not an exported backbone; "
            f"{EXPORT_FIRST}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BenchError(
            f"{path} is not valid JSON ({error}); export the backbone again"
        ) from error
    found = (card.get("format"), card.get("version")) if isinstance(card, dict) else None
    if found != (FORMAT, FORMAT_VERSION):
        raise BenchError(
            f"{path} has format and version {found}, expected {(FORMAT, FORMAT_VERSION)}; export "
            f"the backbone again"
        )
    _check_keys(card, path)
    again = "export the backbone again"
    validate(Pretraining, card["pretraining"], source=f"pretraining in {path}", remedy=again)
    stated = {name: card[name] for name in Stated.model_fields if name in card}
    validate(Stated, stated, source=str(path), remedy=again)
    _check_seal(card, weights)
    return card


def _check_seal(card: dict[str, Any], weights: Path) -> None:
    """Compare a card with its seal and with the facts in the weights file."""
    path = weights.with_suffix(".json")
    stored = _stored_facts(weights)
    if stored is None and not is_sealed(card):
        return  # exported by an earlier version
    if stored is None:
        raise BenchError(
            f"{weights} is not the file that {path.name} was written with: it does not contain the "
            f"facts of a sealed card; export the backbone again"
        )
    for name, stated, sealed in differences(facts_of(card), stored):
        here = f"is missing in {path}" if stated is None else f"in {path} is {stated!r:.80}"
        there = "without it" if sealed is None else f"with {sealed!r:.80}"
        raise BenchError(
            f"{name} {here}, but the weights were exported {there}; the card was changed after "
            f"the export, export the backbone again"
        )
    problem = problem_of(card) if is_sealed(card) else "it has no seal, but its weights do"
    if problem:
        raise BenchError(
            f"{path} was changed after the export: {problem}; export the backbone again"
        )


def is_sealed(card: Mapping[str, Any]) -> bool:
    """Whether a card has a seal; those of earlier versions have none."""
    return SEAL in card


def _stored_facts(weights: Path) -> dict[str, Any] | None:
    text = getattr(load_checkpoint(weights, mapped=True), STORED, None)
    if text is None:
        return None
    try:
        facts = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise BenchError(f"{weights} has damaged facts of its card; export the backbone again")
    return facts


def _check_keys(card: dict[str, Any], path: Path) -> None:
    for name, kind in CARD_KEYS.items():
        value: Any = card
        for part in name.split("."):
            value = value.get(part)
        if not isinstance(value, kind):
            expected = "a string" if kind is str else "an object"
            problem = "is missing" if value is None else f"must be {expected}, got {value!r}"
            raise BenchError(f"{name} in {path} {problem}; export the backbone again")


def save_backbone(state: Mapping[str, Tensor], card: Mapping[str, Any], weights: Path) -> Any:
    """Write ``backbone.pth`` and, beside it, its card, sealed together.

    Args:
        state: Weights.
        card: What is known about them, without hash and seal.
        weights: The file of the weights.

    Returns:
        The content of the card.
    """
    # a clone, so that the file does not contain the rest of a tensor that this is a view of
    content = OrderedDict((key, value.clone()) for key, value in state.items())
    setattr(content, STORED, json.dumps(card, sort_keys=True))
    save_whole(content, weights)
    whole = {**card, "sha256": sha256_file(weights)}
    whole[SEAL] = seal_of(whole)
    atomic_write_json(weights.with_suffix(".json"), whole)
    return whole
