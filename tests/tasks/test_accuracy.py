"""Top-5 of three classes."""

import torch

from simmim_bench.tasks.accuracy import Accuracy


def test_of_fewer_classes_than_answers_the_right_one_is_always_among_them():
    scores = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]])
    (top1,), (top2,), (top5,) = Accuracy.calculate(scores, torch.tensor([0, 0, 1]), (1, 2, 5))
    assert round(top1.item(), 3) == 66.667
    assert round(top2.item(), 3) == 66.667
    assert top5.item() == 100


def test_an_evaluator_measures_top_5_of_three_classes():
    metric = Accuracy(topk=(1, 5))
    scores = torch.eye(3)
    metric.process(
        {}, [{"pred_score": s, "gt_label": torch.tensor([i])} for i, s in enumerate(scores)]
    )
    assert metric.evaluate(3) == {"accuracy/top1": 100.0, "accuracy/top5": 100.0}
