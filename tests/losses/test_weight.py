"""Weights of added losses: the schedules by hand, and from a run's iteration."""

import math

import pytest
from mmengine.logging import MessageHub

from simmim_bench.losses.weight import LossWeight, training_share


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", [2.0, 2.0, 2.0, 2.0]),
        ("linear", [1.0, 1.25, 1.5, 2.0]),
        ("cosine", [1.0, 1.5 - math.cos(math.pi / 4) / 2, 1.5, 2.0]),
    ],
)
def test_schedules_by_hand(schedule, wanted):
    weight = LossWeight(value=2.0, schedule=schedule, start=1.0, until=0.4)
    assert [weight.at(share) for share in (0, 0.1, 0.2, 0.4)] == pytest.approx(wanted)
    assert weight.at(0.9) == 2.0


def test_a_weight_may_fall():
    weight = LossWeight(value=0.0, schedule="cosine", start=1.0)
    found = [weight.at(share / 10) for share in range(11)]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (1.0, 0.0)


@pytest.fixture
def hub(request):
    return MessageHub.get_instance(f"weights of {request.node.name}")


def test_it_follows_the_iteration_of_the_run(hub):
    weight = LossWeight(value=1.0, schedule="linear", until=0.5)
    assert training_share() == 1.0  # outside a run
    assert weight() == 1.0
    hub.update_info("max_iters", 40)
    whole = []
    for iteration in range(40):
        hub.update_info("iter", iteration)
        whole.append(weight())
    assert whole == pytest.approx([min(k / 20, 1) for k in range(40)])
    resumed = LossWeight(value=1.0, schedule="linear", until=0.5)  # remembers nothing
    hub.update_info("iter", 13)
    assert resumed() == whole[13]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schedule": "step"}, "unknown schedule 'step'; known are: constant, linear, cosine"),
        ({"start": -1.0}, "not negative"),
        ({"until": 0.0}, r"until 0.0 is not in \(0, 1\]"),
    ],
)
def test_refused_values(values, message):
    with pytest.raises(ValueError, match=message):
        LossWeight(**{"value": 1.0, **values})
