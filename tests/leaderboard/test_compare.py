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
    assert box[7] == "< 0.001"
    assert mask[5:] == ["0.0", "\N{MINUS SIGN}2.3 to +2.3", "1.000"]


def test_runs_of_other_configs_are_not_compared(make_record, make_simmim, toy):
    other = {"path": "configs/toy.py", "sha256": toy.sha("edited"), "overrides": []}
    with pytest.raises(BenchError, match="no runs of the same backbone, protocol and config"):
        compare([make_simmim(), make_record(config=other)], "simmim", "scratch")


def test_a_method_that_is_not_there(make_record):
    with pytest.raises(BenchError, match=r"no records of method 'simmm'; methods are: scratch"):
        compare([make_record()], "simmm", "scratch")


def test_a_method_is_not_compared_with_itself(make_record):
    with pytest.raises(BenchError, match="both methods are 'scratch'; name two"):
        compare([make_record()], "scratch", "scratch")


def test_pretrainings_of_one_method_are_told_apart(make_record, make_simmim, toy):
    longer = {**toy.pretraining(), "epochs": 800}
    page = compare(
        [make_record(), make_simmim(), make_simmim(pretraining=longer)], "simmim", "scratch"
    )
    assert [row[3] for row in figures(page)][::2] == [
        "toy images, 5 ep, 64 px", "toy images, 800 ep, 64 px",
    ]  # fmt: skip
    assert page.sections[0].grids[0].headers[3].text == "pretraining"


def test_errors_of_depth_have_three_decimals(make_record, make_simmim, toy):
    depth = toy.protocol(metrics={"box_ap": "coco/bbox_mAP", "relative": "abs_rel"})
    pair = [
        make(protocol=depth, metrics={"box_ap": 10.0, "relative": value})
        for make, value in ((make_simmim, 0.081), (make_record, 0.114))
    ]
    [_, relative] = figures(compare(pair, "simmim", "scratch"))
    assert relative[3:6] == ["0.081 (1)", "0.114 (1)", "\N{MINUS SIGN}0.033"]


def notes(page):
    return [note.text for note in page.sections[0].notes]


def test_what_is_compared_needs_no_note(make_record, make_simmim):
    assert notes(compare([make_record(), make_simmim()], "simmim", "scratch")) == []


def test_deviations_that_both_share_are_said(make_record, make_simmim):
    runs = [make(deviations=["override a=1"]) for make in (make_record, make_simmim)]
    assert notes(compare(runs, "simmim", "scratch")) == [
        "both deviate from their protocol: override a=1"
    ]


def test_the_noise_is_that_of_all_rows_of_the_column(make_record, make_simmim, toy):
    pair = [
        make(seed=seed, metrics={"box_ap": value + seed, "mask_ap": 1.0})
        for make, value in ((make_record, 30.0), (make_simmim, 32.0))
        for seed in (0, 1)
    ]
    third = [
        make_simmim(
            seed,
            method="noisy",
            pretraining={**toy.pretraining(seed), "method": "noisy"},
            metrics={"box_ap": 20.0 + 30 * seed, "mask_ap": 1.0},
        )
        for seed in (0, 1)
    ]
    [alone, _], [among, _] = (
        figures(compare(runs, "simmim", "scratch")) for runs in (pair, [*pair, *third])
    )
    assert alone[:6] == among[:6]
    assert alone[6] != among[6]


def test_records_that_are_left_out_are_counted_with_the_reason(make_record, make_simmim, toy):
    other = {"path": "configs/toy.py", "sha256": toy.sha("edited"), "overrides": []}
    data = {"name": "other scenes", "sha256": toy.sha("data")}
    left_out = {
        "smoke runs, whose results are not meaningful": {"kind": "smoke"},
        "scratch has no run on swin-b": {"backbone": "swin-b"},
        "scratch has no run under toy-other": {"protocol": toy.protocol(id="toy-other")},
        "scratch has no run under version 2 of toy-detection": {
            "protocol": toy.protocol(version=2)
        },
        f"scratch has no run on the same data (other scenes, {data['sha256'][:8]})": {"data": data},
        "scratch has no run with the same deviations (--epochs 9)": {"deviations": ["--epochs 9"]},
        "scratch has no run in the same precision (float16)": {"precision": "float16"},
        f"scratch has no run of the same config (configs/toy.py, {other['sha256'][:8]})": {
            "config": other, "seed": 7,
        },
    }  # fmt: skip
    records = [make_record(seed=seed) for seed in (0, 1)]
    records += [make_simmim(seed=seed) for seed in (0, 1)]
    records += [make_simmim(**{"seed": 5, **changes}) for changes in left_out.values()]
    records += [make_simmim(seed=6, backbone="swin-b")]
    page = compare(records, "simmim", "scratch")
    expected = {
        f"left out: {2 if 'swin-b' in reason else 1} of simmim, {reason}" for reason in left_out
    }
    assert set(notes(page)) == expected
    assert figures(page)[0][3].endswith("(2)")


def test_a_repeated_seed_is_left_out_as_replaced(make_record, make_simmim):
    older = make_simmim(date="2025-01-30T12:00:00+00:00", pretraining=None, method="scratch")
    records = [make_record(), older, make_simmim()]
    changed = older.model_copy(update={"run_id": "older"})
    found = notes(compare([*records[:1], changed, records[2]], "simmim", "scratch"))
    assert found == ["left out: 1 of scratch, replaced by a newer run of the same seed, or of a "
                     "config that has fewer seeds than another"]  # fmt: skip


def test_nothing_in_common_says_why(make_record, make_simmim):
    records = [make_record(backbone="swin-b"), make_simmim(), make_simmim(seed=1, kind="smoke")]
    with pytest.raises(BenchError) as refused:
        compare(records, "simmim", "scratch")
    assert "left out: 1 of scratch, simmim has no run on swin-b; " in str(refused.value)
    assert "left out: 1 of simmim, smoke runs" in str(refused.value)
    with pytest.raises(BenchError, match=r"'simmim' has smoke runs alone \(1\).*`kind: full`"):
        compare([make_record(), make_simmim(kind="smoke")], "simmim", "scratch")
