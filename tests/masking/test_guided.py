"""Masks that look at the image or its label map, by formulas of their own; ratio schedules."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from simmim_bench.masking.base import RatioSchedule
from simmim_bench.masking.guided import GuidedMask
from simmim_bench.masking.semantic import regions_of_patches
from simmim_bench.masking.strategies import build_strategy, for_evaluation, strategies
from simmim_bench.masking.transform import GenerateMask

sides = st.integers(1, 9)
ratios = st.floats(0.1, 0.9)
shares = st.floats(0, 1)
seeds = st.integers(0, 1000)
READING = sorted(name for name, kind in strategies().items() if kind.reads)


def build(name, patch=4, ratio=0.6, token=2, **options):
    return build_strategy(
        name, mask_patch_size=patch, mask_ratio=ratio, token_size=token, **options
    )


def sample(rows, columns, seed, patch=4):
    """Noise as the image, and rectangles of four classes, some pixels without one."""
    generator = np.random.default_rng([seed, 1])
    size = (rows * patch, columns * patch)
    classes = np.zeros(size, np.uint8)
    for label in (1, 2, 3, 255):
        top, left = (int(generator.integers(side)) for side in size)
        height, width = (int(generator.integers(1, 1 + side)) for side in size)
        classes[top : top + height, left : left + width] = label
    image = generator.integers(0, 256, (*size, 3)).astype(np.uint8)
    return {"img": image, "gt_seg_map": classes}


def draw(strategy, given_sample, seed):
    numbers = strategy.numbers(given_sample, np.random.default_rng(seed))
    return strategy.masks(given_sample["img"].shape[:2], torch.from_numpy(numbers)[None])[0]


def patches_of(mask, scale=2):
    rows, columns = mask.shape[0] // scale, mask.shape[1] // scale
    split = mask.reshape(rows, scale, columns, scale)
    assert torch.equal(split.any(3).any(1), split.all(3).all(1))  # no patch is split
    return split.all(3).all(1).numpy()


@settings(deadline=None)
@given(st.sampled_from(READING), sides, sides, ratios, seeds)
def test_whole_patches_and_the_ceiling_of_the_ratio(name, rows, columns, ratio, seed):
    found = patches_of(draw(build(name, ratio=ratio), sample(rows, columns, seed), seed))
    assert found.shape == (rows, columns)
    assert found.sum() == math.ceil(rows * columns * ratio)


@pytest.mark.parametrize("ratio", [n / 10 for n in range(1, 10)])
@pytest.mark.parametrize("name", sorted(strategies()))
def test_every_strategy_at_every_ratio(name, ratio):
    size = (64, 96)
    strategy, given_sample = build(name, 8, ratio), sample(8, 12, 3, patch=8)
    first, again, other = (draw(strategy, given_sample, seed) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    count, exact = int(patches_of(first, 4).sum()), math.ceil(8 * 12 * ratio - 1e-9)
    if name == "square":
        side = min(range(1, 20), key=lambda side: abs(side**2 - 96 * ratio))
        assert count == side**2 or (side > 8 and abs(count - 96 * ratio) <= 4)
    else:
        assert count == exact
    assert first.shape == (size[0] // 2, size[1] // 2)


@pytest.mark.parametrize("name", READING)
def test_a_batch_is_its_samples(name):
    strategy = build(name, ratio=(0.3, 0.8))
    samples = [sample(6, 5, seed) for seed in range(8)]
    rows = [strategy.numbers(s, np.random.default_rng(n)) for n, s in enumerate(samples)]
    together = strategy.masks((24, 20), torch.from_numpy(np.stack(rows)))
    alone = [draw(strategy, s, n) for n, s in enumerate(samples)]
    assert torch.equal(together, torch.stack(alone))


@pytest.mark.parametrize("name", READING)
def test_masks_are_made_where_their_numbers_are(name):
    """As on a GPU: no tensor is made on the default device."""
    strategy, given_sample = build(name), sample(6, 5, 2)
    numbers = torch.from_numpy(strategy.numbers(given_sample, np.random.default_rng(0)))[None]
    with torch.device("meta"):
        masks = strategy.masks((24, 20), numbers)
    assert torch.equal(masks[0], draw(strategy, given_sample, 0))


@settings(deadline=None)
@given(sides, sides, ratios, shares, seeds)
def test_the_share_of_the_highest_scores_is_hidden(rows, columns, ratio, guided, seed):
    patches = rows * columns
    strategy = GuidedMask(mask_patch_size=4, mask_ratio=ratio, token_size=4, guided=guided)
    generator = np.random.default_rng(seed)
    noise, score = strategy.noise((4 * rows, 4 * columns), generator), generator.random(patches)
    both = torch.from_numpy(np.concatenate([noise, score]))[None]
    hidden = strategy.masks((4 * rows, 4 * columns), both)[0].numpy().ravel()
    wanted = math.ceil(patches * ratio)
    best = set(np.argsort(-score)[: int(guided * wanted)])
    assert best <= set(np.flatnonzero(hidden))
    rest = [n for n in np.argsort(noise) if n not in best][: wanted - len(best)]
    assert set(np.flatnonzero(hidden)) == best | set(rest)


def test_equal_scores_are_drawn_evenly():
    strategy = GuidedMask(mask_patch_size=4, mask_ratio=0.5, token_size=4, guided=1.0)
    generator = np.random.default_rng(0)
    noise = torch.from_numpy(np.stack([strategy.noise((8, 16), generator) for _ in range(4000)]))
    masks = strategy.masks((8, 16), torch.cat([noise, torch.ones(4000, 8)], dim=1)).double()
    assert (masks.mean(0) - 0.5).abs().max() < 5 * math.sqrt(0.25 / 4000)


def test_edges_are_hidden_first():
    """A picture of one step: all of its energy lies in the patches along the step."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 13:] = 200
    mask = draw(build("edge", ratio=0.25, guided=0.5), {"img": image}, 0)
    assert patches_of(mask)[:, 3].all()
    grey = image.mean(2)
    padded = np.pad(grey, 1, mode="edge")
    across = sum(
        weight * (padded[row : row + 32, 2:] - padded[row : row + 32, :-2])
        for row, weight in enumerate((1, 2, 1))
    )
    energy = (across**2).reshape(8, 4, 8, 4).mean(axis=(1, 3)).ravel()
    numbers = build("edge").numbers({"img": image}, np.random.default_rng(0))
    assert np.allclose(numbers[64:], energy)


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(2, 9), ratios, shares, seeds)
@example(4, 2, 0.25, 0.9999999999999999, 0)
def test_whole_regions_are_hidden_while_they_fit(rows, columns, ratio, region_share, seed):
    """The greedy choice, written as a loop over one image's regions."""
    strategy, given_sample = (
        build("semantic", ratio=ratio, region_share=region_share),
        sample(rows, columns, seed),
    )
    regions = regions_of_patches(given_sample["gt_seg_map"], 4).ravel()
    numbers = strategy.numbers(given_sample, np.random.default_rng(seed))
    by_region, order, found = numbers.reshape(3, -1)
    assert (found == regions).all()
    wanted = math.ceil(rows * columns * ratio)
    room, taken = int(region_share * wanted), set()
    for place in np.argsort(by_region[: regions.max()]):
        size = int((regions == place + 1).sum())
        if size <= room:
            taken.add(place + 1)
            room -= size
    key = order - np.isin(regions, sorted(taken))
    expected = np.zeros(len(key), bool)
    expected[np.argsort(key)[:wanted]] = True
    hidden = patches_of(draw(strategy, given_sample, seed)).ravel()
    assert (hidden == expected).all()
    assert hidden[np.isin(regions, sorted(taken))].all()


