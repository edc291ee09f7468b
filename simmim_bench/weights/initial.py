"""Weights that a pretraining starts from: ``--init`` of ``simmim-bench train``.

An exported backbone says what it is by its card. Any other file is converted as
``simmim-bench convert`` does it, and the user says what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.backbones.timm import TimmAdapter
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.weights.card import EXPORT_FIRST, read_card
from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.libraries import loaded_backbone
from simmim_bench.weights.convert.plain import read_whole
from simmim_bench.weights.convert.source import read_source
from simmim_bench.weights.files import load_checkpoint, require_file
from simmim_bench.weights.identity import BLOCK
from simmim_bench.weights.pretrained import Fitted, LoadReport, load_pretrained
from simmim_bench.weights.seal import SAY_INITIAL, STORED, initial_name
from simmim_bench.weights.tensors import check_tensors


@dataclass(frozen=True)
class Initial:
    """Weights that a pretraining starts from.

    Args:
        name: What they are, such as ``supervised ImageNet-1k``.
        sha256: Hash of the file.
        kind: ``smoke`` if they come from a smoke run.
    """

    name: str
    sha256: str
    kind: str


def read_initial(path: Path, name: str | None) -> Initial:
    """What the weights in ``path`` are.

    Args:
        path: Exported ``backbone.pth`` with its card, or a checkpoint of another library.
        name: What the user says that they are.

    Raises:
        BenchError: If the file does not exist, its card cannot be used, it is a whole checkpoint of
            ours, or it is not known what the weights are.
    """
    require_file(path, "--init", "give an exported backbone.pth or a checkpoint of another library")
    if path.with_suffix(".json").is_file():
        card = read_card(path)
        return Initial(initial_name(card, name, path), card["sha256"], card["kind"])
    content = load_checkpoint(path, mapped=True)
    if BLOCK in content:
        raise BenchError(f"--init {path} is a checkpoint of a run of this suite; {EXPORT_FIRST}")
    if hasattr(content, STORED):
        read_card(path)  # says that it is missing
    if not name:
        raise BenchError(f"--init {path} has no card beside it; {SAY_INITIAL}")
    return Initial(name, sha256_file(path), "full")


def load_initial(backbone: nn.Module, path: Path, *, given: str | None = None) -> LoadReport:
    """Load every weight of ``backbone`` but a mask token, which starts fresh.

    Args:
        backbone: Backbone of a pretraining; changed in place, or not at all.
        path: As of ``read_initial``.
        given: What the command line names, for errors; the file by default.

    Raises:
        BenchError: As ``load_pretrained`` and ``convert_checkpoint``; nothing is loaded then.
    """
    if path.with_suffix(".json").is_file():
        return load_pretrained(backbone, path, whole=True, given=given)
    named, adapter = given or f"--init {path}", adapter_for(backbone)
    if isinstance(adapter, TimmAdapter):
        whole = read_whole(load_checkpoint(path))
        state, reading = adapter.from_timm(whole.state), whole.reading()
        check_tensors(state, f"{named} does not fit the {adapter.name} backbone")
        theirs: BackboneAdapter = adapter
        sha256 = sha256_file(path)
    else:
        source = read_source(path)
        try:
            found = convert_checkpoint(source)
        except BenchError as error:
            raise BenchError(
                f"{named}: {error}; simmim-bench convert has options for some files; "
                f"the backbone.pth that it writes can be given here"
            ) from error
        state, sha256, reading = found.state, source.sha256, found.report.reading()
        theirs = adapter_for(loaded_backbone(found.architecture, state))
    facts = {
        "adapter": theirs.name,
        "architecture": theirs.architecture(),
        "sizes": theirs.sizes(),
    }
    fitted = Fitted.of(backbone, state, facts, path, whole=True, given=named)
    return replace(fitted.load(path, sha256, sealed=None), reading=reading)
