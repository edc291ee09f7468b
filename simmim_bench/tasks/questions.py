"""Questions about images with an answer out of a list, in the format of VQA v2."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS
from simmim_bench.tasks.annotation_file import checked_text, read_entries

FIELDS = ("question_id", "question_type", "multiple_choice_answer")


@DATASETS.register_module()
class QuestionsDataset(BaseDataset):
    """One entry per question: ``img_path``, ``question``, ``question_type``, ``gt_label``.

    The label is the place of ``multiple_choice_answer`` in the list of answers, which are the
    classes of ``metainfo``.

    Args:
        answers: All answers that the model can give.
        question_file: VQA's questions; ``ann_file`` are its annotations. Below ``data_root``.
        image_file: File with COCO's list of ``images``, from id to file name. Below ``data_root``.
        kwargs: See ``mmengine.dataset.BaseDataset``; ``data_prefix`` is ``dict(img_path=FOLDER)``.

    Raises:
        BenchError: If an answer is not in the list, an image or a question is not known, a
            question is empty, or a file cannot be used.
    """

    def __init__(
        self, *, answers: Sequence[str], question_file: str, image_file: str, **kwargs: Any
    ) -> None:
        self.question_file = question_file
        self.image_file = image_file
        super().__init__(metainfo={"classes": tuple(answers)}, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Entries in the order of the questions."""
        root = Path(self.data_root)
        images = read_entries(root / self.image_file, "images", ("id", "file_name"))
        names = {image["id"]: image["file_name"] for image in images}
        asked = read_entries(
            root / self.question_file, "questions", ("question_id", "image_id", "question")
        )
        answered = {
            entry["question_id"]: entry
            for entry in read_entries(self.ann_file, "annotations", FIELDS)
        }
        return [self._entry(question, answered, names) for question in asked]

    def _entry(
        self, asked: dict[str, Any], answered: dict[Any, dict[str, Any]], names: dict[Any, str]
    ) -> dict[str, Any]:
        number, image = asked["question_id"], asked["image_id"]
        if image not in names:
            raise BenchError(
                f"{self.question_file}: question {number} is about image id {image}, which "
                f"{self.image_file} does not list; remove the question or list the image"
            )
        if number not in answered:
            raise BenchError(
                f"{self.ann_file} has no answer to question {number} of {self.question_file}; give "
                "the two files of the same split"
            )
        what = f"question {number}"
        return {
            "img_path": str(Path(self.data_prefix["img_path"]) / names[image]),
            "question": checked_text(asked["question"], what=what, path=self.question_file),
            "question_type": answered[number]["question_type"],
            "gt_label": self._label(answered[number]["multiple_choice_answer"], what),
        }

    def _label(self, answer: str, what: str) -> int:
        answers = self.metainfo["classes"]
        if answer not in answers:
            near = difflib.get_close_matches(str(answer), answers, n=1)
            hint = f", near it is {near[0]!r}" if near else ""
            raise BenchError(
                f"{self.ann_file}: the answer to {what} is {answer!r}, which is not among the "
                f"config's {len(answers)} answers{hint}; add it to `answers` or remove the question"
            )
        return int(answers.index(answer))
