"""tools/leaderboard.py beyond build and show."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from simmim_bench.records.protocols import known_protocols
from simmim_bench.records.published import read_published
from simmim_bench.records.record import Record
from tests.calls import call

ROOT = Path(__file__).parents[2]


def tool(*words):
    return call("tools/leaderboard.py", *words)


@pytest.fixture
def store(tmp_path, make_record, toy):
    """Two record files of a protocol that configs define, and an empty store."""
    files = []
    for seed in (0, 1):
        protocol = known_protocols()["demo-mask-rcnn"].as_json()
        record = make_record(seed=seed, protocol=protocol)
        path = tmp_path / f"record{seed}.json"
        path.write_text(json.dumps(record.as_json()))
        files.append(path)
    return files, tmp_path / "records"


def test_ids_of_protocols_are_read_from_the_configs():
    assert {"demo-upernet", "imagenet-finetune-224-100e", "small-cifar10"} <= set(known_protocols())


def test_add_check_and_export(store, tmp_path):
    files, records = store
    added = tool("add", *files, "--records", records)
    assert added.returncode == 0, added.stderr
    assert [line.split(":")[0] for line in added.stdout.splitlines()] == ["added", "added"]
    again = tool("add", files[0], "--records", records)
    assert again.stdout.startswith("present: ")
    checked = tool("check", "--records", records)
    assert checked.stdout.startswith("2 records and ")
    out = tmp_path / "table.csv"
    assert tool("export", out, "--records", records).returncode == 0
    cited = read_published(ROOT / "results" / "published")
    with out.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert sum(row["provenance"] == "measured" for row in table) == 4
    assert len(table) == 4 + sum(len(record.metrics) for record in cited)
    empty = tmp_path / "nothing cited"
    empty.mkdir()
    assert tool("export", out, "--records", records, "--published", empty).returncode == 0
    assert len(out.read_text("utf-8").splitlines()) == 1 + 4


def test_nothing_is_added_unless_all_of_it_is_sound(store):
    files, records = store
    broken = json.loads(files[1].read_text())
    broken["metrics"]["box_ap"] = 99.0
    files[1].write_text(json.dumps(broken))
    refused = tool("add", *files, "--records", records)
    assert refused.returncode == 2
    assert "the record was changed after it was written" in refused.stderr
    assert not list(records.rglob("*.json"))


def test_a_protocol_that_no_config_defines_is_refused(store, make_record, toy):
    files, records = store
    unknown = make_record(protocol=toy.protocol(id="demo-mask-rcn"))
    files[0].write_text(json.dumps(unknown.as_json()))
    refused = tool("add", files[0], "--records", records)
    assert refused.returncode == 2
    assert (
        "protocol.id is 'demo-mask-rcn', which no config defines; did you mean demo-mask-rcnn"
        in (refused.stderr)
    )


def test_the_schema_in_the_docs_is_that_of_the_code():
    shown = tool("schema")
    committed = ROOT / "docs" / "record.schema.json"
    assert shown.stdout == committed.read_text("utf-8")
    assert json.loads(shown.stdout)["title"] == Record.__name__


def test_a_folder_of_cited_figures_that_is_given_exists(store, tmp_path):
    files, records = store
    tool("add", *files, "--records", records)
    missing = tmp_path / "missing"
    for words in (("check",), ("show",), ("export", tmp_path / "x.csv")):
        refused = tool(*words, "--records", records, "--published", missing)
        assert refused.returncode == 2
        assert f"folder {missing} does not exist" in refused.stderr


def test_export_takes_the_format_of_the_suffix(store, tmp_path):
    files, records = store
    tool("add", *files, "--records", records)
    parquet = tmp_path / "x.parquet"
    assert tool("export", parquet, "--records", records).returncode == 0
    assert parquet.read_bytes().startswith(b"PAR1")
    assert tool("export", parquet, "--format", "csv", "--records", records).returncode == 0
    assert parquet.read_text("utf-8").startswith("run_id,")
    refused = tool("export", tmp_path / "x.xls", "--records", records)
    assert refused.returncode == 2
    assert "x.xls has none of the suffixes .csv (csv), .parquet (parquet)" in refused.stderr


def test_check_names_every_bad_record(store, make_record, tmp_path):
    _, records = store
    folder = records / "scratch__swin-toy"
    folder.mkdir(parents=True)
    protocol = known_protocols()["demo-mask-rcnn"].as_json()
    for seed in range(24):
        record = make_record(seed=seed, protocol=protocol)
        path = folder / f"{record.run_id}.json"
        path.write_text(json.dumps(record.as_json()).replace(": 34.7", ": 99.7"))
    (records / "x.json").write_text("{}")
    [last] = [path for path in folder.iterdir() if "-seed23-" in path.name]
    last.write_text(json.dumps(make_record(seed=23, protocol=protocol).as_json()))
    refused = tool("check", "--records", records)
    assert refused.returncode == 2
    first, *named, more = refused.stderr.splitlines()
    assert first.startswith(f"error: 24 files under {records} and ")
    assert first.endswith("published are not valid:")
    assert len(named) == 20
    assert named[0].startswith(f"{records / 'x.json'} is in the wrong place")
    assert all("the record was changed after it was written" in line for line in named[1:])
    assert more == "and 4 more"


def test_check_names_every_bad_source(store, tmp_path):
    _, records = store
    published = Path(shutil.copytree(ROOT / "results" / "published", tmp_path / "published"))
    for name in ("simmim.yml", "mae.yml"):
        (published / name).write_text("kind: rumour")
    refused = tool("check", "--records", records, "--published", published)
    assert refused.returncode == 2
    first, *named = refused.stderr.splitlines()
    assert first == f"error: 2 files under {records} and {published} are not valid:"
    assert [line.split(":")[0] for line in named] == [
        str(published / "mae.yml"), str(published / "simmim.yml"),
    ]  # fmt: skip


def test_nothing_is_added_if_one_contradicts_a_recorded_run(store, make_record):
    files, records = store
    tool("add", files[1], "--records", records)
    protocol = known_protocols()["demo-mask-rcnn"].as_json()
    other = make_record(seed=1, protocol=protocol, metrics={"box_ap": 1.0, "mask_ap": 1.0})
    files[1].write_text(json.dumps(other.as_json()))
    before = list(records.rglob("*.json"))
    refused = tool("add", *files, "--records", records)
    assert refused.returncode == 2
    assert f"{files[1]} has box_ap 1.0" in refused.stderr
    assert list(records.rglob("*.json")) == before


def test_add_tells_nobody_to_delete_a_file_of_theirs(store, tmp_path):
    _, records = store
    for name, said in ((tmp_path / "nope.json", "does not exist"), ("README.md", "not valid JSON")):
        refused = tool("add", name, "--records", records)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert "; give a record.json that simmim-bench test wrote, or a pack\n" in refused.stderr
        assert "delete" not in refused.stderr
