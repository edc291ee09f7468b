"""COCO annotations are validated before pycocotools reads them; reports are cached by content."""

import json
import random

import numpy as np
import pytest
from pycocotools import mask as pycocotools_mask

from simmim_bench.data import annotations as module
from simmim_bench.data.annotations import check_annotations, report_of
from simmim_bench.data.rle import decode_counts, rle_problem
from simmim_bench.errors import BenchError

POLYGON = [1.0, 1.0, 5.0, 1.0, 5.0, 4.0]
RUNS = {"counts": [10, 5, 81], "size": [8, 12]}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def write(tmp_path):
    """Function that writes an annotation file with one image, category 3, and these changes."""

    def write(*objects, **changes):
        listed = []
        for number, given in enumerate(objects or ({},), start=1):
            plain = {"id": number, "image_id": 7, "category_id": 3, "bbox": [1, 1, 4, 3]}
            listed.append({**plain, "area": 6, "segmentation": [POLYGON], **given})
        content = {
            "images": [{"id": 7, "file_name": "7.jpg", "width": 12, "height": 8}],
            "annotations": listed,
            "categories": [{"id": 3, "name": "cat"}],
            **changes,
        }
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content), "utf-8")
        return path

    return write


def said_about(path):
    with pytest.raises(BenchError) as caught:
        check_annotations(path)
    message = str(caught.value)
    assert message.startswith(f"{path} has ")
    assert "Traceback" not in message
    assert len(message) < 1000
    return message


NAN, HUGE = float("nan"), 10**400


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bbox": [1, 1, NAN, 3]}, "annotation 1 has the box [1, 1, nan, 3], expected"),
        ({"bbox": [1, 1, float("inf"), 3]}, "[1, 1, inf, 3]"),
        ({"bbox": [1, 1, -4, 3]}, "box of -4 x 3; correct the box, or remove the annotation"),
        ({"bbox": [1, 1, 4, 0]}, "box of 4 x 0"),
        ({"bbox": [30, 1, 4, 3]}, "outside its image of 12 x 8"),
        ({"bbox": [HUGE, 1, 4.5, 3]}, "expected x, y, width, height"),
        ({"bbox": "1234"}, "expected x, y, width, height"),
        ({"bbox": None}, "expected x, y, width, height"),
        ({"bbox": [1, 1, 4]}, "expected x, y, width, height"),
        ({"image_id": 8}, "refers to image 8, which is not listed"),
        ({"image_id": [7]}, "refers to image [7], which is not listed"),
        ({"category_id": 4}, "has category 4, which is not listed"),
        ({"category_id": True}, "has category True"),
        ({"id": "one"}, "has the id one, expected an integer"),
        ({"id": HUGE}, "expected an integer"),
        ({"area": NAN}, "has the area nan, expected a number"),
        ({"area": None}, "has the area None, expected a number"),
        ({"iscrowd": 2}, "has iscrowd 2, expected 0 or 1"),
        ({"segmentation": [[1, 1, 5, 1, 5]]}, "polygon of 5 numbers, expected x and y of 3 points"),
        ({"segmentation": [[1, 1]]}, "polygon of 2 numbers"),
        ({"segmentation": [[]]}, "has the polygon [], expected [x, y"),
        ({"segmentation": POLYGON}, "has the polygon 1.0, expected [x, y"),
        ({"segmentation": [[*POLYGON, NAN, 1]]}, "expected finite numbers"),
        ({"segmentation": [[*POLYGON, 1e30, 1]]}, "far outside its image"),
        ({"segmentation": [[*POLYGON, HUGE, 1.5]]}, "has the polygon"),
        ({"segmentation": [[*POLYGON, "2", 1]]}, "has the polygon"),
        ({"segmentation": 3}, "expected polygons or runs"),
        ({"segmentation": {**RUNS, "size": [12, 8]}}, "height and width [12, 8], its image [8"),
        ({"segmentation": {**RUNS, "size": [10**9, 10**9]}}, "height and width [1000000000, "),
        ({"segmentation": {**RUNS, "counts": [10, 5]}}, "a mask of 15 pixels, its image has 96"),
        ({"segmentation": {**RUNS, "counts": [100, -5, 1]}}, "damaged (a run of -5 pixels)"),
        ({"segmentation": {**RUNS, "counts": [10, HUGE]}}, "damaged (a run of 1000"),
        ({"segmentation": {**RUNS, "counts": [96]}}, "an empty mask"),
        ({"segmentation": {**RUNS, "counts": [10, 5.5, 80.5]}}, "neither text nor a list of int"),
        ({"segmentation": {**RUNS, "counts": "\u00e9"}}, "damaged (character"),
        ({"segmentation": {**RUNS, "counts": "oooooooooo"}}, "damaged (a run of more than 30 bits"),
        ({"segmentation": {**RUNS, "counts": "o"}}, "ends within a run"),
        ({"segmentation": {**RUNS, "size": "\ud800"}}, "height and width \\ud800, its image"),
        ({"id": [1]}, "has the id [1], expected an integer"),
        ({"segmentation": {"size": [8, 12]}}, "neither text nor a list of integers"),
    ],
)  # fmt: skip
def test_an_object_that_would_crash_or_train_wrongly_is_refused(write, changes, said):
    assert said in said_about(write(changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": None}, "image 7 is stated as None x 8; state the width and height"),
        ({"width": 0}, "image 7 is stated as 0 x 8"),
        ({"height": 8.5}, "12 x 8.5"),
        ({"height": 10**6}, "12 x 1000000"),
        ({"file_name": None}, "has the file_name None, expected a path in the folder of the"),
        ({"file_name": "../7.jpg"}, "has the file_name ../7.jpg, expected a path in the folder"),
        ({"file_name": "/dev/zero"}, "has the file_name /dev/zero, expected a path in the folder"),
        ({"file_name": "http://a/7.jpg"}, "has the file_name http://a/7.jpg, expected a path in"),
    ],
)
def test_an_image_without_name_or_size_is_refused(write, changes, said):
    image = {"id": 7, "file_name": "7.jpg", "width": 12, "height": 8, **changes}
    assert said in said_about(write(images=[image]))


