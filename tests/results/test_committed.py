"""What the project shows of itself follows from the records that it ships."""

import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from simmim_bench.engine.settings import load_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.results.leaderboard import render
from simmim_bench.results.manifest import Protocol
from simmim_bench.results.page import make_page
from simmim_bench.results.published import read_protocols
from simmim_bench.results.readme import insert_results
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


def test_the_readme_shows_the_records(records, tmp_path):
    readme = tmp_path / "README.md"
    shutil.copy(ROOT / "README.md", readme)
    insert_results(readme, make_page(records))
    assert readme.read_bytes() == (ROOT / "README.md").read_bytes()  # by `make leaderboard`
    assert f"| {records[0].method} " in readme.read_text("utf-8")


def test_a_readme_without_its_comments_is_refused(records, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Mine\n")
    with pytest.raises(BenchError, match="which hold the table"):
        insert_results(readme, make_page(records))
    assert readme.read_text() == "# Mine\n"
