"""Folders of images as data sets: what is found, named and refused before a training."""

import os

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import DataLoader

from simmim_bench.data import image_folder
from simmim_bench.data.image_folder import ImageFolder, check_sample, use_image_folder
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS
from simmim_bench.training.runner import BenchRunner

IMAGE = Image.fromarray(np.zeros((4, 6, 3), np.uint8))


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.jpg", "b/10.jpg", "a-b/x.png", "a/deep/y.png", "a/z.JPEG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        IMAGE.save(tmp_path / name)
    return tmp_path


@pytest.fixture
def said(monkeypatch):
    """Warnings in the log."""
    found = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, "warning", found.append)
    return found


def build(folder, kind="simmim_bench.ImageFolder", **options):
    return DATASETS.build({"type": kind, "data_root": str(folder), **options})


def entries(dataset):
    return [dataset.get_data_info(number) for number in range(len(dataset))]


@pytest.mark.parametrize("with_label", [True, False])
def test_images_labels_and_their_order_are_those_of_mmpretrain(folder, with_label):
    stock = build(folder, "mmpretrain.CustomDataset", with_label=with_label)
    ours = build(folder, with_label=with_label)
    assert entries(ours) == entries(stock)
    assert ours.metainfo == stock.metainfo
    assert len(ours) == 5


def test_formats_that_mmpretrain_drops_in_silence_are_found(folder):
    for name in ("q.webp", "q2.TIFF", "q3.gif"):
        IMAGE.save(folder / "a" / name)
    assert len(build(folder, "mmpretrain.CustomDataset")) == 5
    assert len(build(folder)) == 8


SEEDED = [
    {"type": "simmim_bench.SeedSample", "seed": 5},
    {"type": "simmim_bench.LoadImage"},
    {"type": "mmpretrain.RandomResizedCrop", "scale": 8, "backend": "pillow"},
    {"type": "mmpretrain.RandomFlip", "prob": 0.5},
    {"type": "mmpretrain.PackInputs"},
]


