"""Features before a training: in the order of the images, whatever batch, sizes and workers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.logging import MMLogger
from torch import nn
from torch.utils.data import DataLoader

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.tasks.frozen_segmentation import FrozenSegmentor
from simmim_bench.training.hooks.features import _facts, _Part, _Reader, _sha256_of, restart
from tests.tasks.conftest import SWIN
from tests.tasks.test_frozen import HEAD, PREPROCESSOR, batch

SIZES = [(64, 64), (64, 64), (96, 64), (64, 64), (64, 64), (64, 64), (96, 64)]


class Images(torch.utils.data.Dataset):
    def __init__(self):
        self.data = batch(*SIZES)

    def __len__(self):
        return len(SIZES)

    def __getitem__(self, index):
        return {key: values[index] for key, values in self.data.items()}


@pytest.fixture
def model():
    torch.manual_seed(0)
    backbone = {**SWIN, "pad_small_map": True, "out_indices": (0, 1, 2, 3)}
    given = {"backbone": backbone, "data_preprocessor": PREPROCESSOR, "decode_head": HEAD}
    return MODELS.build({"type": "simmim_bench.FrozenSegmentor", **given}).eval()


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_are_in_the_order_of_the_images(model, workers):
    alone = _Reader(DataLoader(Images(), batch_size=1), model, training=False)
    loader = DataLoader(Images(), batch_size=4, num_workers=workers, shuffle=True)
    together = _Reader(loader, model, training=False)
    for chosen in (range(5), range(5, 7)):  # two shards
        found = list(together.samples(chosen))
        expected = list(alone.samples(chosen))
        assert [kept.facts["sample_idx"] for kept in found] == list(chosen)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.rows, other.rows, atol=1e-5)
            np.testing.assert_array_equal(one.target, other.target)
            assert one.facts == other.facts


def test_weights_are_told_apart_by_any_of_their_values():
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(one.state_dict())
    assert _sha256_of(one) == _sha256_of(other)
    with torch.no_grad():
        other.bias[1] = torch.nextafter(other.bias[1], torch.tensor(9.0))
    assert _sha256_of(one) != _sha256_of(other)


class Another(FrozenSegmentor):
    """Gives other features."""

    def __init__(self, like):
        self.__dict__ = like.__dict__

    def encode(self, images):
        return [2 * level for level in super().encode(images)]


def test_facts_are_those_of_the_images_and_not_of_the_place_or_the_seed(
    model, command_line, tmp_path
):
    (tmp_path / "train/a").mkdir(parents=True)
    (tmp_path / "val/a").mkdir(parents=True)
    words = ("configs/any/knn.py", "--from-scratch", "--data-root", tmp_path, "--num-classes", 1)
    cfg, _ = command_line(*words)
    cfg.model.backbone = {"type": "Some", "depth": 3}
    first = _facts(cfg, "train_dataloader", model, "w")
    cfg.train_dataloader.dataset.pipeline = [
        {"type": "simmim_bench.SeedSample", "seed": 5},
        *cfg.train_dataloader.dataset.pipeline,
    ]
    assert _facts(cfg, "train_dataloader", model, "w") == first
    assert str(tmp_path) not in str(first)
    cfg.model.backbone.depth = 4
    assert _facts(cfg, "train_dataloader", model, "w") != first
    before = _facts(cfg, "train_dataloader", model, "w")
    cfg.model.neck = {"type": "Another"}
    assert _facts(cfg, "train_dataloader", model, "w") != before
    before = _facts(cfg, "train_dataloader", model, "w")
    assert _facts(cfg, "train_dataloader", Another(model), "w") != before
    model.windows = {"size": 32, "stride": 16}
    assert _facts(cfg, "train_dataloader", model, "w") != before


def test_kept_features_of_other_images_or_code_are_refused(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loader = DataLoader(Images(), batch_size=4)

    def part(chosen):
        return _Part("val", loader, chosen, {"weights": "w"})

    first = part(model)
    first.replace(MMLogger.get_instance("features"))
    loader = DataLoader(Images(), batch_size=4)
    assert part(model).lacking == []
    with pytest.raises(BenchError, match=r"not those of these images and this code: image 0"):
        part(Another(model))


def test_memory_that_runs_out_is_said_of_the_features(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loader = DataLoader(Images(), batch_size=4)
    monkeypatch.setattr(_Reader, "samples", lambda *_: fail("CUDA out of memory"))
    with pytest.raises(BenchError, match=r"4 at a time; set a smaller val_dataloader.batch_size"):
        _Part("val", loader, model, {})


def fail(text):
    raise RuntimeError(text)


def test_a_loop_that_has_begun_reads_the_features():
    """As mmengine 0.10.7 begins when the loop is built."""
    loader = DataLoader([1, 2, 3, 4], sampler=InfiniteSampler([0] * 4, shuffle=False))
    begun = Begun(loader)
    assert int(next(begun._iterator)) == 1
    loop = SimpleNamespace(dataloader_iterator=begun, dataloader=loader)
    loader.__dict__["dataset"] = [10, 20, 30, 40]
    restart(loop)
    assert int(next(loop.dataloader_iterator._iterator)) == 10


class Begun:
    def __init__(self, loader):
        self._iterator = iter(loader)
