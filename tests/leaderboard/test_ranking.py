"""Best rows, rows that are not told apart, and mean ranks of a table."""

import pytest
from scipy import stats

from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.ranks import Ranking, alike, critical_difference, rankings
from simmim_bench.leaderboard.statistics import (
    gains_of,
    least_differences,
    noise_of,
    standing,
)

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
    [told] = [note.text for note in section.notes if "significant" in note.text]
    least = noise_of(table, KEY, "box_ap").least_difference(3, 4)
    assert told.endswith(f"in points: detection APᵇᵒˣ ¹ {least:.1f} (3 seeds)")


def test_cited_rows_do_not_change_what_is_told_apart(runs, make_published, toy):
    measured = [*runs("good", [50.0, 51.0, 52.0]), *runs("worse", [40.0, 40.5, 41.0])]
    cited = [
        make_published(
            method=f"cited{n}",
            pretraining={
                **toy.pretraining(seed=None, checkpoint_sha256=None),
                "method": f"cited{n}",
            },
            metrics={"box_ap": 60.0 + n, "mask_ap": 20.0},
        )
        for n in range(8)
    ]
    [alone], [beside] = aggregate(measured), aggregate([*measured, *cited])
    assert len(beside.rows) == 10
    assert least_differences(beside) == least_differences(alone)


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
    assert not any("significant" in note.text for note in section.notes)


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
    [ranking] = rankings(table)
    assert names(ranking.rows) == {"a", "b", "c"}
    assert ranking.means == (1.5, 1.5, 3.0)
    assert ranking.intervals == ((1.0, 2.0), (1.0, 2.0), (3.0, 3.0))  # of single runs: the tasks
    [two] = aggregate(records[:4])
    assert rankings(two) == []  # two rows: the figures say it
    headers = [f"{e.above} {e.text}" for e in make_page(records).sections[0].grids[0].headers]
    assert "mean rank" in headers


def test_runs_of_another_precision_are_not_ranked_with_the_others(make_simmim, toy):
    def both(method, value, precision):
        common = {
            "method": method,
            "pretraining": {**toy.pretraining(), "method": method},
            "precision": precision,
        }
        return [
            make_simmim(protocol=toy.classification, metrics={"top1": value}, **common),
            make_simmim(metrics={"box_ap": value, "mask_ap": 20.0}, **common),
        ]

    halves = [each for n, method in enumerate("abc") for each in both(method, 50.0 + n, "float16")]
    [table] = aggregate([*halves, *both("d", 99.0, "float32")])
    [ranking] = rankings(table)
    assert [row.method for row in ranking.rows] == ["c", "b", "a"]


def test_methods_are_ranked_within_their_backbone(make_simmim, toy):
    records = [
        make_simmim(seed, method=method, backbone=backbone,
                    pretraining={**toy.pretraining(seed), "method": method},
                    protocol=protocol,
                    metrics=dict.fromkeys(protocol["metrics"], value + bonus + seed))
        for backbone, bonus in {"small": 0, "large": 40}.items()
        for method, value in {"a": 10.0, "b": 11.5, "c": 30.0}.items()
        for protocol in (toy.classification, toy.protocol())
        for seed in range(3)
    ]  # fmt: skip
    [table] = aggregate(records)
    found = {ranking.backbone: ranking for ranking in rankings(table)}
    assert set(found) == {"small", "large"}
    for ranking in found.values():
        assert [row.method for row in ranking.rows] == ["c", "b", "a"]
        assert ranking.means == (1.0, 2.0, 3.0)
        best, middle, last = ranking.intervals
        assert best == (1.0, 1.0)  # far above the noise between seeds
        assert middle[0] == 2.0 < middle[1]  # within it
        assert last[0] < 3.0
        assert ranking.p == pytest.approx(1 / 6)  # one of the 3! orders of the second task
        assert not ranking.can_tell_apart  # two tasks are too few, whatever the ranks


def test_cited_rows_are_not_ranked(make_simmim, make_record, make_published, toy):
    protocols = (toy.classification, toy.protocol())
    records = [
        make(protocol=protocol, metrics=dict.fromkeys(protocol["metrics"], 10.0))
        for make in (make_simmim, make_record, make_published)
        for protocol in protocols
    ]
    [table] = aggregate(records)
    assert len(table.rows) == 3
    assert rankings(table) == []


def test_critical_differences_are_demsars():
    """Table 5 of the paper has the quantiles: 2.343 for 3 methods, 3.164 for 10."""
    assert critical_difference(3, 6) == pytest.approx(2.343 * (12 / 36) ** 0.5, abs=1e-3)
    assert critical_difference(10, 5) == pytest.approx(3.164 * (110 / 30) ** 0.5, abs=2e-3)


def test_runs_of_alike_methods_are_as_long_as_possible():
    ranking = Ranking("b", (), (1.0, 1.5, 2.5, 4.0, 9.0), (), 9, 1.5, 0.01)
    assert list(alike(ranking)) == [(0, 2), (2, 3)]


def test_gains_have_dunnetts_intervals(runs, make_record):
    """Against scipy, which estimates one variance for all rows, as we do where they vary alike."""
    values = {"a": [50.0, 51.0, 52.0], "b": [40.0, 41.5, 42.5], "scratch": [30.0, 31.2, 32.0]}
    control = [
        make_record(seed=seed, metrics={"box_ap": value, "mask_ap": 20.0})
        for seed, value in enumerate(values["scratch"])
    ]
    repeated = [record for name in "ab" for record in runs(name, values[name])]
    [table] = aggregate([*control, *repeated, *runs("single", [70.0])])
    found = {row.method: gain for row, gain in gains_of(table, KEY, "box_ap").items()}
    wanted = stats.dunnett(values["a"], values["b"], control=values["scratch"], rng=1)
    interval = wanted.confidence_interval()
    for number, name in enumerate("ab"):
        assert found[name].interval == pytest.approx(
            (interval.low[number], interval.high[number]), abs=0.03
        )
        assert found[name].is_sure
    assert found["single"].points == pytest.approx(70 - sum(values["scratch"]) / 3)
    assert (found["single"].interval, found["single"].is_sure) == (None, False)
