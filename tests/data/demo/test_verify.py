"""Verification finds what is wrong, and nothing where nothing is."""

import json

import numpy as np
import pytest
from PIL import Image

from simmim_bench.data.demo.verify import verify_demo
from simmim_bench.errors import BenchError

ADE = "ade/ADEChallengeData2016"
INSTANCES = "coco/annotations/instances_val2017.json"


def problems(folder):
    return [problem for part in verify_demo(folder) for problem in part.problems]


def edit(folder, change):
    path = folder / INSTANCES
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def truncate(path):
    content = path.read_bytes()
    path.unlink()  # scenes are hard links
    path.write_bytes(content[: len(content) // 2])


def test_fresh_data_have_no_problems(built, tiny):
    seen = []
    parts = verify_demo(built.folder, seen.append)
    assert [part.problems for part in parts] == [[]] * 13
    assert all(part.found == part.expected for part in parts)
    images = tiny.train_objects + tiny.val_objects + tiny.unlabelled
    assert sum(seen) == images + 3 * (tiny.train_scenes + tiny.val_scenes)


@pytest.mark.parametrize(
    "name",
    ["imagenet/val/digit_3/00003.jpg", "unlabelled/00002.jpg", "coco/val2017/000000000002.jpg"],
)
def test_truncated_jpeg_is_found(breakable, name):
    truncate(breakable / name)
    (problem,) = problems(breakable)
    assert problem.startswith(f"{breakable / name}: cannot be read")
    assert "truncated" in problem


def test_truncated_map_is_found(breakable):
    truncate(breakable / ADE / "annotations/validation/000000000002.png")
    assert any("000000000002.png: cannot be read" in problem for problem in problems(breakable))


def test_missing_and_foreign_images_are_found(breakable):
    path = breakable / "imagenet/train/digit_7/00007.jpg"
    path.rename(path.with_name("copy.jpg"))
    assert problems(breakable) == [
        f"{path}: missing",
        f"{path.with_name('copy.jpg')}: is not part of the demo data",
    ]


def _drop_image_one(document):
    kept = [each for each in document["annotations"] if each["image_id"] != 1]
    document["annotations"] = kept


def _swap_categories(document):
    document["categories"].reverse()


def _change(key, value):
    def change(document):
        document["annotations"][0][key] = value

    return change


def _shorten_runs(document):
    document["annotations"][0]["segmentation"]["counts"].pop()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop_image_one, "image 1 has no annotation"),
        (_swap_categories, "categories must be digit_0"),
        (_change("area", 1), "area 1 differs from that of its mask"),
        (_change("bbox", [0, 0, 5, 5]), "bbox [0, 0, 5, 5] differs from that of its mask"),
        (_change("category_id", 11), "category 11 is not 1 to 10"),
        (_change("id", 2), "annotation id 2 is used more than once"),
        (_shorten_runs, "do not fill a mask of 96x96"),
        (lambda document: document["images"].pop(), "images differ from those of the spec"),
        (lambda document: document.pop("images"), "cannot be used"),
    ],
)
def test_wrong_annotation_is_found(breakable, change, said):
    edit(breakable, change)
    found = problems(breakable)
    assert any(said in problem for problem in found)
    assert all("instances_val2017.json" in problem for problem in found)


def test_wrong_label_is_found_by_the_maps(breakable):
    edit(
        breakable, lambda document: document["annotations"][0].update(category_id=_other(document))
    )
    (problem,) = problems(breakable)
    assert "000000000001.png: does not agree with" in problem


def _other(document):
    return document["annotations"][0]["category_id"] % 10 + 1


def test_one_wrong_pixel_of_a_map_is_found(breakable):
    path = breakable / ADE / "annotations/training/000000000005.png"
    values = np.asarray(Image.open(path)).copy()
    values[40, 40] = 0
    Image.fromarray(values).save(path)
    (problem,) = problems(breakable)
    assert "000000000005.png" in problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "looked for .*simmim-bench data demo"),
        ("{", "does not describe demo data"),
        ('{"version": 1, "spec": {"colour": 1}}', "does not describe demo data"),
        ('{"version": 0, "spec": {}}', "has version 0"),
    ],
)
def test_without_a_description_there_is_nothing_to_verify(tmp_path, content, said):
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(BenchError, match=said):
        verify_demo(tmp_path)
