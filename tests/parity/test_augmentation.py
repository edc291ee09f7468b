"""Augmentation of the fine-tuning recipes against timm, which the original uses, by effect.

The original builds ``timm.data.create_transform`` and ``timm.data.Mixup`` from its AUG.* values
(SimMIM, data/data_finetune.py); our configs say the same with mmpretrain's transforms.
"""

import random
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmpretrain.models.utils.batch_augments import CutMix as RandomCutMix
from mmpretrain.models.utils.batch_augments import RandomBatchAugment
from PIL import Image
from scipy.stats import ks_2samp
from skimage import data
from timm.data import Mixup, create_transform
from timm.data.random_erasing import RandomErasing
from torchvision import transforms as vision

from simmim_bench.registry import MODELS
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
FINE_TUNING = "imagenet/swin-b_8xb128_ft-100e.py"
PRETRAINING = "simmim/swin-b_8xb128.py"
SIZE = 224
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
GEOMETRIC = {"Rotate", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"}
SAME = 0.01  # p-value below which two samples are said to differ


def citing(kind):
    """Configs whose training uses a transform, or a base with it."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for folder in ("imagenet", "transfer")
        for path in (ROOT / folder).glob("*.py")
        if kind in str(read_config(path).train_dataloader.dataset.pipeline)
    )


def steps(name):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        pipeline = read_config(ROOT / name).train_dataloader.dataset.pipeline
        return {step["type"]: Compose([step]).transforms[0] for step in pipeline[1:]}


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(data.astronaut()[100 : 100 + SIZE, 100 : 100 + SIZE])


@pytest.fixture(scope="module")
def rand_augment():
    return steps(FINE_TUNING)["simmim_bench.RandAugment"]


@pytest.fixture(scope="module")
def originals():
    """RandAugment as SimMIM's data/data_finetune.py makes it."""
    policy = "rand-m9-mstd0.5-inc1"
    whole = create_transform(SIZE, is_training=True, color_jitter=0.4, re_prob=0.25,
                             auto_augment=policy, interpolation="bicubic")  # fmt: skip
    [found] = [step for step in whole.transforms if hasattr(step, "ops")]
    return found


def seed(number):
    random.seed(number)
    np.random.seed(number)


def test_rand_augment_gives_the_originals_pixels(rand_augment, originals, photograph):
    changed = 0
    for number in range(60):
        seed(number)
        own = rand_augment({"img": photograph[..., ::-1].copy()})["img"][..., ::-1]
        seed(number)
        wanted = np.asarray(originals(Image.fromarray(photograph)))
        assert np.array_equal(own, wanted)
        changed += not np.array_equal(own, photograph)
    assert changed > 30


def test_uncovered_borders_have_the_mean_colour_and_nothing_is_blended(rand_augment):
    """On a white image, a pixel is white or has the mean colour; OpenCV blends the two."""
    white = np.full((SIZE, SIZE, 3), 255, np.uint8)
    geometric = [op for op in rand_augment.augment.ops if op.name in GEOMETRIC]
    assert len(geometric) == len(GEOMETRIC)
    for op in geometric:
        with mock.patch.multiple(op, prob=1.0, magnitude_std=0):
            image = np.asarray(op(Image.fromarray(white)))
        mean = (image == (124, 116, 104)).all(2)
        assert 0.05 < mean.mean() < 0.6, op.name
        assert (mean | (image == 255).all(2)).all(), op.name


@pytest.mark.parametrize("name", citing("simmim_bench.RandAugment"))
def test_every_config_with_rand_augment_has_the_originals(name):
    found = [s for s in read_config(ROOT / name).train_dataloader.dataset.pipeline
             if s["type"].endswith("RandAugment")]  # fmt: skip
    assert found == [{"type": "simmim_bench.RandAugment", "policy": "rand-m9-mstd0.5-inc1",
                      "interpolation": "bicubic"}]  # fmt: skip


@pytest.mark.parametrize(("name", "scale"), [(FINE_TUNING, (0.08, 1.0)), (PRETRAINING, (0.67, 1))])
def test_crops_are_drawn_from_the_same_distribution(name, scale):
    np.random.seed(0)
    torch.manual_seed(0)
    image = np.zeros((300, 400, 3), np.uint8)
    crop = steps(name)["RandomResizedCrop"]
    own = np.array([crop.rand_crop_params(image) for _ in range(4000)])
    picture = Image.fromarray(image)
    draw = vision.RandomResizedCrop.get_params
    wanted = np.array([draw(picture, scale, (3 / 4, 4 / 3)) for _ in range(4000)])
    measured = []
    for columns in (own, wanted):
        top, left, height, width = columns.T
        measured.append((height * width, width / height, top, left))
    for mine, its in zip(*measured, strict=True):
        assert ks_2samp(mine, its).pvalue > SAME


def test_a_crop_has_the_originals_pixels(photograph):
    """Resampled by Pillow: bicubic in fine-tuning, bilinear in pretraining."""
    for name, mode in ((FINE_TUNING, 3), (PRETRAINING, 2)):
        crop = steps(name)["RandomResizedCrop"]
        side = crop.scale[0]
        with mock.patch.object(crop, "rand_crop_params", return_value=(10, 20, 150, 130)):
            own = crop({"img": photograph.copy()})["img"]
        box = vision.functional.crop(Image.fromarray(photograph), 10, 20, 150, 130)
        wanted = np.asarray(box.resize((side, side), mode))
        assert np.array_equal(own, wanted)


def test_erased_areas_and_their_pixels():
    """timm fills after normalisation; here the same noise is cut to 0 to 255 before it."""
    np.random.seed(0)
    torch.manual_seed(0)
    erase = steps(FINE_TUNING)["RandomErasing"]
    other = RandomErasing(probability=0.25, mode="pixel", max_count=1, device="cpu")
    own, wanted, pixels = [], [], []
    for _ in range(3000):
        image = erase({"img": np.full((56, 56, 3), 7, np.uint8)})["img"]
        erased = (image != 7).any(2)
        own.append(erased.mean())
        if erased.any():
            pixels.append((image[..., ::-1][erased] - MEAN) / STD)
        wanted.append((other(torch.full((3, 56, 56), 50.0)) != 50).any(0).float().mean().item())
    own, wanted = np.array(own), np.array(wanted)
    assert (own > 0).mean() == pytest.approx(0.25, abs=0.03)
    assert (wanted > 0).mean() == pytest.approx(0.25, abs=0.03)
    # timm draws again what would leave the image, mmpretrain cuts it: 1 % more area
    assert own[own > 0].mean() == pytest.approx(wanted[wanted > 0].mean(), rel=0.08)
    assert own[own > 0].min() > 0.015
    noise = np.concatenate(pixels)
    assert np.abs(noise.mean(0)).max() < 0.03
    assert noise.std(0).min() > 0.96


@pytest.fixture(scope="module")
def mixing():
    cfg = read_config(ROOT / FINE_TUNING)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return RandomBatchAugment(**cfg.model.train_cfg), MODELS.build(cfg.model.head.loss)


def test_images_are_mixed_as_often_and_as_much(mixing):
    augment, _ = mixing
    np.random.seed(0)
    labels = torch.eye(2)
    own, wanted = [], []
    other = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5, label_smoothing=0.0,
                  num_classes=2)  # fmt: skip
    for _ in range(1500):
        images = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
        mixed, scores = augment(images.clone(), labels)
        own.append((scores[0, 0].item(), mixed[0].unique().numel() == 2))
        other_mixed, soft = other(images.clone(), torch.tensor([0, 1]))
        wanted.append((soft[0, 0].item(), other_mixed[0].unique().numel() == 2))
        # The share of the label is the share of the image.
        assert mixed[0].mean().item() == pytest.approx(1 - scores[0, 0].item(), abs=1e-5)
    own, wanted = np.array(own), np.array(wanted)
    assert own[:, 1].mean() == pytest.approx(wanted[:, 1].mean(), abs=0.06)
    for was_cut in (0, 1):
        shares = [values[values[:, 1] == was_cut, 0] for values in (own, wanted)]
        assert ks_2samp(*shares).pvalue > SAME


