"""What --verify finds in datasets of every layout, and what it does not mind."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from simmim_bench.data.layouts import CORRUPTIONS, LAYOUTS
from simmim_bench.data.prepare import check as module
from simmim_bench.data.prepare import parallel
from simmim_bench.data.prepare.check import check_layout, examine, image_total, unreadable

SIZE = (12, 8)


def save(path, size=SIZE, values=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    if values is None:
        Image.new("RGB", size).save(path)
    else:
        Image.fromarray(np.resize(np.array(values, np.uint8), size[::-1])).save(path)
    return path


def problems(dataset, folder):
    return [problem for part in check_layout(dataset, folder) for problem in part.problems]


@pytest.fixture
def classes(tmp_path):
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            save(tmp_path / split / name / "1.png")
    return tmp_path


@pytest.fixture(params=["ade20k", "cityscapes", "voc"])
def maps(request, tmp_path):
    """Dataset and folder with two pairs in each split."""
    (tmp_path / "classes.txt").write_text("")
    for split in ("training", "validation"):
        for name in ("a", "b"):
            save(tmp_path / "images" / split / f"{name}.jpg")
            save(tmp_path / "annotations" / split / f"{name}.png", values=[0, 18])
    return request.param, tmp_path


def test_a_subset_is_no_problem(classes, maps):
    parts = check_layout("imagenet", classes)
    assert [(part.found, part.full, part.problems) for part in parts] == [
        (2, 1281167, []),
        (2, 50000, []),
    ]
    dataset, folder = maps
    assert problems(dataset, folder) == []
    told = []
    check_layout(dataset, folder, told.append)
    assert sum(told) == image_total(dataset, folder) == 8


def test_the_published_numbers():
    full = {name: dict(layout.full) for name, layout in LAYOUTS.items() if name != "demo"}
    seg = ("images/training", "images/validation", "annotations/training", "annotations/validation")
    assert full == {
        "imagenet": {"train": 1281167, "val": 50000},
        "coco": {"train2017": 118287, "val2017": 5000},
        "ade20k": dict(zip(seg, (20210, 2000) * 2, strict=True)),
        "cifar10": {"train": 50000, "val": 10000},
        "cifar100": {"train": 50000, "val": 10000},
        "cityscapes": dict(zip(seg, (2975, 500) * 2, strict=True)),
        "voc": dict(zip(seg, (1464, 1449) * 2, strict=True)),
        **{f"imagenet-{name}": {".": images} for name, images in
           {"a": 7500, "r": 30000, "v2": 10000, "sketch": 50889}.items()},
        "imagenet-c": dict.fromkeys(CORRUPTIONS, 5 * 50000),
        "nyu": {f"{kind}/{split}": images for kind in ("images", "annotations")
                for split, images in {"train": 24231, "test": 654}.items()},
    }  # fmt: skip
    assert len(set(CORRUPTIONS)) == 15


def test_depth_maps_have_16_bits_and_the_size_of_their_image(tmp_path):
    for split in ("train", "test"):
        for name in ("a", "b"):
            save(tmp_path / "images" / split / f"{name}.jpg")
            path = tmp_path / "annotations" / split / f"{name}.png"
            save(path)
            Image.fromarray(np.full(SIZE[::-1], 700, np.uint16)).save(path)
    assert problems("nyu", tmp_path) == []
    folder = tmp_path / "annotations" / "test"
    save(folder / "a.png", values=[7])
    Image.fromarray(np.full((3, 4), 700, np.uint16)).save(folder / "b.png")
    eight, small = problems("nyu", tmp_path)
    assert eight.startswith(
        f"{folder / 'a.png'}: has 8 bits and 1 channel(s), expected a PNG of 16"
    )
    assert small == f"{folder / 'b.png'}: is 4 x 3, its image 12 x 8"


def test_class_folders_may_lie_in_the_folder_of_the_set_itself(tmp_path):
    save(tmp_path / "n01498041" / "1.png")
    (tmp_path / "README.txt").write_text("as in the archive")
    [part] = check_layout("imagenet-a", tmp_path)
    assert (part.name, part.found, part.full, part.problems) == (".", 1, 7500, [])
    loose, empty = save(tmp_path / "2.png"), tmp_path / "n01531178"
    empty.mkdir()
    assert problems("imagenet-a", tmp_path) == [
        f"{empty}: has no image",
        f"{loose}: is not in a class folder",
    ]


def test_a_corruption_has_the_severities_of_the_others(tmp_path):
    for corruption in CORRUPTIONS:
        for severity in "12345":
            save(tmp_path / corruption / severity / "n01440764" / "1.png")
    assert problems("imagenet-c", tmp_path) == []
    shutil.rmtree(tmp_path / "fog" / "3")
    shutil.rmtree(tmp_path / "snow")
    assert problems("imagenet-c", tmp_path) == [
        f"{tmp_path / 'snow'}: missing",
        f"{tmp_path / 'fog' / '3'}: missing, but other splits have this class",
    ]


def test_more_images_than_were_published(classes, monkeypatch):
    layout = module.LAYOUTS["cifar10"]
    small = type(layout)(**{**vars(layout), "full": {"train": 1, "val": 2}})
    monkeypatch.setitem(module.LAYOUTS, "cifar10", small)
    [said] = problems("cifar10", classes)
    assert said.endswith("train: has 2 images, the full dataset has 1")


def test_corrupt_images(classes):
    broken = classes / "train" / "ant" / "1.png"
    broken.write_bytes(broken.read_bytes()[:45])
    [said] = problems("cifar10", classes)
    assert said.startswith(f"{broken}: cannot be read")


def test_many_images_are_opened_by_several_processes(classes, monkeypatch):
    monkeypatch.setattr(parallel, "_FEW", 1)
    files = sorted(classes.rglob("*.png"))
    files[2].write_text("no image")
    told = []
    [said] = unreadable(files, told.append)
    assert said.startswith(f"{files[2]}: cannot be read")
    assert told == [1] * 4
    seen = parallel.in_parallel(examine, files, lambda _: None)
    assert [each.size for each in seen] == [SIZE, SIZE, None, SIZE]  # in their order


def test_a_class_that_a_split_lacks(classes):
    (classes / "val" / "ant" / "1.png").rename(classes / "val" / "bee" / "2.png")
    assert [said.rpartition(": ")[2] for said in problems("imagenet", classes)] == ["has no image"]
    (classes / "val" / "ant").rmdir()
    [said] = problems("imagenet", classes)
    assert said == f"{classes}/val/ant: missing, but other splits have this class"


def test_an_image_in_no_class(classes):
    loose = save(classes / "train" / "1.png")
    assert problems("imagenet", classes) == [f"{loose}: is not in a class folder"]


def test_missing_folders(tmp_path):
    save(tmp_path / "train" / "ant" / "1.png")
    assert problems("imagenet", tmp_path) == [f"{tmp_path}/val: missing"]


def test_images_and_label_maps_without_the_other(maps):
    dataset, folder = maps
    (folder / "images" / "training" / "a.jpg").unlink()
    (folder / "annotations" / "validation" / "b.png").unlink()
    assert problems(dataset, folder) == [
        f"{folder}/annotations/training/a.png: has no image",
        f"{folder}/images/validation/b.jpg: has no label map",
    ]


def test_a_label_map_of_another_size(maps):
    dataset, folder = maps
    path = save(folder / "annotations/training/a.png", size=(8, 12), values=[1])
    assert problems(dataset, folder) == [f"{path}: is 8 x 12, its image 12 x 8"]


@pytest.mark.parametrize(
    ("dataset", "good", "bad"), [("ade20k", 150, 151), ("cityscapes", 255, 19), ("voc", 255, 21)]
)
def test_labels_that_are_no_class(maps, dataset, good, bad):
    _, folder = maps
    path = save(folder / "annotations/training/a.png", values=[0, good])
    assert problems(dataset, folder) == []
    save(path, values=[0, bad])
    assert problems(dataset, folder) == [f"{path}: has the unknown label {bad}"]


def test_a_label_map_in_colours_or_cut(maps):
    dataset, folder = maps
    colours = save(folder / "annotations/training/a.png")
    cut = folder / "annotations/training/b.png"
    cut.write_bytes(cut.read_bytes()[:50])
    first, second = problems(dataset, folder)
    assert first.startswith(f"{colours}: has 3 channels (RGB); a label map has one")
    assert second.startswith(f"{cut}: cannot be read")


def instance(number=1, **changes):
    polygon = [[1.0, 1.0, 5.0, 1.0, 5.0, 4.0]]
    plain = {"id": number, "image_id": 7, "category_id": 3, "bbox": [1, 1, 4, 3], "area": 6}
    return {**plain, "iscrowd": 0, "segmentation": polygon, **changes}


@pytest.fixture
def coco(tmp_path):
    """Function that writes a dataset with these annotations and checks it."""

    def check(*annotations, images=None, categories=({"id": 3, "name": "cat"},), text=None):
        listed = [{"id": 7, "file_name": "7.jpg", "width": 12, "height": 8}]
        for split in ("train2017", "val2017"):
            save(tmp_path / split / "7.jpg")
            content = {
                "images": listed if images is None else images,
                "annotations": annotations,
                "categories": categories,
            }
            path = tmp_path / "annotations" / f"instances_{split}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content) if text is None or split[0] == "v" else text)
        parts = check_layout("coco", tmp_path)
        train = next(p for p in parts if p.name == "annotations/instances_train2017.json")
        return [said.partition(".json")[2].removeprefix(": ") for said in train.problems]

    return check


def test_sound_instances(coco):
    rle = {"counts": [10, 5, 81], "size": [8, 12]}
    crowd = instance(2, iscrowd=1, segmentation=rle)
    assert coco(instance(), crowd, instance(3, bbox=[0, 0, 12.4, 8.6])) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_id": 8}, "annotation 1 refers to image 8, which is not listed"),
        ({"category_id": 4}, "annotation 1 has category 4, which is not listed"),
        ({"bbox": [1, 1, 0, 3]}, "annotation 1 has a box of 0 x 3"),
        ({"bbox": [1, 1, 4, -3]}, "annotation 1 has a box of 4 x -3"),
        ({"bbox": [10, 1, 4, 3]}, "annotation 1 has the box [10, 1, 4, 3] outside its image"),
        ({"bbox": [1, -3, 4, 3]}, "annotation 1 has the box [1, -3, 4, 3] outside its image"),
        ({"bbox": [1, 1, 4]}, "expected x, y, width, height"),
        ({"bbox": [1, 1, float("nan"), 3]}, "expected x, y, width, height"),
        ({"segmentation": [[1, 1, 2, 2]]}, "polygon of fewer than 3 points"),
        ({"segmentation": {"counts": [96], "size": [12, 8]}}, "height and width [12, 8]"),
        ({"segmentation": {"counts": [], "size": [8, 12]}}, "empty mask"),
    ],
)
def test_instances_that_are_wrong(coco, changes, said):
    [found] = coco(instance(**changes))
    assert said in found


@pytest.mark.parametrize("nothing", [[], None])
def test_boxes_without_masks_are_sound_but_not_if_others_have_them(coco, nothing):
    assert coco(instance(segmentation=nothing), instance(2, segmentation=nothing)) == []
    [found] = coco(instance(segmentation=nothing), instance(2))
    assert found.startswith("annotation 1 has no segmentation (1 in all)")


def test_ids_that_are_used_twice(coco):
    image = {"id": 7, "file_name": "7.jpg", "width": 12, "height": 8}
    category = {"id": 3, "name": "cat"}
    found = coco(instance(), instance(), images=[image] * 2, categories=[category] * 2)
    assert found == [
        f"id {number} of {kind} is used 2 times; give each its own id"
        for kind, number in (("images", 7), ("categories", 3), ("annotations", 1))
    ]


def test_images_that_are_not_there_or_of_another_size(coco):
    images = [
        {"id": 7, "file_name": "7.jpg", "width": 8, "height": 12},
        {"id": 8, "file_name": "8.jpg", "width": 12, "height": 8},
    ]
    assert coco(images=images) == [
        "image 7 (7.jpg) is 12 x 8, the file says 8 x 12",
        "image 8 (8.jpg) is not in the folder",
    ]


def test_the_two_flat_boxes_of_the_published_file_are_no_problem(coco):
    flat = {"bbox": [1, 1, 4, 0.0], "area": 0.0}
    assert coco(instance(918, **flat), instance(2206849, **flat)) == []
    assert len(coco(instance(919, **flat))) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as JSON"),
        ("\x00", "cannot be read as JSON"),
        ("{}", "has no list 'images' (it has: nothing)"),
        ("[]", "holds a list, expected COCO's annotations"),
        ('{"images": 3}', "has 'images' that are no list of objects"),
    ],
)
def test_a_file_that_is_none(coco, text, said):
    [found] = coco(text=text)
    assert found.strip().startswith(said)
