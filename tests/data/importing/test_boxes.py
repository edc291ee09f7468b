"""Boxes through Pascal VOC and YOLO and back; globox writes the files and pycocotools judges."""

import contextlib
import io
import json
import random

import pytest

from simmim_bench.data.importing.bring_in import Wishes, bring_in
from simmim_bench.errors import BenchError
from tests.data.inspect import sets

NAMES = ["Bär", "red fox", "unused"]
SIZE = (64, 48)
PARTS = ("train", "val")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A COCO set with boxes at fractions of pixels and at the edges, and boxes alone."""
    folder, draw = tmp_path_factory.mktemp("coco ä"), random.Random(0)
    for part in PARTS:
        images, annotations = [], []
        for number in range(1, 7):
            name = f"{part} {number}.png"
            path = folder / part / name
            path.parent.mkdir(exist_ok=True)
            sets.picture(number + 10 * (part == "val"), size=SIZE).save(path)
            images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
            for _ in range(5):
                x, y = draw.choice([0.0, draw.uniform(0, 40)]), draw.uniform(0, 30)
                w, h = draw.uniform(3, 24), draw.uniform(3, 18)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": draw.randint(1, 2),
                        "bbox": [x, y, w, h],
                        "area": w * h,
                        "iscrowd": 0,
                    }
                )
        categories = [{"id": i, "name": name} for i, name in enumerate(NAMES, 1)]
        document = {"images": images, "annotations": annotations, "categories": categories}
        sets.write(folder / "annotations" / f"{part}.json", json.dumps(document))
    return folder


def as_voc(original, folder):
    globox = pytest.importorskip("globox")
    for part in PARTS:
        (folder / part).mkdir(parents=True)
        for image in (original / part).iterdir():
            (folder / part / image.name).symlink_to(image)
        boxes = globox.AnnotationSet.from_coco(original / "annotations" / f"{part}.json")
        boxes.save_pascal_voc(folder / part)
    return folder


def as_yolo(original, folder):
    globox = pytest.importorskip("globox")
    for part in PARTS:
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for image in (original / part).iterdir():
            (folder / "images" / part / image.name).symlink_to(image)
        boxes = globox.AnnotationSet.from_coco(original / "annotations" / f"{part}.json")
        numbers = {name: number for number, name in enumerate(NAMES)}
        boxes.save_yolo_v5(folder / "labels" / part, label_to_id=numbers)
    sets.write(folder / "data.yaml", json.dumps({"names": NAMES}))
    return folder


def annotations(folder, part="val"):
    return json.loads((folder / "annotations" / f"instances_{part}.json").read_text())


def figures(document, detections):
    """COCO's twelve figures of boxes."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images = {each["file_name"]: each["id"] for each in document["images"]}
    categories = {each["name"]: each["id"] for each in document["categories"]}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = document
        truth.createIndex()
        found = truth.loadRes(
            [
                {
                    "image_id": images[name],
                    "category_id": categories[label],
                    "bbox": box,
                    "score": score,
                }
                for name, label, box, score in detections
            ]
        )
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def noisy(document):
    """Detections: the true boxes, moved and scored by chance."""
    draw = random.Random(1)
    names = {each["id"]: each["file_name"] for each in document["images"]}
    labels = {each["id"]: each["name"] for each in document["categories"]}
    for each in document["annotations"]:
        box = [side + draw.gauss(0, draw.choice([0.2, 1.5])) for side in each["bbox"]]
        box = [*box[:2], max(box[2], 1), max(box[3], 1)]
        yield names[each["image_id"]], labels[each["category_id"]], box, draw.random()


@pytest.mark.parametrize("export", [as_voc, as_yolo])
def test_boxes_come_back_and_give_the_same_ap(export, original, tmp_path):
    coco = bring_in("a", original, tmp_path / "data", Wishes()).dataset
    source = export(original, tmp_path / "exported ö")
    dataset = bring_in("b", source, tmp_path / "data", Wishes()).dataset
    assert dataset.has_masks is False
    assert dataset.images == coco.images
    before, after = annotations(coco.folder), annotations(dataset.folder)
    assert [each["file_name"] for each in before["images"]] == [
        each["file_name"] for each in after["images"]
    ]
    for one, other in zip(before["annotations"], after["annotations"], strict=True):
        assert other["bbox"] == pytest.approx(one["bbox"], abs=1e-9)
    detections = list(noisy(before))
    figure = figures(before, detections)
    assert 0.2 < figure[0] < 0.9  # neither trivial
    assert figures(after, detections) == pytest.approx(figure, abs=1e-12)


