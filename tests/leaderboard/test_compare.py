"""Two methods side by side."""

import pytest
from scipy import stats

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.compare import compare


def figures(page):
    return [[entry.text for entry in row] for row in page.sections[0].grids[0].rows]


def test_differences_with_their_uncertainty(make_record, make_simmim):
    ours, theirs = [44.0, 45.0, 46.0], [30.0, 32.0, 31.0]
    records = [
        *(make_simmim(i, metrics={"box_ap": v, "mask_ap": 20.0 + i}) for i, v in enumerate(ours)),
        *(
            make_record(seed=i, metrics={"box_ap": v, "mask_ap": 20.0 + i})
            for i, v in enumerate(theirs)
        ),
    ]
    box, mask = figures(compare(records, "simmim", "scratch"))
    assert box[:6] == ["swin-toy", "toy-detection@1", "APᵇᵒˣ", "45.0 ± 1.0 (3)", "31.0 ± 1.0 (3)",
                       "+14.0"]  # fmt: skip
    interval = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert box[6] == f"+{interval.low:.1f} to +{interval.high:.1f}"
    assert float(box[7]) < 0.01
    assert mask[5:] == ["+0.0", "\N{MINUS SIGN}2.3 to +2.3", "1.000"]


def test_runs_of_other_configs_are_not_compared(make_record, make_simmim, toy):
    other = {"path": "configs/toy.py", "sha256": toy.sha("edited"), "overrides": []}
    with pytest.raises(BenchError, match="no runs of the same backbone, protocol and config"):
        compare([make_simmim(), make_record(config=other)], "simmim", "scratch")


def test_a_method_that_is_not_there(make_record):
    with pytest.raises(BenchError, match=r"no records of method 'simmm'; there are: scratch"):
        compare([make_record()], "simmm", "scratch")
