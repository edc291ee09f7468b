"""Augmentation of the fine-tuning recipes against timm, which the original uses, by effect.

The original builds ``timm.data.create_transform`` and ``timm.data.Mixup`` from its AUG.* values
(SimMIM, data/data_finetune.py); our configs say the same with mmpretrain's transforms.
"""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmpretrain.datasets.transforms import RandAugment
from mmpretrain.models.utils.batch_augments import RandomBatchAugment
from PIL import Image
from scipy.stats import ks_2samp
from skimage import data
from timm.data import Mixup, create_transform
from timm.data.auto_augment import AugmentOp
from timm.data.random_erasing import RandomErasing
from torchvision import transforms as vision

from simmim_bench.registry import MODELS
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
FINE_TUNING = "imagenet/swin-b_8xb128_ft-100e.py"
PRETRAINING = "simmim/swin-b_8xb128.py"
SIZE = 224
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
NAMES = {  # mmpretrain's to timm's
    "Posterize": "PosterizeIncreasing",
    "Solarize": "SolarizeIncreasing",
    "ColorTransform": "ColorIncreasing",
    "Contrast": "ContrastIncreasing",
    "Brightness": "BrightnessIncreasing",
    "Sharpness": "SharpnessIncreasing",
}
GEOMETRIC = {"Rotate", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"}
SAME = 0.01  # p-value below which two samples are said to differ


def steps(name):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        pipeline = read_config(ROOT / name).train_dataloader.dataset.pipeline
        return {step["type"]: Compose([step]).transforms[0] for step in pipeline[1:]}


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(data.astronaut()[100 : 100 + SIZE, 100 : 100 + SIZE])


@pytest.fixture(scope="module")
def rand_augment():
    transform = steps(FINE_TUNING)["RandAugment"]
    assert isinstance(transform, RandAugment)
    return transform


def timm_name(op):
    kind = type(op).__name__
    if kind in ("Shear", "Translate"):
        kind += "X" if op.direction == "horizontal" else "Y"
        kind += "Rel" if kind.startswith("Translate") else ""
    return NAMES.get(kind, kind)


def timm_ops():
    whole = create_transform(SIZE, is_training=True, auto_augment="rand-m9-mstd0.5-inc1",
                             interpolation="bicubic")  # fmt: skip
    [found] = [step for step in whole.transforms if hasattr(step, "ops")]
    return {op.name: op for op in found.ops}, found.num_layers


def test_the_same_operations_with_the_same_chances(rand_augment):
    theirs, layers = timm_ops()
    assert rand_augment.num_policies == layers
    assert (rand_augment.magnitude_level, rand_augment.total_level) == (9, 10)
    ours = {timm_name(op): op for op in rand_augment.transforms}
    assert ours.keys() == theirs.keys()
    for name, op in ours.items():
        assert op.prob == theirs[name].prob == 0.5
        if op.magnitude_range is not None:
            assert (op.magnitude_level, op.magnitude_std) == (9, theirs[name].magnitude_std)
            signed = name not in ("PosterizeIncreasing", "SolarizeIncreasing", "SolarizeAdd")
            assert op.random_negative_prob == (0.5 if signed else 0.0)
        if name in GEOMETRIC:
            assert tuple(op.pad_val)[::-1] == theirs[name].kwargs["fillcolor"]


@pytest.mark.parametrize("level", [0.5, 5, 9])
@pytest.mark.parametrize("negative", [False, True])
def test_each_operation_has_timms_effect(rand_augment, photograph, level, negative):
    theirs, _ = timm_ops()
    for op in rand_augment.transforms:
        name = timm_name(op)
        given = {"prob": 1.0, "magnitude_level": level, "magnitude_std": 0.0}
        given["random_negative_prob"] = float(negative) if op.random_negative_prob else 0.0
        with mock.patch.multiple(op, **given):
            own = op({"img": photograph[..., ::-1].copy()})["img"][..., ::-1].astype(int)
        # A positive angle or shift goes the other way; both signs are as likely.
        sign = -1 if negative ^ (name in GEOMETRIC) else 1
        other = AugmentOp(name, prob=1.0, magnitude=level,
                          hparams={**theirs[name].hparams, "magnitude_std": 0})  # fmt: skip
        with mock.patch("timm.data.auto_augment._randomly_negate", lambda v, s=sign: s * v):
            wanted = np.asarray(other(Image.fromarray(photograph))).astype(int)
        difference = np.abs(own - wanted)
        if name in GEOMETRIC:  # the two libraries' bicubic differ at edges
            assert difference.mean() < 1.5, (name, difference.mean())
            assert (difference > 2).mean() < 0.15, name
        else:
            assert difference.mean() < 0.6, (name, difference.mean())
            assert np.quantile(difference, 0.99) <= 2, name  # sharpness differs at the border


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
    torch.manual_seed(0)
    labels = torch.eye(2)
    own, wanted = [], []
    other = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5, label_smoothing=0.0,
                  num_classes=2)  # fmt: skip
    for _ in range(1500):
        images = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
        with mock.patch("torch.randperm", lambda n: torch.arange(n).flip(0)):
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
