"""Give a downstream model its pretrained backbone, strictly, before the first iteration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from simmim_bench.finetune.pretrained import load_pretrained
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class PretrainedBackboneHook(Hook):
    """Load an exported backbone into ``model.backbone``; a resumed run keeps its own weights.

    Args:
        checkpoint: ``backbone.pth`` of an export.
    """

    priority = "VERY_HIGH"

    def __init__(self, *, checkpoint: str) -> None:
        self.checkpoint = Path(checkpoint)

    def before_train(self, runner: Any) -> None:
        """Load and log one line.

        Raises:
            BenchError: If the checkpoint does not fit (see ``load_pretrained``).
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if runner.iter > 0:
            return
        report = load_pretrained(model.backbone, self.checkpoint)
        runner.message_hub.update_info("load_report", report.to_dict())
        runner.logger.info(report.summary())
