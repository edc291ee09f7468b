import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.results.leaderboard import build

ROOT = Path(__file__).parents[2]


def tool(*words):
    command = [sys.executable, str(ROOT / "tools" / "leaderboard.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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