def test_connected_parts_of_one_class_are_regions_and_a_thin_one_owns_its_patches():
    classes = np.ones((16, 16), np.uint8)
    classes[:, 0] = 2  # a quarter of the first column of patches
    classes[4:8, 12:] = 3
    classes[12:, 12:] = 3  # another object of the class
    classes[12:, 4:8] = 255
    found = regions_of_patches(classes, 4)
    assert len(set(found[:, 0])) == 1
    assert found[3, 1] == 0
    assert found[1, 3] != found[3, 3]
    assert found[0, 1] == found[2, 2] == found[0, 3]
    assert set(found.ravel()) == {0, 1, 2, 3, 4}


def test_a_region_that_does_not_fit_is_left_to_chance():
    given_sample = {"img": np.zeros((32, 32, 3), np.uint8), "gt_seg_map": np.ones((32, 32))}
    found = np.stack(
        [patches_of(draw(build("semantic", ratio=0.5), given_sample, n)) for n in range(600)]
    )
    assert np.abs(found.mean(0) - 0.5).max() < 5 * math.sqrt(0.25 / 600)


def test_what_a_reading_strategy_lacks():
    image = np.zeros((32, 32, 3), np.uint8)
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"size \(32, 32\), got none; use a dataset with"):
        build("semantic").numbers({"img": image}, generator)
    with pytest.raises(ValueError, match=r"got \(30, 32\)"):
        build("semantic").numbers({"img": image, "gt_seg_map": np.ones((30, 32))}, generator)
    with pytest.raises(ValueError, match="EdgeMask needs 64 random numbers and 64 scores, got 64"):
        build("edge")((32, 32), generator)
    with pytest.raises(ValueError, match="need 128 random numbers and 64 regions, got 128"):
        build("semantic")((32, 32), generator)
    with pytest.raises(ValueError, match=r"guided must be in \[0, 1\], got 1.5"):
        build("edge", guided=1.5)
    with pytest.raises(ValueError, match=r"region_share must be in \[0, 1\], got -1"):
        build("semantic", region_share=-1)


