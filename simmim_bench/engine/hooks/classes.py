"""The classes of the training data, of the evaluation data and of the heads must agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS

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
