"""Curves as small as a word."""

from simmim_bench.leaderboard.web.curves import sparklines


def curve(*values):
    return {"against": "epoch", "points": [[float(i), v] for i, v in enumerate(values, 1)]}


def test_the_largest_is_at_the_top_and_the_last_at_the_right(make_simmim):
    record = make_simmim(curves={"box_ap": curve(10.0, 30.0, 20.0), "mask_ap": curve(5.0)},
                         pretraining_curves={"loss": curve(0.5, 0.5)})  # fmt: skip
    own, flat = sparklines(record)  # a single point is no curve
    assert own.label == "AP\u1d47\u1d52\u02e3"
    assert own.points == "2.0,30.0 80.0,2.0 158.0,16.0"
    assert own.text == "10 to 20 over epochs 1 to 3"
    assert flat.label == "pretraining loss"
    assert flat.points == "2.0,16.0 158.0,16.0"