def test_the_ratio_of_each_epoch():
    schedule = RatioSchedule(start=0.2, end=0.6, epochs=4)
    assert [schedule.at(n) for n in range(7)] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6])
    with pytest.raises(ValueError, match=r"end of a .* schedule must be in \(0, 1\), got 1.0"):
        RatioSchedule(start=0.2, end=1.0, epochs=4)
    with pytest.raises(ValueError, match="epochs of a mask ratio schedule must be >= 1, got 0"):
        RatioSchedule(start=0.2, end=0.6, epochs=0)


class Masks(Dataset):
    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return 6

    def __getitem__(self, index):
        results = self.transform({**sample(10, 10, index), "sample_idx": index})
        return results["mask"], results["seed_key"]


@pytest.mark.parametrize("name", ["random", "edge", "semantic"])
def test_a_schedule_is_the_same_in_workers_that_outlive_an_epoch(name):
    options = {
        "mask_patch_size": 4, "mask_ratio": 0.6, "token_size": 4, "seed": 9, "strategy": name,
        "schedule": {"start": 0.2, "epochs": 2},
    }  # fmt: skip
    transform, alone = GenerateMask(**options), GenerateMask(**options)
    loader = DataLoader(Masks(transform), batch_size=3, num_workers=2, persistent_workers=True)
    for epoch, ratio in enumerate((0.2, 0.4, 0.6, 0.6)):
        transform.set_epoch(epoch)
        masks, words = (torch.cat(parts) for parts in zip(*loader, strict=True))
        assert masks.sum(dim=(1, 2)).tolist() == [math.ceil(100 * ratio)] * 6
        assert words.tolist() == [[9, epoch, index] for index in range(6)]
        fresh = GenerateMask(**options)  # a resumed run
        fresh.set_epoch(epoch)
        alone.set_epoch(epoch)
        for index, mask in enumerate(masks):
            assert torch.equal(mask, Masks(fresh)[index][0])
            assert torch.equal(mask, Masks(alone)[index][0])


def test_schedules_that_are_refused():
    options = {"mask_patch_size": 4, "token_size": 4}
    with pytest.raises(ValueError, match=r"must be one number .* got the range \(0.4, 0.6\)"):
        GenerateMask(mask_ratio=(0.4, 0.6), schedule={"start": 0.2, "epochs": 2}, **options)
    with pytest.raises(ValueError, match=r"schedule of the mask ratio: .*begin"):
        GenerateMask(mask_ratio=0.6, schedule={"begin": 0.2, "epochs": 2}, **options)


def test_images_are_painted_under_random_masks_of_the_final_ratio():
    step = {
        "type": "simmim_bench.GenerateMask", "mask_patch_size": 4, "mask_ratio": 0.6,
        "token_size": 4, "schedule": {"start": 0.2, "epochs": 2},
    }  # fmt: skip
    plain = {key: value for key, value in step.items() if key != "schedule"}
    assert for_evaluation(step) == plain
    assert for_evaluation({**step, "strategy": "edge", "guided": 1.0}) == plain
    stripes = {**plain, "strategy": "stripes", "direction": "vertical"}
    assert for_evaluation(stripes) == stripes
