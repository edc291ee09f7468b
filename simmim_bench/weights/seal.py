"""What a card says, and its seal: the same facts are stored inside ``backbone.pth``.

The weights file holds the facts of its card, the card holds the hash of the weights file and a hash
of its own content. There is no secret key: the seal shows that the pair was changed, by accident or
by hand, not who wrote it. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.records.hash import content_sha256
from simmim_bench.records.manifest import label_of

UNKNOWN = "not stated"
"""Data set in the card of a conversion."""
CONVERTED = "converted from "
"""Start of the method in the card of a conversion without ``--method``."""
SAY_INITIAL = "say what the weights are, for example --init-name 'supervised ImageNet-1k'"
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


def origin_name(method: str, stated: Mapping[str, Any]) -> str:
    """What weights are: ``simmim ImageNet-1k``; the method alone if their data are not known.

    Args:
        method: As tables show it.
        stated: Fields of ``Pretraining``.
    """
    known = f"{method} {stated['dataset']}" if stated["dataset"] != UNKNOWN else method
    return label_of(known, stated.get("initial"))


def initial_name(card: Mapping[str, Any], name: str | None, path: object) -> str:
    """What the weights of a card are, for a pretraining that starts from them.

    Args:
        card: The card.
        name: What the user says that they are (``--init-name``).
        path: Of the weights, for errors.

    Raises:
        BenchError: If the card says it and ``name`` is given, or the card does not and it is not.
    """
    stated = card["pretraining"]
    if stated["dataset"] != UNKNOWN:
        if name:
            raise BenchError(
                f"--init-name {name!r} is not used, since {path} has a card that says what its "
                f"weights are; leave it out"
            )
        return origin_name(stated["method"], stated)
    if name is None and card["method"].startswith(CONVERTED):
        raise BenchError(f"the card of --init {path} does not say it; {SAY_INITIAL}")
    return name or str(card["method"])
