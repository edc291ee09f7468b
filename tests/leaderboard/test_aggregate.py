import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import aggregate, summarise
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.statistics import gains_of

KEY = ColumnKey("toy-detection", 1)


def metrics(box, mask=20.0):
    return {"box_ap": float(box), "mask_ap": mask}


def rows_of(*records):
    (table,) = aggregate(records)
    return {row.method: row for row in table.rows}


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_mean_and_sample_deviation(values):
    stat = summarise(values)
    assert stat.n == len(values)
    mean = sum(map(float, values)) / len(values)
    assert math.isclose(stat.mean, mean, abs_tol=1e-9)
    if len(values) == 1:
        assert stat.sd is None
    else:
        squares = sum((value - mean) ** 2 for value in values)
        assert math.isclose(stat.sd, math.sqrt(squares / (len(values) - 1)), abs_tol=1e-6)
        assert math.isclose(stat.sd, statistics.stdev(values), abs_tol=1e-9)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_a_cell_is_the_mean_over_seeds(make_simmim, values):
    records = [make_simmim(seed, metrics=metrics(value)) for seed, value in enumerate(values)]
    stat = rows_of(*records)["simmim"].cells[KEY].metrics["box_ap"]
    assert stat == summarise(values)


def test_smoke_and_full_never_meet(make_record):
    records = [make_record(seed=seed, kind=kind) for seed in range(2) for kind in ("smoke", "full")]
    full, smoke = aggregate(records)
    assert (full.kind, smoke.kind) == ("full", "smoke")
    assert [table.rows[0].cells[KEY].metrics["box_ap"].n for table in (full, smoke)] == [2, 2]
    assert full.superseded == smoke.superseded == 0


def test_versions_of_a_protocol_are_columns_of_their_own(make_record, toy):
    old = make_record(metrics=metrics(10))
    new = make_record(metrics=metrics(30), protocol=toy.protocol(version=2, epochs=9))
    (table,) = aggregate([old, new])
    (row,) = table.rows
    assert list(table.columns) == [KEY, ColumnKey("toy-detection", 2)]
    assert [cell.metrics["box_ap"].mean for cell in row.cells.values()] == [10, 30]


def test_a_missing_task_is_missing(make_record, make_simmim, toy):
    records = [
        make_record(),
        make_simmim(),
        make_simmim(protocol=toy.classification, metrics={"top1": 80.0}),
    ]
    (table,) = aggregate(records)
    scratch, simmim = table.rows
    assert list(table.columns) == [ColumnKey("toy-classification", 1), KEY]
    assert set(scratch.cells) == {KEY}
    assert set(simmim.cells) == set(table.columns)


def test_published_is_never_averaged_with_measured(make_simmim, make_published):
    (table,) = aggregate([make_simmim(metrics=metrics(40)), make_published(metrics=metrics(60))])
    found = {row.provenance.kind: row.cells[KEY].metrics["box_ap"] for row in table.rows}
    assert found["measured"].mean == 40
    assert found["published"].mean == 60
    assert found["measured"].n == found["published"].n == 1


@pytest.mark.parametrize("changes", [{"epochs": 10}, {"image_size": 128}, {"dataset": "others"}])
def test_other_pretrainings_are_other_rows(make_simmim, toy, changes):
    (table,) = aggregate([make_simmim(), make_simmim(pretraining=toy.pretraining(**changes))])
    assert [row.cells[KEY].metrics["box_ap"].n for row in table.rows] == [1, 1]


def test_runs_with_other_deviations_are_not_averaged(make_record):
    clean = [make_record(seed=seed, metrics=metrics(40)) for seed in range(2)]
    changed = make_record(seed=2, metrics=metrics(90), deviations=["override lr=1"])
    (table,) = aggregate([changed, *clean])
    first, second = (row.cells[KEY] for row in table.rows)
    assert (first.deviations, first.metrics["box_ap"].mean) == ((), 40)
    assert (second.deviations, second.metrics["box_ap"].mean) == (("override lr=1",), 90)


