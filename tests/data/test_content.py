"""COCO data are compared with their config before training."""

import json
from pathlib import Path

import pytest
from PIL import Image

from simmim_bench.config import load_config
from simmim_bench.data.content import boxes_config, content_mistakes, needs_masks

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "configs/small/mask-rcnn_swin-demo_fpn.py")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def mistakes(tmp_path):
    """Function that writes COCO data with these changes and checks them."""

    def mistakes(*overrides, images=None, categories=10, notes=None, config=CONFIG, **changes):
        polygon = [[1.0, 1.0, 5.0, 1.0, 5.0, 4.0]]
        thing = {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 1, 4, 3], "area": 6}
        thing = {**thing, "segmentation": polygon, **changes}
        listed = images or [{"id": 7, "file_name": "sub/7.jpg", "width": 12, "height": 8}]
        content = {
            "images": listed,
            "annotations": [{k: v for k, v in thing.items() if v is not None}],
            "categories": [{"id": n, "name": f"thing {n}"} for n in range(1, categories + 1)],
        }
        for split in ("train2017", "val2017"):
            (tmp_path / split / "sub").mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 8)).save(tmp_path / split / "sub" / "7.jpg")
            path = tmp_path / "annotations" / f"instances_{split}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content), "utf-8")
        cfg = load_config(config, data_root=str(tmp_path), overrides=list(overrides))
        return list(content_mistakes(cfg, [] if notes is None else notes))

    return mistakes


def test_sound_data_are_accepted(mistakes):
    assert mistakes() == []


def test_a_wrong_annotation_names_file_id_and_remedy(mistakes):
    first, second = mistakes(bbox=[1, 1, -4, 3])
    assert "instances_train2017.json has 1 wrong entries: annotation 1 has a box of -4 x 3" in first
    assert "correct the box, or remove the annotation" in first
    assert "instances_val2017.json" in second


def test_boxes_without_masks_name_the_config_to_use(mistakes):
    first, second = mistakes(segmentation=None)
    assert "annotation 1 has no segmentation (1 of 1 objects have none)" in first
    assert "train_dataloader needs masks; train boxes alone with " in first
    assert "configs/small/faster-rcnn_swin-demo_fpn.py, or add a 'segmentation' to each" in first
    assert "val_dataloader needs masks" in second
    assert mistakes(segmentation=None, config=CONFIG.replace("mask-rcnn", "faster-rcnn")) == []


@pytest.mark.parametrize("name", ["cascade-mask-rcnn_swin-b_fpn_3x", "mask-rcnn_vit-b_fpn_100e"])
def test_each_config_with_masks_has_one_of_boxes(name):
    cfg = load_config(str(ROOT / f"configs/coco/{name}.py"))
    expected = name.replace("cascade-", "").replace("mask-rcnn", "faster-rcnn")
    assert Path(boxes_config(cfg)).resolve() == ROOT / f"configs/coco/{expected}.py"


def test_a_config_of_ones_own_is_told_a_config_of_ours(tmp_path):
    own = tmp_path / "mask-rcnn_mine.py"
    own.write_text("a = 1")
    assert (ROOT / boxes_config(load_config(str(own)))).is_file()


def test_masks_are_needed_by_a_pipeline_or_an_evaluator(mistakes):
    [said] = mistakes(*BOXES[1:], segmentation=None)
    assert "train_dataloader needs masks" in said
    assert any("needs masks" in text for text in mistakes(*BOXES[:3], segmentation=None))


BOXES = (
    "train_dataloader.dataset.pipeline.1.with_mask=False",
    "val_dataloader.dataset.pipeline.2.with_mask=False",
    "test_dataloader.dataset.pipeline.2.with_mask=False",
    "val_evaluator.metric=bbox",
    "test_evaluator.metric=bbox",
)


def test_masks_are_needed_by_evaluation_alone():
    cfg = load_config(str(ROOT / "configs/coco/mask-rcnn_swin-b_fpn_1x.py"))
    assert needs_masks(cfg, "val_dataloader", cfg.val_dataloader.dataset)


def test_a_listed_image_that_is_not_there_is_found_before_training(mistakes):
    images = [
        {"id": 7, "file_name": "sub/7.jpg", "width": 12, "height": 8},
        {"id": 8, "file_name": "elsewhere/8.jpg", "width": 12, "height": 8},
    ]
    said = mistakes(images=images)[0]
    assert "lists 1 images that " in said
    assert "the first is elsewhere/8.jpg; restore them" in said


def test_a_size_that_disagrees_with_the_image_is_refused(mistakes):
    images = [{"id": 7, "file_name": "sub/7.jpg", "width": 8, "height": 12}]
    said = mistakes(images=images, segmentation=None, bbox=[1, 1, 2, 2])
    assert "needs masks" in said[0]
    said = mistakes(images=images)[0]
    assert "sub/7.jpg is 12 x 8 pixels, its annotation says 8 x 12; turn the file upright" in said


def test_another_number_of_categories_is_found_without_building_anything(mistakes):
    key = "train_dataloader.dataset.num_classes=80"
    said = mistakes(key)[0]
    assert "has 10 categories, the config has num_classes=80; pass --num-classes 10" in said


def test_what_is_odd_is_noted_for_the_log(mistakes):
    notes = []
    assert mistakes(bbox=[10, 1, 4, 0.5], notes=notes) == []
    assert "annotation 1 has the box [10, 1, 4, 0.5] outside its image of 12 x 8" in notes[0]
    assert notes[1].endswith("1 objects are smaller than 1 px and are skipped")
