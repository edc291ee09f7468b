"""Tuned runs in tables: compared by their search, never averaged with untuned ones."""

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.compare import compare
from simmim_bench.leaderboard.export import rows
from simmim_bench.leaderboard.markdown import render_markdown
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.ranks import rankings
from simmim_bench.leaderboard.statistics import gains_of, standing

KEY = ColumnKey("toy-detection", 1)
HIGH, LOW = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
"""Scores that choose the first and the last learning rate."""


def values(box):
    return {"box_ap": float(box), "mask_ap": 20.0}


@pytest.fixture
def both(make_record, make_simmim, toy):
    """Tuned runs of two seeds, from scratch and from SimMIM, which chose other learning rates."""
    return [
        make(**toy.tuned(scores, seed=seed, metrics=values(box + seed)), **more)
        for make, scores, box in ((make_record, HIGH, 30), (make_simmim, LOW, 40))
        for seed in range(2)
        for more in ([{"pretraining": toy.pretraining(seed)}] if make is make_simmim else [{}])
    ]


def test_rows_of_one_search_are_compared_whatever_it_chose(both):
    (table,) = aggregate(both)
    scratch, simmim = table.rows
    assert scratch.cells[KEY].records[0].config.sha256 != simmim.cells[KEY].records[0].config.sha256
    assert [row.cells[KEY].metrics["box_ap"].n for row in table.rows] == [2, 2]
    assert gains_of(table, KEY, "box_ap")[simmim].points == 10
    assert standing(table, KEY, "box_ap").best == {simmim}
    text = render_markdown(compare(both, "simmim", "scratch"))
    assert "+10.0" in text
    assert "both tuned, 3 trials each (lr of 0.001, 0.0005, 0.00025" in text


def test_tuned_and_untuned_runs_are_never_averaged_nor_compared(
    both, make_record, make_simmim, toy
):
    plain = [make_record(seed=seed, metrics=values(20)) for seed in range(2)]
    (table,) = aggregate([*both, *plain])
    found = sorted(
        (row.method, cell.tuning is not None, cell.metrics["box_ap"].n, cell.metrics["box_ap"].mean)
        for row in table.rows
        for cell in row.cells.values()
    )
    assert found == [
        ("scratch", False, 2, 20),
        ("scratch", True, 2, 30.5),
        ("simmim", True, 2, 40.5),
    ]
    (gain,) = gains_of(table, KEY, "box_ap").values()
    assert gain.points == 10


def test_the_table_says_once_that_all_are_tuned(both):
    text = render_markdown(make_page(both))
    said = "tuned, 3 trials each (lr of 0.001, 0.0005, 0.00025; scored on 20 %"
    assert text.count(said) == 1
    (line,) = (line for line in text.splitlines() if said in line)
    assert "toy-detection@1" in line
    assert "deviates" not in text
    assert "†" not in text


def test_where_not_all_are_tuned_a_footnote_says_which(both, make_simmim, toy):
    other = make_simmim(method="mocov3", pretraining={**toy.pretraining(), "method": "mocov3"})
    text = render_markdown(make_page([*both, other]))
    results = text.partition("Cost")[0].splitlines()
    lines = {line.split("|")[1].strip(): line for line in results if "swin-toy" in line}
    assert "†" in lines["scratch"]
    assert "†" in lines["simmim"]
    assert "†" not in lines["mocov3"]
    assert "- † tuned, 3 trials each" in text
    assert "deviates" not in text


def test_other_deviations_of_tuned_runs_are_still_shown(both, make_record, toy):
    deviations = [*toy.tuned(HIGH)["deviations"], "override train_cfg.max_epochs=1"]
    text = render_markdown(make_page([make_record(**toy.tuned(HIGH, deviations=deviations))]))
    assert "deviates from the protocol: override train_cfg.max_epochs=1\n" in text


def test_another_search_is_another_condition(both, make_simmim, toy):
    wider = toy.tuning(LOW)
    held_out = {**wider["held_out"], "share": 0.1}
    other = make_simmim(**{**toy.tuned(LOW), "tuning": {**wider, "held_out": held_out}})
    (table,) = aggregate([*both[:2], other])
    assert gains_of(table, KEY, "box_ap") == {}
    assert table.tuning_of(KEY) is None


def test_ranks_take_columns_in_which_all_have_the_same_search(make_simmim, toy):
    tasks = ({"metrics": values(1)}, {"protocol": toy.classification, "metrics": {"top1": 1.0}})
    plain = [
        make_simmim(method=name, pretraining={**toy.pretraining(), "method": name}, **task)
        for name in ("a", "b", "c")
        for task in tasks
    ]
    tuned = [record for record in plain if record.protocol.task == "classification"] + [
        make_simmim(
            method=name, pretraining={**toy.pretraining(), "method": name}, **toy.tuned(HIGH)
        )
        for name in ("a", "b", "c")
    ]
    (table,) = aggregate(tuned)
    assert len(rankings(table)) == 1
    (table,) = aggregate([*tuned[:-1], plain[-2]])
    assert rankings(table) == []


def test_flat_rows_have_the_budget(both):
    (row, *_) = rows(both)
    assert (row["tuning_trials"], row["tuning_hours"]) == (3, 1.0)
    assert row["deviations"] == "tuned: optim_wrapper.optimizer.lr=0.001"


def test_tuned_runs_must_agree_about_their_protocol(make_record, make_simmim, toy):
    ours = make_record(**toy.tuned(HIGH))
    longer = toy.protocol(epochs=12)
    theirs = make_simmim(**toy.tuned(LOW), protocol=longer)
    with pytest.raises(BenchError, match="epochs: 3 and 12"):
        aggregate([ours, theirs])
