"""Visual question answering: data set, two fusions of image and question, model and metric."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, BaseModule
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, METRICS, MODELS
from simmim_bench.tasks.annotation_file import checked_text, read_entries
from simmim_bench.tasks.text_encoder import image_channels, image_tokens, text_mean

FIELDS = ("question_id", "question_type", "multiple_choice_answer")


@DATASETS.register_module()
class QuestionsDataset(BaseDataset):
    """Questions about images whose answers are classes, in the format of VQA v2.

    An entry is a question with ``img_path``, ``question``, ``question_type`` and ``gt_label``, the
    index of ``multiple_choice_answer`` in the list of answers. The answers are the classes of
    ``metainfo``.

    Args:
        answers: All answers that the model can give.
        question_file: VQA's questions, relative to ``data_root``; ``ann_file`` holds the
            annotations.
        image_file: File with COCO's list of ``images`` (id, file name), relative to ``data_root``.
        kwargs: See ``mmengine.dataset.BaseDataset``; ``data_prefix`` is ``dict(img_path=FOLDER)``.

    Raises:
        BenchError: If an answer is not in the list, an image or the annotation of a question is
            missing, a question is empty, or a file cannot be read.
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
                f"{self.image_file} does not list; remove the question or add the image"
            )
        if number not in answered:
            raise BenchError(
                f"{self.ann_file} has no answer to question {number} of {self.question_file}; use "
                "two files of the same split"
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
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise BenchError(
                f"{self.ann_file}: the answer to {what} is {answer!r}, which is not among the "
                f"{len(answers)} answers of the config{hint}; add it to `answers` or remove the "
                "question"
            )
        return int(answers.index(answer))


@MODELS.register_module()
class QuestionAnswerer(BaseModel):
    """Image backbone, text transformer, a fusion of both, and a linear classifier of answers.

    Args:
        backbone: Config of the image backbone, which must return maps.
        text: Config of the text encoder.
        fusion: Config of the fusion, without the channels of its inputs.
        num_classes: Number of answers.
        data_preprocessor: Config of the preprocessor.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        text: dict[str, Any],
        fusion: dict[str, Any],
        num_classes: int,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.text = MODELS.build(text)
        channels = image_channels(self.backbone)
        self.fusion = MODELS.build(
            {**fusion, "image_channels": channels, "text_channels": self.text.channels}
        )
        self.num_classes = num_classes
        self.answer = nn.Linear(self.fusion.channels, num_classes)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[DataSample],
        mode: str = "tensor",
    ) -> Any:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised images, (B, 3, H, W).
            data_samples: With ``question`` and, in mode ``'loss'``, ``gt_label``.
            mode: ``'loss'``; ``'predict'`` adds ``pred_score`` and ``pred_label`` to the samples;
                ``'tensor'`` returns logits of the answers, (B, num_classes).

        Raises:
            ValueError: If the mode is unknown.
        """
        image, places = image_tokens(self.backbone, inputs)
        text, padding = self.text([sample.question for sample in data_samples])
        logits = self.answer(self.fusion(image, places, text, padding))
        if mode == "tensor":
            return logits
        if mode == "loss":
            labels = torch.cat([sample.gt_label for sample in data_samples])
            return {"loss": F.cross_entropy(logits, labels)}
        if mode == "predict":
            for sample, score in zip(data_samples, logits.softmax(1), strict=True):
                sample.set_pred_score(score).set_pred_label(score.argmax().reshape(1))
            return data_samples
        raise ValueError(f"unknown mode {mode!r}; known are: loss, predict, tensor")


@MODELS.register_module()
class ConcatenationFusion(BaseModule):
    """Concatenate the pooled image and the pooled question, then one hidden layer.

    The VQA baseline of https://arxiv.org/abs/1505.00468, section 4, multiplies instead.

    Args:
        image_channels: Channels of the image tokens.
        text_channels: Channels of the question's tokens.
        channels: Width of the hidden layer and of the output.
    """

    def __init__(self, *, image_channels: int, text_channels: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.hidden = nn.Sequential(
            nn.LayerNorm(image_channels + text_channels),
            nn.Linear(image_channels + text_channels, channels),
            nn.GELU(),
        )

    def forward(self, image: Tensor, places: Tensor, text: Tensor, padding: Tensor) -> Tensor:  # noqa: ARG002
        """Fuse.

        Args:
            image: Image tokens, (B, N, image_channels).
            places: Their positions, (N, 2); not used.
            text: Tokens of the question, (B, L, text_channels).
            padding: Bool, (B, L); True = padding.

        Returns:
            (B, channels).
        """
        fused: Tensor = self.hidden(torch.cat([image.mean(1), text_mean(text, padding)], dim=1))
        return fused


@MODELS.register_module()
class CrossAttentionFusion(BaseModule):
    """Tokens of the question attend to those of the image: ``torch.nn.TransformerDecoder``.

    Args:
        image_channels: Channels of the image tokens.
        text_channels: Channels of the question's tokens.
        channels: Width of the layers and of the output.
        depth: Number of layers.
        num_heads: Attention heads; divides ``channels``.
    """

    def __init__(
        self,
        *,
        image_channels: int,
        text_channels: int,
        channels: int,
        depth: int,
        num_heads: int,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.image = nn.Linear(image_channels, channels)
        self.place = nn.Linear(2, channels)
        self.text = nn.Linear(text_channels, channels)
        layer = nn.TransformerDecoderLayer(
            channels,
            num_heads,
            dim_feedforward=4 * channels,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerDecoder(layer, depth, norm=nn.LayerNorm(channels))

    def forward(self, image: Tensor, places: Tensor, text: Tensor, padding: Tensor) -> Tensor:
        """Fuse; see ``ConcatenationFusion.forward``."""
        memory = self.image(image) + self.place(places)  # (B, N, channels)
        attended = self.layers(self.text(text), memory, tgt_key_padding_mask=padding)
        return text_mean(attended, padding)


@METRICS.register_module()
class AnswerAccuracy(BaseMetric):
    """Share of right answers in percent, overall and for each question type.

    ``vqa/accuracy`` and ``vqa/accuracy_TYPE`` are those of the model. ``vqa/majority`` and
    ``vqa/majority_TYPE`` are those of a baseline that always gives the most frequent answer of the
    training set to questions of that type ("per Q-type prior",
    https://arxiv.org/abs/1505.00468, section 4); the baseline ``vqa/majority_overall`` gives the
    same answer to all questions.

    Args:
        training_file: VQA annotations of the training set.
        kwargs: See ``mmengine.evaluator.BaseMetric``.
    """

    def __init__(self, *, training_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_file = training_file

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Keep type, true answer and given answer of each question."""
        for sample in data_samples:
            labels = int(sample["gt_label"]), int(sample["pred_label"])
            self.results.append((sample["question_type"], *labels))

    def compute_metrics(self, results: list[tuple[str, int, int]]) -> dict[str, float]:
        """Shares over all questions.

        Raises:
            BenchError: If the training file cannot be read.
        """
        answers = (self.dataset_meta or {})["classes"]
        overall, of_type = self._most_frequent()
        right: dict[str, list[bool]] = defaultdict(list)
        for kind, truth, answer in results:
            guess = of_type.get(kind, overall)
            for name in ("", f"_{kind}"):
                right[f"vqa/accuracy{name}"].append(truth == answer)
                right[f"vqa/majority{name}"].append(answers[truth] == guess)
            right["vqa/majority_overall"].append(answers[truth] == overall)
        return {name: 100 * sum(each) / len(each) for name, each in right.items()}

    def _most_frequent(self) -> tuple[str, dict[str, str]]:
        """Most frequent answer of the training set, overall and for each type of question."""
        fields = ("question_type", "multiple_choice_answer")
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for entry in read_entries(self.training_file, "annotations", fields):
            counts[entry["question_type"]][entry["multiple_choice_answer"]] += 1
        total = sum(counts.values(), Counter())
        return _first(total), {kind: _first(counted) for kind, counted in counts.items()}


def _first(counted: Counter[str]) -> str:
    """The most frequent answer; of equally frequent ones the first alphabetically."""
    return min(counted, key=lambda answer: (-counted[answer], answer))
