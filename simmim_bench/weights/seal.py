"""The seal of a card: what ``backbone.json`` says is also stored inside ``backbone.pth``.

The weights file holds the facts of its card, the card holds the hash of the weights file and a hash
of its own content. There is no secret key: the seal shows that the pair was changed, by accident or
by hand, not who wrote it. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simmim_bench.records.hash import content_sha256

SEAL = "seal"
STORED = "_simmim_bench_card"
"""Attribute of the state dict in ``backbone.pth``: the facts as JSON. Its keys are the weights'."""
OUTSIDE = (SEAL, "sha256")
"""Entries of a card that the weights file cannot contain: they depend on its hash."""


def facts_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says about the weights, and the weights file repeats."""
    return {key: value for key, value in card.items() if key not in OUTSIDE}


def seal_of(card: Mapping[str, Any]) -> str:
    """Hash of all entries of a card but the seal.

    Raises:
        ValueError: If a number is NaN or infinite.
    """
    return content_sha256({key: value for key, value in card.items() if key != SEAL})


def problem_of(card: Mapping[str, Any]) -> str | None:
    """What is wrong with the seal of a card by itself; None if nothing is, or it has none."""
    if SEAL not in card:
        return None
    try:
        intact = card[SEAL] == seal_of(card)
    except ValueError as error:
        return str(error)
    return None if intact else "its seal does not match its content"


def differences(
    stated: Mapping[str, Any], sealed: Mapping[str, Any], place: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Dotted name of each entry that differs, with both values; None where one lacks it."""
    for key in {**stated, **sealed}:
        one, other = stated.get(key), sealed.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from differences(one, other, f"{place}{key}.")
        elif one != other or type(one) is not type(other):
            yield f"{place}{key}", one, other