def photographs(folder, count=7):
    generator = np.random.default_rng(0)
    for number in range(count):
        pixels = generator.integers(0, 256, (20 + number, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("together", [1, 5000, 10**9])
@pytest.mark.parametrize("workers", [0, 2])
def test_samples_of_a_batch_are_those_of_their_indices(tmp_path, monkeypatch, together, workers):
    monkeypatch.setattr(image_folder, "LOADED", together)
    data = build(photographs(tmp_path), with_label=False, pipeline=SEEDED)
    alone = [data[index]["inputs"] for index in (0, 3, 6, 1, 2, 5, 4)]
    loader = DataLoader(
        data, batch_sampler=[[0, 3, 6, 1], [2, 5, 4]], num_workers=workers,
        collate_fn=lambda samples: [sample["inputs"] for sample in samples],
    )  # fmt: skip
    batched = [sample for batch in loader for sample in batch]
    assert all(torch.equal(*pair) for pair in zip(batched, alone, strict=True))
    assert len({tuple(sample.flatten().tolist()) for sample in batched}) == 7


def test_images_of_a_batch_are_loaded_until_they_are_large(tmp_path, monkeypatch):
    data = build(photographs(tmp_path), with_label=False, pipeline=[SEEDED[1]])
    order = []
    load = data.pipeline.transforms[0]
    monkeypatch.setattr(
        type(load), "transform",
        lambda _, results: {**results, "img": np.zeros(6), "n": order.append("load")},
    )  # fmt: skip
    data.pipeline.transforms.append(lambda results: order.append("rest") or results)
    monkeypatch.setattr(image_folder, "LOADED", 2 * 48)
    data.__getitems__([0, 1, 2, 3, 4])
    assert order == ["load", "load", "rest", "rest"] * 2 + ["load", "rest"]


def test_a_sample_that_is_dropped_is_drawn_again(tmp_path, monkeypatch):
    data = build(photographs(tmp_path), with_label=False, pipeline=[SEEDED[1]])
    data.pipeline.transforms.append(lambda found: found if found["sample_idx"] != 1 else None)
    monkeypatch.setattr(data, "_rand_another", lambda: 4)
    assert [found["sample_idx"] for found in data.__getitems__([0, 1, 2])] == [0, 4, 2]


def test_what_is_skipped_is_counted_and_named(folder, said):
    for name in ("a/notes.md", "x.heic", "loose.png", ".ipynb_checkpoints/z.png", "a/._z.JPEG"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    dataset = build(folder)
    assert len(dataset) == 5
    assert dataset.metainfo["classes"] == ("a", "a-b", "b")  # a hidden folder shifts no label
    what = "5 files are not images and are skipped: .ipynb_checkpoints, a/._z.JPEG, a/notes.md, ..."
    assert [text.replace("/: ", ": ") for text in said] == [f"{folder}: {what}"]


def test_a_class_without_images_keeps_its_label_and_is_named(folder, said):
    (folder / "aa").mkdir()
    assert build(folder).metainfo["classes"] == ("a", "a-b", "aa", "b")
    [text] = said
    assert text.endswith("1 class folders have no image: aa")


def test_a_folder_without_images_names_what_was_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.heic").touch()
    with pytest.raises(BenchError, match=r"has no images: found 1 \.heic, supported are \.bmp"):
        build(tmp_path)


def test_class_folders_are_as_many_as_the_config_names(folder):
    with pytest.raises(BenchError, match="has 3 class folders, the config names 2 classes"):
        build(folder, classes=["a", "b"])


def test_a_pipe_stops_a_training_before_it_starts(folder):
    os.mkfifo(folder / "a" / "x.jpg")
    with pytest.raises(BenchError, match=r"a/x.jpg is a named pipe, not an image"):
        build(folder)


def test_a_config_that_says_custom_dataset_gets_it_also_inside_others():
    inner = {"type": "CustomDataset"}
    config = ConfigDict(
        type="RepeatDataset", dataset={"type": "ConcatDataset", "datasets": [inner, dict(inner)]}
    )
    use_image_folder(config)
    assert [each.type for each in config.dataset.datasets] == ["simmim_bench.ImageFolder"] * 2
    use_image_folder(other := {"type": "simmim_bench.FewShotDataset"})
    assert other["type"] == "simmim_bench.FewShotDataset"


def loader(folder, **options):
    dataset = {"type": "mmpretrain.CustomDataset", "data_root": str(folder), **options}
    sampler = {"type": "DefaultSampler", "shuffle": False}
    return {"batch_size": 1, "num_workers": 0, "dataset": dataset, "sampler": sampler}


def test_the_runner_reads_with_it_and_leaves_the_config_as_it_is(folder):
    config = ConfigDict(loader(folder))
    assert isinstance(BenchRunner.build_dataloader(config).dataset, ImageFolder)
    assert config.dataset.type == "mmpretrain.CustomDataset"


def test_a_sample_of_the_images_is_opened_before_a_training(folder, said):
    tag = Image.Exif()
    tag[0x0112] = 6
    IMAGE.save(folder / "b" / "2.jpg", exif=tag)
    BenchRunner.build_dataloader(loader(folder))
    assert said == [
        "of 5 images, 1 have an orientation tag, which is not applied (a sample of the 5)"
    ]
    (folder / "b" / "2.jpg").write_bytes(b"")
    with pytest.raises(BenchError, match=r"b/2\.jpg cannot be read \(the file is empty\)"):
        BenchRunner.build_dataloader(loader(folder))


def test_the_sample_is_small_and_spread(folder):
    dataset = build(folder)
    opened = []
    entry = {"img_path": folder / "b" / "2.jpg"}
    dataset.get_data_info = lambda number: opened.append(number) or entry
    check_sample(dataset, count=3)
    assert opened == [0, 2, 4]
