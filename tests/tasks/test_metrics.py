"""Recall against a loop, accuracy against counting."""

import json

import pytest
import torch
from torch.nn import functional

from simmim_bench.errors import BenchError
from simmim_bench.tasks.retrieval import RetrievalRecall
from simmim_bench.tasks.vqa import AnswerAccuracy

COUNTS = [5, 1, 3, 2, 4] * 60  # more than the metric compares at once


def samples(seed=0):
    generator = torch.Generator().manual_seed(seed)
    found = []
    for count in COUNTS:
        image = torch.randn(4, generator=generator)
        texts = image + 0.6 * torch.randn(count, 4, generator=generator)
        found.append(
            {
                "image_embedding": functional.normalize(image, dim=0),
                "caption_embeddings": functional.normalize(texts, dim=1),
            }
        )
    return found


def by_loop(found, k):
    """(image to text, text to image) recall, by sorting each list of candidates."""
    pairs = [
        (owner, text) for owner, each in enumerate(found) for text in each["caption_embeddings"]
    ]
    texts = torch.stack([text for _, text in pairs])
    images = torch.stack([each["image_embedding"] for each in found])
    forward = backward = 0
    for number, image in enumerate(images):
        nearest = (texts @ image).argsort(descending=True)[:k].tolist()
        forward += any(pairs[n][0] == number for n in nearest)
    for owner, text in pairs:
        backward += owner in (images @ text).argsort(descending=True)[:k].tolist()
    return 100 * forward / len(images), 100 * backward / len(pairs)


def test_recall_is_that_of_a_loop():
    metric, found = RetrievalRecall(), samples()
    for start in range(0, len(found), 7):
        metric.process(None, found[start : start + 7])
    measured = metric.evaluate(len(found))
    for k in (1, 5, 10):
        forward, backward = by_loop(found, k)
        assert 0 < backward < 100
        assert measured[f"retrieval/i2t_r{k}"] == pytest.approx(forward)
        assert measured[f"retrieval/t2i_r{k}"] == pytest.approx(backward)
    six = [value for name, value in measured.items() if name != "retrieval/mean_recall"]
    assert measured["retrieval/mean_recall"] == pytest.approx(sum(six) / 6)


def test_equal_embeddings_of_everything_score_nothing():
    metric = RetrievalRecall()
    one = torch.tensor([1.0, 0.0])
    same = {"image_embedding": one, "caption_embeddings": one.repeat(5, 1)}
    metric.process(None, [same] * 20)
    assert set(metric.evaluate(20).values()) == {0.0}


@pytest.mark.parametrize("spoilt", ["image_embedding", "caption_embeddings"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_embeddings_that_are_not_finite_are_refused(spoilt, value):
    metric, found = RetrievalRecall(), samples()[:8]
    found[6][spoilt] = found[6][spoilt].clone()
    found[6][spoilt][..., 1] = value
    metric.process(None, found[:5])
    with pytest.raises(BenchError, match=rf"{spoilt} of image 6 contains NaN or infinity; train"):
        metric.process(None, found[5:])


def answered(*pairs):
    return [
        {"question_type": kind, "gt_label": torch.tensor([truth]), "pred_label": torch.tensor([p])}
        for kind, truth, p in pairs
    ]


def training_file(folder, pairs):
    entries = [{"question_type": k, "multiple_choice_answer": a} for k, a in pairs]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"annotations": entries}))
    return str(path)


def test_accuracy_by_type_beside_the_most_frequent_answers(tmp_path):
    seen = [("count", "1")] * 3 + [("count", "2")] * 2 + [("presence", "no")] * 4
    metric = AnswerAccuracy(training_file=training_file(tmp_path, seen))
    metric.dataset_meta = {"classes": ("1", "2", "yes", "no")}
    given = answered(
        ("count", 0, 0), ("count", 1, 1), ("count", 1, 0), ("presence", 3, 2), ("presence", 2, 2)
    )
    metric.process(None, given)
    assert metric.evaluate(5) == {
        "vqa/accuracy": pytest.approx(60),
        "vqa/accuracy_count": pytest.approx(200 / 3),
        "vqa/accuracy_presence": 50,
        "vqa/majority": pytest.approx(40),  # "1" and "no", one right of each type
        "vqa/majority_count": pytest.approx(100 / 3),
        "vqa/majority_presence": 50,
        "vqa/majority_overall": pytest.approx(20),  # "no" to everything
    }


def test_without_the_training_annotations_there_is_a_sentence(tmp_path):
    metric = AnswerAccuracy(training_file=str(tmp_path / "none.json"))
    metric.dataset_meta = {"classes": ("1", "2")}
    metric.process(None, answered(("count", 0, 0)))
    with pytest.raises(BenchError, match=r"none.json cannot be read"):
        metric.evaluate(1)
