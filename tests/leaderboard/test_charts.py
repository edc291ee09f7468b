"""Charts of the web page: when they are drawn, and what they show."""

import re
import warnings
from collections import Counter

import pytest

from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.metrics import with_unit
from simmim_bench.leaderboard.web.charts import charts_of, front_of
from simmim_bench.leaderboard.web.drawing import legend, looks_of, styled
from simmim_bench.leaderboard.web.page import render_web
from simmim_bench.plots import new_figure
from simmim_bench.records.protocols import Protocol
from tests.leaderboard.test_web import Page


@pytest.fixture
def lab(make_record, make_simmim, toy):
    """Function: records of some methods under two tasks, three seeds each."""

    def make(count):
        cost, found = toy.run_fields()["cost"], []
        for number in range(count):
            origin = toy.pretraining(method=f"method-{number}")
            spent = {**cost, "wall_seconds": 60.0 * (count - number)}
            loss = {"loss": {"against": "iteration", "points": [[1.0, 3.0], [2.0, 1.0]]}}
            for seed in range(3):
                for protocol in (toy.classification, toy.protocol()):
                    value = 50.0 - number + seed / 10
                    curve = {"against": "epoch", "points": [[1.0, 3.0], [2.0, value]]}
                    given = {"protocol": protocol, "seed": seed,
                             "curves": {protocol["primary"]: curve},
                             "metrics": dict.fromkeys(protocol["metrics"], value)}  # fmt: skip
                    if number:
                        weights = toy.sha(f"{number} {seed}")
                        given |= {"method": f"method-{number}", "pretraining_cost": spent,
                                  "pretraining": {**origin, "checkpoint_sha256": weights},
                                  "pretraining_curves": loss}  # fmt: skip
                    found.append((make_simmim if number else make_record)(**given))
        return found

    return make


def kinds(records):
    [table] = aggregate(records)
    return Counter(chart.kind for chart in charts_of(table))


def test_charts_are_drawn_when_they_say_something(lab, make_record, toy):
    sure, cost, agree, learn = (
        "How sure is it?", "What does it cost?", "Do tasks agree?", "How do they learn?",
    )  # fmt: skip
    single = [
        make_record(protocol=protocol, metrics=dict.fromkeys(protocol["metrics"], 1.0))
        for protocol in (toy.classification, toy.protocol())
    ]
    assert kinds(single) == {}
    assert kinds(lab(2)) == {sure: 2, learn: 3}
    assert kinds(lab(3)) == {sure: 2, cost: 2, learn: 3}
    assert kinds(lab(4)) == {sure: 2, cost: 2, agree: 1, learn: 3}


def test_mean_ranks_are_drawn_if_they_can_differ(lab, toy):
    more = [toy.protocol(id=f"toy-{number}") for number in range(3)]
    records = lab(4)
    records += [
        record.model_copy(update={"protocol": Protocol.model_validate(protocol)})
        for record in records
        if record.protocol.task == "detection"
        for protocol in more
    ]
    [chart] = [chart for chart in charts_of(aggregate(records)[0]) if "best" in chart.kind]
    assert "within 2.1 (Nemenyi" in chart.reading
    assert "p = 3e-06" in chart.reading


def test_the_front_has_what_nothing_cheaper_beats():
    points = {"free": (0.0, 10.0), "bad": (2.0, 9.0), "good": (2.0, 30.0), "dear": (9.0, 30.0),
              "best": (12.0, 40.0)}  # fmt: skip
    assert front_of(points) == ["free", "good", "best"]


@pytest.fixture
def painted(make_record, make_simmim, toy):
    """Records of a protocol whose metrics are no percentages, with curves."""
    metrics = {f"inpaint_{name}": f"inpaint/{name}" for name in ("psnr", "ssim")}
    protocol = toy.protocol(task="generation", metrics=metrics, primary="inpaint_psnr")
    changes = {
        "protocol": protocol,
        "metrics": {"inpaint_psnr": 21.0, "inpaint_ssim": 70.0},
        "pretraining_cost": toy.run_fields()["cost"],
        "curves": {"inpaint_psnr": {"against": "epoch", "points": [[1.0, 20.0], [2.0, 21.0]]}},
    }
    other = {"protocol": toy.classification, "metrics": {"top1": 50.0}}
    return [make(**some) for make in (make_record, make_simmim) for some in (changes, other)]


