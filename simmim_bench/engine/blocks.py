"""The repeated blocks of a backbone: units to shard and to compute again in the backward pass."""

from __future__ import annotations

from collections import Counter

from torch import nn


def repeated_blocks(module: nn.Module) -> dict[str, nn.Module]:
    """Blocks by dotted name: siblings of one class in a list or sequence, the innermost such.

    In Swin and ViT these are transformer blocks, in ResNet and ConvNeXt residual blocks; single
    layers (a convolution, a matrix) are none.
    """
    found: dict[str, nn.Module] = {}
    for name, container in module.named_modules():
        if not isinstance(container, nn.ModuleList | nn.Sequential):
            continue
        children = {key: child for key, child in container.named_children() if _composed(child)}
        classes = Counter(type(child) for child in children.values())
        for key, child in children.items():
            if classes[type(child)] > 1:
                found[f"{name}.{key}" if name else key] = child
    return {
        name: block
        for name, block in found.items()
        if not any(other.startswith(f"{name}.") for other in found)
    }


def _composed(module: nn.Module) -> bool:
    inner = any(True for _ in module.children())
    return inner and any(True for _ in module.parameters())
