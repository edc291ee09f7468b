"""Tell the layout and the backbone of a file from its keys and shapes alone."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import infer_architecture
from simmim_bench.weights.convert.architecture_convolutional import Architecture
from simmim_bench.weights.convert.layouts import LAYOUTS, Layout
from simmim_bench.weights.convert.library_models import own_backbone
from simmim_bench.weights.convert.translate import (
    BACKBONE,
    FROM_WINDOWS,
    Reading,
    read_layout,
    write_layout,
)

WRAPPERS = ("model", "state_dict", "module")
PARALLEL = "module."  # DistributedDataParallel's prefix
KNOWN_SHARE = 0.5  # below this share of known keys a file is something else
CLOSE = 2  # a renamed key may cost the right layout one more unknown key than a wrong one
COMPUTED = (*FROM_WINDOWS, "num_batches_tracked")
"""Ends of buffers that a file may lack; older files have no counter of batches."""


@dataclass(frozen=True)
class Sniffed:
    """A file that was recognised.

    Args:
        layout: Its layout.
        architecture: What its backbone is.
        reading: Its tensors under our names.
        own: State dict of our class of that architecture, with arbitrary weights.
        missing: Our backbone keys that the file lacks.
        unexpected: Names in the file that fit no key of the backbone.
        wrong_shape: Our backbone keys whose tensors have another shape.
    """

    layout: Layout
    architecture: Architecture
    reading: Reading
    own: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    wrong_shape: tuple[str, ...]

    @property
    def misfits(self) -> int:
        """Keys that do not agree."""
        return len(self.missing) + len(self.unexpected) + len(self.wrong_shape)


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
            f"no state dict among the top-level keys {', '.join(map(str, list(content)[:4]))}; "
            f"give a file with weights, bare or under 'model' or 'state_dict'"
        )
    if all(key.startswith(PARALLEL) for key in tensors):
        tensors = {key.removeprefix(PARALLEL): value for key, value in tensors.items()}
    return tensors, wrapper


def sniff(state: Mapping[str, Tensor], wrapper: str | None) -> Sniffed:
    """Find the layout and the adapter that explain a state dict best.

    Raises:
        BenchError: If none explains half of it, or its shapes tell no architecture.
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
            f"the keys (first: {', '.join(list(state)[:3])}) are of no layout we know; known are: "
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
    """Refuse a file whose backbone does not fit its architecture, every key.

    Raises:
        BenchError: Names a misfit and the nearest key that was expected.
    """
    if not found.misfits:
        return
    if found.wrong_shape:
        key = found.wrong_shape[0]
        given = tuple(found.reading.state[BACKBONE + key].shape)
        raise BenchError(
            f"{found.reading.names[BACKBONE + key]} is {given}, but the other shapes of this "
            f"{found.architecture.adapter} backbone ask for {tuple(found.own[key].shape)}; the "
            f"file was changed or is of a variant that is not supported"
        )
    wanted = [_name_in_file(found, key) for key in found.missing]
    if not found.unexpected:
        parts = f"{len(wanted)} keys missing ({', '.join(wanted[:3])})"
    else:
        first = found.unexpected[0]
        everything = wanted or [_name_in_file(found, key) for key in found.own]
        nearest = difflib.get_close_matches(first, everything, n=1, cutoff=0.0)
        parts = (
            f"{len(wanted)} keys missing, {len(found.unexpected)} unexpected, for example {first} "
            f"(nearest known name: {nearest[0]})"
        )
    raise BenchError(
        f"as {found.layout.name} the {found.architecture.adapter} backbone is not whole: {parts}; "
        f"give a file whose keys were not renamed"
    )


def _fit(layout: Layout, adapter: str, reading: Reading) -> Sniffed:
    backbone = reading.backbone
    try:
        architecture = infer_architecture(adapter, backbone)
        own = own_backbone(architecture).state_dict()
    except (ValueError, AssertionError, RuntimeError, IndexError, ZeroDivisionError) as error:
        raise BenchError(f"the shapes give no {adapter} backbone ({error})") from error
    missing = [key for key in own if key not in backbone and not key.endswith(COMPUTED)]
    extra = [key for key in backbone if key not in own]
    shapes = [key for key in backbone if key in own and own[key].shape != backbone[key].shape]
    unexpected = [*reading.unknown, *(reading.names[BACKBONE + key] for key in extra)]
    return Sniffed(
        layout, architecture, reading, own, tuple(missing), tuple(unexpected), tuple(shapes)
    )


def _name_in_file(found: Sniffed, key: str) -> str:
    entry = {BACKBONE + key: found.own[key]}
    written, _ = write_layout(entry, found.layout, found.architecture.adapter)
    return next(iter(written), key)
