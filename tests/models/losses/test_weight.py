"""Weights of added losses: the schedules by hand, and from a run's iteration."""

import math

import pytest
from mmengine.logging import MessageHub

from simmim_bench.models.losses.weight import LossWeight, training_share


def test_a_constant_weight_is_what_is_given():
    assert [LossWeight(value=2.0).at(share) for share in (0, 0.5, 1)] == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
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
        ({"schedule": "linear", "start": -1.0}, "finite and >= 0, got start=-1.0, value=1.0"),
        ({"schedule": "linear", "start": math.nan}, "got start=nan, value=1.0"),
        ({"value": math.nan}, "got start=0.0, value=nan"),
        ({"value": math.inf}, "got start=0.0, value=inf"),
        ({"schedule": "cosine", "until": 0.0}, r"in \(0, 1\], got 0.0"),
        ({"schedule": "cosine", "until": math.nan}, r"in \(0, 1\], got nan"),
        ({"start": 5.0, "until": 0.2}, "a constant weight has .* got start=5.0, until=0.2"),
        (
            {"schedule": "constant", "until": 0.2},
            "constant weight has .* got start=None, until=0.2",
        ),
    ],
)
def test_refused_values(values, message):
    with pytest.raises(ValueError, match=message):
        LossWeight(**{"value": 1.0, **values})
