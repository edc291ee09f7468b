"""Masks that are kept as crops, and training pipelines with them, against mmdet's."""

import json
import pickle
import random

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import DefaultScope
from PIL import Image

from simmim_bench.config import load_config
from simmim_bench.registry import DATASETS
from simmim_bench.tasks.instance_masks import CroppedMasks

SIZES = [(97, 131), (64, 64), (40, 201)]


def masks_of(generator, number, height, width):
    """Noisy rectangles, one of them empty, one at each border."""
    masks = np.zeros((number, height, width), np.uint8)
    for mask in masks[1:]:
        top, left = generator.integers(0, height), generator.integers(0, width)
        down, across = generator.integers(1, height + 1), generator.integers(1, width + 1)
        part = mask[top : top + down, left : left + across]
        part[...] = generator.integers(0, 2, part.shape)
    masks[-1, -1, -1] = masks[-2 % number, 0, 0] = 1
    return masks


def draw(generator, masks):
    """One of the changes that pipelines make, as a function of masks."""
    height, width = masks.height, masks.width
    scale = (int(generator.integers(20, 300)), int(generator.integers(20, 300)))
    top, left = generator.integers(0, height), generator.integers(0, width)
    crop = np.array(
        [
            left,
            top,
            left + generator.integers(1, width + 1),
            top + generator.integers(1, height + 1),
        ]
    )
    more = (height + int(generator.integers(0, 9)), width + int(generator.integers(0, 9)))
    chosen = generator.random(len(masks)) < 0.8
    direction = str(generator.choice(["horizontal", "vertical", "diagonal"]))
    changes = [
        lambda one: one.rescale(scale),
        lambda one: one.resize(scale),
        lambda one: one.flip(direction),
        lambda one: one.crop(crop),
        lambda one: one.pad(more),
        lambda one: one[chosen.nonzero()[0]],
        lambda one: one[chosen],
        lambda one: one.translate((height, width), 3),
    ]
    odds = np.array([4, 4, 4, 4, 2, 2, 1, 1], float)
    return changes[generator.choice(len(changes), p=odds / odds.sum())]


def assert_equal(found, expected):
    assert isinstance(found, BitmapMasks)
    assert len(found) == len(expected)
    assert (found.height, found.width) == (expected.height, expected.width)
    assert found.masks.dtype == expected.masks.dtype
    np.testing.assert_array_equal(found.masks, expected.masks)


@pytest.mark.parametrize("seed", range(60))
def test_any_sequence_of_changes_gives_the_masks_of_mmdet(seed):
    generator = np.random.default_rng(seed)
    height, width = SIZES[seed % len(SIZES)]
    whole = masks_of(generator, int(generator.integers(1, 6)), height, width)
    expected = BitmapMasks(whole, height, width)
    found = CroppedMasks.of([np.asfortranarray(mask) for mask in whole], height, width)
    for _ in range(generator.integers(1, 6)):
        change = draw(generator, expected)
        found, expected = change(found), change(expected)
        if not len(expected) or generator.random() < 0.1:
            break
    sent = pickle.loads(pickle.dumps(found))  # noqa: S301  (as to the main process)
    assert_equal(sent, expected)
    assert_equal(found, expected)


def test_no_object():
    none = CroppedMasks.of([], 5, 7)
    expected = BitmapMasks(np.zeros((0, 5, 7), np.uint8), 5, 7)
    for change in (lambda one: one.rescale((20, 30)), lambda one: one.crop(np.array([1, 2, 4, 4]))):
        assert_equal(change(none), change(expected))


def test_masks_that_were_changed_stay_changed():
    masks = CroppedMasks.of([np.ones((4, 6), np.uint8)], 4, 6)
    masks.masks[0, 1:] = 0
    assert masks.flip("vertical").masks.sum() == masks[[0]].masks.sum() == 6
    masks.masks = np.zeros((2, 4, 6), np.uint8)
    assert len(masks) == 2
    assert masks.crop(np.array([0, 0, 3, 3])).masks.sum() == 0


def test_workers_send_crops(tmp_path):
    mask = np.zeros((800, 1200), np.uint8)
    mask[5:10, 5:10] = 1
    masks = CroppedMasks.of([mask] * 9, 800, 1200).rescale((1333, 800)).flip()
    assert len(pickle.dumps(masks)) < 40_000


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Three images with polygons of which coordinates are between pixels and outside."""
    generator = np.random.default_rng(3)
    folder = tmp_path / "coco"
    (folder / "train2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    images, annotations = [], []
    for number, (height, width) in enumerate([(120, 181), (150, 97), (128, 128)]):
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "train2017" / f"{number}.png")
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": width, "height": height}
        )
        for _ in range(6):
            parts = [
                (generator.uniform(-0.05, 1.05, (7, 2)) * [width, height]).round(1)
                for _ in range(generator.integers(1, 3))
            ]
            (left, top), (right, bottom) = parts[0].min(0), parts[0].max(0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(generator.integers(1, 81)),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": int(generator.random() < 0.1),
                    "segmentation": [part.ravel().tolist() for part in parts],
                }
            )
        annotations[-1]["iscrowd"] = 1
        annotations[-1]["segmentation"] = {
            "size": [height, width],
            "counts": [width, 5, height * width - width - 5],
        }
    categories = [{"id": number, "name": f"class {number}"} for number in range(1, 81)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    for split in ("train", "val"):
        (folder / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    (folder / "val2017").symlink_to(folder / "train2017")
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))


def sample(dataset, index, seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return dataset[index]


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader"])
@pytest.mark.parametrize("leaf", ["swin-b_fpn_1x", "swin-b_fpn_3x", "vit-b_fpn_100e"])
def test_samples_of_the_recipes_are_those_of_mmdets_steps(data, leaf, loader):
    cfg = load_config(f"configs/coco/mask-rcnn_{leaf}.py")[loader].dataset
    with DefaultScope.overwrite_default_scope("mmdet"):
        ours = DATASETS.build(cfg)
        classes = [f"class {number}" for number in range(1, 81)]
        stock = {key: value for key, value in cfg.items() if key != "num_classes"}
        theirs = DATASETS.build(
            {**stock, "type": "mmdet.CocoDataset", "metainfo": {"classes": classes}}
        )
        assert type(ours.pipeline.transforms[-1]) is not type(theirs.pipeline.transforms[-1])
        for seed in range(12):
            found = sample(ours, seed % len(ours), seed)
            expected = sample(theirs, seed % len(ours), seed)
            assert torch.equal(found["inputs"], expected["inputs"])
            assert found["inputs"].is_contiguous()
            found, expected = found["data_samples"], expected["data_samples"]
            assert found.metainfo == expected.metainfo
            for key in ("gt_instances", "ignored_instances"):
                mine, other = getattr(found, key), getattr(expected, key)
                assert torch.equal(mine.bboxes.tensor, other.bboxes.tensor)
                assert torch.equal(mine.labels, other.labels)
                assert set(mine.keys()) == set(other.keys())
                if "masks" in other:
                    assert_equal(mine.masks, other.masks)
