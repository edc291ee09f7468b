"""The page: what its functions give, and what a browser shows."""

import argparse
import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.analysis.painting import page as module
from simmim_bench.analysis.painting.inpaint import inpaint
from simmim_bench.analysis.painting.page import enlarge, inpaint_drawn, make_page
from simmim_bench.errors import BenchError

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def drawn(image, mask):
    """What Gradio's editor gives: an opaque image, a layer drawn upon."""
    opaque = np.full((*mask.shape, 1), 255, dtype=np.uint8)
    layer = np.zeros((*mask.shape, 4), dtype=np.uint8)
    layer[mask] = 255
    return {"background": np.concatenate([image, opaque], axis=2), "layers": [layer]}


def test_what_is_drawn_is_painted(predictor, drawn, image, mask):
    assert (inpaint_drawn(predictor, drawn) == inpaint(predictor, image, mask)).all()


def test_two_visitors_at_once_get_what_each_would_get_alone(predictor):
    """Masks enter a model by hooks, of which two calls at once would see both."""
    images = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    masks = [predictor.random_patches(ratio=0.5, seed=(number,))[None] for number in (0, 1)]
    given = list(zip(images[:, None], masks, strict=True)) * 10
    alone = [predictor.predict(*each) for each in given]
    with ThreadPoolExecutor(2) as visitors:
        together = list(visitors.map(lambda each: predictor.predict(*each), given))
    assert (np.stack(together) == np.stack(alone)).all()


def test_what_the_page_refuses(predictor, drawn):
    with pytest.raises(BenchError, match="upload one first"):
        inpaint_drawn(predictor, None)
    with pytest.raises(BenchError, match="the drawn mask is empty"):
        inpaint_drawn(predictor, {**drawn, "layers": []})
    with pytest.raises(BenchError, match="upload one first"):
        enlarge(predictor, None, 2)
    with pytest.raises(BenchError, match="at most 1024x1024"):
        enlarge(predictor, np.zeros((1025, 1025, 3), np.uint8), 2)


@pytest.mark.parametrize(("given", "asked"), [(7900, 7900), (0, None)])
def test_the_address_is_that_of_the_page(monkeypatch, given, asked):
    """Gradio takes the first free port where none is given, and cannot serve from port 0."""
    made = Mock(server_port=7861)
    monkeypatch.setattr(module, "load_predictor", lambda *_, **__: None)
    monkeypatch.setattr(module, "make_page", lambda _: made)
    said = io.StringIO()
    given = {
        "config": "",
        "checkpoint": "",
        "image_size": None,
        "cfg_options": [],
        "host": "localhost",
        "port": given,
    }
    module.serve(argparse.Namespace(**given), Console(file=said))
    assert made.launch.call_args.kwargs["server_port"] == asked
    assert said.getvalue() == "serving: http://localhost:7861\n"


@pytest.fixture
def page(predictor, monkeypatch):
    """The page in a browser."""
    pytest.importorskip("gradio")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    playwright = pytest.importorskip("playwright.sync_api")
    made = make_page(predictor)
    _, address, _ = made.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto(address, wait_until="domcontentloaded")
        yield opened
        browser.close()
    made.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; Debian's package is chromium")
def test_a_browser_is_refused_without_an_image_and_enlarges_one(page, image, tmp_path):
    Image.fromarray(image).save(tmp_path / "image.png")
    page.get_by_role("button", name="Inpaint", exact=True).click()
    page.get_by_text("upload one first").first.wait_for()
    page.get_by_role("tab", name="Super-resolution").click()
    page.locator("[role=tabpanel]:visible input[type=file]").first.set_input_files(
        tmp_path / "image.png"
    )
    page.get_by_role("button", name="Enlarge").click()
    shown = page.locator("[role=tabpanel]:visible img").last
    page.wait_for_function(
        "() => Array.from(document.images).some((image) => image.naturalWidth === 182)"
    )
    assert shown.is_visible()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; Debian's package is chromium")
def test_a_stroke_drawn_in_a_browser_is_painted(page, tmp_path):
    red = np.full((240, 320, 3), (200, 30, 30), dtype=np.uint8)
    Image.fromarray(red).save(tmp_path / "image.png")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload", exact=True).click()
    chooser.value.set_files(tmp_path / "image.png")
    page.get_by_text("select the draw tool to start").wait_for(state="hidden")
    page.get_by_role("button", name="Brush", exact=True).click()
    area = page.locator("canvas").last.bounding_box()
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    page.mouse.move(x - 20, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Inpaint", exact=True).click()
    shown = page.locator("[role=tabpanel]:visible img[src*='/file=']")
    shown.wait_for()
    written = page.request.get(shown.get_attribute("src")).body()
    painted = np.asarray(Image.open(io.BytesIO(written)))
    changed = (painted != red).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed[120, 150:170].mean() > 0.9  # the middle, where the stroke is
    assert (rows.mean(), columns.mean()) == pytest.approx((120, 160), abs=5)
    assert changed.mean() < 0.2
