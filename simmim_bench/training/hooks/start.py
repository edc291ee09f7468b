"""The classes of the training data, of the evaluation data and of the heads must agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS
from simmim_bench.weights.identity import BLOCK, KEY
from simmim_bench.weights.strict import difference, load_pretrained

CLASS_AGNOSTIC = "rpn_head"  # tells objects from background, whatever their class


@HOOKS.register_module()
class ClassesHook(Hook):
    """Stop before a run whose labels would mean different things in training and evaluation.

    A split that lacks a folder or a category numbers all later classes otherwise, and the
    metric then is wrong without a word.
    """

    def before_train(self, runner: Any) -> None:
        """Compare training data, validation data and heads.

        Raises:
            BenchError: If they differ.
        """
        seen = _classes(runner.train_dataloader)
        _check_heads(runner, seen, "train_dataloader")
        if runner.val_dataloader is not None:
            _check_splits(seen, _classes(runner.val_dataloader))

    def before_test(self, runner: Any) -> None:
        """Compare test data and heads.

        Raises:
            BenchError: If they differ.
        """
        _check_heads(runner, _classes(runner.test_dataloader), "test_dataloader")


def _classes(loader: Any) -> tuple[str, ...]:
    return tuple((getattr(loader.dataset, "metainfo", None) or {}).get("classes") or ())


def _check_splits(train: Sequence[str], val: Sequence[str]) -> None:
    if not train or train == val:  # captions have no classes
        return
    lacking = [name for name in train if name not in val]
    more = [name for name in val if name not in train]
    parts = [f"{len(lacking)} only in training ({lacking[0]})"] if lacking else []
    parts += [f"{len(more)} only in validation ({more[0]})"] if more else []
    raise BenchError(
        f"training data have {len(train)} classes and validation data {len(val)}: "
        f"{' and '.join(parts) or 'the same names in another order'}; labels would mean different "
        f"classes, so give both splits the same list"
    )


def _check_heads(runner: Any, classes: Sequence[str], loader: str) -> None:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    for name, count in head_classes(model).items():
        if classes and count != len(classes):
            raise BenchError(
                f"{loader} has {len(classes)} classes, {name or 'the model'} has "
                f"num_classes={count}; pass --num-classes {len(classes)}"
            )


def head_classes(model: nn.Module) -> dict[str, int]:
    """``num_classes`` of every head that tells classes apart, by its name in the model."""
    return {
        name: module.num_classes
        for name, module in model.named_modules()
        if isinstance(getattr(module, "num_classes", None), int)
        and not name.startswith(CLASS_AGNOSTIC)
        and not name.startswith("backbone")
    }


# Give a downstream model its pretrained backbone, strictly, before the first iteration.


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


# Sign checkpoints with the run that writes them, and read only what fits.


@HOOKS.register_module()
class IdentityHook(Hook):
    """Put the identity of the run into every checkpoint, and check what a resumed run reads.

    Args:
        run: Of ``simmim_bench.weights.identity.identity``.
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
