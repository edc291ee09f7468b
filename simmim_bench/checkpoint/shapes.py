"""What reading an architecture from shapes returns, and what every such reading needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError

DEFAULT_IMAGE = 224
State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Architecture:
    """Config that builds a backbone, and what had to be assumed for it."""

    adapter: str
    config: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def image_size(self) -> int:
        """Side of the image, in pixels; convolutional backbones have none of their own."""
        return int(self.config.get("img_size", DEFAULT_IMAGE))


def need(state: State, key: str) -> Tensor:
    """A tensor that tells a size.

    Raises:
        BenchError: If it is missing.
    """
    if key not in state:
        raise BenchError(f"{key} is missing, which tells the backbone's size; use a whole file")
    return state[key]


def count(state: State, pattern: str) -> int:
    """How many blocks or stages there are: one more than the largest number in ``pattern``."""
    found = (re.fullmatch(pattern, key) for key in state)
    return 1 + max((int(match.group(1)) for match in found if match), default=-1)
