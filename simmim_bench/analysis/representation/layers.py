"""Layers whose outputs an analysis compares: the blocks of a backbone, and its output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from simmim_bench.backbones import adapter_for

OUTPUT = "output"


def blocks_of(backbone: Any) -> dict[str, nn.Module]:
    """Blocks by name, first to last: ``3`` of a ViT, ``2.1`` (stage 2, block 1) of the others.

    None for a backbone of timm, whose inner names differ from model to model.
    """
    stages = adapter_for(backbone).stages()
    if len(stages) == 1:
        return {str(number): block for number, block in enumerate(stages[0], 1)}
    return {
        f"{number}.{place}": block
        for number, stage in enumerate(stages, 1)
        for place, block in enumerate(stage, 1)
    }


@contextmanager
def watched(backbone: Any) -> Iterator[dict[str, Tensor]]:
    """In the context, ``backbone(images)`` fills the dict with the output of each layer.

    Tensors are (B, N, C), (B, C, H, W), or, for what a ViT returns to a classifier, (B, C); the
    last is the deepest output of the backbone, named ``'output'``. The tensors are part of the
    graph; ``pooled`` and ``as_map`` remove the class token.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str, _module: nn.Module, _args: Any, output: Any) -> None:
        outputs[name] = output[-1] if isinstance(output, (tuple, list)) else output

    with ExitStack() as stack:
        for name, block in {**blocks_of(backbone), OUTPUT: backbone}.items():
            stack.callback(block.register_forward_hook(partial(keep, name)).remove)
        yield outputs


def as_map(output: Tensor, *, extra: int, size: tuple[int, int]) -> Tensor:
    """Tokens as a map, (B, C, h, w); maps are returned unchanged.

    Args:
        output: (B, extra + N, C) or (B, C, h, w).
        extra: Number of leading tokens without a position.
        size: Height and width of the image in pixels.

    Raises:
        ValueError: If the output has no positions.
    """
    if output.ndim == 4:
        return output
    if output.ndim != 3:
        raise ValueError("this output has no positions, as it is averaged; choose a block")
    tokens = output[:, extra:]
    rows = round((tokens.shape[1] * size[0] / size[1]) ** 0.5)
    return tokens.transpose(1, 2).unflatten(2, (rows, -1))
