"""The leaderboard page as a browser shows it."""

import shutil
from pathlib import Path
from urllib.parse import urlparse

import pytest

from simmim_bench.leaderboard.web.page import render_web
from tests.leaderboard.test_web import HOSTILE
from tests.records.conftest import unchecked_names

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; Debian's package is chromium"),
]
FIGURES = "#board tbody tr td:nth-child(6)"  # as shown: the first column is hidden
METHODS = "#board tbody tr td:nth-child(2)"
SHOWN = (
    "([where, wanted]) => Array.from(document.querySelectorAll(where))"
    ".map((cell) => cell.innerText).join() === wanted.join()"
)
OVERHANG = "((box) => box.scrollWidth - box.clientWidth)"  # pixels to scroll sideways
TEXTS = """() => Array.from(document.querySelectorAll('figure svg')).map((svg) => {
  const box = svg.getBoundingClientRect();
  return Array.from(svg.querySelectorAll('text')).map((text) => {
    const at = text.getBoundingClientRect(), { a, b } = text.getScreenCTM();
    const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
    return [size, at.left - box.left, box.right - at.right];
  });
})"""  # of each text of each chart: CSS pixels of its letters, and to the two edges of the chart


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory, make_record, make_simmim, make_published, toy):
    origin = {**toy.pretraining(), "method": HOSTILE}
    cost = toy.run_fields()["cost"]
    loss = {"loss": {"against": "iteration", "points": [[1.0, 3.0], [2.0, 1.0]]}}
    with unchecked_names():
        records = [
            make_record(metrics={"box_ap": 30.0, "mask_ap": 25.0}),
            make_simmim(metrics={"box_ap": 9.5, "mask_ap": 8.0}, pretraining_curves=loss,
                        pretraining_cost={**cost, "wall_seconds": 6000.0}),
            make_simmim(method=HOSTILE, pretraining=origin, pretraining_cost=cost,
                        cost={**cost, "parameters": 12_000_000, "peak_memory_mb": 10_000.0}),
            make_record(protocol=toy.classification, metrics={"top1": 50.0}),
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
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
    opened.goto(file)
    opened.wait_for_selector(".dt-container")
    yield opened
    context.close()
    assert errors == []


def test_columns_sort_as_numbers(page):
    rising = ["9.5 (1)", "30.0 (1)", "34.7 (1)", "50.0 (1)"]
    page.click("th:has-text('value')")
    page.wait_for_function(SHOWN, arg=[FIGURES, rising])
    page.click("th:has-text('value')")
    page.wait_for_function(SHOWN, arg=[FIGURES, rising[::-1]])


@pytest.mark.parametrize(
    ("head", "place", "rising"),
    [
        ("pretrain (min)", 8, ["2.0", "100", "", ""]),
        ("params (M)", 10, ["3.9", "3.9", "3.9", "12.0"]),
        ("memory (MiB)", 11, ["900", "900", "900", "10000"]),
    ],
)
def test_costs_sort_as_numbers_and_blanks_last(page, head, place, rising):
    cells = f"#board tbody tr td:nth-child({place})"
    known = [text for text in rising if text]
    falling = known[::-1] + [""] * rising.count("")
    page.click(f"th:has-text('{head}')")
    page.wait_for_function(SHOWN, arg=[cells, rising])
    page.click(f"th:has-text('{head}')")
    page.wait_for_function(SHOWN, arg=[cells, falling])
    page.select_option("#order", str(place) + " asc")
    page.wait_for_function(SHOWN, arg=[cells, rising])


@pytest.mark.parametrize(("width", "count"), [(768, 7), (1000, 8), (1300, 12)])
def test_a_window_shows_the_columns_that_fit(page, width, count):
    """None is cut off: the table's box has nothing to scroll."""
    page.set_viewport_size({"width": width, "height": 800})
    wanted = f"() => document.querySelectorAll('#board thead th').length === {count}"
    page.wait_for_function(wanted)
    assert page.evaluate(f"{OVERHANG}(document.querySelector('section'))") <= 0
    assert page.locator("#board thead th").last.inner_text() == "details"


def test_lines_sort_without_their_heads_too(page):
    """On a phone there are none."""
    first = page.locator(FIGURES).all_inner_texts()
    page.select_option("#order", label="by value")
    page.wait_for_function(SHOWN, arg=[FIGURES, ["50.0 (1)", "34.7 (1)", "30.0 (1)", "9.5 (1)"]])
    page.select_option("#order", label="by protocol")
    page.wait_for_function(SHOWN, arg=[FIGURES, first])


def test_protocols_and_cited_figures_are_chosen(page):
    assert page.locator(METHODS).count() == 4
    page.select_option("#protocol", "toy-classification@1")
    assert page.locator(METHODS).all_inner_texts() == ["scratch"]
    page.select_option("#protocol", "")
    page.select_option("#group", "cited")
    assert page.locator(METHODS).all_inner_texts() == ["simmim source", "simmim source"]


def test_a_protocol_of_cited_figures_alone_is_not_empty(page):
    page.select_option("#protocol", "toy-detection@1")
    assert page.input_value("#group") == "measured"
    page.select_option("#protocol", "toy-cited@1")
    assert page.locator(METHODS).all_inner_texts() == ["simmim source"]
    assert page.input_value("#group") == ""


def test_search_narrows(page):
    page.fill("input[type=search]", "scratch")
    assert page.locator(METHODS).all_inner_texts() == ["scratch", "scratch"]
    page.fill("input[type=search]", "no such thing")
    assert page.locator("#board tbody").inner_text().startswith("No matching records")


def test_details_unfold_below_their_row(page):
    row = page.locator("#board tbody tr", has_text="9.5 (1)").first
    facts = page.locator("#board tbody tr:has-text('9.5 (1)') + tr dl")
    assert not page.locator("#board dl").first.is_visible()
    row.locator("summary").click()
    facts.wait_for(state="visible")
    said = facts.inner_text()
    assert "configs/toy.py" in said
    assert "time 2.0 min, params 3.9 M, 77 images/s, memory 900 MiB" in said
    assert "3 to 1 over iterations 1 to 2" in said
    assert facts.locator("svg.curve polyline").count() == 1
    assert facts.bounding_box()["x"] < row.bounding_box()["x"] + 50
    row.locator("summary").click()
    facts.wait_for(state="hidden")


@pytest.mark.parametrize("broken", [False, True])
def test_rows_are_shown_without_the_library_too(browser, file, broken, tmp_path):
    """Where scripts do not run, and where the library does not load."""
    context = browser.new_context(offline=True, java_script_enabled=broken)
    opened = context.new_page()
    text = Path(urlparse(file).path).read_text("utf-8")
    path = tmp_path / "index.html"
    path.write_text(text.replace("import(url)", 'import("missing.js")') if broken else text)
    opened.goto(path.as_uri())
    opened.locator("#board tbody tr").first.wait_for(state="visible")
    assert opened.locator(".dt-container").count() == 0
    context.close()


def test_a_hostile_name_is_shown_and_not_run(page):
    assert HOSTILE in page.locator(METHODS).all_inner_texts()
    assert page.locator("#board script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out_in_both_schemes(browser, file, scheme):
    context = browser.new_context(color_scheme=scheme)
    opened = context.new_page()
    opened.goto(file)
    opened.wait_for_selector(".dt-container")
    inks = opened.evaluate(
        "() => [getComputedStyle(document.body).color,"
        " getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('figure svg text')).fill]"
    )
    context.close()
    ink, paper, drawn = (sum(map(int, text[4:-1].split(",")[:3])) for text in inks)
    assert abs(ink - paper) > 400
    assert abs(drawn - paper) > 400


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser, file):
    context = browser.new_context(viewport={"width": 390, "height": 800}, is_mobile=True)
    opened = context.new_page()
    opened.goto(file)
    opened.wait_for_selector(".dt-container")
    wide = opened.evaluate("() => document.documentElement.scrollWidth")
    opened.select_option("#order", label="by value")
    shown = opened.locator("#board tbody tr").first.inner_text()
    context.close()
    assert wide <= 390
    assert "50.0 (1)" in shown
    assert shown.endswith("2.0\n3.9\n900\nshow")  # costs, too


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "scrolled"), [(390, 0), (320, 38)])
def test_a_phone_shows_charts_with_readable_text(browser, file, scheme, width, scrolled):
    """A narrower screen than most scrolls each chart inside its own box."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, is_mobile=True, color_scheme=scheme
    )
    opened = context.new_page()
    opened.goto(file)
    opened.wait_for_selector(".dt-container")
    page_over = opened.evaluate(f"{OVERHANG}(document.documentElement)")
    over = opened.evaluate(f"() => Array.from(document.querySelectorAll('figure')).map({OVERHANG})")
    charts = opened.evaluate(TEXTS)
    context.close()
    assert page_over <= 0
    assert len(charts) == len(over) >= 3
    assert set(over) == {scrolled}
    for texts in charts:
        assert texts
        for size, left, right in texts:
            assert size >= 11 - 0.1
            assert min(left, right) >= -1  # no label is cut
