"""From archives to layouts, compared pixel by pixel and label by label."""

import os
import pickle

import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from PIL import Image
from torchvision.datasets import Cityscapes, VOCSegmentation

from simmim_bench.data.prepare.convert import CONVERTERS
from simmim_bench.data.prepare.convert.cifar import load_pickle
from simmim_bench.data.prepare.convert.cityscapes import CLASSES, lookup_table
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS


@pytest.fixture
def convert(tmp_path, archives):
    """Function that converts archives, given by name or as files of a tar."""

    def convert(dataset, given, folder="out"):
        if not isinstance(next(iter(given.values())), os.PathLike):
            given = {"a.tar.gz": archives["tar"](tmp_path / "a.tar.gz", given, "w:gz")}
        target = tmp_path / folder
        target.mkdir()
        CONVERTERS[dataset](given, target)
        return target

    return convert


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_cifar10(convert, cifar10):
    out = convert("cifar10", cifar10)
    assert len(files(out / "train" / "airplane")) == len(files(out / "train" / "automobile")) == 10
    assert files(out / "val") == ["airplane/00000.png", "automobile/00001.png"]
    image = np.asarray(Image.open(out / "train" / "automobile" / "00007.png"))
    assert image.shape == (32, 32, 3)
    assert np.unique(image.reshape(-1, 3), axis=0).tolist() == [[7, 8, 9]]  # red, green, blue
    assert {path.name for path in out.iterdir()} == {"train", "val"}


def test_a_cifar_row_is_the_top_row_of_the_image(convert, cifar10):
    batch = pickle.loads(cifar10["cifar-10-batches-py/test_batch"])  # noqa: S301
    batch["data"][0] = 0
    batch["data"][0, :32] = 200  # the format: "the first 32 entries are the first row of red"
    cifar10["cifar-10-batches-py/test_batch"] = pickle.dumps(batch, protocol=2)
    image = np.asarray(Image.open(convert("cifar10", cifar10) / "val" / "airplane" / "00000.png"))
    assert np.argwhere(image).tolist() == [[0, column, 0] for column in range(32)]


def test_cifar100_uses_the_fine_labels(convert, cifar100):
    out = convert("cifar100", cifar100)
    assert {path.name for path in (out / "train").iterdir()} == {"apple", "aquarium_fish", "baby"}
    assert files(out / "val") == ["apple/00002.png", "aquarium_fish/00000.png", "baby/00001.png"]


def change(batch_file, **values):
    return pickle.dumps({**pickle.loads(batch_file), **values}, protocol=2)  # noqa: S301


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"labels": [0, 5]}, "labels that are not 0 to 1"),
        ({"labels": [0]}, "1 labels, expected 3072 bytes"),
        ({"labels": None}, "no labels"),
        ({"data": np.zeros((2, 3072), np.float32)}, "no array of bytes"),
        ({"data": "text"}, "no array of bytes"),
    ],
)
def test_batches_that_are_not_the_format_are_refused(convert, cifar10, values, said):
    name = "cifar-10-batches-py/test_batch"
    cifar10[name] = change(cifar10[name], **values)
    with pytest.raises(BenchError, match=rf"test_batch.* {said}"):
        convert("cifar10", cifar10)


@pytest.mark.parametrize("names", [["../up", "b"], ["a", "a"], [], "ab", None])
def test_class_names_that_are_no_folders_are_refused(convert, cifar10, names):
    name = "cifar-10-batches-py/batches.meta"
    cifar10[name] = change(cifar10[name], label_names=names)
    with pytest.raises(BenchError, match="class names"):
        convert("cifar10", cifar10)


class Code:
    def __init__(self, function, *given):
        self.call = (function, given)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_with_code_does_nothing(tmp_path, protocol):
    marker = tmp_path / "ran"
    path = tmp_path / "test_batch"
    path.write_bytes(pickle.dumps({"data": Code(os.mkdir, str(marker))}, protocol))
    with pytest.raises(BenchError, match=r"it calls \w+\.mkdir, which no array needs"):
        load_pickle(path)
    assert not marker.exists()


