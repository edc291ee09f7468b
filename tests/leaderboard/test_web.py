"""The web page: one file, text stays text, the same bytes every time."""

import re
import warnings
from html.parser import HTMLParser

import pytest

from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.page import with_unit
from simmim_bench.leaderboard.web.charts import charts_of
from simmim_bench.leaderboard.web.drawing import legend, looks_of, styled
from simmim_bench.leaderboard.web.lines import lines_of
from simmim_bench.leaderboard.web.page import render_web
from simmim_bench.plots import new_figure

HOSTILE = '<script>alert(1)<|script> $x^2$ & "q" </td>'.replace("/", "|").replace("|", "\u2215")


class Page(HTMLParser):
    """Rows of the table, tags and addresses."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.addresses, self._cell = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("href", "src")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] += data


@pytest.fixture
def records(make_record, make_simmim):
    return [
        *(make_record(seed=s, metrics={"box_ap": 30.0 + s, "mask_ap": 25.0}) for s in range(3)),
        *(make_simmim(s, metrics={"box_ap": 44.0 + s, "mask_ap": 26.0}) for s in range(3)),
    ]


def test_a_line_for_each_method_and_protocol(records):
    page = Page(render_web(records))
    head, *rows = page.rows
    assert head[1:4] == ["protocol", "method", "backbone"]
    assert [row[1:3] for row in rows] == [
        ["toy-detection@1", "scratch"],
        ["toy-detection@1", "simmim"],
    ]
    assert [row[6] for row in rows] == ["31.0 ± 1.0 (3)", "45.0 ± 1.0 (3)"]
    assert "44.00 (seed 0), 45.00 (seed 1), 46.00 (seed 2)" in rows[1][-1]
    assert [line.emphasis for line in lines_of(aggregate(records))] == ["", "best"]


def test_nothing_is_loaded_from_elsewhere(records, make_published):
    text = render_web(records, [make_published()])
    page = Page(text)
    assert [a for a in page.addresses if not a.startswith("data:")] == [
        "#charts",
        "https://example.org/paper",
    ]
    assert page.tags.count("a") == 2
    assert len(text) < 2_000_000


def test_cited_figures_are_a_group_of_their_own(records, make_published):
    groups = {
        line.method + line.provenance: line.group
        for line in lines_of([*aggregate(records), *aggregate([make_published()])])
    }
    assert groups["simmimmeasured"] == "measured"
    assert groups["simmimpublished"] == "cited"


@pytest.mark.usefixtures("any_name")
def test_hostile_names_stay_text(make_record, make_simmim, toy):
    origin = {**toy.pretraining(), "method": HOSTILE}
    records = [make_record(), make_simmim(method=HOSTILE, pretraining=origin)]
    text = render_web(records)
    plain = Page(render_web([make_record(), make_simmim()]))
    page = Page(text)
    assert page.tags.count("script") == plain.tags.count("script")
    assert HOSTILE in {row[2] for row in page.rows}
    assert "<script>alert" not in text
    drawn = " ".join(chart.svg for chart in charts_of(aggregate(records)[0]))
    assert "$x^2$" in drawn  # no mathematics


def test_the_same_records_give_the_same_bytes(records):
    assert render_web(records) == render_web(records[::-1])


def test_uncommitted_changes_are_told(make_record, toy):
    where = {**toy.run_fields()["environment"], "git_commit": "ab" * 20, "git_dirty": True}
    [line] = lines_of(aggregate([make_record(environment=where)]))
    assert dict(line.facts)["environment"] == (
        "Python 3.11.7, torch 2.14.1, Linux, commit abababababab, with uncommitted changes"
    )


def test_seeds_of_several_environments_are_told_apart(make_record, toy):
    """By commit, or by a package that is not named where all have the same."""
    where = {**toy.run_fields()["environment"], "versions": {"numpy": "2.2", "torch": "2.14.1"}}
    changes = [
        {},
        {"git_commit": "ab" * 20},
        {},
        {"versions": {"numpy": "2.2", "onedl-mmcv": "2.3.6"}},
    ]
    records = [make_record(seed=n, environment={**where, **new}) for n, new in enumerate(changes)]
    texts = [
        dict(line.facts)["environment"]
        for some in (records[::2], records[:3], records[2:])
        for line in lines_of(aggregate(some))
    ]
    plain = "Python 3.11.7, torch 2.14.1, Linux"
    assert texts == [
        plain,
        f"seed 0, 2: {plain}; seed 1: {plain}, commit abababababab",
        "seed 2: Python 3.11.7, torch 2.14.1, onedl-mmcv absent, Linux; "
        "seed 3: Python 3.11.7, torch 2.14.1, onedl-mmcv 2.3.6, Linux",
    ]


def test_a_task_stands_against_another_task(make_record, make_simmim, toy):
    """Not against another protocol of its own, which headings then tell apart."""
    longer = toy.protocol(id="toy-longer", epochs=30)
    ways = [(toy.classification, {"top1": 50.0})]
    ways += [(protocol, {"box_ap": 30.0, "mask_ap": 25.0}) for protocol in (toy.protocol(), longer)]
    records = [
        make(protocol=protocol, metrics=metrics)
        for make in (make_record, make_simmim)
        for protocol, metrics in ways
    ]
    headings = [chart.heading for chart in charts_of(aggregate(records)[0])]
    assert [text for text in headings if " against " in text] == [
        "classification top-1 against detection APᵇᵒˣ, toy-detection@1"
    ]
    assert len(set(headings)) == len(headings)


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
    assert len(charts) == 6
    assert "classification top-1 (%)" in drawn
    assert "generation PSNR (dB), inpainted" in drawn
    assert "inpainted (%)" not in drawn
    head, *rows = Page(render_web(painted)).rows
    assert head[5:8] == ["metric", "value", "others"]
    assert {row[5] for row in rows} == {
        "classification top-1 (%)",
        "generation PSNR (dB), inpainted",
    }
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


def test_charts_of_many_methods_are_laid_out(make_simmim, toy):
    cost = toy.run_fields()["cost"]
    curve = {"box_ap": {"against": "epoch", "points": [[1.0, 3.0], [2.0, 10.0]]}}
    records = [
        make_simmim(method=name, pretraining_cost=cost, curves=curve,
                    pretraining=toy.pretraining(method=name))
        for name in (f"simmim-multiview-momentum-{number}" for number in range(26))
    ]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where axes have no room left
        headings = [chart.heading for chart in charts_of(aggregate(records)[0])]
    assert headings[1:] == [
        "detection APᵇᵒˣ against pretraining time",
        "detection APᵇᵒˣ while training",
    ]


def test_a_long_name_is_cut_before_its_backbone(make_record, make_simmim, toy):
    origin = toy.pretraining(method="long-" * 20)
    records = [make_record(), make_simmim(method="long-" * 20, pretraining=origin)]
    first = next(charts_of(aggregate(records)[0])).svg
    names = re.findall(r">([^<]*, swin-toy)</text>", first)
    assert names == ["scratch, swin-toy", "long-long-long-long-long-long-lon\u2026, swin-toy"]


def test_details_tell_all_metrics_and_the_table_two_others(make_record, toy):
    metrics = {"box_ap": 30.0, "box_ap50": 50.0, "mask_ap": 25.0, "one": 1.0, "two": 2.0}
    protocol = toy.protocol(metrics={name: f"coco/{name}" for name in metrics})
    [line] = lines_of(aggregate([make_record(protocol=protocol, metrics=metrics)]))
    assert line.others == "AP\u1d50\u1d43\u02e2\u1d4f 25.0 (1); one 1.0 (1)"
    assert dict(line.facts)["other metrics"].split("; ") == [
        "box_ap50 50.0 (1)",
        "AP\u1d50\u1d43\u02e2\u1d4f 25.0 (1)",
        "one 1.0 (1)",
        "two 2.0 (1)",
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


def test_charts_take_the_pages_colours(records):
    charts = list(charts_of(aggregate(records)[0]))
    assert [chart.heading for chart in charts] == [
        "detection APᵇᵒˣ: runs, mean, 95 % interval",
    ]
    for chart in charts:
        assert "currentColor" in chart.svg
        assert "#123457" not in chart.svg
        assert not re.search(r"<(script|metadata|\?xml)", chart.svg)
