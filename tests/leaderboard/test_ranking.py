"""Best, second, ties and mean ranks of a table."""

import pytest

from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.statistics import mean_rank_of, standing

KEY = ColumnKey("toy-detection", 1)


@pytest.fixture
def runs(make_simmim, toy):
    """Function: records of a method, one per value."""

    def make(method, values, **changes):
        return [
            make_simmim(
                seed,
                method=method,
                pretraining={**toy.pretraining(seed), "method": method},
                metrics={"box_ap": value, "mask_ap": 20.0},
                **changes,
            )
            for seed, value in enumerate(values)
        ]

    return make


def names(rows):
    return {row.method for row in rows}


def test_the_best_the_tied_and_the_second(runs):
    records = [
        *runs("good", [50.0, 51.0, 52.0]),
        *runs("alike", [49.0, 51.5, 50.0]),
        *runs("worse", [40.0, 40.5, 41.0]),
        *runs("worst", [30.0, 30.5, 31.0]),
    ]
    [table] = aggregate(records)
    place = standing(table, KEY, "box_ap")
    assert names(place.best) == {"good", "alike"}
    assert names(place.second) == {"worse"}
    shown = {
        row[0].text: (row[3].bold, row[3].second)
        for row in make_page(records).sections[0].grids[0].rows
    }
    assert shown["alike"] == (True, False)
    assert shown["worse"] == (False, True)


def test_single_runs_are_ranked_by_what_is_shown(runs):
    [table] = aggregate([*runs("a", [50.01]), *runs("b", [49.99]), *runs("c", [49.0])])
    place = standing(table, KEY, "box_ap")
    assert names(place.best) == {"a", "b"}
    assert names(place.second) == {"c"}


def test_deviating_runs_compete_with_their_like(runs):
    [table] = aggregate(
        [*runs("a", [50.0]), *runs("b", [40.0]), *runs("c", [60.0], deviations=["longer"])]
    )
    assert names(standing(table, KEY, "box_ap").best) == {"a"}


def test_cited_figures_compete_among_themselves(runs, make_published):
    def cited(method, value):
        origin = make_published().pretraining.as_json() | {"method": method}
        return make_published(method=method, pretraining=origin, metrics={"box_ap": value})

    [table] = aggregate(
        [*runs("a", [50.0]), *runs("b", [40.0]), cited("c", 60.0), cited("d", 55.0)]
    )
    place = standing(table, KEY, "box_ap")
    assert names(place.best) == {"a", "c"}
    assert names(place.second) == {"b", "d"}


def test_mean_ranks_need_complete_rows(runs, make_simmim, toy):
    def both(method, top1, box_ap):
        origin = {**toy.pretraining(), "method": method}
        other = make_simmim(
            method=method, pretraining=origin, protocol=toy.classification, metrics={"top1": top1}
        )
        return [other, *runs(method, [box_ap])]

    records = [*both("a", 80.0, 40.0), *both("b", 70.0, 50.0), *both("c", 60.0, 30.0)]
    [table] = aggregate([*records, *runs("partial", [99.0])])
    ranks = {row.method: rank for row, rank in mean_rank_of(table).items()}
    assert ranks == {"a": 1.5, "b": 1.5, "c": 3.0}
    [two] = aggregate(records[:4])
    assert mean_rank_of(two) == {}  # two rows: the figures say it
    headers = [f"{e.above} {e.text}" for e in make_page(records).sections[0].grids[0].headers]
    assert "mean rank" in headers