def test_a_protocol_that_changed_without_a_version_is_refused(make_record, make_simmim, toy):
    other = make_simmim(protocol=toy.protocol(epochs=12))
    with pytest.raises(BenchError, match="epochs: 3 and 12") as refused:
        aggregate([make_record(), other])
    assert "toy-detection@1" in str(refused.value)
    assert "raise the version" in str(refused.value)


def test_older_records_of_a_seed_or_config_are_superseded(make_record, toy):
    config = {"path": "configs/toy.py", "sha256": toy.sha("old config")}
    day = "2025-02-0{}T00:00:00+00:00".format
    old_seed = make_record(config=config, date=day(1), metrics=metrics(1))
    old_config = make_record(seed=7, config=config, date=day(1), metrics=metrics(1))
    new = [make_record(seed=seed, date=day(2), metrics=metrics(40 + seed)) for seed in range(2)]
    for records in ([old_seed, old_config, *new], [*new, old_config, old_seed]):
        (table,) = aggregate(records)
        assert table.rows[0].cells[KEY].metrics["box_ap"] == summarise([40.0, 41.0])
        assert table.superseded == 2


def test_one_seed_of_a_new_config_hides_nothing(make_record, toy):
    config = {"path": "configs/toy.py", "sha256": toy.sha("new config")}
    known = [make_record(seed=seed, metrics=metrics(40 + seed)) for seed in range(2)]
    later = {"config": config, "date": "2025-03-01T00:00:00+00:00"}
    new = [make_record(seed=seed, metrics=metrics(80), **later) for seed in range(2)]
    (table,) = aggregate([*known, new[0]])
    assert table.rows[0].cells[KEY].metrics["box_ap"] == summarise([40.0, 41.0])
    assert table.superseded == 1
    (table,) = aggregate([*known, *new])
    assert table.rows[0].cells[KEY].metrics["box_ap"] == summarise([80.0, 80.0])


def test_seeds_of_two_pretraining_configs_are_not_averaged(make_simmim, toy):
    def run(seed, config, day, *overrides):
        used = {"path": "configs/pre.py", "sha256": toy.sha(config), "overrides": list(overrides)}
        date = f"2025-02-0{day}T00:00:00+00:00"
        value = metrics(10 * day + seed)
        return make_simmim(seed=seed, pretraining_configs=[used], date=date, metrics=value)

    def mean(*records):
        (table,) = aggregate(records)
        return table.rows[0].cells[KEY].metrics["box_ap"].mean, table.superseded

    old = [run(seed, "old", 1) for seed in range(2)]
    new = [run(seed, "new", 2) for seed in range(2)]
    assert mean(*old, new[0]) == (10.5, 1)
    assert mean(*old, *new) == (20.5, 2)
    # the override names a file of each seed, so the hash of the whole differs
    teachers = [run(seed, f"teacher {seed}", 3, f"teacher=seed{seed}.pth") for seed in range(2)]
    assert mean(*teachers) == (30.5, 0)


def test_records_that_do_not_state_the_pretraining_config_join_the_only_one(make_simmim, toy):
    def run(seed, *configs):
        used = [{"path": "configs/pre.py", "sha256": toy.sha(config)} for config in configs]
        return make_simmim(seed=seed, pretraining_configs=used, metrics=metrics(10 + seed))

    def count(*records):
        (table,) = aggregate(records)
        return table.rows[0].cells[KEY].metrics["box_ap"].n

    earlier = [run(seed) for seed in range(3)]
    assert count(*earlier, run(3, "known"), run(4, "known")) == 5
    assert count(*earlier, run(3, "known"), run(4, "other")) == 3


def test_seeds_of_a_chain_are_averaged_though_each_starts_from_its_own_weights(make_simmim, toy):
    def run(seed, own):
        initial = {"initial": "simmim ImageNet-1k", "initial_sha256": toy.sha(f"initial {seed}")}
        origin = {**toy.pretraining(seed), **initial}
        return make_simmim(seed=seed, pretraining=origin, own_initial=own, metrics=metrics(seed))

    for own, counts in ((True, [3]), (False, [1, 1, 1])):
        (table,) = aggregate(run(seed, own) for seed in range(3))
        assert [row.cells[KEY].metrics["box_ap"].n for row in table.rows] == counts


