"""Class names and labels from the annotation file of any COCO-layout data."""

import json

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 2, "name": "tree"}, {"id": 90, "name": "bus"}]


def annotation(number, image, category, **changes):
    box = {"bbox": [1, 2, 10, 20], "area": 200, "iscrowd": 0}
    return {"id": number, "image_id": image, "category_id": category, **box, **changes}


@pytest.fixture
def build(tmp_path):
    """Function that writes an annotation file and builds the dataset over it."""

    def build(categories=CATEGORIES, annotations=None, images=(5, 6, 9), **options):
        if annotations is None:
            annotations = [annotation(1, 5, 90), annotation(2, 5, 2), annotation(3, 6, 7)]
        images = [
            {"id": number, "file_name": f"{number}.jpg", "width": 64, "height": 48}
            for number in images
        ]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (tmp_path / "val.json").write_text(json.dumps(content))
        options = {"test_mode": True, **options}
        return DATASETS.build(
            {
                "type": "simmim_bench.CocoLayoutDataset",
                "data_root": str(tmp_path),
                "ann_file": "val.json",
                "data_prefix": {"img": "images/"},
                **options,
            }
        )

    return build


def labels(dataset):
    return [[i["bbox_label"] for i in dataset.get_data_info(n)["instances"]] for n in range(3)]


def test_names_and_labels_follow_the_category_ids(build):
    dataset = build()
    assert dataset.metainfo["classes"] == ("tree", "cat", "bus")
    assert labels(dataset) == [[2, 0], [1], []]


def test_the_order_of_the_categories_in_the_file_does_not_matter(build):
    assert labels(build()) == labels(build(categories=CATEGORIES[::-1]))


def test_the_metric_is_told_where_the_ground_truth_is(build, tmp_path):
    assert build().metainfo["ann_file"] == str(tmp_path / "val.json")


def test_a_choice_of_classes_keeps_the_order_of_ids(build):
    dataset = build(metainfo={"classes": ("bus", "tree")})
    assert dataset.metainfo["classes"] == ("tree", "bus")
    assert labels(dataset) == [[1, 0], [], []]


def test_another_number_of_classes_than_the_models_is_refused(build):
    build(num_classes=3)
    with pytest.raises(BenchError, match=r"has 3 categories, .*80; pass --num-classes 3"):
        build(num_classes=80)


@pytest.mark.parametrize(
    ("categories", "said"),
    [
        ([], "has no categories"),
        ([*CATEGORIES, {"id": 91, "name": "cat"}], "two categories named 'cat'"),
    ],
)
def test_categories_that_cannot_be_told_apart_are_refused(build, categories, said):
    with pytest.raises(BenchError, match=said):
        build(categories=categories)


def test_images_without_objects_are_dropped_from_training_alone(build):
    training = build(test_mode=False, filter_cfg={"filter_empty_gt": True})
    assert [len(training), len(build())] == [2, 3]


def test_it_prints_nothing(build, capsys):
    build()
    assert capsys.readouterr().out == ""


def test_a_file_without_images_is_refused(build):
    with pytest.raises(BenchError, match=r"val\.json lists no images"):
        build(images=(), annotations=[])


def test_annotations_of_other_images_leave_nothing_to_learn_from(build):
    elsewhere = [annotation(1, 100, 90)]
    with pytest.raises(BenchError, match=r"none of the 3 images of .*val\.json has an object"):
        build(annotations=elsewhere, test_mode=False, filter_cfg={"filter_empty_gt": True})


def test_a_split_without_objects_cannot_be_measured_with(build):
    with pytest.raises(BenchError, match=r"none of the 3 images .* nothing can be measured"):
        build(annotations=[annotation(1, 100, 90)])
    assert len(build(annotations=[annotation(1, 9, 2)])) == 3
