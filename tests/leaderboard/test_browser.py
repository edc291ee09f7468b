"""The leaderboard page as a browser shows it."""

import shutil

import pytest

from simmim_bench.leaderboard.web.page import render_web
from tests.leaderboard.test_latex import needs_latex, set_by_engine
from tests.leaderboard.test_web import HOSTILE
from tests.records.conftest import unchecked_names

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; Debian's package is chromium"),
]
METHODS = "#measured tbody tr:not([hidden]) summary"
SHOWN = (
    "([where, wanted]) => Array.from(document.querySelectorAll(where))"
    ".filter((node) => node.checkVisibility()).map((node) => node.innerText.trim()).join()"
    " === wanted.join()"
)
BOX = "\u1d47\u1d52\u02e3"
OVERHANG = "((box) => box.scrollWidth - box.clientWidth)"  # pixels to scroll sideways
TEXTS = """(figure) => {
  const svg = figure.querySelector('svg'), box = svg.getBoundingClientRect();
  return Array.from(svg.querySelectorAll('text')).map((text) => {
    const at = text.getBoundingClientRect(), { a, b } = text.getScreenCTM();
    const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
    return [size, at.left - box.left, box.right - at.right];
  });
}"""  # of each text of a chart: CSS pixels of its letters, and to the two edges of the chart


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory, make_record, make_simmim, make_published, toy):
    """Two backbones, two tasks, three seeds; cited results; a hostile name."""
    origin = {**toy.pretraining(), "method": HOSTILE}
    cost = {**toy.run_fields()["cost"], "peak_memory_mb": 10_000.0}
    loss = {"loss": {"against": "iteration", "points": [[1.0, 3.0], [2.0, 1.0]]}}
    with unchecked_names():
        records = [
            *(make_record(seed=n, metrics={"box_ap": 30.0 + n, "mask_ap": 25.0}) for n in range(3)),
            *(make_simmim(n, metrics={"box_ap": 9.0 + n, "mask_ap": 8.0}, pretraining_curves=loss,
                          pretraining_cost={**cost, "wall_seconds": 6000.0}) for n in range(3)),
            make_simmim(method=HOSTILE, pretraining=origin, pretraining_cost=cost,
                        metrics={"box_ap": 34.7, "mask_ap": 1.0}),
            make_record(backbone="vit-toy", metrics={"box_ap": 50.0, "mask_ap": 60.0}),
            make_record(backbone="vit-toy", metrics={"box_ap": 55.0, "mask_ap": 60.0},
                        deviations=["longer"]),
            make_record(protocol=toy.classification, metrics={"top1": 70.0}),
        ]  # fmt: skip
    path = tmp_path_factory.mktemp("web") / "index.html"
    cited = [make_published(), make_published(protocol=toy.protocol(id="toy-cited"))]
    path.write_text(render_web(records, cited), "utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, file):
    """The page, opened without a network; an error of its script fails the test."""
    context = browser.new_context(offline=True)
    opened, errors = context.new_page(), []
    opened.set_default_timeout(10_000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
    opened.goto(file)
    yield opened
    context.close()
    assert errors == []


def press(page, text):
    page.locator("#measured thead button", has_text=text).click()


def test_columns_sort_within_backbones_as_numbers_and_blanks_last(page):
    page.wait_for_function(
        SHOWN, arg=[METHODS, ["scratch", HOSTILE, "simmim", "scratch", "scratch"]]
    )
    press(page, BOX)
    page.wait_for_function(
        SHOWN, arg=[METHODS, [HOSTILE, "scratch", "simmim", "scratch", "scratch"]]
    )
    head = page.locator("#measured thead th", has_text=BOX)
    assert head.get_attribute("aria-sort") == "descending"
    press(page, BOX)
    page.wait_for_function(
        SHOWN, arg=[METHODS, ["simmim", "scratch", HOSTILE, "scratch", "scratch"]]
    )
    assert head.get_attribute("aria-sort") == "ascending"
    press(page, "pretrain (min)")
    page.wait_for_function(
        SHOWN, arg=[METHODS, [HOSTILE, "simmim", "scratch", "scratch", "scratch"]]
    )
    press(page, "pretrain (min)")
    page.wait_for_function(
        SHOWN, arg=[METHODS, ["simmim", HOSTILE, "scratch", "scratch", "scratch"]]
    )


def test_backbones_in_one_list_sort_together(page):
    page.check("[name=flat]")
    press(page, BOX)
    values = "#measured tbody td:nth-child(3) b"
    page.wait_for_function(SHOWN, arg=[values, ["55.0", "50.0", "34.7", "31.0", "10.0"]])
    assert page.locator("#measured tbody .backbone").first.is_visible()
    page.uncheck("[name=flat]")
    page.wait_for_function(SHOWN, arg=[values, ["34.7", "31.0", "10.0", "55.0", "50.0"]])


def test_a_keyboard_sorts(page):
    page.locator("#measured thead button", has_text=BOX).focus()
    page.keyboard.press("Enter")
    assert page.locator("#measured th[aria-sort=descending]").count() == 1
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize(
    ("name", "value", "methods"),
    [
        ("method", "SIM", ["simmim"]),
        ("backbone", "vit-toy", ["scratch", "scratch"]),
        ("task", "classification", ["scratch"]),
        ("from", "published", []),
        ("plain", None, ["scratch", HOSTILE, "simmim", "scratch"]),
    ],
)
def test_filters_choose_rows(page, name, value, methods):
    control = page.locator(f"[name={name}]")
    if value is None:
        control.check()
    elif name == "method":
        control.fill(value)
    else:
        control.select_option(value)
    page.wait_for_function(SHOWN, arg=[METHODS, methods])
    assert page.locator("#measured").is_visible() == bool(methods)
    heads = page.locator("#measured thead th.result").all()
    assert [head.is_visible() for head in heads] == [
        bool(methods),
        bool(methods) and name != "task",
    ]


def test_the_address_holds_the_view(browser, file, page):
    page.check("[name=others]")
    page.select_option("[name=backbone]", "swin-toy")
    press(page, BOX)
    page.check("#pick-2")
    context = browser.new_context(offline=True)
    again = context.new_page()
    again.goto(page.url)
    again.wait_for_function(SHOWN, arg=[METHODS, [HOSTILE, "scratch", "simmim"]])
    assert again.locator("#chart-2").is_visible()
    assert not again.locator("#chart-1").is_visible()
    assert again.locator("#measured thead th.other").first.is_visible()
    again.goto(file + "#sort-measured=nonsense&backbone=unknown")
    again.wait_for_function("document.querySelector('[name=backbone]').value === ''")
    context.close()


def copied(page, form):
    """What a button copies, from the text that is shown where the clipboard is not available."""
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.click(f"#measured [data-form={form}]")
    return page.locator("#measured textarea").input_value().splitlines()


def test_the_shown_view_is_copied(page):
    page.select_option("[name=backbone]", "swin-toy")
    page.select_option("[name=task]", "detection")
    page.fill("[name=method]", "s")
    press(page, BOX)
    head, rule, hostile, scratch, simmim = copied(page, "markdown")
    assert head.startswith("| method | backbone | pretraining | detection AP\u1d47\u1d52\u02e3 |")
    assert rule.startswith("| --- | --- | --- | ---: |")
    assert hostile.split(" | ")[3] == "**34.7** (1) (+3.7)"
    assert "\\<script\\>" in hostile
    assert scratch.split(" | ")[3] == "31.0 \u00b1 1.0 (3) \u2248"
    assert simmim.split(" | ")[2] == "toy images, 5 ep, 64 px"
    first, _, names, _, hostile, *_ = copied(page, "latex")
    assert first.startswith(r"\begin{tabular}{lllr")
    assert r"detection AP\textsuperscript{box}" in names
    assert r"\& " in hostile
    assert r"\textbf{34.7}" in hostile
    heads, _, scratch, _ = copied(page, "csv")
    assert heads.split(",")[:3] == ["method", "backbone", "pretraining"]
    assert scratch.startswith("scratch,swin-toy,,31,\u2248,\u00b1 1.0 (3),")
    low, high = map(float, scratch.split(",")[6:8])
    assert low < 31 < high


@needs_latex
def test_a_real_engine_sets_the_copied_table(page, tmp_path):
    """Every metric, bold, marks, spread, raised words and the hostile name."""
    page.check("[name=others]")
    text = "\n".join(copied(page, "latex")).replace("\N{DIVISION SLASH}", "/")  # takes LuaLaTeX
    assert r"\textbf{34.7}" in text
    assert r"$^\approx$" in text
    assert set_by_engine(text, tmp_path) > 10_000


def test_other_metrics_are_behind_a_switch(page):
    other = page.locator("#measured thead th.other")
    assert not other.is_visible()
    page.check("[name=others]")
    assert other.is_visible()


def test_details_unfold_below_their_row(page):
    row = page.locator("#measured tbody tr", has=page.get_by_text("simmim", exact=True))
    facts = page.locator("#measured .unfolded")
    row.locator("summary").click()
    facts.wait_for(state="visible")
    said = facts.inner_text()
    assert "configs/toy.py" in said
    assert "time 2.0 min, params 3.9 M, 77 images/s, memory 900 MiB" in said
    assert "3 to 1 over iterations 1 to 2" in said
    assert facts.locator("svg.curve polyline").count() == 1
    assert facts.bounding_box()["width"] > 600
    press(page, BOX)  # the details follow their row
    after = row.evaluate("row => row.nextElementSibling.className")
    assert after == "unfolded"
    row.locator("summary").click()
    facts.wait_for(state="detached")
    press(page, BOX)  # closed details stay closed
    assert facts.count() == 0


def test_everything_is_there_without_scripts(browser, file):
    context = browser.new_context(offline=True, java_script_enabled=False)
    opened = context.new_page()
    opened.goto(file)
    assert opened.locator("#measured tbody tr:not(.group)").count() == 5
    assert not opened.locator(".scripted").first.is_visible()
    opened.check("#others")
    assert opened.locator("#measured thead th.other").is_visible()
    opened.check("#pick-2")
    assert opened.locator("#chart-2").is_visible()
    assert not opened.locator("#chart-1").is_visible()
    opened.locator("#measured summary").last.click()
    assert opened.locator("#measured .more").last.is_visible()
    context.close()


def test_a_hostile_name_is_shown_and_not_run(page):
    assert HOSTILE in page.locator(METHODS).all_inner_texts()
    assert page.locator("main script").count() == 0


def test_head_and_first_column_stay_in_view(page):
    page.add_style_tag(content=".scroll { width: 400px !important; height: 200px; }")
    page.locator("#measured").scroll_into_view_if_needed()
    box = page.locator("#measured .scroll")
    corner = page.locator("#measured thead th").first
    before = corner.bounding_box()
    box.evaluate("box => box.scrollTo(200, 150)")
    assert box.evaluate("box => box.scrollLeft") > 50
    assert corner.bounding_box() == before
    first = page.locator("#measured tbody tr:not(.group) th").last.bounding_box()
    assert first["x"] == pytest.approx(before["x"], abs=1)


def test_paper_shows_bars_and_no_controls(page):
    page.emulate_media(media="print")
    bar = page.locator("#measured td.bar").first
    assert bar.evaluate("cell => getComputedStyle(cell).printColorAdjust") == "exact"
    assert not page.locator(".tools").first.is_visible()
    section = page.locator("#measured")
    assert section.evaluate("box => getComputedStyle(box).overflowX") == "visible"  # nothing is cut


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, file, scheme):
    """WCAG's rules by axe-core, with details unfolded and other metrics shown."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(color_scheme=scheme)
    opened = context.new_page()
    opened.goto(file)
    opened.check("[name=others]")
    opened.check("[name=intervals]")
    opened.locator("#measured summary").last.click()
    found = axe.run(opened).response
    context.close()
    assert len(found["passes"]) > 20
    bad = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in bad] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out_in_both_schemes(browser, file, scheme):
    context = browser.new_context(color_scheme=scheme)
    opened = context.new_page()
    opened.goto(file)
    inks = opened.evaluate(
        "() => [getComputedStyle(document.body).color,"
        " getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('#chart-1 text')).fill]"
    )
    context.close()
    ink, paper, drawn = (sum(map(int, text[4:-1].split(",")[:3])) for text in inks)
    assert abs(ink - paper) > 400
    assert abs(drawn - paper) > 400


def test_a_phone_shows_a_metric_with_its_interval(browser, file):
    context = browser.new_context(viewport={"width": 390, "height": 800}, is_mobile=True)
    opened = context.new_page()
    opened.goto(file)
    wide = opened.evaluate("() => document.documentElement.scrollWidth")
    opened.select_option("#measured .chosen", label="detection AP\u1d50\u1d43\u02e2\u1d4f")
    heads = opened.locator("#measured thead th").all()
    shown = [head.inner_text().split()[-1] for head in heads if head.is_visible()]
    row = opened.locator("#measured tbody tr:not(.group)").first
    cells = [cell.inner_text().split("\n") for cell in row.locator("td").all() if cell.is_visible()]
    over = opened.evaluate(f"{OVERHANG}(document.querySelector('#measured .scroll'))")
    opened.select_option("#measured .chosen", label=f"detection AP{BOX}")
    interval = row.locator("td:visible .interval").inner_text()
    context.close()
    assert (wide <= 390, over) == (True, 0)
    assert shown == ["method", "AP\u1d50\u1d43\u02e2\u1d4f"]
    assert cells == [["25.0 \u00b1 0.0 (3)"]]  # equal runs say nothing about noise
    low, high = map(float, interval.split(" to "))
    assert low < high


def test_a_phone_shows_a_metric_of_the_task_that_is_chosen(browser, file):
    context = browser.new_context(viewport={"width": 390, "height": 800}, is_mobile=True)
    opened = context.new_page()
    opened.goto(f"{file}#measured")  # a link within the page
    shown = []
    opened.locator(".view > summary").click()
    for task in ("detection", "classification"):
        opened.select_option("[name=task]", task)
        heads = opened.locator("#measured thead th").all()
        shown.append([head.inner_text().split()[-1] for head in heads if head.is_visible()])
    context.close()
    assert shown == [["method", f"AP{BOX}"], ["method", "top-1"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "scrolled"), [(390, 0), (320, 38)])
def test_a_phone_shows_charts_with_readable_text(browser, file, scheme, width, scrolled):
    """A narrower screen than most scrolls each chart inside its own box."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, is_mobile=True, color_scheme=scheme
    )
    opened = context.new_page()
    opened.goto(file)
    page_over = opened.evaluate(f"{OVERHANG}(document.documentElement)")
    over, charts = [], []
    for number in range(1, opened.locator("figure").count() + 1):
        opened.check(f"#pick-{number}")
        figure = opened.locator(f"#chart-{number}")
        over.append(figure.evaluate(OVERHANG))
        charts.append(figure.evaluate(TEXTS))
    context.close()
    assert page_over <= 0
    assert len(charts) == len(over) >= 2
    assert set(over) == {scrolled}
    for texts in charts:
        assert texts
        for size, left, right in texts:
            assert size >= 11 - 0.1
            assert min(left, right) >= -1  # no label is cut
