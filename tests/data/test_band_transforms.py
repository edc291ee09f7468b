"""Steps for float32 images of any bands: geometry and values are those of the 8-bit libraries."""

import numpy as np
import pytest
from PIL import Image
from timm.data import auto_augment

from simmim_bench import ops

ops.install()

from simmim_bench.data import band_augment as bands  # noqa: E402
from simmim_bench.data.augment import RandAugment  # noqa: E402
from simmim_bench.data.transforms import LoadImage, seed_all  # noqa: E402
from simmim_bench.errors import BenchError  # noqa: E402
from simmim_bench.recipe.band_steps import COLOUR_STEPS, PILLOW, use_band_steps  # noqa: E402
from simmim_bench.registry import TRANSFORMS  # noqa: E402

GENERATOR = np.random.default_rng(0)
RGB = np.asarray(
    Image.fromarray(GENERATOR.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((64, 48))
)
GREY = np.repeat(RGB[..., :1], 3, axis=2)
"""Of three equal bands: its grey image is the same for colours and for bands."""
POLICY = "rand-m9-mstd0.5-inc1"


def run(step, image, seed=0):
    seed_all([seed])
    return TRANSFORMS.build(step).transform({"img": image.copy()})["img"]


def both(image, seed=0, **step):
    """Result of a library on 8 bits, and of ours on the same values as float32."""
    theirs = run({**step, "type": f"mmpretrain.{step['type']}"}, image, seed)
    ours = run({**step, "type": f"simmim_bench.{step['type']}"}, image.astype(np.float32), seed)
    assert ours.dtype == np.float32
    return theirs.astype(np.float32), ours


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "step",
    [
        {"type": "RandomResizedCrop", "scale": 24, "crop_ratio_range": (0.2, 1.0)},
        {"type": "RandomResizedCrop", "scale": 96, "crop_ratio_range": (0.2, 1.0)},
        {"type": "ResizeEdge", "scale": 20, "edge": "short"},
        {"type": "ResizeEdge", "scale": 100, "edge": "long"},
    ],
    ids=str,
)
def test_resizing_is_that_of_8_bits_before_rounding(step, interpolation, seed):
    theirs, ours = both(RGB, seed, backend="pillow", interpolation=interpolation, **step)
    error = np.abs(np.clip(ours, 0, 255) - theirs)
    assert error.max() < (1.6 if interpolation == "bilinear" else 4)  # it clips between two passes
    assert error.mean() < 0.45
    assert np.abs((np.clip(ours, 0, 255) - theirs).mean()) < 0.05


def test_each_band_is_resized_as_if_it_were_alone():
    image = GENERATOR.random((40, 30, 7)).astype(np.float32) * 255
    ours = bands.resized(image, (16, 20), "bicubic")
    for number in range(7):
        alone = Image.fromarray(np.ascontiguousarray(image[..., number]))
        alone = np.asarray(alone.resize((16, 20), Image.Resampling.BICUBIC))
        assert (ours[..., number] == alone).all()


def operation(name, magnitude):
    hparams = {"img_mean": (7, 7, 7), "interpolation": Image.Resampling.BICUBIC}
    return auto_augment.AugmentOp(name, prob=1, magnitude=magnitude, hparams=hparams)


@pytest.mark.parametrize("magnitude", [1, 5, 9])
@pytest.mark.parametrize("name", sorted({*auto_augment._RAND_INCREASING_TRANSFORMS, "Posterize"}))
def test_an_operation_of_randaugment_is_that_of_8_bits(name, magnitude):
    if name == "ColorIncreasing":
        pytest.skip("it has no meaning for bands; grey stays grey")
    theirs, ours = operation(name, magnitude), operation(name, magnitude)
    bands.use_bands(ours, [7, 7, 7])
    for seed in range(4):
        seed_all([seed])
        expected = np.asarray(theirs(Image.fromarray(GREY))).astype(np.float32)
        seed_all([seed])
        found = ours(GREY.astype(np.float32))
        error = np.abs(np.clip(found, 0, 255) - expected)
        assert error.max() <= (1.6 if "Sharp" in name else 1.001), name  # it rounds twice
    if name not in ("AutoContrast", "Equalize", "PosterizeIncreasing"):
        assert (found != GREY).any()


def test_colour_is_left_out_of_randaugment():
    ours = operation("Color", 9)
    bands.use_bands(ours, [7] * 3)
    assert (ours(RGB.astype(np.float32)) == RGB).all()


