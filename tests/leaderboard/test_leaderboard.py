import argparse
import csv
from pathlib import Path

import pytest
import yaml

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard import commands
from simmim_bench.leaderboard.build import build, render
from simmim_bench.leaderboard.grid import Page
from simmim_bench.leaderboard.markdown import BEGIN, END
from simmim_bench.records.store import add_record
from tests.calls import call

ROOT = Path(__file__).parents[2]


def tool(*words):
    return call("tools/leaderboard.py", *words)


def test_build_writes_what_it_says(write_suite):
    built = build(write_suite(seeds=(0, 1)))
    assert built.markdown.read_text("utf-8").startswith("# Leaderboard\n")
    assert len(list(built.records.rglob("*.json"))) == 4
    assert "4 new, 0 unchanged" in built.summary()
    assert "0 new, 4 unchanged" in build(built.records.parents[1]).summary()


def test_a_second_build_changes_no_byte(write_suite, tmp_path):
    first = build(write_suite(), tmp_path / "out")
    before = first.markdown.read_bytes()
    assert build(tmp_path / "work", tmp_path / "out").markdown.read_bytes() == before


def test_failed_rendering_leaves_the_old_page(write_suite, monkeypatch):
    built = build(write_suite())
    before = built.markdown.read_bytes()
    work = write_suite(seeds=(0, 1))
    monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        build(work)
    assert built.markdown.read_bytes() == before


def test_a_missing_work_dir_is_a_sentence(tmp_path):
    with pytest.raises(BenchError, match="does not exist"):
        build(tmp_path / "nothing")


def test_the_tool_builds_and_shows_the_same(write_suite):
    work = write_suite()
    made = tool("build", "--work-dir", work)
    assert made.returncode == 0
    assert made.stderr == ""
    assert str(work / "results" / "leaderboard" / "README.md") in made.stdout
    shown = tool("show", "--records", work / "results" / "records")
    assert shown.returncode == 0
    assert "gain over scratch" in shown.stdout
    assert made.stdout.startswith(shown.stdout)


def test_the_tool_ends_with_a_sentence_and_code_2(write_suite, tmp_path):
    work = write_suite()
    manifest = next(work.rglob("finetune/**/manifest.json"))
    manifest.write_text(manifest.read_text().replace("toy-detection", "Toy Detection"))
    for words in (("build", "--work-dir", work), ("show", "--records", tmp_path / "nothing")):
        failed = tool(*words)
        assert failed.returncode == 2
        assert failed.stderr.startswith("error: ")
        assert len(failed.stderr.splitlines()) == 1


def test_the_csv_has_the_cited_figures_of_the_page(make_simmim, toy, tmp_path):
    add_record(tmp_path / "records", make_simmim(), source=Path("x"))
    result = {
        "method": "simmim",
        "backbone": "swin-other",
        "protocol": "toy-detection",
        "metrics": {"box_ap": 46.0},
        "pretraining": {"dataset": "toy images", "epochs": 5},
    }
    source = {
        "kind": "reproduced",
        "table": "A paper, table 3",
        "url": "https://example.org/paper",
        "date": "2026-01-31T00:00:00+00:00",
        "results": [result],
    }
    published = tmp_path / "published"
    published.mkdir()
    (published / "paper.yml").write_text(yaml.safe_dump(source))
    (published / "protocols.yml").write_text(yaml.safe_dump([toy.protocol()]))
    render(tmp_path, published=published, everything_cited=True)
    text = (tmp_path / "leaderboard" / "leaderboard.csv").read_text("utf-8")
    table = list(csv.DictReader(text.splitlines()))
    cited = [(row["backbone"], row["value"]) for row in table if row["provenance"] != "measured"]
    assert cited == [("swin-other", "46.0")]
    assert len(table) == 3


def test_a_readme_is_filled_from_a_work_dir_too(write_suite, tmp_path):
    readme = tmp_path / "rd.md"
    readme.write_text(f"# Mine\n{BEGIN}\n{END}\nend\n")
    made = tool("build", "--work-dir", write_suite(), "--readme", readme)
    assert made.returncode == 0, made.stderr
    text = readme.read_text("utf-8")
    assert "gain over scratch" in text
    assert text.endswith(f"{END}\nend\n")
    refused = tool("build", "--work-dir", write_suite(), "--readme", tmp_path / "no.md")
    assert refused.returncode == 2
    assert "no.md is not a file; give one with the lines" in refused.stderr


def test_build_alone_is_of_the_projects_results(monkeypatch, tmp_path):
    """From any folder, as check and show."""
    monkeypatch.chdir(tmp_path)
    seen, page = [], Page("", "", [], 3, earlier=2)
    monkeypatch.setattr(commands, "render", lambda out, **_: seen.append(out) or page)
    monkeypatch.setattr(commands, "print_page", lambda _: None)
    given = argparse.Namespace(
        work_dir=None, out=None, results=ROOT / "results", published=None, readme=None
    )
    told, once = commands.build(given)
    assert told == f"leaderboard: {ROOT / 'results' / 'leaderboard'}"
    assert once.startswith("note: 2 of 3 records are from an earlier version")
    assert seen == [ROOT / "results"]


def test_a_damaged_file_of_one_run_does_not_stop_the_build(write_suite, tmp_path):
    work = write_suite()
    run = next(
        path.parent for path in sorted(work.rglob("manifest.json")) if "finetune" in str(path)
    )
    (run / "classes").mkdir()
    (run / "classes" / "per_class.csv").write_bytes(b"\xff")
    (run / "predictions").mkdir()
    (run / "predictions" / "a.png").write_bytes(b"\x89PNG")
    made = tool("build", "--work-dir", work)
    assert made.returncode == 0, made.stderr
    warnings = [line for line in made.stdout.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert f"table {run}/classes/per_class.csv cannot be read" in warnings[0]
    assert f"picture {run}/predictions/a.png cannot be read" in warnings[1]
    assert (run / "report.html").is_file()
