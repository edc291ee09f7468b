"""Files of earlier versions are read, changed ones and newer ones are not."""

import json
from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.record import Record
from simmim_bench.records.schema import CURRENT, validate
from simmim_bench.records.store import read_record

# written by the versions of the program that wrote records of version 1 to 5
VERSION_1 = Path(__file__).parent / "record_v1.json"
VERSION_2 = Path(__file__).parent / "record_v2.json"
VERSION_3 = Path(__file__).parent / "record_v3.json"
VERSION_4 = Path(__file__).parent / "record_v4.json"
VERSION_5 = Path(__file__).parent / "record_v5.json"
NEW = {
    *("data", "precision", "pretraining_data", "pretraining_precision", "card_sealed"),
    *("initial", "initial_sha256", "energy_joules", "energy_source"),
}


def load(path=VERSION_1):
    return json.loads(path.read_text("utf-8"))


def stated(value):
    """The value without fields of later versions, which must be unknown."""
    if not isinstance(value, dict):
        return value
    assert all(value[key] is None for key in value.keys() & NEW)
    return {key: stated(part) for key, part in value.items() if key not in NEW}


def before_overlaps(value):
    """The value without the fields of version 4, which must say nothing."""
    if not isinstance(value, dict):
        return value
    assert value.get("content") is None
    assert not value.get("overlaps")
    kept = value.keys() - {"content", "overlaps", "tuning", "pretraining_configs", "own_initial"}
    return {key: before_overlaps(value[key]) for key in kept}


@pytest.mark.parametrize(("path", "version"), [(VERSION_1, 1), (VERSION_2, 2)])
def test_a_record_of_an_earlier_version_keeps_its_name_and_all_it_says(path, version):
    old, new = load(path), read_record(path).as_json()
    assert old["schema_version"] == version
    assert new["schema_version"] == CURRENT
    assert set(new) >= NEW - {"initial", "initial_sha256", "energy_joules", "energy_source"}
    for key in old.keys() - {"schema_version", "sha256"}:
        assert stated(new[key]) == stated(old[key]), key
    assert validate(Record, new, source="x", remedy="y").as_json() == new


def test_a_record_of_version_3_keeps_its_name_and_all_it_says():
    old, new = load(VERSION_3), read_record(VERSION_3).as_json()
    assert (old["schema_version"], new["schema_version"]) == (3, CURRENT)
    assert old["data"]
    for key in old.keys() - {"schema_version", "sha256"}:
        assert before_overlaps(new[key]) == old[key], key
    assert validate(Record, new, source="x", remedy="y").as_json() == new


def test_a_record_of_version_4_keeps_its_name_and_all_it_says():
    old, new = load(VERSION_4), read_record(VERSION_4).as_json()
    assert (old["schema_version"], new["schema_version"]) == (4, CURRENT)
    assert new.pop("tuning") is None
    assert (new.pop("pretraining_configs"), new.pop("own_initial")) == ([], False)
    changed = {"schema_version", "sha256"}
    assert {key: new[key] for key in new.keys() - changed} == {
        key: old[key] for key in old.keys() - changed
    }


def test_a_record_of_version_5_keeps_its_name_and_all_it_says():
    old, new = load(VERSION_5), read_record(VERSION_5).as_json()
    assert (old["schema_version"], new["schema_version"]) == (5, CURRENT)
    assert (new.pop("pretraining_configs"), new.pop("own_initial")) == ([], False)
    changed = {"schema_version", "sha256"}
    assert {key: new[key] for key in new.keys() - changed} == {
        key: old[key] for key in old.keys() - changed
    }


@pytest.mark.parametrize("path", [VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5])
@pytest.mark.parametrize(
    "change",
    [{"metrics": {"top1": 99.0}}, {"sha256": "0" * 64}, {"sha256": None}, {"method": "other"},
     {"data": None}],
)  # fmt: skip
def test_a_changed_record_of_an_earlier_version_is_refused(path, change, tmp_path):
    file = tmp_path / "record.json"
    file.write_text(json.dumps({**load(path), **change}), "utf-8")
    with pytest.raises(BenchError, match="changed after it was written"):
        read_record(file)


def test_a_cited_record_keeps_its_name(make_published):
    # its pretraining has no checkpoint, so that the run id is made of all that it states
    record = make_published(metrics={"box_ap": 46.0, "mask_ap": 41.0})
    assert record.run_id == "toy-detection-v1-published-f07b3890d0ae"
    origin = {**record.pretraining.as_json(), "initial": "supervised ImageNet-1k"}
    other = make_published(metrics={"box_ap": 46.0, "mask_ap": 41.0}, pretraining=origin)
    assert other.run_id != record.run_id


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


@pytest.mark.parametrize("version", [1, 2])
def test_a_manifest_of_an_earlier_version(make_manifest, version):
    new = make_manifest().as_json()
    old = {key: value for key, value in new.items() if key not in NEW}
    old = {key: value for key, value in old.items() if version > 1 or key != "curves"}
    read = validate(Manifest, {**old, "schema_version": version}, source="x", remedy="y")
    assert read.as_json() == new
