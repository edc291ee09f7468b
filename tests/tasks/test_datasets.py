"""Captions and questions on disk: what is read, and the sentence for each mistake."""

import json
import random

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.tasks.retrieval import CaptionsDataset, PickCaption
from simmim_bench.tasks.vqa import QuestionsDataset

IMAGES = [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}]


def captions(folder, written, images=IMAGES, **options):
    path = folder / "captions.json"
    path.write_text(json.dumps({"images": images, "annotations": written}))
    prefix = {"img_path": "pictures"}
    return CaptionsDataset(
        data_root=str(folder), ann_file="captions.json", data_prefix=prefix, **options
    )


def caption(image, text):
    return {"image_id": image, "caption": text}


def test_captions_stand_with_their_images(tmp_path):
    written = [caption(3, "one"), caption(7, " two\n"), caption(3, "three"), caption(3, "four")]
    data = captions(tmp_path, written, max_captions=2)
    found = [data.get_data_info(k) for k in range(len(data))]
    assert [(each["image_id"], each["captions"]) for each in found] == [
        (7, ["two"]),
        (3, ["one", "three"]),
    ]
    assert found[0]["img_path"] == str(tmp_path / "pictures" / "b.jpg")


def test_images_without_a_caption_are_left_out(tmp_path):
    assert len(captions(tmp_path, [caption(3, "one")])) == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([], "has no list 'annotations', or an empty one"),
        ([{"image_id": 3, "bbox": []}], "annotations without 'caption'; use a captions file"),
        ([caption(3, "one"), caption(4, "x")], "a caption of image id 4, which is not among its 2"),
        ([caption(3, " ")], "a caption of image id 3 must not be empty, got ' '"),
        ([caption(3, None)], "a caption of image id 3 must not be empty, got None"),
        ([{"caption": "one"}], "entry 0 of 'annotations' has no 'image_id'"),
    ],
)
def test_a_wrong_captions_file_is_a_sentence(tmp_path, written, said):
    with pytest.raises(BenchError, match=said):
        captions(tmp_path, written)


def test_a_captions_file_that_is_no_json_is_a_sentence(tmp_path):
    (tmp_path / "captions.json").write_text("{")
    with pytest.raises(BenchError, match="cannot be read as JSON"):
        CaptionsDataset(data_root=str(tmp_path), ann_file="captions.json")


def test_every_caption_is_drawn_at_times():
    random.seed(0)
    results = {"captions": ["one", "two", "three"], "image_id": 3}
    drawn = [PickCaption()(results)["captions"] for _ in range(60)]
    assert all(len(each) == 1 for each in drawn)
    assert {each[0] for each in drawn} == {"one", "two", "three"}
    assert results["captions"] == ["one", "two", "three"]


def question(number, image, text):
    return {"question_id": number, "image_id": image, "question": text}


def answer(number, text, kind="count"):
    return {"question_id": number, "question_type": kind, "multiple_choice_answer": text}


def questions(folder, asked, answered):
    contents = {
        "questions": {"questions": asked},
        "annotations": {"annotations": answered},
        "images": {"images": IMAGES},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return QuestionsDataset(
        answers=("1", "2", "yes"),
        question_file="questions.json",
        image_file="images.json",
        data_root=str(folder),
        ann_file="annotations.json",
        data_prefix={"img_path": "pictures"},
    )


def test_questions_stand_with_their_answers(tmp_path):
    data = questions(
        tmp_path,
        [question(1, 3, "how many?"), question(2, 7, "is it?")],
        [answer(2, "yes", "presence"), answer(1, "2")],
    )
    first, second = (data.get_data_info(k) for k in range(2))
    assert (first["question"], first["gt_label"]) == ("how many?", 1)
    assert first["img_path"] == str(tmp_path / "pictures" / "a.jpg")
    assert (second["question_type"], second["gt_label"]) == ("presence", 2)
    assert data.metainfo["classes"] == ("1", "2", "yes")


@pytest.mark.parametrize(
    ("asked", "answered", "said"),
    [
        (question(1, 3, "?"), answer(1, "yess"), "'yess', .* the 3 answers .*did you mean 'yes'"),
        (question(1, 9, "?"), answer(1, "1"), "question 1 is about image id 9, which images.json"),
        (question(1, 3, "?"), answer(2, "1"), "has no answer to question 1"),
        (question(1, 3, ""), answer(1, "1"), "question 1 must not be empty, got ''"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_a_sentence(tmp_path, asked, answered, said):
    with pytest.raises(BenchError, match=said):
        questions(tmp_path, [asked], [answered])