@pytest.mark.parametrize("count", [1, 2, 4, 5, 16])
def test_randaugment_changes_any_number_of_bands_alike(count):
    """Equal bands stay equal, whatever is drawn."""
    image = np.repeat(RGB[..., :1], count, axis=2).astype(np.float32)
    augment = RandAugment(policy=POLICY, bands=[100.0] * count)
    changed = 0
    for seed in range(12):
        seed_all([seed])
        found = augment.transform({"img": image.copy()})["img"]
        assert found.dtype == np.float32
        assert found.shape == image.shape
        assert np.abs(found - found[..., :1]).max() < 1e-3
        changed += bool((found != image).any())
    assert changed > 6


def test_uncovered_borders_get_the_mean_of_each_band():
    ours = operation("TranslateXRel", 9)
    bands.use_bands(ours, [10.0, 20.0, 30.0, 40.0])
    found = ours(np.zeros((32, 32, 4), np.float32))
    assert {tuple(pixel) for pixel in found.reshape(-1, 4)} >= {(10, 20, 30, 40), (0, 0, 0, 0)}


def test_an_operation_without_a_rule_is_refused():
    strange = operation("Invert", 9)
    strange.aug_fn = lambda image: image
    with pytest.raises(BenchError, match="no rule for Invert on images"):
        bands.use_bands(strange, [0])


@pytest.mark.parametrize("seed", range(4))
def test_brightness_and_contrast_of_colorjitter(seed):
    theirs, ours = both(GREY, seed, type="ColorJitter", brightness=0.4, contrast=0.4)
    assert np.abs(theirs - ours).max() <= 3.001  # it rounds each change
    assert (ours != GREY).any()


def test_colorjitter_leaves_colours_alone():
    _, ours = both(GREY, type="ColorJitter", saturation=0.9, hue=0.4)
    assert (ours == GREY).all()


@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0])
def test_blur(radius):
    theirs, ours = both(RGB, type="GaussianBlur", radius=radius, prob=1)
    assert np.abs(theirs - ours).mean() < 1.5  # Pillow approximates the Gaussian by boxes
    assert np.abs(ours - RGB).mean() > np.abs(theirs - ours).mean()


def test_grayscale_is_the_mean_of_the_bands():
    image = GENERATOR.random((8, 8, 5)).astype(np.float32)
    step = {"type": "simmim_bench.RandomGrayscale", "prob": 1, "keep_channels": True}
    assert np.allclose(run(step, image), image.mean(axis=2, keepdims=True))
    assert (run({**step, "prob": 0}, image) == image).all()


@pytest.mark.parametrize("count", [1, 4, 6])
def test_erasing_draws_each_band_from_its_own_distribution(count):
    image = np.full((64, 64, count), 300, np.float32)
    mean = np.linspace(50, 200, count).tolist()
    step = {"type": "simmim_bench.RandomErasing", "mode": "rand", "erase_prob": 1.0}
    found = run({**step, "min_area_ratio": 0.3, "max_area_ratio": 0.4, "fill_color": mean,
                 "fill_std": [5.0] * count}, image)  # fmt: skip
    erased = found[(found != 300).all(axis=2)]
    assert len(erased) > 1000
    assert np.allclose(erased.mean(axis=0), mean, atol=1)
    assert len(np.unique(erased)) > 256  # not rounded


def test_photometric_distortion_changes_all_bands_alike():
    step = {"type": "simmim_bench.PhotoMetricDistortion"}
    image = np.repeat(RGB[..., :1], 5, axis=2).astype(np.float32)
    results = [run(step, image, seed) for seed in range(12)]
    assert all((found == found[..., :1]).all() for found in results)
    assert len({float(found.mean()) for found in results}) > 5
    assert all(found.min() >= 0 and found.max() <= 255 for found in results)


