"""Sign checkpoints with the run that writes them, and read only what fits."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from simmim_bench.checkpoint.identity import BLOCK, KEY
from simmim_bench.checkpoint.whole import difference
from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class IdentityHook(Hook):
    """Put the identity of the run into every checkpoint, and check what a resumed run reads.

    Args:
        run: Of ``simmim_bench.checkpoint.identity.identity``.
    """

    def __init__(self, *, run: dict[str, Any]) -> None:
        self.run = {**run}  # a plain dict, which weights-only reading allows

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add it."""
        checkpoint.setdefault(BLOCK, {})[KEY] = self.run

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that do not fit, where mmengine only warns.

        Raises:
            BenchError: Names the keys.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        differing = difference(model, checkpoint["state_dict"])
        if differing:
            raise BenchError(
                f"the last checkpoint in {runner.work_dir} does not fit the model: {differing}; "
                f"remove it to continue from the one before, or give another --work-dir"
            )
