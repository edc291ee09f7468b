"""Accuracy of answers to questions, beside that of the most frequent answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from simmim_bench.datasets.annotation_file import read_entries
from simmim_bench.registry import METRICS


@METRICS.register_module()
class AnswerAccuracy(BaseMetric):
    """Share of right answers in percent, overall and of each question type.

    ``vqa/accuracy`` and ``vqa/accuracy_TYPE`` are the model's, ``vqa/majority`` and
    ``vqa/majority_TYPE`` those of always giving the training set's most frequent answer to
    questions of that type ("per Q-type prior", https://arxiv.org/abs/1505.00468, section 4);
    ``vqa/majority_overall`` gives the same answer to all questions.

    Args:
        training_file: VQA annotations of the training set.
        kwargs: See ``mmengine.evaluator.BaseMetric``.
    """

    def __init__(self, *, training_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_file = training_file

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Keep type, truth and answer of each question."""
        for sample in data_samples:
            labels = int(sample["gt_label"]), int(sample["pred_label"])
            self.results.append((sample["question_type"], *labels))

    def compute_metrics(self, results: list[tuple[str, int, int]]) -> dict[str, float]:
        """Shares over all questions.

        Raises:
            BenchError: If the training file cannot be used.
        """
        answers = (self.dataset_meta or {})["classes"]
        usual, of_type = self._most_frequent()
        right: dict[str, list[bool]] = defaultdict(list)
        for kind, truth, answer in results:
            guess = of_type.get(kind, usual)
            for name in ("", f"_{kind}"):
                right[f"vqa/accuracy{name}"].append(truth == answer)
                right[f"vqa/majority{name}"].append(answers[truth] == guess)
            right["vqa/majority_overall"].append(answers[truth] == usual)
        return {name: 100 * sum(each) / len(each) for name, each in right.items()}

    def _most_frequent(self) -> tuple[str, dict[str, str]]:
        """The training set's most frequent answer, and that to each type of question."""
        fields = ("question_type", "multiple_choice_answer")
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for entry in read_entries(self.training_file, "annotations", fields):
            counts[entry["question_type"]][entry["multiple_choice_answer"]] += 1
        total = sum(counts.values(), Counter())
        return _first(total), {kind: _first(counted) for kind, counted in counts.items()}


def _first(counted: Counter[str]) -> str:
    """The most frequent; of several the first in the alphabet."""
    return min(counted, key=lambda answer: (-counted[answer], answer))
