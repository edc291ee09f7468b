"""Best rows, rows that are not told apart, and mean ranks of a table."""

import pytest

from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.statistics import mean_rank_of, noise_of, standing

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


def test_the_best_and_what_is_not_told_apart(runs):
    records = [
        *runs("good", [50.0, 51.0, 52.0]),
        *runs("alike", [49.0, 51.5, 50.0]),
        *runs("worse", [40.0, 40.5, 41.0]),
        *runs("lucky", [30.0]),
    ]
    [table] = aggregate(records)
    place = standing(table, KEY, "box_ap")
    assert names(place.best) == {"good"}
    assert names(place.near) == {"alike", "lucky"}  # of a single run nothing is known
    assert (names(place.top), place.rivals) == (set(), 4)
    section = make_page(records).sections[0]
    shown = {row[0].text: (row[3].bold, row[3].near) for row in section.grids[0].rows}
    assert shown["good"] == (True, False)
    assert shown["alike"] == (False, True)
    assert shown["worse"] == (False, False)
    [told] = [note.text for note in section.notes if "told apart" in note.text]
    least = noise_of(table, KEY, "box_ap").least_difference(3, 4)
    assert told.endswith(f"in points: detection APᵇᵒˣ ¹ {least:.1f} (3 seeds)")


def test_a_single_run_may_be_best_and_beats_nobody(runs):
    [table] = aggregate([*runs("a", [60.0]), *runs("b", [50.0, 50.1]), *runs("c", [30.0, 30.1])])
    place = standing(table, KEY, "box_ap")
    assert (names(place.best), names(place.near)) == ({"a"}, {"b", "c"})


def test_methods_compete_within_their_backbone(runs):
    records = [
        *runs("a", [50.0, 50.2]), *runs("b", [40.0, 40.2]),
        *runs("a", [60.0, 60.2], backbone="large"), *runs("b", [70.0, 70.2], backbone="large"),
    ]  # fmt: skip
    [table] = aggregate(records)
    place = standing(table, KEY, "box_ap")
    assert {(row.method, row.backbone) for row in place.best} == {("a", "swin-toy"), ("b", "large")}
    assert {(row.method, row.backbone) for row in place.top} == {("b", "large")}
    assert place.near == frozenset()


def test_single_runs_are_ranked_by_what_is_shown(runs):
    [table] = aggregate([*runs("a", [50.01]), *runs("b", [49.99]), *runs("c", [49.0])])
    place = standing(table, KEY, "box_ap")
    assert names(place.best) == {"a", "b"}
    assert names(place.near) == set()  # nobody knows the noise
    [section] = make_page([*runs("a", [50.01]), *runs("b", [49.99])]).sections
    assert not any("told apart" in note.text for note in section.notes)


def test_deviating_runs_compete_with_their_like(runs):
    [table] = aggregate(
        [*runs("a", [50.0]), *runs("b", [40.0]), *runs("c", [60.0], deviations=["longer"])]
    )
    assert names(standing(table, KEY, "box_ap").best) == {"a"}


def test_cited_figures_compete_among_themselves(runs, make_published):
    def cited(method, value, **changes):
        origin = make_published().pretraining.as_json() | {"method": method}
        return make_published(
            method=method, pretraining=origin, metrics={"box_ap": value}, **changes
        )

    others = [cited("c", 60.0), cited("d", 55.0, deviations=["longer"], backbone="large")]
    [table] = aggregate([*runs("a", [50.0, 50.2]), *runs("b", [40.0, 40.2]), *others])
    place = standing(table, KEY, "box_ap")
    assert names(place.best) == {"a", "c"}
    assert (names(place.near), names(place.top)) == (set(), set())


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
