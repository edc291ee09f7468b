import numpy as np
import pytest
import torch
from mmpretrain.datasets.transforms import PackInputs
from torch.utils.data import DataLoader, Dataset

from simmim_bench.masking.base import draw_batch
from simmim_bench.masking.transform import GenerateMask
from simmim_bench.registry import TRANSFORMS


def build(seed=0, **options):
    return TRANSFORMS.build(
        {
            "type": "simmim_bench.GenerateMask",
            "mask_patch_size": 16,
            "mask_ratio": 0.6,
            "token_size": 4,
            "seed": seed,
            **options,
        }
    )


def mask_of(transform, index):
    results = {"img": np.zeros((64, 96, 3), np.uint8), "sample_idx": index}
    return transform(results)["mask"]


class Masks(Dataset):
    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return mask_of(self.transform, index)


def test_seed_epoch_and_index_decide_each_mask():
    first, again, other = build(seed=3), build(seed=3), build(seed=4)
    assert torch.equal(mask_of(first, 5), mask_of(again, 5))
    assert not torch.equal(mask_of(first, 5), mask_of(first, 6))
    assert not torch.equal(mask_of(first, 5), mask_of(other, 5))
    before = mask_of(first, 5)
    first.set_epoch(1)
    assert not torch.equal(mask_of(first, 5), before)
    first.set_epoch(0)
    assert torch.equal(mask_of(first, 5), before)


@pytest.mark.parametrize(("workers", "strategy"), [(1, "random"), (2, "random"), (2, "blockwise")])
def test_workers_that_outlive_an_epoch_give_the_masks_of_one_process(workers, strategy):
    transform, alone = build(strategy=strategy), build(strategy=strategy)
    loader = DataLoader(
        Masks(transform), batch_size=4, num_workers=workers, persistent_workers=True
    )
    for epoch in (0, 1, 2):
        transform.set_epoch(epoch)
        alone.set_epoch(epoch)
        together = torch.cat(list(loader))
        assert torch.equal(together, torch.stack([mask_of(alone, i) for i in range(12)]))


@pytest.mark.parametrize("strategy", ["random", "blockwise", "square", "grid"])
def test_a_batch_made_at_once_is_that_of_the_pipeline(strategy):
    transform = build(seed=7, strategy=strategy, mask_ratio=(0.4, 0.7))
    transform.set_epoch(2)
    words = [(7, 2, index) for index in range(6)]
    together = draw_batch(transform.strategy, (64, 96), words)
    assert torch.equal(together, torch.stack([mask_of(transform, index) for index in range(6)]))


def test_options_reach_the_strategy():
    assert build(strategy="blockwise", min_block=4).strategy.min_block == 4


def test_the_packed_sample_carries_the_mask():
    results = {"img": np.zeros((64, 96, 3), np.uint8), "sample_idx": 0}
    packed = PackInputs(algorithm_keys=["mask"])(build()(results))
    mask = packed["data_samples"].mask
    assert mask.dtype == torch.bool
    assert mask.shape == (16, 24)
    assert int(mask.sum()) == 15 * 16  # ceil(0.6 * 24) = 15 patches of 4 x 4 tokens


def test_a_negative_seed():
    with pytest.raises(ValueError, match="seed must be >= 0, got -1"):
        GenerateMask(mask_patch_size=16, mask_ratio=0.6, token_size=4, seed=-1)
