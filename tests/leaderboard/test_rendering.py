import html
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from simmim_bench.leaderboard.markdown import escape, render_markdown
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.terminal import print_page

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"
HOSTILE = "<script>alert(1)</script>|`x`".replace("/", "")


def tables_of(markdown):
    """Tables of a page as GitHub sees them: lists of rows of cell HTML."""
    rendered = PARSER.render(markdown)
    return [
        [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", t)]
        for t in re.findall(r"<table>(.*?)</table>", rendered.replace("\n", ""))
    ]


def text_of(page, width=None):
    stream = io.StringIO()
    print_page(page, stream=stream, width=width)
    return stream.getvalue()


@pytest.fixture(scope="module")
def comparison(make_record, make_simmim, toy):
    """Scratch and SimMIM on detection, three seeds; SimMIM alone on classification."""
    scratch = [
        make_record(seed=seed, metrics={"box_ap": 30.0 + seed, "mask_ap": 25.0})
        for seed in range(3)
    ]
    simmim = [
        make_simmim(seed, metrics={"box_ap": 44.0 + seed, "mask_ap": 20.0}) for seed in range(3)
    ]
    alone = make_simmim(protocol=toy.classification, metrics={"top1": 80.0})
    return [*scratch, *simmim, alone]


def test_details_of_ap_stand_in_records_and_not_in_the_table(make_record, toy):
    metrics = {"box_ap": "coco/bbox_mAP", "box_ap50": "coco/bbox_mAP_50", "box_aps": "x_mAP_s"}
    record = make_record(
        protocol=toy.protocol(metrics=metrics), metrics={"box_ap": 30.0, "box_ap50": 50.0}
    )
    results, _ = tables_of(render_markdown(make_page([record])))
    assert [title for title in results[0] if "AP" in title] == ["detection APᵇᵒˣ ¹"]


def test_results_read_as_in_a_paper(comparison):
    results, _ = tables_of(render_markdown(make_page(comparison)))
    assert results == [
        [
            "method",
            "backbone",
            "pretraining",
            "classification top-1 ¹",
            "detection APᵇᵒˣ ²",
            "detection APᵐᵃˢᵏ ²",
            "fine-tune (min)",
        ],
        ["scratch", "swin-toy", "none", "", "31.0 ± 1.0",
         "<strong>25.0 ± 0.0</strong>", ""],
        ["simmim", "swin-toy", "toy images, 5 ep, 64 px", "80.0 (1)",
         "<strong>45.0 ± 1.0</strong>", "20.0 ± 0.0", "4.0"],
        ["<em>gain over scratch</em>", "", "", "",
         "<em>+14.0</em>", f"<em>{MINUS}5.0</em>", ""],
    ]  # fmt: skip


def many_protocols(make_simmim, toy, count):
    """Runs of one row under ``count`` protocols of detection, and one of classification."""
    protocols = [toy.protocol(id=f"toy-detection-{number}") for number in range(count)]
    boxes = [make_simmim(protocol=protocol) for protocol in protocols]
    return [*boxes, make_simmim(protocol=toy.classification, metrics={"top1": 80.0})]


def test_a_table_a_task_where_columns_exceed_seven(make_simmim, toy):
    few = tables_of(render_markdown(make_page(many_protocols(make_simmim, toy, 3))))
    assert len([title for title in few[0][0] if "¹" in title or "AP" in title]) == 7
    markdown = render_markdown(make_page(many_protocols(make_simmim, toy, 4)))
    assert re.findall("^### (.*)$", markdown, re.M)[:2] == ["Classification", "Detection"]
    first, second = tables_of(markdown)[:2]
    assert [title for title in first[0] if "top-1" in title or "AP" in title] == [
        "classification top-1 ¹"
    ]
    # eight columns of boxes and masks do not fit either: a row for each protocol
    assert second[0][3:] == ["protocol", "detection APᵇᵒˣ", "detection APᵐᵃˢᵏ"]
    assert [row[3][-1] for row in second[1:]] == ["²", "³", "⁴", "⁵"]
    assert markdown.count("- ⁵ **toy-detection-3@1**") == 1


def test_metrics_beside_the_primary_one_are_in_the_csv_file_only(make_record, toy):
    protocol = toy.protocol(
        id="toy-pixels", task="segmentation", primary="miou", metrics={"miou": "x", "aacc": "y"}
    )
    records = [make_record(protocol=protocol, metrics={"miou": 30.0, "aacc": 60.0})]
    assert tables_of(render_markdown(make_page(records)))[0][0][3:-1] == ["segmentation mIoU ¹"]


def test_many_overrides_are_summarised(make_record):
    few, many = ["override a=1", "override b=2"], [f"override {key}=1" for key in "abc"]
    assert "protocol: override a=1; override b=2\n" in render_markdown(
        make_page([make_record(deviations=few)])
    )
    markdown = render_markdown(make_page([make_record(deviations=many)]))
    assert "protocol: override a=1 and 2 more, see leaderboard.csv\n" in markdown


def test_cited_results_have_a_row_for_each_protocol(make_published, toy):
    cited = [make_published(), make_published(protocol=toy.protocol(id="other", image_size=32))]
    table = tables_of(render_markdown(make_page([], cited)))[0]
    assert table[0][3:] == ["protocol", "detection APᵇᵒˣ", "detection APᵐᵃˢᵏ"]
    assert [row[3] for row in table[1:]] == ["32 px, 3 epochs ¹", f"96 {TIMES} 128 px, 3 epochs ²"]


def test_protocols_are_footnotes(comparison):
    page = render_markdown(make_page(comparison))
    assert "- ¹ **toy-classification@1**: toy scenes (val), 64 px, 3 epochs" in page
    assert f"- ² **toy-detection@1**: toy scenes (val), 96 {TIMES} 128 px, 3 epochs" in page


def test_costs_by_stage(comparison):
    _, costs = tables_of(render_markdown(make_page(comparison)))
    assert costs[0][2:] == ["stage", "time (min)", "params (M)", "images/s", "memory (MiB)"]
    assert costs[1] == ["scratch", "swin-toy", "detection ²", "2.0", "3.9", "77", "900"]
    assert len(costs) == 4


def test_smoke_has_its_own_table_and_warning(make_record, make_simmim):
    page = render_markdown(make_page([make_record(), make_simmim(), make_record(kind="smoke")]))
    full, smoke = page.split("## Smoke runs")
    assert "smoke run: toy schedules, results are not meaningful" in smoke
    assert "smoke run" not in full
    assert len(tables_of(full)[0]) == 4  # header, scratch, simmim, gain
    assert len(tables_of(smoke)[0]) == 2
    assert "**34.7" not in smoke


def test_smoke_figures_are_not_compared(make_record, make_simmim):
    records = [make_record(kind="smoke"), make_simmim(kind="smoke")]
    results = tables_of(render_markdown(make_page(records)))[0]
    assert "<strong>" not in str(results)
    assert "gain" not in str(results)


def test_published_rows_are_marked_with_their_source(make_simmim, make_published):
    markdown = render_markdown(make_page([make_simmim(), make_published()]))
    names = [row[0] for row in tables_of(markdown)[0]]
    assert names == ["method", "simmim", "simmim †"]
    note = "- † [published, not measured here: Table 6](https://example.org/paper)"
    assert note in markdown
    assert "(1)" not in tables_of(markdown)[0][2][4]  # nobody said of how many runs


def test_deviations_are_marked_and_said(make_record, make_simmim):
    changed = ["override lr=1"]
    records = [make_record(deviations=changed), make_simmim(pretraining_deviations=["few images"])]
    markdown = render_markdown(make_page(records))
    scratch, simmim = tables_of(markdown)[0][1:]
    assert scratch[3] == "34.7 (1) †"
    assert simmim[2].endswith("64 px ‡")
    assert "- † deviates from the protocol: override lr=1\n" in markdown
    assert "- ‡ pretraining deviates from its config: few images\n" in markdown


def test_a_changed_protocol_competes_with_its_like_alone(make_record, make_simmim):
    changed = make_record(
        deviations=["override lr=1"], metrics={"box_ap": 99.0, "mask_ap": 99.0}, method="scratch"
    )
    results = tables_of(render_markdown(make_page([changed, make_simmim()])))[0]
    assert "<strong>" not in str(results)


def test_equal_as_shown_is_equally_bold(make_record, make_simmim):
    one = make_record(metrics={"box_ap": 40.01, "mask_ap": 1.0})
    other = make_simmim(metrics={"box_ap": 40.04, "mask_ap": 2.0})
    scratch, simmim = tables_of(render_markdown(make_page([one, other])))[0][1:3]
    assert scratch[3] == simmim[3] == "<strong>40.0 (1)</strong>"


def test_superseded_records_are_told(make_record, toy):
    config = {"path": "configs/toy.py", "sha256": toy.sha("old")}
    old = make_record(config=config, date="2020-01-01T00:00:00+00:00")
    assert "1 records are left out: an earlier configuration" in render_markdown(
        make_page([old, make_record()])
    )


@pytest.mark.usefixtures("any_name")
def test_hostile_text_stays_text(make_simmim, toy):
    record = make_simmim(
        method=HOSTILE,
        backbone="[x](javascript:alert)",
        deviations=["a\n\n# b | c\n<img src=x onerror=y>"],
        protocol=toy.protocol(dataset="**d** &lt;"),
    )
    markdown = render_markdown(make_page([record]))
    rendered = PARSER.render(markdown)
    assert not re.search(r"<(script|img|a)\b", rendered)
    assert rendered.count("<h1>") == 1
    header, row = tables_of(markdown)[0][:2]
    assert len(row) == len(header)
    assert html.unescape(row[0]) == HOSTILE
    assert row[1] == "[x](javascript:alert)"
    assert html.unescape(rendered).count("**d** &lt;") == 1


def test_no_character_of_html_or_tables_is_left():
    assert escape("<b>|`&") == "&lt;b&gt;&#124;&#96;&amp;"
    assert escape("swin_b, top-1") == "swin_b, top-1"  # stays readable in the source


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_is_one_table_cell_and_says_the_same(text):
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    ((_, row),) = tables_of(f"| a | b |\n| --- | --- |\n| {escape(text)} | end |")
    assert [html.unescape(cell) for cell in row] == [shown, "end"]


def test_the_same_records_give_the_same_page(comparison):
    page = render_markdown(make_page(comparison))
    assert render_markdown(make_page(comparison[::-1])) == page


def test_terminal_shows_all_at_any_width(comparison):
    page = make_page(comparison)
    figures = ["31.0 ± 1.0", "45.0 ± 1.0", "3 seeds", "80.0 (1)", "+14.0", f"{MINUS}5.0", "top-1 ¹"]
    for width in (60, 80, 100, 140, None):
        shown = text_of(page, width)
        assert [figure for figure in figures if figure not in shown] == []
        assert "…" not in shown
        assert width is None or max(map(len, shown.splitlines())) <= width


def test_terminal_says_how_much_it_leaves_out_of_a_long_table(make_simmim, toy):
    records = [
        make_simmim(
            method=f"m{number:03}", pretraining={**toy.pretraining(), "method": f"m{number:03}"}
        )
        for number in range(130)
    ]
    page = make_page(records)
    for width in (60, None):
        shown = text_of(page, width)
        assert "m099" in shown
        assert "m100" not in shown
        assert shown.count("... and 30 more rows") == 2  # results, costs
        assert width is None or max(map(len, shown.splitlines())) <= width


def test_terminal_warns_of_smoke(make_record):
    assert "not meaningful" in text_of(make_page([make_record(kind="smoke")]), 80)


@pytest.mark.usefixtures("any_name")
def test_terminal_takes_no_markup_and_no_escape_codes(make_simmim):
    record = make_simmim(method="[red]x[/red]".replace("/", "!"), deviations=["\x1b[2Jgone"])
    shown = text_of(make_page([record]))
    assert "[red]x[!red]" in shown
    assert "\x1b" not in shown
    assert "[2Jgone" in shown
