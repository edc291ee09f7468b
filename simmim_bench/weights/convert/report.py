"""What a conversion did to each key: a table for the terminal, JSON for the file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from simmim_bench.backbones.base import Resized
from simmim_bench.weights.convert.translate import Dropped
from simmim_bench.weights.convert.verify import Verification


@dataclass(frozen=True)
class ConversionReport:
    """Account of a conversion; a key that was renamed wrongly never gets this far.

    Args:
        source: File name.
        sha256: Hash of the file.
        layout: Layout that was recognised.
        target: Layout that was written.
        adapter: Backbone's adapter.
        architecture: Config that builds the backbone.
        notes: What shapes did not say and was assumed.
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
        """JSON types only; nothing is ever unexpected, or there would be no report."""
        return {**asdict(self), "unexpected": []}

    def table(self) -> str:
        """Lines of name and value."""
        checked = self.verification
        verified = f"{checked.difference:.1e}, {checked.note}" if checked.ran else checked.note
        rows = [
            ("from", f"{self.layout} ({self.source}, sha256 {self.sha256[:12]})"),
            ("to", self.target),
            ("backbone", f"{self.adapter}, {self.architecture['type']}"),
            *(("assumed", note) for note in self.notes),
            ("matched", str(len(self.matched))),
            ("missing", f"{len(self.missing)} (buffers, computed)"),
            ("unexpected", "0"),
            ("resized", self._resized()),
            ("dropped", str(len(self.dropped))),
            *(("", line) for line in self._reasons()),
            ("written", f"{self.written} tensors"),
            ("difference", verified),
        ]
        if self.ran_code:
            rows.insert(0, ("WARNING", "READ WITH --trust-pickle: CODE IN THE FILE WAS RUN"))
        return "".join(f"{name:<11} {value}\n" for name, value in rows)

    def _reasons(self) -> list[str]:
        """One line a reason, with the first key it holds for."""
        grouped: dict[str, list[str]] = {}
        for entry in self.dropped:
            grouped.setdefault(entry.reason, []).append(entry.key)
        return [f"{len(keys)} x {reason} ({keys[0]})" for reason, keys in grouped.items()]

    def _resized(self) -> str:
        if not self.resized:
            return "0"
        first = self.resized[0]
        how = f"bias tables {self.resize_method}, embeddings bicubic"
        return f"{len(self.resized)} ({how}; first {first.key} {first.old} -> {first.new})"