def test_pretrainings_of_other_seeds_are_other_runs(make_simmim, toy):
    """Each was fine-tuned with the same seed."""
    runs = [
        make_simmim(seed=0, pretraining=toy.pretraining(seed), metrics=metrics(seed))
        for seed in range(3)
    ]
    (table,) = aggregate(runs)
    assert (table.rows[0].cells[KEY].metrics["box_ap"].n, table.superseded) == (3, 0)


def test_a_row_whose_tasks_have_other_pretrainings_is_marked(make_simmim, toy):
    def run(config, **changes):
        return make_simmim(
            pretraining_configs=[{"path": "configs/pre.py", "sha256": toy.sha(config)}], **changes
        )

    other = {"protocol": toy.classification, "metrics": {"top1": 80.0}}
    for config, mixed in (("a", False), ("b", True)):
        records = [run("a"), run(config, **other)]
        (table,) = aggregate(records)
        assert table.rows[0].is_mixed == mixed
        [section] = make_page(records).sections
        said = any("pretrainings of different configs" in note.text for note in section.notes)
        assert said == mixed


def test_a_run_that_was_repeated_from_another_checkpoint_counts_once(make_simmim, toy):
    old, new = (
        make_simmim(
            pretraining=toy.pretraining(checkpoint_sha256=toy.sha(day)),
            date=f"2025-02-0{day}T00:00:00+00:00",
            metrics=metrics(day),
        )
        for day in (1, 2)
    )
    (table,) = aggregate([new, old])
    assert table.rows[0].cells[KEY].metrics["box_ap"] == summarise([2.0])
    assert table.superseded == 1


def points(*records):
    """Gains in points by method and metric, over all tables."""
    found = {}
    for table in aggregate(records):
        for name in metrics(0):
            for row, gain in gains_of(table, KEY, name).items():
                found.setdefault(row.method, {})[name] = gain.points
    return found


def test_gain_is_the_difference_of_means(make_record, make_simmim):
    scratch = [make_record(seed=seed, metrics=metrics(30 + seed, 20.0)) for seed in range(3)]
    simmim = [make_simmim(seed, metrics=metrics(44, 18.5)) for seed in range(2)]
    assert points(*scratch, *simmim) == {"simmim": {"box_ap": 13.0, "mask_ap": -1.5}}


@pytest.mark.parametrize(
    "changes", [{"backbone": "vit-toy"}, {"deviations": ["override lr=1"]}, {"kind": "smoke"}]
)
def test_no_gain_over_what_is_not_comparable(make_record, make_simmim, changes):
    assert points(make_record(**changes), make_simmim()) == {}


def test_published_gains_nothing_over_measured(make_record, make_published):
    assert points(make_record(), make_published()) == {}


def test_deviating_pretraining_still_compares_with_scratch(make_record, make_simmim):
    simmim = make_simmim(pretraining_deviations=["override epochs=1"], metrics=metrics(40.0))
    assert rows_of(simmim)["simmim"].pretraining_deviations == ("override epochs=1",)
    assert points(make_record(metrics=metrics(30.0)), simmim)["simmim"]["box_ap"] == 10


def test_costs_are_means_and_a_shared_pretraining_counts_once(make_simmim, toy):
    cost = toy.run_fields()["cost"]
    records = [
        make_simmim(
            seed,
            protocol=protocol,
            metrics=values,
            cost={**cost, "wall_seconds": 60.0 * (seed + 1)},
            pretraining_cost={**cost, "wall_seconds": 600.0 * (seed + 1)},
        )
        for seed in range(2)
        for protocol, values in (
            (toy.protocol(), metrics(40)),
            (toy.classification, {"top1": 80.0}),
        )
    ]
    row = rows_of(*records[:3])["simmim"]  # seed 1 has one task only
    assert row.pretraining_cost.minutes == 15
    assert rows_of(*records)["simmim"].cells[KEY].cost.minutes == 1.5


def test_an_unknown_cost_is_no_smaller_mean(make_simmim, toy):
    known = make_simmim(0, pretraining_cost=toy.run_fields()["cost"])
    assert rows_of(known, make_simmim(1))["simmim"].pretraining_cost is None