def test_units_are_those_of_the_metrics(painted):
    charts = list(charts_of(aggregate(painted)[0]))
    drawn = " ".join(chart.svg for chart in charts)
    assert "generation PSNR (dB), inpainted" in drawn
    assert "inpainted (%)" not in drawn
    head = [" ".join(text.split()) for text in Page(render_web(painted)).rows[0]]
    assert head[1:3] == ["classification top-1", "generation PSNR (dB), inpainted"]
    assert with_unit("super_ssim") == "SSIM, super-resolved (\N{MULTIPLICATION SIGN} 100)"


def test_a_legend_fits_into_its_figure():
    """However many and long the names are."""
    figure = new_figure(width=5.0, height=3.0)
    axes = figure.subplots()
    for number in range(12):
        axes.plot([0], [0], "o", label=f"a method of {'very ' * number} many words")
    legend(figure)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_axes_keep_their_size_below_a_long_legend():
    sizes = []
    for count in (2, 26):
        with styled():
            figure = new_figure(width=5.0, height=3.0)
            axes = figure.subplots()
            for number in range(count):
                axes.plot([0], [0], "o", label=f"simmim-multiview-momentum-{number}")
            legend(figure)
            figure.draw_without_rendering()
        box = axes.get_window_extent()
        assert figure.legends[0].get_window_extent().y0 > box.y1
        sizes.append(box.height)
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)


def test_charts_of_many_methods_are_laid_out(lab):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where axes have no room left
        charts = {chart.heading: chart for chart in charts_of(aggregate(lab(26))[0])}
    seeds = charts["classification top-1: runs, mean, 95 % interval"]
    assert "The best 24 of 26." in seeds.reading
    assert "method-23, swin-toy" in seeds.svg
    assert "method-24, swin-toy" not in seeds.svg
    loss = charts["Pretraining loss"].svg
    assert len(set(re.findall(r">(method-\d+)</text>", loss))) == 5  # and scratch


def test_a_long_name_is_cut_before_its_backbone(make_record, make_simmim, toy):
    origin = toy.pretraining(method="long-" * 20)
    records = [make_record(seed=seed) for seed in range(2)]
    records.append(make_simmim(method="long-" * 20, pretraining=origin))
    first = next(charts_of(aggregate(records)[0])).svg
    names = re.findall(r">([^<]*, swin-toy)</text>", first)
    assert sorted(names) == [
        "long-long-long-long-long-long-lon\u2026, swin-toy",
        "scratch, swin-toy",
    ]


def test_methods_are_told_apart():
    """Up to 36, and up to 6 by colour alone and by marker alone."""
    looks = [(look["color"], look["marker"]) for look in looks_of(map(str, range(36))).values()]
    assert len(set(looks)) == 36
    colours, markers = zip(*looks[:6], strict=True)
    assert len(set(colours)) == len(set(markers)) == 6


def test_a_wide_interval_leaves_the_axis_within_percent(make_record, make_simmim):
    runs = [
        make(seed=seed, metrics={"box_ap": value, "mask_ap": 20.0})
        for make in (make_record, make_simmim)
        for seed, value in enumerate((5.0, 95.0))
    ]
    first = next(charts_of(aggregate(runs)[0])).svg
    ticks = [int(text) for text in re.findall(r">(\d+)</text>", first)]
    assert (min(ticks), max(ticks)) == (0, 100)
    assert "\N{MINUS SIGN}" not in first


def test_charts_take_the_pages_colours(lab):
    charts = list(charts_of(aggregate(lab(4))[0]))
    assert len(charts) == 8
    for chart in charts:
        assert "currentColor" in chart.svg
        assert "#123457" not in chart.svg
        assert not re.search(r"<(script|metadata|\?xml)", chart.svg)