@pytest.mark.parametrize("count", [1, 2, 5, 16])
@pytest.mark.parametrize(
    "step",
    [
        {"type": "mmpretrain.RandomResizedCrop", "scale": 24, "interpolation": "bicubic"},
        {"type": "mmpretrain.Resize", "scale": (20, 30)},
        {"type": "mmpretrain.RandomFlip", "prob": 1.0},
        {"type": "mmpretrain.CenterCrop", "crop_size": 16},
        {"type": "mmpretrain.Solarize", "thr": 128, "prob": 1.0},
        {"type": "mmdet.Resize", "scale": (40, 60), "keep_ratio": True},
        {"type": "mmdet.RandomChoiceResize", "scales": [(40, 60)], "keep_ratio": True},
        {"type": "mmdet.RandomCrop", "crop_size": (16, 16)},
        {"type": "mmdet.RandomFlip", "prob": 1.0},
        {"type": "mmseg.RandomCrop", "crop_size": (16, 16)},
        {"type": "mmseg.RandomFlip", "prob": 1.0},
        {"type": "mmseg.RandomResize", "scale": (40, 60), "ratio_range": (0.5, 2.0),
         "keep_ratio": True},
    ],
    ids=str,
)  # fmt: skip
def test_steps_of_the_libraries_that_stay_treat_each_band_alike(step, count):
    """Of one band, OpenCV drops the axis; every later step and the packing accept that."""
    image = GENERATOR.random((48, 64, count)).astype(np.float32) * 255
    seed_all([3])
    whole = TRANSFORMS.build(step).transform(sample(image))["img"]
    whole = whole.reshape(*whole.shape[:2], -1)
    assert whole.dtype == np.float32
    for number in range(count):
        seed_all([3])
        one = np.repeat(image[..., number : number + 1], 3, axis=2)
        alone = TRANSFORMS.build(step).transform(sample(one))["img"]
        assert np.allclose(whole[..., number], alone[..., 0], atol=1e-3)


def sample(image):
    size = image.shape[:2]
    return {"img": image.copy(), "img_shape": size, "ori_shape": size, "scale": None,
            "gt_seg_map": np.zeros(size, np.uint8), "seg_fields": ["gt_seg_map"]}  # fmt: skip


@pytest.mark.parametrize("channels", [1, 4, 16])
def test_an_image_is_loaded_in_the_order_of_the_file(channels, tmp_path):
    values = GENERATOR.integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    np.save(tmp_path / "a.npy", values)
    found = LoadImage(channels=channels).transform({"img_path": str(tmp_path / "a.npy")})
    assert found["img"].dtype == np.float32
    assert found["img_shape"] == found["ori_shape"] == (20, 30)
    assert np.allclose(found["img"], values / 257)


def test_three_bands_are_loaded_as_bgr_with_or_without_a_range(tmp_path):
    path = str(tmp_path / "a.png")
    Image.fromarray(RGB).save(path)
    plain, scaled = LoadImage(), LoadImage(value_range=(0, 510))
    assert (plain.transform({"img_path": path})["img"] == RGB[..., ::-1]).all()
    assert plain.transform({"img_path": path})["img"].dtype == np.uint8
    found = scaled.transform({"img_path": path})["img"]
    assert found.dtype == np.float32
    assert (found == RGB[..., ::-1] / 2).all()


def test_a_file_with_other_bands_is_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 30, 5), np.uint8))
    with pytest.raises(BenchError, match=r"a.npy cannot be read \(it has 5 bands, expected 4;"):
        LoadImage(channels=4).transform({"img_path": str(tmp_path / "a.npy")})


@pytest.mark.parametrize("channels", [0, 17, "4", 2.0, True, None])
def test_a_number_of_channels_that_is_none(channels):
    with pytest.raises(BenchError, match="channels must be an integer from 1 to 16"):
        LoadImage(channels=channels)


@pytest.mark.parametrize("value_range", [(1, 0), (0, 0), (0,), 5, (0, np.inf), "ab", (0, np.nan)])
def test_a_range_that_is_none(value_range):
    with pytest.raises(BenchError, match="value_range must be two finite numbers, the lower one"):
        LoadImage(value_range=value_range)


def test_steps_are_replaced_by_ours_of_the_same_name_and_say_what_they_leave_out():
    kinds = [*COLOUR_STEPS, *PILLOW, "Resize"]
    steps = [{"type": kind, "backend": "pillow"} for kind in kinds]
    steps.append({"type": "RandomResizedCrop", "backend": "cv2"})
    said = use_band_steps(((step["type"], step) for step in steps), [1.0, 2.0])
    assert [step["type"] for step in steps] == [
        *(f"simmim_bench.{kind}" for kind in kinds[:-1]), "Resize", "RandomResizedCrop",
    ]  # fmt: skip
    assert steps[kinds.index("RandAugment")]["bands"] == [1.0, 2.0]
    assert "ColorJitter without saturation and hue, which need 8-bit RGB" in said
    assert "RandAugment without Color, which need 8-bit RGB" in said
    assert len(said) == 3
    for kind in kinds[:-1]:
        assert TRANSFORMS.get(f"simmim_bench.{kind}").__name__ == kind
