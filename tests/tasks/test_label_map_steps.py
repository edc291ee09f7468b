"""Samples of segmentation recipes against those of mmseg's own steps."""

import random
import struct
import zlib

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmseg.datasets import transforms
from PIL import Image

from simmim_bench.config import load_config
from simmim_bench.registry import DATASETS
from simmim_bench.tasks import label_map_steps


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colours_are_changed_as_mmseg_does(dtype):
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3)).astype(dtype)
    changed = set()
    for seed in range(80):
        results = []
        for module in (label_map_steps, transforms):
            seed_all(seed)
            results.append(module.PhotoMetricDistortion()({"img": image.copy()})["img"])
            results.append(np.random.random())  # as many numbers were drawn
        np.testing.assert_array_equal(results[0], results[2])
        assert results[0].dtype == results[2].dtype
        assert results[1] == results[3]
        changed.add(results[0].tobytes())
    assert len(changed) > 60


@pytest.mark.parametrize("ignored", [255, 7, 300])
def test_crops_are_those_of_mmseg(ignored):
    generator = np.random.default_rng(1)
    chosen = []
    for seed in range(60):
        height, width = generator.integers(20, 90, 2)
        labels = np.full((height, width), 7, np.uint8)
        labels[: generator.integers(1, height), : generator.integers(1, width)] = 3
        labels[::5, ::3] = 255
        results = []
        for module in (label_map_steps, transforms):
            seed_all(seed)
            crop = module.RandomCrop((24, 32), cat_max_ratio=0.75, ignore_index=ignored)
            given = {"img": np.zeros((height, width, 3), np.uint8), "gt_seg_map": labels}
            results.append((crop.crop_bbox(given), np.random.random()))
        assert results[0] == results[1]
        chosen.append(results[0])
    assert len(set(chosen)) > 40


def load(module, path, **given):
    results = {"seg_map_path": str(path), "seg_fields": [], "label_map": None, **given}
    return module.LoadAnnotations()(results)


@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize(
    "kind", ["L", "P", "1", "LA", "I;16", "interlaced", "tRNS", "jpg", "mapped"]
)
def test_label_maps_of_any_kind_are_those_of_mmseg(tmp_path, kind, reduced):
    labels = np.random.default_rng(0).integers(0, 256, (19, 23), dtype=np.uint8)
    path = tmp_path / ("labels.jpg" if kind == "jpg" else "labels.png")
    options = {"transparency": 3} if kind == "tRNS" else {}
    image = Image.fromarray(labels)
    if kind == "P":
        image.putpalette(list(range(256)) * 3)
    elif kind == "I;16":
        image = Image.fromarray(labels.astype(np.uint16) * 100)
    elif kind in ("1", "LA"):
        image = image.convert(kind)
    image.save(path, **options)
    if kind == "interlaced":
        path.write_bytes(interlaced(labels))
    mapping = {3: 9, 9: 3} if kind == "mapped" else None
    given = {"reduce_zero_label": reduced, "label_map": mapping}
    found, expected = (load(module, path, **given) for module in (label_map_steps, transforms))
    np.testing.assert_array_equal(found["gt_seg_map"], expected["gt_seg_map"])
    assert found["gt_seg_map"].dtype == expected["gt_seg_map"].dtype
    assert found["seg_fields"] == expected["seg_fields"]


def interlaced(labels):
    """A PNG in seven passes (Adam7), which Pillow does not write."""
    rows = b""
    for top, left, down, across in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):  # fmt: skip
        for row in labels[top::down, left::across]:
            rows += b"\0" + row.tobytes()
    height, width = labels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_a_damaged_label_map_is_an_error_as_with_pillow(tmp_path, cut):
    labels = np.random.default_rng(0).integers(0, 9, (60, 60), dtype=np.uint8)
    path = tmp_path / "labels.png"
    Image.fromarray(labels).save(path)
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    with pytest.raises(OSError, match="truncated"):
        load(label_map_steps, path, reduce_zero_label=True)


@pytest.fixture
def data(tmp_path, monkeypatch):
    generator = np.random.default_rng(2)
    root = tmp_path / "ade/ADEChallengeData2016"
    for split in ("training", "validation"):
        for kind in ("images", "annotations"):
            (root / kind / split).mkdir(parents=True)
        for number, (height, width) in enumerate([(120, 181), (150, 97), (128, 128)]):
            pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / split / f"{number}.jpg")
            labels = generator.integers(0, 151, (height // 30 + 1, width // 30 + 1))
            labels = np.kron(labels, np.ones((30, 30)))[:height, :width].astype(np.uint8)
            Image.fromarray(labels).save(root / "annotations" / split / f"{number}.png")
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader"])
def test_samples_of_the_recipe_are_those_of_mmsegs_steps(data, loader):
    cfg = load_config("configs/ade20k/upernet_swin-b_160k.py")[loader].dataset
    with DefaultScope.overwrite_default_scope("mmseg"):
        ours = DATASETS.build(cfg)
        mine = ("num_classes", "reduce_zero_label")
        stock = {key: value for key, value in cfg.items() if key not in mine}
        theirs = DATASETS.build({**stock, "type": "mmseg.ADE20KDataset"})
        assert type(ours.pipeline.transforms[-1]) is not type(theirs.pipeline.transforms[-1])
        for seed in range(12):
            samples = []
            for dataset in (ours, theirs):
                seed_all(seed)
                samples.append(dataset[seed % len(dataset)])
            found, expected = samples
            assert torch.equal(found["inputs"], expected["inputs"])
            assert found["inputs"].is_contiguous()
            found, expected = found["data_samples"], expected["data_samples"]
            assert torch.equal(found.gt_sem_seg.data, expected.gt_sem_seg.data)
            index = {"sample_idx": seed % len(ours)}  # probes of frozen features need it
            assert found.metainfo == {**expected.metainfo, **index}