@pytest.mark.parametrize("kind", ["Mixup", "CutMix"])
def test_a_batch_is_mixed_with_its_reverse_as_timm_does(mixing, kind):
    """Pixels and labels of five batches, with the same shares and boxes."""
    augment = next(each for each in mixing[0].augments if type(each).__name__ == kind)
    other = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, label_smoothing=0.0, num_classes=7)
    generator = torch.Generator().manual_seed(0)
    box = "timm.data.mixup.rand_bbox"  # of timm 0.4.12, which mmpretrain has
    for number in range(5):
        images = torch.randn(6, 3, 33, 47, generator=generator)
        labels = torch.tensor([0, 1, 2, 3, 4, 6])
        np.random.seed(number)
        own, scores = augment(images.clone(), torch.nn.functional.one_hot(labels, 7))
        np.random.seed(number)
        share = float(np.random.beta(augment.alpha, augment.alpha))
        drawn = (share, kind == "CutMix")
        with (
            mock.patch.object(other, "_params_per_batch", return_value=drawn),
            mock.patch(
                box,
                lambda shape, *rest, **more: RandomCutMix.rand_bbox(
                    None, shape[-2:], *rest, **more
                ),
            ),
        ):
            wanted, soft = other(images.clone(), labels)
        assert torch.allclose(own, wanted, rtol=0, atol=1e-6)
        assert torch.allclose(scores, soft, rtol=0, atol=1e-6)
        assert not torch.equal(own, images)


def test_every_classifier_of_the_original_mixes_so():
    found = citing("simmim_bench.RandAugment")
    assert len(found) > 15
    for name in found:
        augments = read_config(ROOT / name).model.train_cfg.augments
        assert [each["type"] for each in augments] == ["simmim_bench.Mixup", "simmim_bench.CutMix"]


def test_smoothed_mixed_labels_give_the_originals_loss(mixing):
    """timm smooths each label before it mixes them; the result is linear in them."""
    _, criterion = mixing
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1000, generator=generator)
    one_hot = torch.nn.functional.one_hot(torch.tensor([3, 998]), 1000).float()
    lam = 0.3
    mixed = lam * one_hot + (1 - lam) * one_hot.flip(0)
    smooth = one_hot * 0.9 + 0.1 / 1000
    wanted = lam * smooth + (1 - lam) * smooth.flip(0)
    loss = -(wanted * logits.log_softmax(1)).sum(1).mean()
    assert criterion(logits, mixed).item() == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.parametrize("name", [FINE_TUNING, "imagenet/swin-b-w6-192_8xb128_ft-100e.py"])
def test_evaluation_sees_the_originals_pixels(name):
    cfg = read_config(ROOT / name)
    size = cfg.protocol.image_size
    image = np.ascontiguousarray(data.chelsea())  # 300 x 451
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        pipeline = Compose(cfg.test_dataloader.dataset.pipeline[1:-1])
    own = pipeline({"img": image, "img_shape": image.shape[:2]})["img"]
    resize = vision.Resize(int(256 / 224 * size), vision.InterpolationMode.BICUBIC)
    wanted = np.asarray(vision.CenterCrop(size)(resize(Image.fromarray(image))))
    assert own.shape == wanted.shape == (size, size, 3)
    assert np.array_equal(own, wanted)
