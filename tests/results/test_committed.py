"""What the project shows of itself follows from the records that it ships."""

import re
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from simmim_bench.engine.settings import load_config, resolved_hash
from simmim_bench.results.leaderboard import render
from simmim_bench.results.manifest import Protocol
from simmim_bench.results.published import read_protocols
from simmim_bench.results.store import read_records

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def records():
    return read_records(ROOT / "results" / "records")


def test_the_leaderboard_is_made_of_the_records(tmp_path):
    shutil.copytree(ROOT / "results" / "records", tmp_path / "records")
    render(tmp_path, published=ROOT / "results" / "published", everything_cited=True)
    for name in ("README.md", "leaderboard.csv", "leaderboard.tex"):  # by `make leaderboard`
        committed = ROOT / "results" / "leaderboard" / name
        assert committed.read_bytes() == (tmp_path / "leaderboard" / name).read_bytes(), name


def test_cited_protocols_are_those_of_the_configs():
    cited = read_protocols(ROOT / "results" / "published" / "protocols.yml")
    own = {}
    for path in sorted((ROOT / "configs").glob("[!_]*/*.py")):
        if "protocol" in (cfg := Config.fromfile(path)):
            own.setdefault(cfg.protocol.id, Protocol(**cfg.protocol.to_dict()))
    shared = cited.keys() & own.keys()
    assert len(shared) >= 6
    for identifier in shared:
        assert cited[identifier] == own[identifier]


def test_the_records_are_of_the_configs_as_they_are(records, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert records
    for record in records:
        assert record.config.overrides == []
        assert record.config.sha256 == resolved_hash(load_config(record.config.path)), record.run_id


def test_the_readme_shows_the_records(records):
    text = (ROOT / "README.md").read_text("utf-8")
    for method, label in (("scratch", "from scratch"), ("simmim", "SimMIM, ")):
        [line] = [line for line in text.splitlines() if line.startswith(f"| {label}")]
        found = {k: v for r in records if r.method == method for k, v in r.metrics.items()}
        wanted = [f"{found[name]:.1f}" for name in ("top1", "box_ap", "mask_ap", "miou")]
        assert re.findall(r"\d+\.\d", line.split("|", 2)[2]) == wanted
    [record] = [r for r in records if r.method == "simmim" and r.protocol.task == "classification"]
    assert f"SimMIM, {record.pretraining_cost.wall_seconds / 60:.1f} minutes" in text
