"""Quicker steps draw the same numbers as those of the libraries, and give their images."""

import random

import mmcv
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmcv.transforms import RandomFlip as AnyFlip
from mmengine.registry import DefaultScope
from mmpretrain.datasets.transforms import PackInputs as ArrayPack
from PIL import Image
from skimage import data

from simmim_bench.config import load_config
from simmim_bench.data.quick_steps import PackInputs, RandomFlip, contiguous, planes, resized
from simmim_bench.data.transforms import SeedSample, seed_all, words_of
from simmim_bench.recipe.channels import kind_of, parts
from simmim_bench.recipe.quick_steps import use_quick_steps

PHOTO = np.ascontiguousarray(data.chelsea())  # 300 x 451
NOISE = np.random.default_rng(0).integers(0, 256, (131, 97, 3), dtype=np.uint8)
FILTERS = {"bilinear": (Image.Resampling.BILINEAR, 1), "bicubic": (Image.Resampling.BICUBIC, 2)}


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("size", [(64, 64), (33, 71), (192, 192), (500, 375), (1, 2)])
@pytest.mark.parametrize("image", [PHOTO, PHOTO[7:240, 30:433], NOISE, NOISE[::-1, ::-1]])
def test_a_resized_image_is_pillows_within_rounding(image, size, interpolation):
    mode, most = FILTERS[interpolation]
    found = resized(image, size, interpolation)
    wanted = np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, mode))
    assert found.shape == wanted.shape
    assert found.flags.c_contiguous
    difference = np.abs(found.astype(int) - wanted)
    assert difference.max() <= most
    assert (difference > 0).mean() < 0.05
    assert (difference > 1).mean() < 1e-3


