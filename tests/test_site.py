"""The documentation site builds without a warning, needs no network, and fits a phone."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PAGES = ["docs/index", "docs/paper-table", "docs/protocols", "docs/api/simmim_bench.masking.base"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    shutil.rmtree(ROOT / "docs" / "api", ignore_errors=True)  # of modules that may be gone
    out = tmp_path_factory.mktemp("site") / "html"
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs", ".", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-5000:]
    return out


def test_every_page_is_there_and_in_the_navigation(site):
    pages = {path.stem for path in ROOT.glob("docs/*.md")}
    assert len(pages) > 25
    assert {name for name in pages if not (site / "docs" / f"{name}.html").is_file()} == set()
    assert "docs/index.html" in (site / "index.html").read_text("utf-8")
    sections = re.findall(r'class="nav-link nav-internal" href="(\w[\w-]*)\.html"',
                          (site / "docs" / "index.html").read_text("utf-8"))  # fmt: skip
    assert list(dict.fromkeys(sections)) == ["start", "tutorials", "how-to", "reference", "about"]


def test_the_reference_has_shapes_and_errors(site):
    text = (site / "docs/api/simmim_bench.models.losses.masked.html").read_text("utf-8")
    assert "(B, " in text
    assert "Raises" in text
    assert "Parameters" in text


class Loaded(HTMLParser):
    """What a browser loads for a page by itself."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        kinds = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
        if tag in kinds and given.get(kinds[tag]):
            self.addresses.append(given[kinds[tag]])


def test_nothing_is_loaded_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 100
    loaded = Loaded()
    for page in pages:
        loaded.feed(page.read_text("utf-8"))
    assert len(loaded.addresses) > 1000
    assert {address for address in loaded.addresses if re.match(r"(\w+:)?//", address)} == set()
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)|@import[^;]*//[^;]*", styles) == []


@pytest.fixture
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; Debian's package is chromium")
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_the_window_without_a_network(site, browser, width):
    page = browser.new_context(viewport={"width": width, "height": 900}, offline=True).new_page()
    outside, errors = [], []
    page.on("request", lambda request: outside.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        page.wait_for_load_state()
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, name
    assert len(outside) > len(PAGES)
    assert [url for url in outside if not url.startswith(("file:", "data:"))] == []
    assert errors == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; Debian's package is chromium")
def test_search_works_without_a_network(site, browser):
    page = browser.new_context(offline=True).new_page()
    page.goto((site / "search.html").as_uri() + "?q=layer+decay")
    page.wait_for_selector("#search-results li")
    found = page.locator("#search-results li a").all_inner_texts()
    assert "Equality with the original" in found
