"""Before the first iteration: check classes, load the backbone, sign and check checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS
from simmim_bench.training.runner import model_of
from simmim_bench.weights.files import check_finite
from simmim_bench.weights.identity import BLOCK, KEY
from simmim_bench.weights.initial import load_initial
from simmim_bench.weights.pretrained import load_pretrained
from simmim_bench.weights.strict import check_fits
from simmim_bench.weights.tensors import check_tensors

CLASS_AGNOSTIC = "rpn_head"  # separates objects from background, without classes


@HOOKS.register_module()
class ClassesHook(Hook):
    """Check that training data, evaluation data and heads have the same classes.

    If a split lacks a folder or a category, its later classes get other numbers, and the metric
    would be wrong without an error.
    """

    def before_train(self, runner: Any) -> None:
        """Compare training data, validation data and heads.

        Raises:
            BenchError: If they differ.
        """
        trained = _classes(runner.train_dataloader)
        _check_heads(runner, trained, "train_dataloader")
        if runner.val_dataloader is not None:
            _check_splits(trained, _classes(runner.val_dataloader))

    def before_test(self, runner: Any) -> None:
        """Compare test data and heads.

        Raises:
            BenchError: If they differ.
        """
        _check_heads(runner, _classes(runner.test_dataloader), "test_dataloader")


@HOOKS.register_module()
class LoadersHook(Hook):
    """Check that an epoch has iterations, and that there is something to validate on."""

    priority = "VERY_HIGH"

    def before_train(self, runner: Any) -> None:
        """Look at the lengths of the loaders.

        Raises:
            BenchError: If one is empty.
        """
        loader = runner.train_dataloader
        if len(loader) == 0:
            images = len(loader.dataset)
            raise BenchError(
                f"train_dataloader has {images} images, fewer than a batch of this process, so "
                "that an epoch has no iteration; lower train_dataloader.batch_size, or set "
                "train_dataloader.drop_last=False"
            )
        if runner.val_loop is not None and len(runner.val_dataloader.dataset) == 0:
            raise BenchError("val_dataloader has no images, so nothing can be measured; add some")


def _classes(loader: Any) -> tuple[str, ...]:
    return tuple((getattr(loader.dataset, "metainfo", None) or {}).get("classes") or ())


def _check_splits(train: Sequence[str], val: Sequence[str]) -> None:
    if not train or train == val:  # captions have no classes
        return
    missing = [name for name in train if name not in val]
    extra = [name for name in val if name not in train]
    parts = [f"{len(missing)} only in training ({missing[0]})"] if missing else []
    parts += [f"{len(extra)} only in validation ({extra[0]})"] if extra else []
    raise BenchError(
        f"training data have {len(train)} classes and validation data have {len(val)}: "
        f"{' and '.join(parts) or 'the same names in another order'}; give both splits the same "
        f"list of classes"
    )


def _check_heads(runner: Any, classes: Sequence[str], loader: str) -> None:
    model = model_of(runner)
    for name, count in head_classes(model).items():
        if classes and count != len(classes):
            raise BenchError(
                f"{loader} has {len(classes)} classes, {name or 'the model'} has "
                f"num_classes={count}; pass --num-classes {len(classes)}"
            )


def head_classes(model: nn.Module) -> dict[str, int]:
    """``num_classes`` of every head that predicts classes, by its name in the model."""
    return {
        name: module.num_classes
        for name, module in model.named_modules()
        if isinstance(getattr(module, "num_classes", None), int)
        and not name.startswith(CLASS_AGNOSTIC)
        and not name.startswith("backbone")
    }


@HOOKS.register_module()
class PretrainedBackboneHook(Hook):
    """Load a backbone into ``model.backbone``; a resumed run keeps its weights.

    Args:
        checkpoint: ``backbone.pth`` of an export.
        initial: Whether a pretraining starts from it; other libraries' files are allowed then.
        given: What the command line names, for errors; the file by default.
    """

    priority = "VERY_HIGH"

    def __init__(self, *, checkpoint: str, initial: bool = False, given: str = "") -> None:
        self.checkpoint, self.given = Path(checkpoint), given or None
        self.load = load_initial if initial else load_pretrained

    def before_train(self, runner: Any) -> None:
        """Load the backbone and log what was loaded and how it was read.

        Raises:
            BenchError: If the checkpoint does not fit (``load_pretrained``, ``load_initial``).
        """
        model = model_of(runner)
        if runner.iter > 0:
            return
        report = self.load(model.backbone, self.checkpoint, given=self.given)
        runner.message_hub.update_info("load_report", report.to_dict())
        for line in (report.summary(), *report.read_as()):
            runner.logger.info(line)


@HOOKS.register_module()
class IdentityHook(Hook):
    """Write the identity of the run into every checkpoint; check the weights a resumed run loads.

    Args:
        run: The identity (``Run.identity``).
    """

    def __init__(self, *, run: dict[str, Any]) -> None:
        self.run = json.loads(json.dumps(run))  # plain dicts, which weights-only reading allows

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the identity."""
        checkpoint.setdefault(BLOCK, {})[KEY] = self.run

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Raise where mmengine only warns.

        Raises:
            BenchError: If the weights do not fit the model (``check_fits``), or those of a moving
                average hold NaN or infinity.
        """
        source = f"the last checkpoint in {runner.work_dir}"
        remedy = "remove it to continue from the checkpoint before, or give another --work-dir"
        fits = f"{source} does not fit the model"
        check_fits(model_of(runner), checkpoint["state_dict"], source=fits, remedy=remedy)
        average = checkpoint.get("ema_state_dict") or {}
        check_tensors(average, source)
        check_finite(average, source)
