"""Files of earlier versions are read, changed ones and newer ones are not."""

import json
from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.record import Record
from simmim_bench.records.schema import CURRENT, validate
from simmim_bench.records.store import read_record

VERSION_1 = Path(__file__).parent / "record_v1.json"  # written by the version that wrote 1


def load():
    return json.loads(VERSION_1.read_text("utf-8"))


def test_a_record_of_version_1_keeps_all_it_says():
    old, new = load(), read_record(VERSION_1).as_json()
    assert old["schema_version"] == 1
    assert new["schema_version"] == CURRENT
    for key in old.keys() - {"schema_version", "sha256", "cost", "pretraining_cost"}:
        assert new[key] == old[key], key
    for name in ("cost", "pretraining_cost"):
        assert {key: new[name][key] for key in old[name]} == old[name]
        assert new[name]["energy_joules"] is None
    assert validate(Record, new, source="x", remedy="y").as_json() == new


@pytest.mark.parametrize(
    "change", [{"metrics": {"top1": 99.0}}, {"sha256": "0" * 64}, {"method": "other"}]
)
def test_a_changed_record_of_version_1_is_refused(change, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**load(), **change}), "utf-8")
    with pytest.raises(BenchError, match="changed after it was written"):
        read_record(path)


def test_a_newer_version_says_what_to_do(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**load(), "schema_version": CURRENT + 1}), "utf-8")
    with pytest.raises(BenchError, match=f"reads versions up to {CURRENT}; update simmim_bench"):
        read_record(path)


@pytest.mark.parametrize("value", [None, "1", True, 0, -1, [], 1.0])
def test_a_version_that_is_none_is_refused(value, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**load(), "schema_version": value}), "utf-8")
    with pytest.raises(BenchError, match="schema_version"):
        read_record(path)


def test_not_a_number_in_version_1(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**load(), "metrics": {"top1": float("nan")}}), "utf-8")
    with pytest.raises(BenchError, match="NaN or infinite"):
        read_record(path)


def test_a_manifest_of_version_1(make_manifest):
    new = make_manifest().as_json()
    old = {key: value for key, value in new.items() if key != "curves"}
    assert validate(Manifest, {**old, "schema_version": 1}, source="x", remedy="y").as_json() == new
