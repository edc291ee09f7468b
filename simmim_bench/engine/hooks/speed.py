"""Trade time for memory, or compile; the mathematics stays."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch.utils.checkpoint import checkpoint

from simmim_bench.engine.blocks import repeated_blocks
from simmim_bench.engine.restrictions import refuse_recomputed
from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class SpeedHook(Hook):
    """Change how the backbone computes, before the first step.

    Args:
        recompute: Keep no activations inside blocks of the backbone, compute them again in the
            backward pass (activation checkpointing), with the same random numbers.
        compiled: ``torch.compile`` the backbone.
    """

    priority = "HIGH"

    def __init__(self, *, recompute: bool = False, compiled: bool = False) -> None:
        self.recompute = recompute
        self.compiled = compiled

    def before_train(self, runner: Any) -> None:
        """Do it.

        Raises:
            BenchError: If the backbone has no blocks, or they cannot be computed again.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if self.recompute:
            refuse_recomputed(model)
            blocks = repeated_blocks(model.backbone)
            if not blocks:
                raise BenchError(
                    f"--recompute: {type(model.backbone).__name__} has no repeated blocks; leave "
                    f"it out"
                )
            for block in blocks.values():
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
            runner.logger.info(f"activations of {len(blocks)} blocks are computed again")
        if self.compiled:
            model.backbone.compile()
            runner.logger.info("the backbone is compiled; its first steps take minutes")
