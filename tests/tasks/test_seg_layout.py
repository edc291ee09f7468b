"""Class names and pairs of files of any ADE20K-layout data."""

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS


@pytest.fixture
def build(tmp_path):
    """Function that builds the dataset over two images with label maps of 0, 1 and 2."""
    for folder, mode in (("images", "RGB"), ("labels", "L")):
        (tmp_path / folder / "scene").mkdir(parents=True)
        for name in "ba":
            shape = (6, 9, 3) if mode == "RGB" else (6, 9)
            pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) % 3
            suffix = "jpg" if mode == "RGB" else "png"
            Image.fromarray(pixels, mode).save(tmp_path / folder / "scene" / f"{name}.{suffix}")

    def build(**options):
        return DATASETS.build(
            {
                "type": "simmim_bench.SegLayoutDataset",
                "data_root": str(tmp_path),
                "data_prefix": {"img_path": "images", "seg_map_path": "labels"},
                "num_classes": 2,
                "reduce_zero_label": True,
                **options,
            }
        )

    return build


def test_images_are_paired_with_label_maps_in_sub_folders(build, tmp_path):
    dataset = build()
    assert len(dataset) == 2
    first = dataset.get_data_info(0)
    assert first["img_path"] == str(tmp_path / "images/scene/a.jpg")
    assert first["seg_map_path"] == str(tmp_path / "labels/scene/a.png")


@pytest.mark.parametrize(("reduce", "values"), [(True, {0, 1, 255}), (False, {0, 1, 2})])
def test_zero_is_ignored_where_the_dataset_says_so(build, reduce, values):
    pipeline = [{"type": "simmim_bench.LoadImage"}, {"type": "mmseg.LoadAnnotations"}]
    dataset = build(num_classes=2 if reduce else 3, reduce_zero_label=reduce, pipeline=pipeline)
    assert set(np.unique(dataset[0]["gt_seg_map"])) == values


def test_names_are_read_from_the_class_list(build, tmp_path):
    (tmp_path / "classes.txt").write_text("road\nsky\n\n")
    dataset = build()
    assert dataset.metainfo["classes"] == ("road", "sky")
    assert len(dataset.metainfo["palette"]) == 2


def test_a_class_list_of_another_length_is_refused(build, tmp_path):
    (tmp_path / "classes.txt").write_text("road\nsky\n")
    with pytest.raises(BenchError, match=r"names 2 classes, .*=150; pass --num-classes 2"):
        build(num_classes=150)


def test_without_a_list_150_classes_are_those_of_ade20k_and_others_are_numbered(build):
    names = build(num_classes=150).metainfo["classes"]
    assert (names[0], names[-1], len(names)) == ("wall", "flag", 150)
    assert build().metainfo["classes"] == ("class 1", "class 2")


def test_the_palette_is_the_same_every_time(build):
    assert build().metainfo["palette"] == build().metainfo["palette"]


def test_images_of_another_suffix_are_found(build, tmp_path):
    for path in list((tmp_path / "images" / "scene").iterdir()):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    dataset = build()
    assert len(dataset) == 2
    assert dataset.get_data_info(0)["img_path"].endswith("scene/a.png")


def test_images_of_several_suffixes_are_all_read(build, tmp_path):
    image = tmp_path / "images" / "scene" / "a.jpg"
    image.rename(image.with_suffix(".JPEG"))
    dataset = build()
    found = [dataset.get_data_info(n) for n in range(len(dataset))]
    assert [each["img_path"].rpartition("/")[2] for each in found] == ["a.JPEG", "b.jpg"]
    assert [each["seg_map_path"].rpartition("/")[2] for each in found] == ["a.png", "b.png"]


def test_two_images_of_one_label_map_are_refused(build, tmp_path):
    folder = tmp_path / "images" / "scene"
    (folder / "a.png").write_bytes((folder / "a.jpg").read_bytes())
    with pytest.raises(BenchError, match=r"scene/a\.jpg and scene/a\.png have the same label map"):
        build()


def test_a_list_chooses_images_and_names_what_is_missing(build, tmp_path):
    (tmp_path / "few.txt").write_text("scene/b\n")
    dataset = build(ann_file="few.txt")
    assert [dataset.get_data_info(n)["img_path"][-5:] for n in range(len(dataset))] == ["b.jpg"]
    (tmp_path / "few.txt").write_text("scene/b\nscene/c\n")
    with pytest.raises(BenchError, match=r"few\.txt lists scene/c, which \S+ does not have"):
        build(ann_file="few.txt")


def test_a_folder_without_images(build, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchError, match=r"empty has no images: found no files"):
        build(data_prefix={"img_path": "empty", "seg_map_path": "labels"})


PIPELINE = [
    {"type": "simmim_bench.LoadImage"},
    {"type": "mmseg.LoadAnnotations"},
    {"type": "mmseg.PackSegInputs"},
]


def test_a_label_that_is_no_class_is_refused_before_a_loss_meets_it(build):
    assert build(pipeline=PIPELINE)[0]["data_samples"].gt_sem_seg.data.max() == 255
    one_class = build(num_classes=1, pipeline=PIPELINE)
    with pytest.raises(BenchError, match=r"a\.jpg has label 2, but there are 1 classes, 1 to 1"):
        one_class[0]


@pytest.mark.parametrize("damage", ["missing", "truncated", "no image"])
def test_a_label_map_that_cannot_be_read_is_named(build, tmp_path, damage):
    victim = tmp_path / "labels" / "scene" / "b.png"
    dataset = build(pipeline=PIPELINE)
    content = victim.read_bytes()
    victim.unlink()
    if damage != "missing":
        victim.write_bytes(content[:45] if damage == "truncated" else b"no image")
    dataset[0]
    with pytest.raises(BenchError, match=rf"label map {victim} cannot be read .*--verify"):
        dataset[1]


def test_all_views_of_an_image_have_its_number_and_its_labels_are_checked(build):
    views = {
        "type": "TestTimeAug",
        "transforms": [
            [{"type": "Resize", "scale": (width, 20), "keep_ratio": True} for width in (9, 18)],
            [{"type": "RandomFlip", "prob": prob} for prob in (0.0, 1.0)],
            [{"type": "LoadAnnotations"}],
            [{"type": "PackSegInputs"}],
        ],
    }
    with DefaultScope.overwrite_default_scope("mmseg"):
        pipeline = [{"type": "simmim_bench.LoadImage"}, views]
        sample = build(pipeline=pipeline)[1]
        assert [each.sample_idx for each in sample["data_samples"]] == [1] * 4
        assert [each.flip for each in sample["data_samples"]] == [False, True] * 2
        with pytest.raises(BenchError, match="label 2"):
            build(num_classes=1, pipeline=pipeline)[0]
