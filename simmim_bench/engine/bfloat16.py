"""Mixed precision in bfloat16, on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import autocast
from torch import nn

from simmim_bench.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` whose forward passes compute in bfloat16 where PyTorch holds it safe.

    bfloat16 has the exponents of float32, so the loss needs no scaling, and a CPU knows it, too;
    mmengine's ``AmpOptimWrapper`` refuses CPUs.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute the forward pass in bfloat16."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
