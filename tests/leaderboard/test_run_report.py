"""The page of a run: all that lies in its folder, and text that stays text."""

import csv
import json

import pytest
from PIL import Image

from simmim_bench import shipped
from simmim_bench.config import load_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.web.run_report import (
    config_differences,
    renew_reports,
    write_reports,
    write_run_report,
)
from simmim_bench.records.manifest import Manifest
from tests.leaderboard.test_web import HOSTILE, Page

FILE = """
lr = 0.1
pipeline = [dict(type="A", size=4), dict(type="B")]
only = dict(in_file=1)
"""
USED = """
lr = 0.2
pipeline = [dict(type="simmim_bench.SeedSample", seed=3), dict(type="A", size=8), dict(type="B")]
only = dict()
work_dir = "/somewhere"
custom_hooks = [dict(type="ManifestHook")]
"""


@pytest.fixture
def run(tmp_path, monkeypatch, toy, any_name):
    """A folder of a finished run, its config file beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.py").write_text(FILE)
    folder = tmp_path / "work" / "run"
    (folder / "classes").mkdir(parents=True)
    (folder / "predictions").mkdir()
    (folder / "toy.py").write_text(USED)
    stated = {"path": "toy.py", "sha256": resolved_hash(load_config("toy.py")), "overrides": []}
    fields = toy.manifest_fields(config=stated, method=HOSTILE, deviations=[HOSTILE])
    fields["pretraining"] = {**toy.pretraining(), "method": HOSTILE}
    Manifest.model_validate(fields).write(folder / "manifest.json")
    log = folder / "20250101" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    rows = [{"loss": 3.0 - step, "lr": 0.1, "step": step, "iter": step} for step in (1, 2)]
    rows += [{"coco/bbox_mAP": 0.1 * step, "step": step} for step in (1, 2)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (folder / "classes" / "per_class.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["class", "AP"], [HOSTILE, "12.5"]])
    for name in ("classes/confusion", "classes/worst", "predictions/0_a", "predictions/1_b"):
        Image.new("RGB", (2000, 100), "red").save(folder / f"{name}.png")
    return folder


def test_everything_of_a_run_is_on_its_page(run):
    page = Page(write_run_report(run).read_text("utf-8"))
    assert [len(a) > 100 for a in page.addresses] == [True] * 4  # pictures, in the page itself
    assert page.tags.count("svg") == 3  # loss, lr, box AP; mask AP was not logged
    assert ["APᵇᵒˣ (%)", "APᵐᵃˢᵏ (%)"] in page.rows
    assert ["34.71", "23.20"] in page.rows
    assert ["lr", "0.1", "0.2"] in page.rows
    assert [HOSTILE, "12.5"] in page.rows
    assert "script" not in page.tags


def test_units_and_uncommitted_changes_are_told(tmp_path, toy):
    metrics = {f"inpaint_{name}": f"inpaint/{name}" for name in ("psnr", "ssim")}
    painting = toy.protocol(task="generation", metrics=metrics, primary="inpaint_psnr")
    values = {"inpaint_psnr": 20.0, "inpaint_ssim": 70.0}
    fields = toy.manifest_fields(protocol=painting, metrics=values)
    fields["environment"] = {**fields["environment"], "git_commit": "ab" * 20, "git_dirty": True}
    Manifest.model_validate(fields).write(tmp_path / "manifest.json")
    log = tmp_path / "20250101" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    rows = [{"inpaint/psnr": 10.0 * step, "step": step} for step in (1, 2)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = write_run_report(tmp_path).read_text("utf-8")
    assert ["PSNR (dB), inpainted", "SSIM, inpainted (\N{MULTIPLICATION SIGN} 100)"] in Page(
        text
    ).rows
    assert "<figcaption>PSNR (dB), inpainted</figcaption>" in text
    assert "commit abababababab, with uncommitted changes" in text


def test_differences_are_those_of_the_recipe(run):
    manifest = Manifest.read(run / "manifest.json")
    changes, warning = config_differences(run, manifest.config)
    assert [(change.key, change.stated, change.used) for change in changes] == [
        ("lr", "0.1", "0.2"),
        ("only.in_file", "1", "absent"),
        ("pipeline.0.size", "4", "8"),
    ]
    assert warning is None


def test_the_config_is_found_from_another_folder(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    manifest = Manifest.read(run / "manifest.json")
    assert config_differences(run, manifest.config)[1].startswith("unknown: config toy.py ")
    monkeypatch.setattr(shipped, "HOME", tmp_path)
    changes, warning = config_differences(run, manifest.config)
    assert len(changes) == 3
    assert warning is None


def test_the_project_has_its_configs():
    assert (shipped.CONFIGS / "simmim").is_dir()


def test_a_config_that_changed_since_is_told(run, tmp_path):
    (tmp_path / "toy.py").write_text(FILE.replace("0.1", "0.3"))
    config = Manifest.read(run / "manifest.json").config
    assert "toy.py has changed since the run" in config_differences(run, config)[1]
    (tmp_path / "toy.py").unlink()
    changes, warning = config_differences(run, config)
    assert changes == []
    assert warning.startswith("unknown: config toy.py does not exist; the configs of the package")
    assert "unknown: config" in write_run_report(run).read_text("utf-8")


@pytest.mark.parametrize("place", ["work/run/toy.py", "toy.py"])
@pytest.mark.parametrize("write", [write_run_report, lambda run: renew_reports(run.parent)])
def test_code_in_a_config_of_a_run_is_not_executed(run, tmp_path, place, write):
    marker = tmp_path / "marker"
    (tmp_path / place).write_text(f"import os\nos.system('touch {marker}')\nlr = 0.1\n")
    write(run)
    assert not marker.exists()
    page = (run / "report.html").read_text("utf-8")
    assert "toy.py contains more than plain values (import os)" in page


def test_only_what_is_missing_or_old_is_written_anew(run, tmp_path):
    renew_reports(tmp_path)
    first = (run / "report.html").stat().st_mtime_ns
    renew_reports(tmp_path)
    assert (run / "report.html").stat().st_mtime_ns == first
    manifest = Manifest.read(run / "manifest.json")
    manifest.write(run / "manifest.json")
    renew_reports(tmp_path)
    assert (run / "report.html").stat().st_mtime_ns > first


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(BenchError, match=r"has no manifest\.json of a training"):
        write_reports([tmp_path])
    with pytest.raises(BenchError, match="does not exist"):
        write_reports([tmp_path / "gone"])


TRUNCATED = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes/per_class.csv", b"class,AP\n\xff,1\n"),
        ("classes/per_class.csv", b'class,AP\n"a,1\n'),
        ("classes/confusion.png", TRUNCATED),
        ("predictions/0_a.png", b"no picture"),
        ("reconstructions/epoch_1.png", TRUNCATED),
    ],
)
def test_a_damaged_file_costs_its_part_of_the_page(run, name, content):
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_bytes(content)
    lost = []
    page = write_run_report(run, lost)
    (sentence,) = lost
    assert f"{run / name} " in sentence
    assert sentence.endswith(f"{page} is written without it")
    assert "Left out: " in page.read_text("utf-8")


def test_a_damaged_log_costs_its_charts_alone(run):
    (run / "20250101/vis_data/scalars.json").write_bytes(b"\xff\nnull\n" + b"[" * 3000)
    assert "Learning" not in write_run_report(run).read_text("utf-8")


def test_reconstructions_of_other_names_are_passed_over(run):
    (run / "reconstructions").mkdir()
    (run / "reconstructions" / "epoch_last.png").write_bytes(b"")
    assert write_run_report(run).is_file()


def test_a_page_that_cannot_be_written_costs_that_run_alone(run, tmp_path):
    (run / "report.html").mkdir()
    (sentence,) = renew_reports(tmp_path)
    assert sentence.startswith(f"{run} has no report: ")
