"""Evaluation by hotcoco against pycocotools, on random and odd detections."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as rle

from simmim_bench.errors import BenchError
from simmim_bench.tasks import coco_evaluation
from simmim_bench.tasks.coco_evaluation import Detections, GroundTruth

HEIGHT, WIDTH = 24, 36
VALUES = st.integers(0, WIDTH)
BOX = st.tuples(VALUES, VALUES, VALUES, VALUES)
SCORE = st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0])  # ties
SPECIAL = (0, 1, 1024, 1024.5, 9216, 1e10)
"""Areas at the borders of sizes."""


def mask_of(box):
    left, top, width, height = (int(value) for value in box)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[top : top + height, left : left + width] = 1
    code = rle.encode(mask)
    return {**code, "counts": code["counts"].decode()}


@st.composite
def data_sets(draw, most=12):
    """Content of an annotation file, and detections of which many are near an annotation."""
    identity = st.integers(0, 500)
    images = draw(st.lists(identity, min_size=1, max_size=4, unique=True))
    categories = draw(st.lists(identity, min_size=1, max_size=3, unique=True))
    annotations = []
    for image in images:
        for box in draw(st.lists(BOX, max_size=5)):
            annotations.append(
                {
                    "image_id": image,
                    "category_id": draw(st.sampled_from(categories)),
                    "bbox": list(box),
                    "area": draw(st.sampled_from([box[2] * box[3], *SPECIAL])),
                    "iscrowd": int(draw(st.integers(0, 4)) == 0),
                    "segmentation": mask_of(box),
                }
            )
    content = {
        "images": [{"id": one, "width": WIDTH, "height": HEIGHT} for one in images],
        "categories": [{"id": one, "name": str(one)} for one in categories],
        "annotations": annotations,
    }
    found = []
    for _ in range(draw(st.integers(0, most))):
        near = draw(st.sampled_from([None, *annotations]))
        if near is None:
            found.append(
                (draw(st.sampled_from(images)), draw(st.sampled_from(categories)), draw(BOX))
            )
        else:
            shift = draw(st.tuples(*[st.integers(-2, 2)] * 4))
            box = tuple(max(0, a + b) for a, b in zip(near["bbox"], shift, strict=True))
            found.append((near["image_id"], near["category_id"], box))
    return content, detections(found, [draw(SCORE) for _ in found])


def detections(found, scores):
    return Detections(
        image_ids=np.array([one[0] for one in found], np.int64),
        category_ids=np.array([one[1] for one in found], np.int64),
        boxes=np.array([one[2] for one in found], float).reshape(-1, 4),
        scores=np.array(scores, float),
        masks=[mask_of(one[2]) for one in found],
    )


def by_both(content, found, kind, images=None, categories=None):
    """The evaluation with hotcoco, where only it may be used, and with pycocotools."""
    images = images or [one["id"] for one in content["images"]]
    categories = categories or [one["id"] for one in content["categories"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coco_evaluation, "_by_pycocotools", None)
        first = GroundTruth(copy.deepcopy(content)).evaluate(kind, found, images, categories)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coco_evaluation, "hotcoco", None)
        second = GroundTruth(copy.deepcopy(content)).evaluate(kind, found, images, categories)
    return first, second


def assert_same(content, found, **chosen):
    for kind in ("bbox", "segm"):
        first, second = by_both(content, found, kind, **chosen)
        np.testing.assert_allclose(first.stats, second.stats, rtol=0, atol=1e-12)
        np.testing.assert_allclose(first.precision, second.precision, rtol=0, atol=1e-12)
    return first


@settings(max_examples=60)
@given(data_sets())
def test_values_are_those_of_pycocotools(made):
    assert_same(*made)


@settings(max_examples=10)
@given(data_sets(), st.data())
def test_a_part_of_the_images_and_classes(made, data):
    content, found = made
    images = [one["id"] for one in content["images"]]
    categories = [one["id"] for one in content["categories"]]
    assert_same(
        content,
        found,
        images=data.draw(st.lists(st.sampled_from(images), min_size=1)),  # with repetitions
        categories=data.draw(st.lists(st.sampled_from(categories), min_size=1, unique=True)),
    )


def truth(boxes, **changes):
    return {
        "images": [{"id": 5, "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 9, "name": "b"}, {"id": 3, "name": "a"}],
        "annotations": [
            {
                "image_id": 5,
                "category_id": 3,
                "bbox": box,
                "area": box[2] * box[3],
                "segmentation": mask_of(box),
                **changes,
            }
            for box in boxes
        ],
    }


def test_overlaps_exactly_at_the_thresholds():
    content = truth([[0, 0, 20, 20]])
    found = [(5, 3, (0, 0, 20, height)) for height in range(8, 21)]
    scores = np.linspace(0.9, 0.1, len(found))
    result = assert_same(content, detections(found, scores))
    assert 0 < result.stats[0] < 1


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 250])
def test_numbers_of_detections(number):
    content = truth([[2 * i, i, 9, 8] for i in range(9)])
    found = [(5, 3, (2 * (i % 9), i % 9, 9, 7 + i % 3)) for i in range(number)]
    assert_same(content, detections(found, [(i * 37 % 50) / 50 for i in range(number)]))


def test_precision_is_sorted_by_the_ids_of_the_classes():
    content = truth([[0, 0, 9, 9]])
    result = assert_same(content, detections([(5, 3, (0, 0, 9, 9))], [0.5]), categories=[9, 3])
    assert result.precision[..., 0].min() == pytest.approx(1)
    assert result.precision[..., 1].max() == -1


def test_sizes_of_masks_are_their_areas_not_those_of_boxes():
    content = truth([[0, 0, 20, 20]], area=100)
    found = detections([(5, 3, (0, 0, 20, 20))], [0.5])
    found.boxes[:] = [0, 0, 200, 200]
    assert_same(content, found)


def test_polygons_and_runs_that_are_not_compressed():
    content = truth([[1, 1, 9, 9], [4, 2, 20, 15], [0, 0, 30, 20]])
    first, second, third = content["annotations"]
    first["segmentation"] = [[1, 1, 10, 1, 10, 10.5, 1.3, 9.9], [3, 3, 9, 4, 5, 12]]
    second["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": [30, 100, HEIGHT * WIDTH - 130]}
    third["segmentation"], third["iscrowd"] = second["segmentation"], 1
    found = [(5, 3, one["bbox"]) for one in content["annotations"]]
    assert_same(content, detections(found, [0.9, 0.8, 0.7]))


def renamed(content, name):
    """The same with other ids of images."""
    content["images"][0]["id"] = name
    for annotation in content["annotations"]:
        annotation["image_id"] = name
    return content


@pytest.mark.parametrize(
    ("name", "score", "left", "said"),
    [
        (5, math.nan, 0.0, "not all numbers"),
        (5, 0.5, math.nan, "not all numbers"),
        (-3, 0.5, 0.0, "ids are not all integers"),
        ("photo.jpg", 0.5, 0.0, "ids are not all integers"),
        (1 << 60, 0.5, 0.0, "ids are not all integers"),
    ],
)
def test_what_hotcoco_cannot_take_is_left_to_pycocotools(name, score, left, said, monkeypatch):
    notes = []
    monkeypatch.setattr(coco_evaluation.MMLogger.get_current_instance(), "info", notes.append)
    content = renamed(truth([[0, 0, 9, 9], [10, 10, 5, 5]]), name)
    found = detections([(0, 3, (0, 0, 9, 9)), (0, 3, (10, 10, 5, 5))], [0.9, score])
    found.boxes[1, 0] += left
    found = Detections(np.array([name] * 2), found.category_ids, found.boxes, found.scores)
    results = []
    for installed in (coco_evaluation.hotcoco, None):
        monkeypatch.setattr(coco_evaluation, "hotcoco", installed)
        results.append(GroundTruth(copy.deepcopy(content)).evaluate("bbox", found, [name], [3]))
    assert results[0].stats == results[1].stats
    assert results[0].stats[0] > 0
    assert said in notes[0]
    assert "hotcoco is not installed" in notes[1]


@pytest.mark.parametrize(("kind", "key"), [("bbox", "bbox"), ("segm", "segmentation")])
@pytest.mark.parametrize("lacking", [True, False])
def test_an_annotation_without_a_shape_is_an_error(kind, key, lacking):
    content = truth([[0, 0, 9, 9], [1, 1, 5, 5]])
    if lacking:
        del content["annotations"][1][key]
    else:
        content["annotations"][1][key] = []
    with pytest.raises(BenchError, match=f"'{kind}' needs a {key} in each .* image 5 has none"):
        GroundTruth(content).evaluate(kind, detections([], []), [5], [3])