def test_code_inside_an_array_does_nothing(tmp_path):
    marker = tmp_path / "ran"
    path = tmp_path / "test_batch"
    held = np.empty(1, object)
    held[0] = Code(os.mkdir, str(marker))
    path.write_bytes(pickle.dumps({"data": held}, 2))
    with pytest.raises(BenchError, match="mkdir"):
        load_pickle(path)
    assert not marker.exists()


def test_a_pickle_of_python_2_is_read(tmp_path):
    """Byte strings become text, keys too, as in the published files."""
    path = tmp_path / "meta"
    path.write_bytes(b"(dp0\nS'label_names'\np1\n(lp2\nS'cat'\np3\nas.")
    assert load_pickle(path) == {"label_names": ["cat"]}


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1])])
def test_what_is_no_such_pickle_is_one_sentence(tmp_path, content):
    (tmp_path / "meta").write_bytes(content)
    with pytest.raises(BenchError, match=r"meta .*(get the|download it)"):
        load_pickle(tmp_path / "meta")


def by_name(folder):
    return {path.name: path for path in folder.iterdir()}


def test_imagenet(convert, imagenet):
    out = convert("imagenet", by_name(imagenet))
    assert files(out) == [
        "train/n01440764/n01440764_0.JPEG",
        "train/n01440764/n01440764_1.JPEG",
        "train/n01443537/n01443537_0.JPEG",
        "train/n01443537/n01443537_1.JPEG",
        # labels 2, 1, 1 of the images in the order of their names
        "val/n01440764/ILSVRC2012_val_00000002.JPEG",
        "val/n01440764/ILSVRC2012_val_00000003.JPEG",
        "val/n01443537/ILSVRC2012_val_00000001.JPEG",
    ]


def test_imagenet_labels_for_another_number_of_images(convert, imagenet, archives):
    archives["tar"](imagenet / "ILSVRC2012_img_val.tar", {"ILSVRC2012_val_00000001.JPEG": b"x"})
    with pytest.raises(BenchError, match=r"1 images, .* 3 labels"):
        convert("imagenet", by_name(imagenet))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"n01440764_0.JPEG": b"x"}, "one tar per class"),
        ({"../n01440764.tar": b"x"}, "leads out"),
        ({"n01440764.tar": b"x" * 600}, "damaged"),
    ],
)
def test_imagenet_training_archives_that_are_none(convert, imagenet, archives, files, said):
    archives["tar"](imagenet / "ILSVRC2012_img_train.tar", files)
    with pytest.raises(BenchError, match=said):
        convert("imagenet", by_name(imagenet))


def test_an_escape_inside_an_inner_tar(convert, imagenet, archives, tmp_path):
    inner = archives["tar"](tmp_path / "inner.tar", {"../../../out.txt": b"x"})
    files = {"n01440764.tar": inner.read_bytes()}
    archives["tar"](imagenet / "ILSVRC2012_img_train.tar", files)
    with pytest.raises(BenchError, match=r"train\.tar/n01440764\.tar: entry .* leads out"):
        convert("imagenet", by_name(imagenet))


def test_cityscapes(convert, cityscapes):
    names = ("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip")
    out = convert("cityscapes", {name: cityscapes / name for name in names})
    assert files(out) == [
        "annotations/training/aachen_000000_000019.png",
        "annotations/validation/ulm_000000_000019.png",
        "classes.txt",
        "images/training/aachen_000000_000019.png",
        "images/validation/ulm_000000_000019.png",
    ]
    labels = np.asarray(Image.open(out / "annotations/training/aachen_000000_000019.png"))
    torchvision = Cityscapes.classes
    expected = [each.train_id for each in torchvision if each.id >= 0]
    assert labels[0].tolist() == expected
    names = [each.name for each in torchvision if 0 <= each.train_id < 19]
    assert (out / "classes.txt").read_text().split("\n")[:-1] == names == list(CLASSES)
    assert lookup_table()[34:].tolist() == [255] * 222


