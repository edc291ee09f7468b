"""Growing histories against mmengine's own, and when they wait for the device."""

import copy
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import OptimWrapper

from simmim_bench.training import history
from simmim_bench.training.history import GrowingHistory, LazyMessageHub, Unread
from simmim_bench.training.runner import BenchRunner
from simmim_bench.weights.files import load_checkpoint

STATISTICS = ("mean", "max", "min", "current")
MIXED = (1, 2.5, True, np.float64(3.25), float("inf"), -4)


def both(values, counts=None, **options):
    counts = counts or [1] * len(values)
    pair = HistoryBuffer(**options), GrowingHistory(**options)
    for each in pair:
        for value, count in zip(values, counts, strict=True):
            each.update(value, count)
    return pair


def same(theirs, ours):
    for mine, other in zip(ours.data, theirs.data, strict=True):
        np.testing.assert_array_equal(mine, other)
        assert mine.dtype == other.dtype
    for name in STATISTICS:
        found, expected = ours.statistics(name), theirs.statistics(name)
        assert type(found) is type(expected)
        np.testing.assert_equal(found, expected)
        if name != "current":
            np.testing.assert_equal(ours.statistics(name, 3), theirs.statistics(name, 3))


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1500])
def test_statistics_equal_those_of_mmengine_at_every_length(count):
    values = np.random.default_rng(count).normal(size=count).tolist()
    same(*both(values))


def test_values_and_counts_of_several_types_have_the_types_of_mmengine():
    for length in range(1, len(MIXED) + 1):
        same(*both(MIXED[:length], [2, 3, 1, 2.5, 1, 1][:length]))


@pytest.mark.parametrize("extra", [0, 1, 300, 1234])
def test_only_the_latest_values_are_kept_and_the_memory_is_bounded(extra):
    values = np.arange(300.0 + extra).tolist()
    theirs, ours = both(values, max_length=300)
    same(theirs, ours)
    assert len(ours.logs) <= 2 * 300


def test_arrays_that_were_given_away_do_not_change():
    ours = GrowingHistory([1.0], [1])
    kept = []
    for step in range(600):
        kept.append(ours.data[0])
        ours.update(float(step))
    assert all(len(values) == at + 1 for at, values in enumerate(kept))
    np.testing.assert_array_equal(kept[-1], ours.data[0][:600])


def test_what_is_no_number_is_refused_and_leaves_the_history_as_it_was():
    ours = GrowingHistory([1.0], [1])
    for value, count in (("1", 1), (1.0, "1"), (None, 1)):
        with pytest.raises(TypeError, match="must be int or float"):
            ours.update(value, count)
    same(HistoryBuffer([1.0], [1]), ours)


def through_a_pickle(each):
    return pickle.loads(pickle.dumps(each))  # noqa: S301  (of this test)


@pytest.mark.parametrize("copied", [copy.deepcopy, through_a_pickle])
def test_copies_are_of_mmengines_class(copied):
    theirs, ours = both([1.0, 2.0, 5.0])
    found = copied(ours)
    assert type(found) is HistoryBuffer
    same(theirs, found)


def test_tensors_are_read_together_and_only_when_a_history_is_read(monkeypatch):
    reads = []
    read = Unread.read
    monkeypatch.setattr(Unread, "read", lambda self: (reads.append(1), read(self)))
    unread = Unread()
    loss, norm, lr = (GrowingHistory(unread=unread) for _ in range(3))
    for step in range(40):
        loss.update(torch.tensor(float(step)))
        norm.update(torch.tensor(2.0 * step, dtype=torch.bfloat16))
        lr.update(0.5)
        assert lr.current() == 0.5
    assert not reads
    assert loss.mean(10) == np.arange(30.0, 40.0).mean()
    assert reads == [1]
    np.testing.assert_array_equal(norm.data[0], 2.0 * np.arange(40))
    assert reads == [1]


def test_few_tensors_wait(monkeypatch):
    monkeypatch.setattr(history, "MOST_UNREAD", 7)
    unread = Unread()
    loss = GrowingHistory(unread=unread, max_length=5)
    for step in range(400):
        loss.update(torch.tensor(float(step)))
        assert len(unread.waiting) < 7
    np.testing.assert_array_equal(loss.data[0], np.arange(395.0, 400.0))


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(MessageHub, "_instance_dict", {})
    LazyMessageHub.install("run")
    return MessageHub.get_current_instance()


def test_the_hub_is_the_one_that_mmengine_finds(hub):
    assert type(hub) is LazyMessageHub
    LazyMessageHub.install("run")
    assert MessageHub.get_instance("run") is hub


def test_a_logged_tensor_may_change_afterwards(hub, monkeypatch):
    monkeypatch.setattr(history, "waits", lambda value: value.is_floating_point())
    value = torch.tensor([0.5], requires_grad=True)
    for _ in range(3):
        hub.update_scalar("train/loss", value)
        with torch.no_grad():
            value += 1
    hub.update_scalars({"train/n": torch.tensor(3), "train/acc": {"value": 0.25, "count": 4}})
    np.testing.assert_array_equal(hub.get_scalar("train/loss").data[0], [0.5, 1.5, 2.5])
    assert hub.get_scalar("train/n").data[0].dtype == np.int64
    assert hub.get_scalar("train/acc").mean() == 0.0625


def test_a_resumed_hub_continues_a_checkpoint_of_mmengines_hub(hub, tmp_path):
    stock = MessageHub("stock")
    for step in range(3):
        stock.update_scalar("train/loss", step / 2)
    torch.save({"message_hub": stock.state_dict()}, tmp_path / "epoch_1.pth")
    hub.load_state_dict(load_checkpoint(tmp_path / "epoch_1.pth")["message_hub"])
    for each in (stock, hub):
        each.update_scalar("train/loss", 7.0)
    assert isinstance(hub.get_scalar("train/loss"), GrowingHistory)
    same(stock.get_scalar("train/loss"), hub.get_scalar("train/loss"))
    torch.save({"message_hub": hub.state_dict()}, tmp_path / "epoch_2.pth")
    kept = load_checkpoint(tmp_path / "epoch_2.pth")["message_hub"]["log_scalars"]["train/loss"]
    assert type(kept) is HistoryBuffer
    same(stock.get_scalar("train/loss"), kept)


def test_the_norm_of_the_gradients_is_logged_once_a_step_as_mmengine_does(hub, monkeypatch):
    weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=0.0), clip_grad={"max_norm": 1.0})
    runner = object.__new__(BenchRunner)
    runner.build_optim_wrapper(runner.build_optim_wrapper(wrapper))  # again where a run is resumed
    waiting = []
    monkeypatch.setattr(history, "waits", lambda value: bool(waiting.append(value)) or True)
    for _ in range(2):
        wrapper.update_params((weight**2).sum() / 2)
    np.testing.assert_allclose(hub.get_scalar("train/grad_norm").data[0], [5.0, 5.0], rtol=1e-6)
    assert len(waiting) == 2
    limit = {"type": "value", "clip_value": 1.0}
    plain = OptimWrapper(torch.optim.SGD([weight], lr=0.0), clip_grad=limit)
    runner.build_optim_wrapper(plain).update_params((weight**2).sum())
    assert "train/grad_value" not in hub.log_scalars
