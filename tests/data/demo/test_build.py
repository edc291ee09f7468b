"""Building: the same content on any number of processes, cached, atomic; COCO's own reader."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from simmim_bench.data import layouts
from simmim_bench.data.demo import build as building
from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.sources import PHOTOS
from simmim_bench.errors import BenchError

SCENES = [("coco/train2017", "training"), ("coco/val2017", "validation")]


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_two_processes_write_the_same_files(built, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_CHUNK", 7)
    other = build_demo(tmp_path, tiny, processes=2)
    assert other.content_sha256 == built.content_sha256
    assert files(other.folder) == files(built.folder)


def test_content_hash_follows_the_seed(built, tiny, tmp_path):
    other = build_demo(tmp_path, replace(tiny, seed=1), processes=1)
    assert other.content_sha256 != built.content_sha256


def test_layout_counts_and_classes(built, tiny):
    folder = built.folder
    assert layouts.missing("demo", folder) == []
    classes = sorted(path.name for path in (folder / "imagenet/train").iterdir())
    assert classes == [f"digit_{k}" for k in range(10)]
    for part, count in (("train", tiny.train_objects), ("val", tiny.val_objects)):
        assert len(list((folder / "imagenet" / part).glob("*/*.jpg"))) == count
    assert len(list((folder / "unlabelled").glob("*.jpg"))) == tiny.unlabelled
    assert (folder / "contact_sheet.png").stat().st_size > 10_000


def test_jpeg_is_4_4_4(built):
    with Image.open(next((built.folder / "imagenet/train/digit_0").iterdir())) as image:
        assert {layer[1:3] for layer in image.layer} == {(1, 1)}


def test_description_names_sources_and_licences(built):
    described = json.loads((built.folder / "dataset.json").read_text())
    photographs = described["photographs"]
    names = {half: {each["name"] for each in photographs[half]} for half in photographs}
    assert names["train"].isdisjoint(names["val"])
    assert len(names["train"]) + len(names["val"]) == len(PHOTOS)
    assert all(each["licence"] and each["credit"] for half in photographs.values() for each in half)
    digits = described["digits"]
    assert digits["train"]["last"] < digits["val"]["first"]
    assert described["content_sha256"] == built.content_sha256
    assert described["counts"]["coco/val2017"] == 6


@pytest.mark.parametrize(("split", "part"), SCENES)
def test_coco_reader_agrees_with_areas_boxes_and_maps(built, split, part):
    name = split.split("/")[1]
    coco = COCO(built.folder / "coco" / "annotations" / f"instances_{name}.json")
    assert [each["name"] for each in coco.loadCats(coco.getCatIds())] == [
        f"digit_{k}" for k in range(10)
    ]
    assert coco.getCatIds() == list(range(1, 11))
    for image in coco.loadImgs(coco.getImgIds()):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert annotations
        expected = np.ones((image["height"], image["width"]), np.uint8)
        for each in annotations:
            rle = coco.annToRLE(each)
            assert coco_mask.area(rle) == each["area"] > 0
            assert coco_mask.toBbox(rle).tolist() == each["bbox"]
            assert each["iscrowd"] == 0
            expected[coco.annToMask(each) > 0] = 1 + each["category_id"]
        stem = image["file_name"].removesuffix(".jpg")
        ade = built.folder / "ade" / "ADEChallengeData2016"
        assert np.array_equal(
            np.asarray(Image.open(ade / f"annotations/{part}/{stem}.png")), expected
        )
        picture = built.folder / split / image["file_name"]
        assert (ade / f"images/{part}/{stem}.jpg").read_bytes() == picture.read_bytes()


def test_masks_lie_on_the_digits_of_the_files(built):
    """A mask that is moved by 12 pixels has lost its contrast."""
    right, moved = [], []
    for split, _ in SCENES:
        name = split.split("/")[1]
        coco = COCO(built.folder / "coco" / "annotations" / f"instances_{name}.json")
        for each in coco.loadAnns(coco.getAnnIds()):
            path = built.folder / split / coco.loadImgs(each["image_id"])[0]["file_name"]
            grey = np.asarray(Image.open(path).convert("L"), float)
            mask = coco.annToMask(each) > 0
            covered = np.any([coco.annToMask(a) for a in coco.imgToAnns[each["image_id"]]], axis=0)
            x, y, width, height = each["bbox"]
            box = np.zeros_like(mask)
            box[y : y + height, x : x + width] = True
            background = grey[box & ~covered].mean()
            right.append(abs(grey[mask].mean() - background))
            moved.append(abs(grey[np.roll(mask, 12, axis=1)].mean() - background))
    assert len(right) > 20
    assert np.median(right) > 75
    assert np.median(moved) < 0.6 * np.median(right)


def test_second_build_returns_at_once(built, tiny, monkeypatch):
    monkeypatch.setattr(building, "_build", lambda *_: pytest.fail("built again"))
    again = build_demo(built.folder.parent, tiny)
    assert again == replace(built, seconds=0.0)


@pytest.mark.parametrize("harm", ["other spec", "broken description", "missing folder"])
def test_what_is_not_the_same_is_built_anew(breakable, tiny, harm):
    spec = tiny
    if harm == "other spec":
        spec = replace(tiny, unlabelled=6)
    elif harm == "broken description":
        (breakable / "dataset.json").write_text("{")
    else:
        shutil.rmtree(breakable / "ade")
    built = build_demo(breakable.parent, spec, processes=1)
    assert built.seconds > 0
    assert len(list((breakable / "unlabelled").iterdir())) == spec.unlabelled
    assert layouts.missing("demo", breakable) == []
    assert {p.name for p in breakable.parent.iterdir()} == {"demo", ".demo.lock"}


def test_interrupted_build_leaves_nothing(tiny, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "write_contact_sheet", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build_demo(tmp_path, tiny, processes=1)
    assert {path.name for path in tmp_path.iterdir()} <= {".demo.lock"}


def test_interrupted_build_keeps_the_old_data(breakable, tiny, monkeypatch):
    before = files(breakable)
    monkeypatch.setattr(building, "describe", lambda *_: {}["no"])
    with pytest.raises(KeyError):
        build_demo(breakable.parent, replace(tiny, seed=1), processes=1)
    assert files(breakable) == before


def test_leftovers_of_a_killed_build_are_removed(tiny, tmp_path):
    leftover = tmp_path / ".demo.building" / "unlabelled"
    leftover.mkdir(parents=True)
    (leftover / "00000.jpg").write_bytes(b"half")
    build_demo(tmp_path, tiny, processes=1)
    assert not (tmp_path / ".demo.building").exists()
    assert (tmp_path / "demo/unlabelled/00000.jpg").stat().st_size > 1000


def test_folder_of_somebody_else_is_not_replaced(tiny, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.tex").write_text("mine")
    with pytest.raises(BenchError, match=r"not empty and has no dataset\.json"):
        build_demo(tmp_path, tiny)
    assert (tmp_path / "demo" / "thesis.tex").read_text() == "mine"


def test_root_that_cannot_be_written_is_a_sentence(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write the demo data"):
        build_demo(tmp_path / "file" / "data", tiny)


def test_scenes_share_their_bytes_on_disk(built):
    one = built.folder / "coco/val2017/000000000001.jpg"
    two = built.folder / "ade/ADEChallengeData2016/images/validation/000000000001.jpg"
    assert one.samefile(two)
