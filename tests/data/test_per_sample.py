"""Augmentations depend on (seed, epoch, index), whoever makes them and whatever came before."""

import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader

from simmim_bench.data.image_folder import RepeatDataset, use_image_folder
from simmim_bench.data.transforms import EndlessSampler, SeedSample
from simmim_bench.training.hooks.steps import SeedHook, transforms_of

COUNT = 7


def draw_each(results):
    """A number of each generator, as augmentations take them."""
    return torch.tensor(
        [results["sample_idx"], random.random(), np.random.rand(), torch.rand(()).item()],
        dtype=torch.float64,
    )


class Numbers(BaseDataset):
    def load_data_list(self):
        return [{"number": index} for index in range(COUNT)]


def dataset(seed=0):
    return Numbers(pipeline=[SeedSample(seed=seed), draw_each])


def test_seed_epoch_and_index_decide_what_a_sample_draws():
    data, other = dataset(), dataset(seed=1)
    first = data[3]
    torch.rand(5), random.random(), np.random.rand()
    assert torch.equal(data[3], first)
    assert (data[4][1:] != first[1:]).all()
    assert (other[3][1:] != first[1:]).all()
    data.pipeline.transforms[0].set_epoch(1)
    assert (data[3][1:] != first[1:]).all()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_any_number_of_workers_draws_the_same_also_after_a_jump(workers):
    data = dataset()
    sampler = EndlessSampler(data, seed=5)
    sampler.skip(2 * 3)
    loader = DataLoader(data, batch_size=3, sampler=sampler, num_workers=workers)
    batches = [batch for batch, _ in zip(loader, range(5), strict=False)]
    whole = iter(EndlessSampler(data, seed=5))
    expected = [data[next(whole)] for _ in range((2 + 5) * 3)][2 * 3 :]
    assert torch.equal(torch.cat(batches), torch.stack(expected))


def test_a_second_lap_draws_anew():
    data = dataset()
    laps = [draw for _, draw in zip(range(2 * COUNT), EndlessSampler(data, seed=5), strict=False)]
    samples = torch.stack([data[index] for index in laps])
    first, second = samples[:COUNT], samples[COUNT:]
    order = [first[:, 0].argsort(), second[:, 0].argsort()]
    assert torch.equal(first[order[0], 0], second[order[1], 0])
    assert (first[order[0], 1:] != second[order[1], 1:]).all()


def test_repetitions_of_an_image_draw_anew():
    """In an epoch and in a loop without epochs."""
    config = {"type": "RepeatDataset", "times": 2, "dataset": {"type": "CustomDataset"}}
    use_image_folder(config)
    assert config["type"] == "simmim_bench.RepeatDataset"
    data = RepeatDataset(dataset=dataset(), times=2)
    assert len(data) == 2 * COUNT
    indices = [*range(2 * COUNT), *islice(EndlessSampler(data, seed=5), 2 * COUNT, 4 * COUNT)]
    samples = torch.stack([data[index] for index in indices])
    assert sorted(samples[:, 0].tolist()) == sorted([*range(COUNT)] * 4)
    assert len(samples[:, 1].unique()) == 4 * COUNT
    assert torch.equal(data[3], samples[3])


class Stage:
    """What the hook reads of a runner."""

    def __init__(self, data, iteration=0, epoch=0, seed=0):
        self.train_dataloader = type("Loader", (), {"dataset": data})
        self.iter, self.epoch, self.seed = iteration, epoch, seed
        self.model = self.train_loop = None


def test_the_model_draws_by_iteration():
    hook, drawn = SeedHook(), []
    for iteration in (0, 1, 0):
        hook.before_train_iter(Stage(None, iteration), 0)
        drawn.append((torch.rand(()).item(), np.random.rand(), random.random()))
    assert drawn[0] == drawn[2]
    assert all(a != b for a, b in zip(*drawn[:2], strict=True))


def test_wrapped_datasets_are_told_the_epoch():
    inner = [dataset(), dataset()]
    pair = type("Pair", (), {"datasets": inner})()
    wrapped = type("Wrapped", (), {"dataset": pair})()
    SeedHook().before_train_epoch(Stage(wrapped, epoch=4))
    assert [int(step._epoch) for data in inner for step in [*transforms_of(data)][:1]] == [4, 4]
