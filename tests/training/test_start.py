"""Labels mean the same in training, in evaluation and in the heads, or nothing runs."""

from types import SimpleNamespace

import pytest
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.training.hooks.start import ClassesHook, head_classes

NAMES = ("cat", "dog", "eel")


class Head(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes


def runner(*, train=NAMES, val=NAMES, heads=3):
    model = nn.ModuleDict({"backbone": Head(1000), "rpn_head": Head(1), "head": Head(heads)})
    loaders = [
        SimpleNamespace(dataset=SimpleNamespace(metainfo={"classes": names} if names else {}))
        for names in (train, val)
    ]
    return SimpleNamespace(
        model=model,
        train_dataloader=loaders[0],
        val_dataloader=loaders[1],
        test_dataloader=loaders[1],
    )


def test_heads_that_tell_classes_apart():
    assert head_classes(runner().model) == {"head": 3}


@pytest.mark.parametrize("lists", [{}, {"train": list(NAMES)}, {"train": (), "val": ()}])
def test_agreement_passes(lists):
    ClassesHook().before_train(runner(**lists))
    ClassesHook().before_test(runner(**lists))


@pytest.mark.parametrize(
    ("val", "message"),
    [
        (("cat", "eel"), r"3 classes and validation data have 2: 1 only in training \(dog\)"),
        ((*NAMES, "fox"), r"1 only in validation \(fox\)"),
        (("dog", "cat", "eel"), "the same names in another order"),
    ],
)
def test_splits_that_differ(val, message):
    with pytest.raises(BenchError, match=message):
        ClassesHook().before_train(runner(val=val))


def test_heads_of_another_size():
    with pytest.raises(
        BenchError, match=r"3 classes, head has num_classes=5; pass --num-classes 3"
    ):
        ClassesHook().before_train(runner(heads=5))
    with pytest.raises(BenchError, match="test_dataloader has 3 classes"):
        ClassesHook().before_test(runner(heads=5))
