"""The figure of a study, drawn from the demo's records."""

import pytest
from PIL import Image

from benchmarks.study import draw, hashes, is_probe, run
from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.records.store import read_records
from tests.e2e.conftest import ROOT


def test_a_panel_for_each_fine_tuned_task(tmp_path):
    [table] = aggregate(read_records(ROOT / "results" / "records"))
    draw(table, tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as image:
        assert image.size == (3 * 780, 600)


def test_probes_are_told_by_their_protocol():
    names = ("demo-linear-grid", "demo-upernet", "demo-classification")
    assert list(map(is_probe, names)) == [True, False, False]


def test_hashes_of_the_exported_backbones_are_those_of_the_records():
    records = read_records(ROOT / "results" / "records")
    head, rule, *rows = hashes(records).splitlines()
    assert head.startswith("| backbone | seed 0 | seed 1 |")
    assert rule.count("|") == head.count("|")
    known = {each.pretraining.checkpoint_sha256[:16] for each in records if each.pretraining}
    shown = [cell.strip(" `") for row in rows for cell in row.split("|")[2:-1]]
    assert sorted(shown) == sorted(known)


def test_a_folder_without_records_is_refused(tmp_path, monkeypatch):
    command = ["study", str(tmp_path), "--picture", str(tmp_path / "drawn.png")]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(BenchError, match="holds no records"):
        run()
