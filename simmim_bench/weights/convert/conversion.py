"""Convert a checkpoint from one layout to another, completely or not at all, and report it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simmim_bench.backbones.base import Resized
from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import Architecture
from simmim_bench.weights.convert.fit import fit_positions, with_sizes
from simmim_bench.weights.convert.layouts import LAYOUTS, PACKAGES, Layout, target_layout
from simmim_bench.weights.convert.libraries import own_backbone
from simmim_bench.weights.convert.plain import Plain, unwrap
from simmim_bench.weights.convert.sniff import Sniffed, check_whole, recognise
from simmim_bench.weights.convert.source import Source
from simmim_bench.weights.convert.transformers_model import check_model
from simmim_bench.weights.convert.translate import (
    BACKBONE,
    FROM_WINDOWS,
    Dropped,
    backbone_of,
    write_layout,
)
from simmim_bench.weights.convert.verify import TOLERANCE, Side, Verification, verify
from simmim_bench.weights.files import check_finite
from simmim_bench.weights.identity import BLOCK, read_identity
from simmim_bench.weights.tensors import check_tensors, check_values

WITH_NORMS = ("swin", "swinv2", "convnext")
"""Adapters of backbones that have a norm after each output level."""
NAMED = 3
"""How many dropped keys of a reason the terminal names."""


@dataclass(frozen=True)
class ConversionReport:
    """What happened to each key. A file with unexpected keys is refused, so none are listed.

    Args:
        source: File name.
        sha256: Hash of the file.
        layout: Layout that was recognised.
        target: Layout that was written.
        adapter: Backbone's adapter.
        architecture: Config that builds the backbone.
        read: What was done to the keys and values of the file before.
        notes: What is not in the weights and was assumed.
        matched: Keys of the file that were converted.
        missing: Buffers that the file lacks and that were computed.
        resized: Position parameters fitted to another size.
        resize_method: How bias tables were resized; absolute embeddings always bicubically.
        dropped: Keys that were not written, with the reason.
        written: Tensors written.
        verification: Outcome of running both sides.
        ran_code: Whether the file was read with ``--trust-pickle``.
    """

    source: str
    sha256: str
    layout: str
    target: str
    adapter: str
    architecture: dict[str, Any]
    read: tuple[str, ...]
    notes: tuple[str, ...]
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    resized: tuple[Resized, ...]
    resize_method: str | None
    dropped: tuple[Dropped, ...]
    written: int
    verification: Verification
    ran_code: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {**asdict(self), "unexpected": []}

    def table(self) -> str:
        """Lines of name and value, for the terminal."""
        checked = self.verification
        verified = checked.note
        if checked.ran:
            verified = f"{checked.difference:.1e} (limit {TOLERANCE:.0e}), {checked.note}"
        rows = [
            ("from", f"{self.layout} ({self.source}, sha256 {self.sha256[:12]})"),
            ("to", self.target),
            ("backbone", f"{self.adapter}, {self.architecture['type']}"),
            *(("read", note) for note in self.read),
            *(("assumed", note) for note in self.notes),
            ("matched", str(len(self.matched))),
            ("computed", f"{len(self.missing)} buffers that are not in the file"),
            ("unexpected", "0"),
            ("resized", self._resized()),
            ("dropped", str(len(self.dropped))),
            *(("", line) for line in self._reasons(NAMED)),
            ("written", f"{self.written} tensors"),
            ("difference", verified),
        ]
        if self.ran_code:
            rows.insert(0, ("WARNING", "READ WITH --trust-pickle: CODE IN THE FILE WAS RUN"))
        return "".join(f"{name:<11} {value}\n" for name, value in rows)

    def reading(self) -> dict[str, str]:
        """How the file was read, for cards and logs: what was done, assumed and dropped."""
        read = (f"as {self.layout}", *self.read)
        lines = {"read": read, "assumed": self.notes, "dropped": self._reasons(1)}
        return {name: "; ".join(line) for name, line in lines.items() if line}

    def _reasons(self, named: int) -> list[str]:
        """One line a reason, with its first keys."""
        grouped: dict[str, list[str]] = {}
        for entry in self.dropped:
            grouped.setdefault(entry.reason, []).append(entry.key)
        return [
            f"{len(keys)} x {reason} "
            f"({', '.join(keys[:named])}{', ...' if len(keys) > named else ''})"
            for reason, keys in grouped.items()
        ]

    def _resized(self) -> str:
        if not self.resized:
            return "0"
        first = self.resized[0]
        how = f"bias tables {self.resize_method}, embeddings bicubic"
        return f"{len(self.resized)} ({how}; first {first.key} {first.old} -> {first.new})"


@dataclass(frozen=True)
class Conversion:
    """A converted checkpoint, not yet written.

    Args:
        state: Tensors under the target's names.
        layout: The target's layout.
        architecture: Backbone in the target's sizes.
        report: What happened to each key.
        kind: ``smoke`` if a smoke run of ours wrote the file, else ``full``.
        widened: Whether the first layer got other channels, and how (``weights/widen.py``).
    """

    state: dict[str, Tensor]
    layout: Layout
    architecture: Architecture
    report: ConversionReport
    kind: str
    widened: dict[str, Any] | None = None


def convert_checkpoint(
    source: Source,
    *,
    to: str = "simmim_bench",
    resize: str = "geometric",
    window: int | None = None,
    image_size: int | None = None,
) -> Conversion:
    """Recognise, check, verify, resize and rename.

    Args:
        source: The file.
        to: Library that the result is for, one of ``layouts.TARGETS``.
        resize: Method for bias tables, ``geometric`` or ``bicubic``.
        window: New Swin window; None keeps it.
        image_size: New image size; None keeps it.

    Raises:
        BenchError: If the layout is unknown, keys are missing, weights are NaN, the target does not
            support the names or sizes, or its library computes something else.
    """
    found, plain, ours = _read(source)
    adapter = found.architecture.adapter
    layout = target_layout(to, adapter, found.reading.state)
    if to == "transformers":
        check_model(with_sizes(found.architecture, window=window, image_size=image_size))
    dropped = write_layout(ours, layout, adapter)[1]
    verification = verify(*_sides(ours, found, layout, dropped))
    target = with_sizes(found.architecture, window=window, image_size=image_size)
    own = own_backbone(target).state_dict()
    fitted, resized = fit_positions(_weights(ours), own, method=resize)
    rebuilt = {BACKBONE + key: fitted.get(key, value) for key, value in own.items()}
    beside = {key: value for key, value in ours.items() if not key.startswith(BACKBONE)}
    state, _ = write_layout({**rebuilt, **beside}, layout, adapter)
    written = _without(target, dropped)
    report = ConversionReport(
        source=source.name,
        sha256=source.sha256,
        layout=found.layout.name,
        target=layout.name,
        adapter=adapter,
        architecture=_plain(written.config),
        read=plain.notes,
        notes=target.notes,
        matched=tuple(found.reading.names.values()),
        missing=tuple(key for key in rebuilt if key not in found.reading.state),
        resized=tuple(resized),
        resize_method=resize if resized else None,
        dropped=(*plain.dropped, *found.reading.dropped, *dropped),
        written=len(state),
        verification=verification,
        ran_code=source.ran_code,
    )
    return Conversion(state, layout, written, report, _kind(source))


def _read(source: Source) -> tuple[Sniffed, Plain, dict[str, Tensor]]:
    """What the file is, how it was read, and its tensors under our names with index buffers."""
    check_tensors(unwrap(source.content)[0], source.name)
    found, plain = recognise(source.content, source.config)
    check_whole(found)
    given = plain.state
    check_finite(given, Path(source.name))
    names = {key: found.reading.names.get(BACKBONE + key, key) for key in found.own}
    check_values({names[key]: value for key, value in found.own.items()}, given, source.name)
    return found, plain, _complete(found)


def _kind(source: Source) -> str:
    """Converted weights of a smoke run stay those of a smoke run."""
    if BLOCK not in source.content:
        return "full"
    return str(read_identity(source.content, Path(source.name))["kind"])


def _weights(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The backbone's tensors under its own keys, without what follows from windows."""
    return {
        key: value for key, value in backbone_of(ours).items() if not key.endswith(FROM_WINDOWS)
    }