VIEWS = {
    "whole": PHOTO,
    "flipped": PHOTO[:, ::-1],
    "upside down": PHOTO[::-1],
    "turned": PHOTO[::-1, ::-1],
    "part": PHOTO[3:50, 5:60],
    "flipped part": PHOTO[3:50, 5:60][:, ::-1],
    "RGB of BGR": PHOTO[..., ::-1],
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_are_copied_as_they_are_seen(name):
    assert np.array_equal(contiguous(VIEWS[name]), VIEWS[name])
    assert contiguous(VIEWS[name]).flags.c_contiguous
    assert np.array_equal(planes(VIEWS[name]), VIEWS[name].transpose(2, 0, 1))


@pytest.mark.parametrize(
    "image",
    [*VIEWS.values(), PHOTO[..., 0], PHOTO[..., :2], PHOTO.astype(np.float32), [PHOTO, NOISE],
     torch.zeros(3, 4, 4)],
)  # fmt: skip
def test_packed_images_are_those_of_mmpretrain(image):
    sample = {"img": image, "gt_label": 3, "sample_idx": 1}
    found, wanted = PackInputs()(sample), ArrayPack()(sample)
    as_list = [each if isinstance(each, list) else [each] for each in
               (found["inputs"], wanted["inputs"])]  # fmt: skip
    for mine, its in zip(*as_list, strict=True):
        assert mine.dtype == its.dtype
        assert mine.is_contiguous()
        assert torch.equal(mine, its)
    assert found["data_samples"].gt_label == wanted["data_samples"].gt_label


@pytest.mark.parametrize("prob", [0.0, 0.1, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("direction", ["horizontal", "vertical", "diagonal"])
def test_images_are_flipped_by_the_same_numbers(prob, direction):
    for seed in range(40):
        results = []
        for kind in (RandomFlip, AnyFlip):
            np.random.seed(seed)
            flipped = kind(prob=prob, direction=direction)({"img": PHOTO})
            results.append((flipped, np.random.random()))
        (mine, after), (its, after_its) = results
        assert np.array_equal(mine["img"], its["img"])
        assert (mine["flip"], mine["flip_direction"]) == (its["flip"], its["flip_direction"])
        assert after == after_its


@pytest.mark.parametrize(
    "key", [[0, 0, 0], [1, 2, 3], [2**32 - 1, 5, 7], [2**32, 1, 2], [2**80, 0]]
)
def test_a_key_gives_the_numbers_that_numpy_makes_of_it(key):
    wanted = np.random.default_rng(key).random(4)
    assert np.array_equal(np.random.default_rng(words_of(key)).random(4), wanted)


def test_a_sample_seeds_what_a_run_seeds():
    def drawn():
        return random.random(), np.random.random(), torch.rand(()).item()

    seed_all([5, 0, 9])
    wanted = drawn()
    SeedSample(seed=5)({"sample_idx": 9})
    assert drawn() == wanted


def pipelines(config):
    """Training pipeline of a config, as it is and with quick steps, each after a seed."""
    for quick in (False, True):
        cfg = load_config(config)
        steps = cfg.train_dataloader.dataset.pipeline
        if quick:
            use_quick_steps((kind_of(part), part) for part in parts(steps))
        with DefaultScope.overwrite_default_scope("mmpretrain"):
            yield Compose([{"type": "simmim_bench.SeedSample", "seed": 3}, *steps])


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(PHOTO).save(path, quality=95)
    return path


def test_samples_of_pretraining_are_the_same_within_a_level(photograph):
    stated, quick = pipelines("simmim/swin-b_8xb128")
    kinds = [type(step).__module__ for step in quick.transforms]
    assert all(kind.startswith("simmim_bench.") for kind in kinds)
    flips = set()
    for index in range(12):
        samples = []
        for pipeline in (stated, quick):
            packed = pipeline({"img_path": str(photograph), "sample_idx": index})
            samples.append((packed["inputs"], packed["data_samples"], np.random.random()))
        (inputs, sample, after), (quick_inputs, quick_sample, quick_after) = samples
        assert after == quick_after
        assert inputs.shape == quick_inputs.shape == (3, 192, 192)
        assert (inputs.int() - quick_inputs.int()).abs().max() <= 1
        assert torch.equal(sample.mask, quick_sample.mask)
        assert set(sample.metainfo_keys()) == set(quick_sample.metainfo_keys())
        assert sample.flip == quick_sample.flip
        assert tuple(sample.img_shape) == tuple(quick_sample.img_shape)
        flips.add(sample.flip)
    assert flips == {True, False}


def test_samples_of_fine_tuning_are_the_same_up_to_rounding_of_the_crop(photograph, monkeypatch):
    """With Pillow's resampling in both, they are equal."""

    def by_pillow(image, size, interpolation):
        return mmcv.imresize(contiguous(image), size, interpolation=interpolation, backend="pillow")

    monkeypatch.setattr("simmim_bench.data.quick_steps.resized", by_pillow)
    stated, quick = pipelines("imagenet/swin-b_8xb128_ft-100e")
    for index in range(30):
        drawn = []
        for pipeline in (stated, quick):
            sample = {"img_path": str(photograph), "sample_idx": index, "gt_label": 2}
            drawn.append((pipeline(sample)["inputs"], np.random.random(), random.random()))
        assert torch.equal(drawn[0][0], drawn[1][0])
        assert drawn[0][1:] == drawn[1][1:]


CROP = {"type": "RandomResizedCrop", "scale": 8, "backend": "pillow"}


@pytest.mark.parametrize(
    ("step", "replaced"),
    [
        (CROP, True),
        ({**CROP, "type": "mmpretrain.RandomResizedCrop", "interpolation": "bicubic"}, True),
        ({**CROP, "interpolation": "lanczos"}, False),
        ({**CROP, "backend": "cv2"}, False),
        ({"type": "RandomResizedCrop", "scale": 8}, False),
        ({**CROP, "type": "mine.RandomResizedCrop"}, False),
        ({"type": "RandomFlip", "prob": 0.5}, True),
        ({"type": "RandomFlip", "prob": 0.5, "direction": ["horizontal", "vertical"]}, False),
        ({"type": "RandomFlip", "prob": [0.2, 0.3], "direction": ["vertical", "diagonal"]}, False),
        ({"type": "RandomFlip", "prob": 0.5, "swap_seg_labels": [(0, 1)]}, False),
        ({"type": "RandomErasing", "mode": "rand", "fill_color": 3, "fill_std": 2}, True),
        ({"type": "RandomErasing", "mode": "rand", "fill_color": 3}, False),
        ({"type": "RandomErasing", "mode": "const", "fill_std": 2}, False),
        ({"type": "PackInputs"}, True),
        ({"type": "ColorJitter"}, False),
    ],
)
def test_which_steps_have_a_quick_one(step, replaced):
    changed = dict(step)
    use_quick_steps([(kind_of(changed), changed)])
    kind = kind_of(step)
    assert changed == ({**step, "type": f"simmim_bench.{kind}"} if replaced else step)
