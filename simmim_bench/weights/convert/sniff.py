"""Recognise the layout and the backbone of a file by its keys and shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.plugins import HINT
from simmim_bench.weights.convert import config_own, config_transformers
from simmim_bench.weights.convert.architecture import (
    Architecture,
    State,
    infer_architecture,
    with_heads,
)
from simmim_bench.weights.convert.layouts import Layout, layouts
from simmim_bench.weights.convert.libraries import own_backbone
from simmim_bench.weights.convert.plain import Plain, readings
from simmim_bench.weights.convert.translate import (
    BACKBONE,
    FROM_WINDOWS,
    Reading,
    read_layout,
    write_layout,
)
from simmim_bench.weights.strict import Difference, compare_states

KNOWN_SHARE = 0.5  # below this share of known keys a file is something else
CLOSE = 2  # a renamed key may cost the right layout one more unknown key than a wrong one
COMPUTED = tuple(f".*{end}" for end in (*FROM_WINDOWS, "num_batches_tracked"))
"""Buffers that a file may lack; older files have no counter of batches."""


@dataclass(frozen=True)
class Sniffed:
    """A file whose layout and backbone were recognised.

    Args:
        layout: Its layout.
        architecture: What its backbone is.
        reading: Its tensors under our names.
        own: State dict of our class of that architecture, with arbitrary weights.
        difference: From ``own``; unexpected keys under their names in the file.
    """

    layout: Layout
    architecture: Architecture
    reading: Reading
    own: dict[str, Tensor]
    difference: Difference

    @property
    def misfits(self) -> int:
        """Number of keys that do not agree."""
        found = self.difference
        return len(found.missing) + len(found.unexpected) + len(found.wrong_shape)


def recognise(
    content: Mapping[str, Any], config: Mapping[str, Any] | None = None
) -> tuple[Sniffed, Plain]:
    """What a file is: the reading of it that fits best, the whole file first.

    Args:
        content: Of the file.
        config: Content of the ``config.json`` beside it, if any.

    Raises:
        BenchError: As ``sniff`` for the whole file, if no network in it is known.
    """
    said = {"transformers": config or {}, "simmim_bench": config_own.own_config(content)}
    fitted: list[tuple[Sniffed, Plain]] = []
    errors: list[BenchError] = []
    for plain in readings(content):
        try:
            found = sniff(plain.state, plain.wrapper, said)
        except BenchError as error:
            errors.append(error)
            continue
        unexpected = (*found.difference.unexpected, *plain.unknown)
        found = replace(found, difference=replace(found.difference, unexpected=unexpected))
        fitted.append((found, plain))
        if not found.misfits:
            break
    if not fitted:
        raise errors[0]
    return min(fitted, key=lambda entry: entry[0].misfits)


def sniff(
    state: Mapping[str, Tensor], wrapper: str | None, said: Mapping[str, Mapping[str, Any]]
) -> Sniffed:
    """Find the layout and the adapter that explain a state dict best.

    Args:
        state: Keys and tensors.
        wrapper: Top-level key that it stood under.
        said: What is said about the backbone besides its weights, by library.

    Raises:
        BenchError: If none explains half of the keys, or the shapes fit no architecture.
    """
    readings = [
        (layout, adapter, read_layout(state, layout, adapter))
        for layout in layouts().values()
        for adapter in layout.backbone
    ]
    readings = [entry for entry in readings if entry[2].backbone]
    fewest = min((len(entry[2].unknown) for entry in readings), default=len(state))
    if fewest > (1 - KNOWN_SHARE) * len(state):
        raise BenchError(
            f"unknown checkpoint layout (first keys: {', '.join(list(state)[:3])}); supported: "
            f"{', '.join(layouts())}; {HINT}"
        )
    close = [entry for entry in readings if len(entry[2].unknown) <= fewest + CLOSE]
    fitted, errors, built = [], [], _Built(said)
    for layout, adapter, reading in close:
        try:
            fitted.append(_fit(layout, adapter, reading, built))
        except BenchError as error:
            errors.append((len(reading.unknown), error))
    if not fitted:
        raise min(errors, key=lambda entry: entry[0])[1]
    best = min(fitted, key=lambda found: (found.misfits, found.layout.wrapper != wrapper))
    if errors and best.misfits > len(best.own) * (1 - KNOWN_SHARE):
        raise min(errors, key=lambda entry: entry[0])[1]
    return best


def check_whole(found: Sniffed) -> None:
    """Refuse a file whose backbone does not fit its architecture in every key and shape.

    Raises:
        BenchError: Names the keys, under their names in the file.
    """
    difference, adapter = found.difference, found.architecture.adapter
    if not difference:
        return
    if difference.wrong_shape:
        key, given, expected = difference.wrong_shape[0]
        raise BenchError(
            f"{found.reading.names[BACKBONE + key]} has shape {given}, but the other shapes of "
            f"this {adapter} backbone require {expected}; the file was changed or is of a variant "
            f"that is not supported"
        )
    missing = tuple(_name_in_file(found, key) for key in difference.missing)
    raise BenchError(
        f"the {adapter} backbone in this {found.layout.name} file is not complete: "
        f"{replace(difference, missing=missing)}; give a file whose keys were not renamed"
    )


class _Built:
    """Our classes for a state dict: layouts often agree on one, which is built once."""

    def __init__(self, said: Mapping[str, Mapping[str, Any]]) -> None:
        self.said = said
        self.states: dict[str, dict[str, Tensor]] = {}

    def architecture(self, layout: Layout, adapter: str, backbone: State) -> Architecture:
        """What shapes show, completed by what is said."""
        found = with_heads(infer_architecture(adapter, backbone), layout.heads)
        said = self.said.get(layout.library)
        if layout.library == "transformers":
            return (
                config_transformers.described(found, said)
                if said
                else config_transformers.assumed(found)
            )
        if layout.library == "simmim_bench" and said:
            return config_own.described(found, said)
        return found

    def state(self, architecture: Architecture) -> dict[str, Tensor]:
        """State dict of our class."""
        key = repr(architecture.config)
        if key not in self.states:
            self.states[key] = own_backbone(architecture).state_dict()
        return self.states[key]


def _fit(layout: Layout, adapter: str, reading: Reading, built: _Built) -> Sniffed:
    backbone = reading.backbone
    try:
        architecture = built.architecture(layout, adapter, backbone)
        own = built.state(architecture)
    except (ValueError, AssertionError, RuntimeError, IndexError, ZeroDivisionError) as error:
        raise BenchError(
            f"the shapes do not describe a {adapter} backbone ({error}); give an unchanged file"
        ) from error
    found = compare_states(own, backbone, may_be_missing=COMPUTED)
    unexpected = (*reading.unknown, *(reading.names[BACKBONE + key] for key in found.unexpected))
    return Sniffed(layout, architecture, reading, own, replace(found, unexpected=unexpected))


def _name_in_file(found: Sniffed, key: str) -> str:
    entry = {BACKBONE + key: found.own[key]}
    written, _ = write_layout(entry, found.layout, found.architecture.adapter)
    return next(iter(written), key)
