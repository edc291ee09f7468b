"""tools/leaderboard.py beyond build and show."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench.results.protocols import known_protocols
from simmim_bench.results.record import Record

ROOT = Path(__file__).parents[2]


def tool(*words):
    command = [sys.executable, str(ROOT / "tools" / "leaderboard.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


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