def test_cityscapes_is_read_by_the_dataset_of_configs(convert, cityscapes):
    names = ("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip")
    out = convert("cityscapes", {name: cityscapes / name for name in names})
    prefix = {"img_path": "images/training", "seg_map_path": "annotations/training"}
    config = {"type": "simmim_bench.SegLayoutDataset", "data_root": str(out), "num_classes": 19}
    pipeline = [{"type": "simmim_bench.LoadImage"}, {"type": "mmseg.LoadAnnotations"}]
    dataset = DATASETS.build({**config, "data_prefix": prefix, "pipeline": pipeline})
    assert dataset.metainfo["classes"] == tuple(CLASSES)
    assert set(np.unique(dataset[0]["gt_seg_map"])) == {*range(19), 255}


def test_cityscapes_label_maps_of_another_kind(convert, cityscapes, archives, tmp_path):
    stem = "train/aachen/aachen_000000_000019"
    Image.fromarray(np.full((2, 34), 40, np.uint8)).save(tmp_path / "bad.png")
    content = (tmp_path / "bad.png").read_bytes()
    files = {f"gtFine/{stem}_gtFine_labelIds.png": content}
    maps = archives["zip"](cityscapes / "gtFine_trainvaltest.zip", files)
    images = cityscapes / "leftImg8bit_trainvaltest.zip"
    with pytest.raises(BenchError, match=r"labelIds\.png has uint8 labels up to 40"):
        convert("cityscapes", {images.name: images, maps.name: maps})


def test_cityscapes_without_a_label_map(convert, cityscapes, archives):
    maps = archives["zip"](cityscapes / "gtFine_trainvaltest.zip", {"gtFine/readme": b""})
    images = cityscapes / "leftImg8bit_trainvaltest.zip"
    with pytest.raises(BenchError, match=r"leftImg8bit\.png has no aachen.*labelIds\.png"):
        convert("cityscapes", {images.name: images, maps.name: maps})


def test_voc(convert, voc, tmp_path):
    out = convert("voc", voc)
    kinds = ("annotations", "png"), ("images", "jpg")
    assert files(out) == sorted(
        ["classes.txt"]
        + [f"{kind}/training/2007_{n}.{end}" for kind, end in kinds for n in (0, 1)]
        + [f"{kind}/validation/2007_2.{end}" for kind, end in kinds]
    )
    for name, content in voc.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    torchvision = VOCSegmentation(tmp_path / "raw", image_set="train")
    for number, (image, labels) in enumerate(torchvision):
        ours = [out / kind / "training" / f"2007_{number}.{end}" for kind, end in kinds]
        with Image.open(ours[0]) as written, Image.open(ours[1]) as kept:
            assert written.mode == "L"
            assert np.array_equal(written, labels)
            assert set(np.unique(written)) == {0, 20, 255, number}
            assert np.array_equal(kept, image)
    listed = (out / "classes.txt").read_text().replace(" ", "").split()
    assert tuple(listed) == PascalVOCDataset.METAINFO["classes"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "SegmentationClass/2007_1.png",
            None,
            r"lists 2007_1, .* SegmentationClass/2007_1\.png",
        ),
        ("JPEGImages/2007_0.jpg", None, r"lists 2007_0, but .* has no JPEGImages/2007_0\.jpg"),
        ("ImageSets/Segmentation/val.txt", None, r"has no ImageSets/Segmentation/val\.txt"),
        ("ImageSets/Segmentation/val.txt", b"../2007_2", r"lists \.\./2007_2, but"),
        ("SegmentationClass/2007_2.png", b"cut", r"SegmentationClass/2007_2\.png cannot be read"),
        ("SegmentationClass/2007_2.png", "RGB", r"2007_2\.png is an image of mode RGB, expected"),
        ("SegmentationClass/2007_2.png", "L", r"2007_2\.png has the label 21, expected 0 to 20"),
    ],
)
def test_a_damaged_voc(convert, voc, tmp_path, name, content, said):
    if isinstance(content, str):
        Image.new(content, (6, 4), 21 if content == "L" else (1, 2, 3)).save(tmp_path / "bad.png")
        content = (tmp_path / "bad.png").read_bytes()
    changed = {**voc, f"VOCdevkit/VOC2012/{name}": content}
    with pytest.raises(BenchError, match=said):
        convert("voc", {each: data for each, data in changed.items() if data is not None})