def test_a_sentence_stays_short(write):
    image = {"id": HUGE, "file_name": "7.jpg" * 100, "width": "9" * 1000, "height": 8}
    assert len(said_about(write(images=[image] * 2))) < 700


def test_an_image_that_is_listed_twice_is_refused(write):
    images = [{"id": n, "file_name": "7.jpg", "width": 12, "height": 8} for n in (7, 8)]
    assert "image 8 has the file_name 7.jpg of image 7; list each image once" in said_about(
        write(images=images)
    )
    assert "id 7 of images is used 2 times" in said_about(write(images=images[:1] * 2))


def test_many_problems_are_summarised(write):
    boxes = [{"bbox": [1, 1, 0, 3]}] * 50
    message = said_about(write(*boxes, {"category_id": 9}))
    assert " has 51 wrong entries: annotation 1 has a box of 0 x 3 (and 49 more: " in message
    assert "annotation 2, annotation 3, annotation 4, ...)" in message
    assert "annotation 51 has category 9, which is not listed" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b'{"images": ' + b"9" * 5000 + b"}", "cannot be read as JSON"),
        (b"[1]", "holds a list, expected COCO's annotations"),
        (b'{"images": [], "annotations": []}', "has no list 'categories'"),
        (b'{"images": [1], "annotations": [], "categories": []}', "no list of objects"),
    ],
)
def test_a_file_that_is_no_annotation_file_is_refused(tmp_path, content, said):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=r"file\.json") as caught:
        check_annotations(path)
    assert said in str(caught.value)


def test_what_real_coco_contains_is_no_error(write):
    crowd = {"iscrowd": 1, "segmentation": RUNS}
    report = check_annotations(
        write({"id": 918, "bbox": [1, 1, 4, 0.0], "area": 0.0}, {"bbox": [0, 0, 12.4, 8.6]}, crowd,
              {"bbox": [1, 1, 0.5, 3]})
    )  # fmt: skip
    assert (report.errors, report.warnings, report.skipped) == ([], [], 2)


def test_what_is_odd_but_usable_is_told(write):
    report = check_annotations(
        write({"bbox": [10, 1, 4, 3]}, {"segmentation": [POLYGON, [1, 1, 2, 2]]}, {"iscrowd": 1},
              {"segmentation": []}, {"segmentation": None})
    )  # fmt: skip
    assert report.errors == []
    assert [text.partition(";")[0] for text in report.warnings] == [
        "annotation 1 has the box [10, 1, 4, 3] outside its image of 12 x 8",
        "annotation 2 has a polygon of fewer than 3 points",
        "annotation 3 is a crowd with polygons",
    ]
    assert report.no_mask == [2, "annotation 4 has no segmentation"]


def test_a_report_is_cached_by_the_content_of_the_file(write, monkeypatch, tmp_path):
    path = write({"bbox": [1, 1, 0, 3]})
    first = report_of(path)
    with monkeypatch.context() as patched:
        patched.setattr(module, "validate", None)
        assert report_of(path) == first
        moved = tmp_path / "elsewhere.json"
        path.rename(moved)
        assert report_of(moved) == first
    assert report_of(write()).errors == []
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    monkeypatch.setattr(module, "validate", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report_of(moved)


def test_a_damaged_cache_is_not_used(write):
    path = write()
    report = report_of(path)
    [cached] = module.cache_folder().iterdir()
    for text in ("", "[]", '{"version": 1}', '{"version": 1, "images": 3}'):
        cached.write_text(text)
        assert report_of(path) == report


def test_a_home_that_cannot_be_written_stops_nothing(write, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert check_annotations(write()).annotations == 1


def test_compressed_counts_are_those_of_pycocotools():
    generator = np.random.default_rng(0)
    for _ in range(50):
        height, width = generator.integers(1, 60, 2)
        mask = np.asfortranarray(generator.random((height, width)) < generator.random())
        packed = pycocotools_mask.encode(mask.astype(np.uint8))
        runs = decode_counts(packed["counts"].decode("ascii"))
        values = np.repeat(np.arange(len(runs)) % 2, runs)
        assert (mask == values.reshape(width, height).T).all()


def test_accepted_counts_are_safe_for_pycocotools():
    random.seed(0)
    mask = np.zeros((8, 12), np.uint8, order="F")
    mask[2:5, 3:9] = 1
    packed = pycocotools_mask.encode(mask)["counts"].decode("ascii")
    accepted = 0
    for _ in range(3000):
        letters = list(packed)
        for _ in range(random.randint(0, 3)):
            letters[random.randrange(len(letters))] = chr(random.randint(32, 120))
        given = {"size": [8, 12], "counts": "".join(letters)}
        if rle_problem(given, 8, 12) is None:
            accepted += 1
            assert pycocotools_mask.decode(given).shape == (8, 12)
    assert 500 < accepted < 2900