def _complete(found: Sniffed) -> dict[str, Tensor]:
    """Our names, with buffers that the file lacks.

    Raises:
        BenchError: If a buffer of the file orders relative positions in another way, or scales
            their coordinates by another window than its own (Swin V2 after its window changed).
    """
    backbone = {}
    for key, value in found.own.items():
        name = BACKBONE + key
        backbone[name] = found.reading.state.get(name, value)
        if key.endswith(FROM_WINDOWS) and not torch.allclose(backbone[name], value, atol=1e-5):
            raise BenchError(
                f"{found.reading.names[name]} differs from the original's relative positions; "
                f"this variant cannot be converted"
            )
    return {**found.reading.state, **backbone}


def _sides(
    ours: Mapping[str, Tensor], found: Sniffed, layout: Layout, dropped: list[Dropped]
) -> tuple[Side, Side]:
    """Both sides. A library without a package is replaced by timm, or by our own class."""
    adapter = found.architecture.adapter
    source, target, names = found.layout, layout, [found.layout.library, layout.library]
    own, timm = LAYOUTS["simmim_bench pretraining"], LAYOUTS["timm"]
    if source.library not in PACKAGES:
        source = own if target.library == "timm" or not timm.has(adapter) else timm
        names[0] = f"{source.library} in place of {names[0]}"
    elif source.library == "transformers":
        source = LAYOUTS["transformers model"]
    if target.library == "transformers":
        target = LAYOUTS["transformers model"]
    if target.library not in PACKAGES:
        target = own if source.library == "timm" or not timm.has(adapter) else timm
        names[1] = f"{target.library} in place of {names[1]}"
    left = Side(source.library, names[0], _inside(ours, source, adapter), found.architecture)
    _, unsupported = write_layout(ours, target, adapter)
    written = _without(found.architecture, [*dropped, *unsupported])
    return left, Side(target.library, names[1], _inside(ours, target, adapter), written)


def _inside(ours: Mapping[str, Tensor], layout: Layout, adapter: str) -> dict[str, Tensor]:
    """Backbone weights under a layout's names, without its prefix."""
    backbone = {key: value for key, value in ours.items() if key.startswith(BACKBONE)}
    written, _ = write_layout(backbone, layout, adapter)
    return {key.removeprefix(layout.prefix): value for key, value in written.items()}


def _without(architecture: Architecture, dropped: list[Dropped]) -> Architecture:
    """The backbone without the norms that a target does not support."""
    config = dict(architecture.config)
    gone = {entry.key.removeprefix(BACKBONE) for entry in dropped}
    if "ln2.weight" in gone:
        config["out_type"] = "featmap"
    kept = [i for i in _indices(config) if f"norm{i}.weight" not in gone]
    if architecture.adapter in WITH_NORMS:
        config["out_indices"] = type(config["out_indices"])(kept)
    return replace(architecture, config=config)


def _indices(config: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(config.get("out_indices", ()))


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Tuples become lists, as JSON has them."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in config.items()
    }
