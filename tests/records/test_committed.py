"""What the project shows of itself follows from the records that it ships."""

import shutil
from pathlib import Path

import pytest

from simmim_bench.config import load_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.build import render
from simmim_bench.leaderboard.markdown import insert_results
from simmim_bench.leaderboard.page import make_page
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.published import read_protocols, read_published
from simmim_bench.records.store import read_records
from tests.configs.reader import read_config
from tests.records.cited import CITED, GRID

ROOT = Path(__file__).parents[2]
STORES = sorted(path.parent.relative_to(ROOT) for path in (ROOT / "results").rglob("records"))


@pytest.fixture(scope="module")
def records():
    return read_records(ROOT / "results" / "records")


@pytest.mark.parametrize("folder", STORES, ids=str)
def test_the_leaderboard_is_made_of_the_records(tmp_path, folder):
    shutil.copytree(ROOT / folder / "records", tmp_path / "records")
    render(tmp_path, published=ROOT / folder / "published", everything_cited=True)
    for name in ("README.md", "leaderboard.csv", "leaderboard.tex"):  # by `make leaderboard`
        committed = ROOT / folder / "leaderboard" / name
        assert committed.read_bytes() == (tmp_path / "leaderboard" / name).read_bytes(), name


def test_cited_protocols_are_those_of_the_configs():
    cited = read_protocols(ROOT / "results" / "published" / "protocols.yml")
    own = {}
    for path in sorted((ROOT / "configs").glob("[!_]*/*.py")):
        if "protocol" in (cfg := read_config(path)):
            own.setdefault(cfg.protocol.id, Protocol(**cfg.protocol.to_dict()))
    shared = cited.keys() & own.keys()
    assert len(shared) >= 6
    for identifier in shared:
        assert cited[identifier] == own[identifier]


def test_cited_figures_are_those_of_their_sources():
    found = [
        (
            record.provenance.url.removeprefix("https://github.com/").split("/blob/")[0],
            record.method,
            record.backbone,
            record.pretraining.epochs,
            record.protocol.id,
            list(record.metrics.values()),
        )
        for record in read_published(ROOT / "results" / "published")
    ]
    assert sorted(found, key=repr) == sorted(CITED, key=repr)


def test_each_figure_of_the_grid_is_of_its_data_and_length():
    records = read_published(ROOT / "results" / "published")
    found = {
        (record.backbone, record.pretraining.dataset): record.metrics["top1"]
        for record in records
        if record.protocol.id == "simmim-data-imagenet-finetune"
    }
    assert found == {
        (backbone, f"{data}, {length} iterations"): top1
        for backbone, rows in GRID.items()
        for data, row in rows.items()
        for length, top1 in zip(("125k", "250k", "500k"), row, strict=True)
    }


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
    with pytest.raises(BenchError, match="lacks the line"):
        insert_results(readme, make_page(records))
    assert readme.read_text() == "# Mine\n"