def voc(folder, corners, difficult=0):
    """A VOC set of one object an image, 24 x 16 px."""
    for number in range(2):
        sets.save(folder / f"{number}.jpg", number)
        text = sets.VOC.format(name=f"{number}.jpg", label="a")
        left, top, right, bottom = corners
        for name, old, new in (
            ("xmin", 3, left), ("ymin", 4, top), ("xmax", 11, right), ("ymax", 13, bottom),
        ):  # fmt: skip
            text = text.replace(f"<{name}>{old}<", f"<{name}>{new}<")
        text = text.replace("<difficult>0<", f"<difficult>{difficult}<")
        sets.write(folder / f"{number}.xml", text)
    return folder


@pytest.mark.parametrize(
    ("corners", "box"),
    [((1, 1, 24, 16), [0, 0, 24, 16]), ((0, 0, 24, 16), [0, 0, 24, 16])],
    ids=["from 1, inclusive", "from 0"],
)
def test_corners_of_voc_are_counted_from_one_unless_one_is_below(corners, box, tmp_path):
    report = bring_in("mine", voc(tmp_path / "s", corners), tmp_path / "data", Wishes())
    document = annotations(report.dataset.folder)
    assert [each["bbox"] for each in document["annotations"]] == [box]
    assert any("corners are counted from" in note for note in report.notes)


def test_difficult_objects_of_voc_are_neither_right_nor_wrong(tmp_path):
    source = voc(tmp_path / "s", (3, 4, 11, 13), difficult=1)
    folder = bring_in("mine", source, tmp_path / "data", Wishes()).dataset.folder
    assert [each["iscrowd"] for each in annotations(folder)["annotations"]] == [1]


def test_a_polygon_of_yolo_becomes_a_mask(tmp_path):
    source = sets.yolo(tmp_path / "s", row="1 0.25 0.25 0.75 0.25 0.25 0.75")
    for path in (source / "labels").rglob("*.txt"):
        path.write_text(path.read_text().splitlines()[0])
    dataset = bring_in("mine", source, tmp_path / "data", Wishes(share=0.5)).dataset
    assert dataset.has_masks
    found = annotations(dataset.folder)["annotations"][0]
    assert found["segmentation"] == [[6, 4, 18, 4, 6, 12]]
    assert found["bbox"] == [6, 4, 12, 8]
    assert found["area"] == 48  # half of the box


def test_a_box_outside_of_its_image_is_clipped_or_left_out_with_a_word(tmp_path):
    source = sets.yolo(tmp_path / "s", row="0 1.0 0.5 0.5 0.5\n1 1.5 0.5 0.2 0.2")
    report = bring_in("mine", source, tmp_path / "data", Wishes(share=0.5))
    boxes = [each["bbox"] for each in annotations(report.dataset.folder)["annotations"]]
    assert [18, 4, 6, 8] in boxes
    assert any("outside" in sentence for sentence in report.skipped.sentences())


def test_a_class_without_a_name_is_refused(tmp_path):
    source = sets.yolo(tmp_path / "s", row="5 0.5 0.5 0.2 0.2")
    with pytest.raises(BenchError, match="class 5, but names 2 classes"):
        bring_in("mine", source, tmp_path / "data", Wishes())


def test_an_image_of_another_size_than_stated_is_left_out(tmp_path):
    source = voc(tmp_path / "s", (3, 4, 11, 13))
    sets.picture(5, size=(30, 16)).save(source / "0.jpg")
    sets.save(source / "2.jpg", 2)
    (source / "2.xml").write_text((source / "1.xml").read_text())
    report = bring_in("mine", source, tmp_path / "data", Wishes())
    assert any("another size" in sentence for sentence in report.skipped.sentences())
    assert report.dataset.images.train + report.dataset.images.val == 2


def test_an_image_that_two_coco_files_list_has_its_objects_once(tmp_path):
    """As a folder with train, val and all of both in one file has them."""
    source = sets.coco(tmp_path / "s")
    for seed, path in enumerate(sorted((source / "valid").iterdir()), 10):
        sets.save(path, seed)
    both = sets.coco_document([f"train/train_{i}.jpg" for i in range(3)])
    (source / "annotations" / "all.json").write_text(json.dumps(both))
    (source / "annotations" / "train_again.json").write_text(
        (source / "annotations" / "train.json").read_text()
    )
    report = bring_in("mine", source, tmp_path / "data", Wishes())
    for part in ("train", "val"):
        document = annotations(report.dataset.folder, part)
        assert len(document["annotations"]) == len(document["images"]) == 3


def test_keypoints_of_yolo_are_no_polygon(tmp_path):
    row = "1 0.5 0.5 0.25 0.5" + " 0.1 0.2" * 4
    source = sets.yolo(tmp_path / "s", row=row)
    with (source / "data.yaml").open("a") as file:
        file.write("kpt_shape: [4, 2]\n")
    dataset = bring_in("mine", source, tmp_path / "data", Wishes(share=0.5)).dataset
    assert not dataset.has_masks
    boxes = [each["bbox"] for each in annotations(dataset.folder)["annotations"]]
    assert [9, 4, 6, 8] in boxes
