"""The sampler of loops over iterations: upstream's order, laps, and the jump on resuming."""

import itertools

from mmengine.dataset import InfiniteSampler

from simmim_bench.registry import DATA_SAMPLERS


def build(size=5):
    return DATA_SAMPLERS.build(
        {"type": "simmim_bench.EndlessSampler", "dataset": range(size), "seed": 3}
    )


def take(sampler, count):
    return list(itertools.islice(sampler, count))


def test_order_is_upstreams_and_laps_are_counted():
    draws = take(build(), 12)
    assert draws == take(InfiniteSampler(range(5), seed=3), 12)
    assert [draw.lap for draw in draws] == [0] * 5 + [1] * 5 + [2] * 2
    assert sorted(draws[:5]) == list(range(5))


def test_a_jump_lands_on_index_and_lap():
    jumped = build()
    jumped.skip(7)
    rest, whole = take(jumped, 6), take(build(), 13)[7:]
    assert rest == whole
    assert [draw.lap for draw in rest] == [draw.lap for draw in whole]
