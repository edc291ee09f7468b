"""The whole tool: files, figures, the page, and what it refuses."""

import argparse
import csv
import json
import shutil

import numpy as np
import pytest
import torch
from rich.console import Console

from simmim_bench.analysis.representation.commands import analyze
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from tests.analysis.representation.conftest import BEIT, RESNET, SWIN
from tests.e2e.conftest import CONFIGS, PRETRAIN

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FILES = {"attention_distance.csv", "cka.csv", "effective_rank.csv", "tsne.csv", "grad_cam.csv"}


def call(images, out, *models, **changes):
    values = {
        "images": [images], "model": list(models), "out": out, "count": 12, "seed": 0,
        "target_class": None, "cam_layer": None, "over_checkpoints": None, "knn": None,
    }  # fmt: skip
    analyze(argparse.Namespace(**{**values, **changes}), Console(quiet=True))


def rows_of(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A classifier with weights as drawn and a hostile class name."""
    cfg = load_config(str(CONFIGS["classification"]))
    torch.manual_seed(0)
    state = MODELS.build({**cfg.model, "_scope_": "mmpretrain"}).state_dict()
    classes = ("<script>alert(1)</script>", *"bcdefghij")
    meta = {"cfg": cfg.pretty_text, "epoch": 3, "dataset_meta": {"classes": classes}}
    path = tmp_path_factory.mktemp("classifier") / "epoch_3.pth"
    torch.save({"state_dict": state, "meta": meta}, path)
    return path


@pytest.fixture(scope="module")
def out(folder, classifier, tmp_path_factory):
    made = tmp_path_factory.mktemp("analysis")
    target = "<script>alert(1)</script>"
    call(folder, made, f"a<i>={classifier}", f"scratch={PRETRAIN}", target_class=target)
    return made


def test_figures_beside_the_page(out):
    facts = json.loads((out / "analysis.json").read_text("utf-8"))
    assert set(facts["files"]) == FILES
    assert sorted(set(facts["classes"])) == ["green<b>", "red"]
    reach = rows_of(out / "attention_distance.csv")
    assert len(reach) == 2 * 2 * (1 + 2 + 4 + 8)  # models, blocks of a stage, heads
    # from 4 x 4 windows of 4, 8 and 16 px to 2 x 2 tokens of 32 px; shifted windows see less
    for row in reach:
        assert 0 < float(row["distance_pixels"]) < 32 * 2**0.5
    first = [row for row in reach if row["attention_layer"] == "1"]
    places = np.array([(r, c) for r in range(4) for c in range(4)]) * 4.0
    uniform = np.linalg.norm(places[:, None] - places, axis=-1).mean()
    assert {round(float(row["uniform_pixels"]), 6) for row in first} == {round(uniform, 6)}
    same = [
        float(row["cka"])
        for row in rows_of(out / "cka.csv")
        if (row["model"], row["layer"]) == (row["other_model"], row["other_layer"])
    ]
    assert same == pytest.approx([1] * 2 * 9)
    for row in rows_of(out / "effective_rank.csv"):
        assert 1 <= float(row["effective_rank"]) <= float(row["most"])
    assert len(rows_of(out / "tsne.csv")) == 2 * 12
    assert {row["explained"] for row in rows_of(out / "grad_cam.csv")} == {
        "<script>alert(1)</script>"
    }


def test_the_page_stands_alone_and_is_escaped(out):
    page = (out / "analysis.html").read_text("utf-8")
    assert "<script" not in page
    assert "a<i>" not in page
    assert "green<b>" not in page
    assert 'src="http' not in page
    assert page.count("<svg") == 2 + 3 + 1 + 2
    assert page.count("data:image/jpeg") == 12


def test_without_attention_or_classes_sections_say_so(folder, save_pretraining, tmp_path):
    checkpoint = save_pretraining({**RESNET, "out_indices": (3,)})
    call(folder / "red", tmp_path / "out", f"cnn={checkpoint}")
    page = (tmp_path / "out" / "analysis.html").read_text("utf-8")
    assert "its attention cannot be read: cnn" in page
    assert "needs at least 10 images" in page
    assert not (tmp_path / "out" / "attention_distance.csv").exists()


def test_what_is_refused(folder, classifier, save_pretraining, tmp_path):
    out, swin = tmp_path / "out", save_pretraining(SWIN)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BenchError, match="has no image"):
        call(empty, out, f"a={swin}")
    with pytest.raises(BenchError, match="nothing to analyse"):
        call(folder, out)
    with pytest.raises(BenchError, match="different names"):
        call(folder, out, f"a={swin}", f"a={classifier}")
    with pytest.raises(BenchError, match="no --model is one"):
        call(folder, out, f"a={swin}", target_class="red")
    with pytest.raises(BenchError, match="unknown class 'bb'"):
        call(folder, out, f"a={classifier}", target_class="bb")
    with pytest.raises(BenchError, match="no layer '7'"):
        call(folder, out, f"a={classifier}", cam_layer="7")
    with pytest.raises(BenchError, match=">= 4"):
        call(folder, out, f"a={swin}", count=3)
    with pytest.raises(BenchError, match="needs --over-checkpoints"):
        call(folder, out, f"a={swin}", knn="x.py")
    assert not out.exists()


def test_vit_and_swin_beside_each_other(folder, save_pretraining, tmp_path):
    swin = save_pretraining(SWIN)
    vit = save_pretraining({**BEIT, "final_norm": True}, name="epoch_3.pth")
    call(folder, tmp_path / "out", f"swin={swin}", f"vit={vit}")
    between = [
        row for row in rows_of(tmp_path / "out" / "cka.csv") if row["model"] != row["other_model"]
    ]
    assert len(between) == 9 * 4
    assert {(row["model"], row["other_model"]) for row in between} == {("swin", "vit")}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; Debian's package is chromium")
def test_a_browser_shows_it_without_a_network_on_a_phone(out):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(offline=True, viewport={"width": 390, "height": 800})
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto((out / "analysis.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("Array.from(document.images).every((i) => i.naturalWidth === 320)")
        assert page.locator("svg").count() == 8
        browser.close()
    assert errors == []
