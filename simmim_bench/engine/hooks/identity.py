"""Sign checkpoints with the run that writes them."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from simmim_bench.checkpoint.identity import BLOCK, KEY
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class IdentityHook(Hook):
    """Put the identity of the run into every checkpoint.

    Args:
        run: Of ``simmim_bench.checkpoint.identity.identity``.
    """

    def __init__(self, *, run: dict[str, Any]) -> None:
        self.run = {**run}  # a plain dict, which weights-only reading allows

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add it."""
        checkpoint.setdefault(BLOCK, {})[KEY] = self.run
