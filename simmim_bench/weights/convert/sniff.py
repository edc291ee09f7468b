"""Recognise the layout and the backbone of a file by its keys and shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import Architecture, infer_architecture
from simmim_bench.weights.convert.layouts import LAYOUTS, Layout
from simmim_bench.weights.convert.libraries import own_backbone
from simmim_bench.weights.convert.translate import (
    BACKBONE,
    FROM_WINDOWS,
    Reading,
    read_layout,
    write_layout,
)
from simmim_bench.weights.strict import Difference, compare_states

WRAPPERS = ("model", "state_dict", "module")
PARALLEL = "module."  # DistributedDataParallel's prefix
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


def unwrap(content: Mapping[str, Any]) -> tuple[dict[str, Tensor], str | None]:
    """The state dict of a file's content, and the top-level key that it stood under.

    Raises:
        BenchError: If there is none.
    """
    wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
    inner = content[wrapper] if wrapper else content
    tensors = {key: value for key, value in inner.items() if isinstance(value, Tensor)}
    if not tensors:
        raise BenchError(
            f"no state dict found (top-level keys: {', '.join(map(str, list(content)[:4]))}); give "
            f"a file whose weights are at the top level or under 'model' or 'state_dict'"
        )
    if all(key.startswith(PARALLEL) for key in tensors):
        tensors = {key.removeprefix(PARALLEL): value for key, value in tensors.items()}
    return tensors, wrapper


def sniff(state: Mapping[str, Tensor], wrapper: str | None) -> Sniffed:
    """Find the layout and the adapter that explain a state dict best.

    Raises:
        BenchError: If none explains half of the keys, or the shapes fit no architecture.
    """
    readings = [
        (layout, adapter, read_layout(state, layout, adapter))
        for layout in LAYOUTS.values()
        for adapter in layout.backbone
    ]
    readings = [entry for entry in readings if entry[2].backbone]
    fewest = min((len(entry[2].unknown) for entry in readings), default=len(state))
    if fewest > (1 - KNOWN_SHARE) * len(state):
        raise BenchError(
            f"unknown checkpoint layout (first keys: {', '.join(list(state)[:3])}); supported: "
            f"{', '.join(LAYOUTS)}"
        )
    close = [entry for entry in readings if len(entry[2].unknown) <= fewest + CLOSE]
    fitted, errors = [], []
    for layout, adapter, reading in close:
        try:
            fitted.append(_fit(layout, adapter, reading))
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


def _fit(layout: Layout, adapter: str, reading: Reading) -> Sniffed:
    backbone = reading.backbone
    try:
        architecture = infer_architecture(adapter, backbone)
        own = own_backbone(architecture).state_dict()
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
