"""Weights of any origin as a conversion: read the files, recognise them, convert, widen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.weights.address import Address
from simmim_bench.weights.card import EXPORT_FIRST
from simmim_bench.weights.convert.conversion import Conversion, convert_checkpoint
from simmim_bench.weights.convert.libraries import own_backbone
from simmim_bench.weights.convert.source import Source, read_source
from simmim_bench.weights.dino_models import convert_dino
from simmim_bench.weights.fetch import Fetched
from simmim_bench.weights.identity import BLOCK
from simmim_bench.weights.seal import STORED
from simmim_bench.weights.timm_models import TimmModel
from simmim_bench.weights.widen import Rule, say_widened, widen_state, widened

PARTS = "parts of a checkpoint"


def read_fetched(
    fetched: Fetched, *, sha256: str | None = None, trust_pickle: bool = False
) -> Source:
    """Content of the files, parts put together.

    Raises:
        BenchError: As ``read_source``; also if two parts have the same key.
    """
    if len(fetched.files) == 1:
        source = read_source(fetched.files[0], sha256=sha256, trust_pickle=trust_pickle)
        return replace(source, config=fetched.config)
    if sha256 is not None:
        raise BenchError("--sha256 is of one file, but this checkpoint has parts; leave it out")
    content: dict[str, Any] = {}
    for path in fetched.files:
        part = read_source(path).content
        if twice := content.keys() & part.keys():
            raise BenchError(f"{min(twice)} is in two {PARTS}, also in {path.name}")
        content |= part
    name = f"{fetched.files[0].name} and {len(fetched.files) - 1} more"
    return Source(content, name, fetched.sha256(), False, fetched.config)


def convert_weights(
    address: Address,
    fetched: Fetched,
    *,
    own_class: bool = False,
    ours: bool = True,
    channels: int | None = None,
    widen: Rule = "mean",
    sha256: str | None = None,
    trust_pickle: bool = False,
    **options: Any,
) -> Conversion:
    """Read and convert weights.

    Args:
        address: Where they come from.
        fetched: The same on this machine.
        own_class: Whether a model of timm stays timm's class.
        ours: Whether a checkpoint of a run of this suite is converted, too.
        channels: Channels of the images of the result; None for those of the weights.
        widen: How the first layer gets them.
        sha256: Hash that the file must have.
        trust_pickle: Read a file that holds more than weights, which runs the code in it.
        options: As of ``convert_checkpoint``.

    Raises:
        BenchError: As ``read_source`` and ``convert_checkpoint``.
    """
    source = read_fetched(fetched, sha256=sha256, trust_pickle=trust_pickle)
    if not ours and (BLOCK in source.content or hasattr(source.content, STORED)):
        raise BenchError(
            f"{address.name} is of this suite, but has no card beside it; {EXPORT_FIRST}"
        )
    stated = isinstance(source.config.get("architecture"), str)
    if address.by_timm and not stated:
        raise BenchError(
            f"{address.shown} is not a repository of timm: its config.json names no architecture; "
            f"give hf:{address.name}"
        )
    if address.kind == "timm" or stated:
        name = address.name if address.kind == "timm" else ""
        found = TimmModel.of(name, source).convert(own_class=own_class, **options)
    else:
        found = convert_dino(source, **options) or convert_checkpoint(source, **options)
    return found if channels is None else widen_conversion(found, channels, widen)


def widen_conversion(found: Conversion, channels: int, rule: Rule) -> Conversion:
    """The same for images with another number of channels.

    Raises:
        BenchError: If the result is for another library, or its first layer is no convolution.
    """
    if found.layout.library != "simmim_bench":
        raise BenchError(
            "--channels is for backbone folders (--to simmim_bench); convert first, then the "
            "folder's backbone.pth to the other library"
        )
    before = int(found.architecture.config["in_channels"])
    if before == channels:
        return found
    config = {**found.architecture.config, "in_channels": channels}
    architecture = replace(found.architecture, config=config)
    expected = own_backbone(architecture).state_dict()
    state = widen_state(found.state, expected, rule, found.report.source)
    stated = widened(before, channels, rule)
    report = replace(
        found.report,
        architecture={**found.report.architecture, "in_channels": channels},
        notes=(*found.report.notes, say_widened(stated)),
    )
    return replace(found, state=state, architecture=architecture, report=report, widened=stated)
