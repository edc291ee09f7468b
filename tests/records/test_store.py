import json
import os
import re
from pathlib import Path

import pytest
from filelock import FileLock

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.export import export
from simmim_bench.records import store
from simmim_bench.records.store import (
    add_record,
    add_records,
    read_record,
    read_records,
    record_path,
)

SOURCE = Path("work/manifest.json")


def test_a_record_is_added_once(make_record, toy, tmp_path):
    record = make_record()
    slower = make_record(cost={**toy.run_fields()["cost"], "wall_seconds": 999.0})
    assert add_record(tmp_path, record, source=SOURCE) == "added"
    path = tmp_path / "scratch__swin-toy" / f"{record.run_id}.json"
    before = path.read_bytes()
    assert add_record(tmp_path, record, source=SOURCE) == "present"
    assert add_record(tmp_path, slower, source=SOURCE) == "repeated"
    assert path.read_bytes() == before
    assert read_records(tmp_path) == [record]


def test_other_metrics_of_the_same_run_are_refused(make_record, tmp_path):
    record = make_record()
    add_record(tmp_path, record, source=SOURCE)
    path = record_path(tmp_path, record)
    before = path.read_bytes()
    other = make_record(metrics={"box_ap": 35.0, "mask_ap": 23.2})
    with pytest.raises(BenchError) as refused:
        add_record(tmp_path, other, source=SOURCE)
    assert str(SOURCE) in str(refused.value)
    assert str(path) in str(refused.value)
    assert "delete that record" in str(refused.value)
    assert path.read_bytes() == before


@pytest.fixture
def one_file(make_record, tmp_path):
    """Function that writes some records as the one file of a store, which it returns."""

    def write(*records):
        export(records, tmp_path / store.LINES, form="jsonl")
        return tmp_path

    return write


def test_a_finished_study_is_one_file(one_file, make_record):
    records = [make_record(seed=seed) for seed in range(3)]
    folder = one_file(*records[:2])
    assert read_records(folder) == sorted(records[:2], key=lambda record: record.run_id)
    assert add_records(folder, [(SOURCE, record) for record in records]) == [
        "present", "present", "added",
    ]  # fmt: skip
    assert len([*folder.rglob("*.json")]) == 1
    assert {record.seed for record in read_records(folder)} == {0, 1, 2}
    other = make_record(seed=1, metrics={"box_ap": 35.0, "mask_ap": 23.2})
    with pytest.raises(BenchError, match=r"but .*records\.jsonl of the same run"):
        add_record(folder, other, source=SOURCE)


def test_a_bad_line_is_named(one_file, make_record):
    record = make_record()
    folder = one_file(record, make_record(seed=1))
    file = folder / store.LINES
    first, second = file.read_text("utf-8").splitlines()
    for text, said in (
        (f"{first}\n{second[:-9]}\n", "line 2 of .* is not valid JSON"),
        (f"{first}\n{first}\n", "line 2 of .* repeats the run"),
        (
            first.replace('"box_ap": 34', '"box_ap": 99'),
            "line 1 of .* changed after it was written",
        ),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(BenchError, match=said):
            read_records(folder)
        assert re.search(said, next(store.bad_files(folder, lambda *_: None)))


def test_a_cited_result_is_no_line(one_file, make_published):
    with pytest.raises(BenchError, match=r"is a cited result; write the file with .* --measured"):
        read_records(one_file(make_published()))


def test_a_run_is_a_line_or_a_file(one_file, make_record):
    record = make_record()
    add_record(folder := one_file(), record, source=SOURCE)
    one_file(record)
    with pytest.raises(BenchError, match=r"is also a line of .*; delete the file"):
        read_records(folder)
    assert len([*store.bad_files(folder, lambda *_: None)]) == 1


def test_a_record_of_the_future_is_refused(make_record, tmp_path):
    with pytest.raises(BenchError, match=r"is dated 2999-01-01, which is in the future"):
        add_record(tmp_path, make_record(date="2999-01-01T00:00:00+00:00"), source=SOURCE)
    assert not list(tmp_path.rglob("*.json"))


def test_an_edited_record_stops_the_table(make_record, tmp_path):
    record = make_record()
    add_record(tmp_path, record, source=SOURCE)
    path = record_path(tmp_path, record)
    content = json.loads(path.read_text())
    content["metrics"]["box_ap"] = 99.9
    path.write_text(json.dumps(content))
    with pytest.raises(BenchError, match="changed after it was written") as refused:
        read_records(tmp_path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("tenth", range(10))
def test_a_record_that_was_cut_off_stops_the_table(make_record, tmp_path, tenth):
    record = make_record()
    add_record(tmp_path, record, source=SOURCE)
    path = record_path(tmp_path, record)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(BenchError, match="is not valid JSON") as refused:
        read_records(tmp_path)
    assert str(path) in str(refused.value)


def test_one_changed_digit_anywhere_stops_the_table(make_record, tmp_path):
    """Except in what a digit is no part of: names of keys, and spaces."""
    record = make_record()
    add_record(tmp_path, record, source=SOURCE)
    path = record_path(tmp_path, record)
    content = path.read_bytes()
    digits = [at for at, byte in enumerate(content) if chr(byte).isdigit()]
    assert len(digits) > 50
    for at in digits:
        other = b"1" if content[at : at + 1] != b"1" else b"2"
        path.write_bytes(content[:at] + other + content[at + 1 :])
        with pytest.raises(BenchError):
            read_records(tmp_path)


@pytest.mark.parametrize(
    ("path_of_field", "value", "said"),
    [
        ("cost.wall_seconds", -1.0, "greater than or equal to 0"),
        ("cost.colour", "red", "not permitted"),
        ("notes", "by hand", "not permitted"),
        ("metrics.box_ap", 100.1, "less than or equal to 100"),
        ("metrics.box_ap", "34.7", "valid number"),
        ("metrics.mask_ap", float("nan"), "finite"),
        ("protocol.id", "No Protocol", "match pattern"),
        ("protocol.image_size", 0, "greater than 0"),
        ("pretraining.checkpoint_sha256", "abc", "match pattern"),
        ("environment.git_commit", "main", "match pattern"),
        ("provenance.kind", "guessed", "'measured', 'reproduced' or 'published'"),
        ("curves.loss.points.1.0", None, "valid number"),
        ("date", "2025-01-31T12:00:00", "UTC"),
    ],
)
def test_a_bad_field_is_named_with_its_path_and_the_remedy(
    make_simmim, tmp_path, path_of_field, value, said
):
    loss = {"loss": {"against": "iteration", "points": [[1.0, 3.0], [2.0, 1.0]]}}
    content = make_simmim(curves=loss).as_json()
    *outer, last = (int(key) if key.isdigit() else key for key in path_of_field.split("."))
    node = content
    for key in outer:
        node = node[key]
    node[last] = value
    path = tmp_path / "record.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BenchError) as refused:
        read_record(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: {path_of_field}")
    assert said in message
    assert message.endswith("restore the file, or delete it and collect again with "
                            "`simmim-bench leaderboard build`")  # fmt: skip


@pytest.mark.parametrize("field", ["provenance", "protocol", "sha256", "metrics"])
def test_a_missing_field_is_named(make_simmim, tmp_path, field):
    content = make_simmim().as_json()
    del content[field]
    path = tmp_path / "record.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BenchError, match=f"{field} is missing; restore the file"):
        read_record(path)


def test_a_copied_record_is_not_counted_twice(make_record, tmp_path):
    record = make_record()
    add_record(tmp_path, record, source=SOURCE)
    path = record_path(tmp_path, record)
    path.with_name("copy.json").write_bytes(path.read_bytes())
    with pytest.raises(BenchError, match=r"copy\.json belongs at"):
        read_records(tmp_path)


def test_an_empty_store_says_how_to_fill_it(tmp_path):
    with pytest.raises(BenchError, match="give --records work_dirs/NAME/results/records"):
        read_records(tmp_path)


def test_a_failed_write_leaves_no_part(make_record, tmp_path, monkeypatch):
    record = make_record()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            add_record(tmp_path, record, source=SOURCE)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"] == []
    assert add_record(tmp_path, record, source=SOURCE) == "added"


def test_hostile_names_stay_in_the_store(make_record, make_simmim, tmp_path):
    record = make_simmim(method="é; 100 %", backbone="swin toy")
    add_record(tmp_path, record, source=SOURCE)
    assert read_record(record_path(tmp_path, record)) == record
    for name in ("../up", "a/b", "..", ".hidden", "a\\b", " a", "a\nb", "", "<script>|`x`"):
        with pytest.raises(ValueError, match="method"):
            make_record(method=name)


@pytest.mark.parametrize(
    "place", ["x.json", "notes.txt", "a/copy.jsn", "a/b/copy.json", "scratch__swin-toy/x.json.bak"]
)
def test_what_lies_where_no_record_belongs_is_refused(make_record, tmp_path, place):
    add_record(tmp_path, make_record(), source=SOURCE)
    stray = tmp_path / place
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_text("{")
    with pytest.raises(BenchError, match="is in the wrong place") as refused:
        read_records(tmp_path)
    assert str(refused.value).startswith(str(tmp_path / Path(*Path(place).parts[:2])))


def test_what_a_killed_writer_leaves_is_no_record(make_record, tmp_path):
    record = make_record()
    add_record(tmp_path, record, source=SOURCE)
    path = record_path(tmp_path, record)
    assert (tmp_path / ".lock").exists()
    path.with_name(f".{path.name}.a1b2.tmp").write_text('{"schema')  # as io.atomic_path names it
    (tmp_path / "mae__swin-toy").mkdir()
    assert read_records(tmp_path) == [record]


def test_a_store_that_stays_locked_is_a_sentence(make_record, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.1)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(BenchError, match=r"\.lock has been held by another process for 0\.1 s"),
    ):
        add_record(tmp_path, make_record(), source=SOURCE)


@pytest.mark.parametrize("recorded", [True, False])
def test_several_records_are_added_or_none(make_record, tmp_path, recorded):
    """One contradicts the store, or one of the others."""
    new, other = make_record(seed=1), make_record(metrics={"box_ap": 35.0, "mask_ap": 23.2})
    if recorded:
        add_record(tmp_path, make_record(), source=SOURCE)
    before = list(tmp_path.rglob("*.json"))
    made = [(Path("new.json"), new), (Path("first.json"), make_record()), (Path("bad.json"), other)]
    with pytest.raises(BenchError, match=r"^bad\.json has box_ap 35\.0"):
        add_records(tmp_path, made)
    assert list(tmp_path.rglob("*.json")) == before
    expected = ["added", "present" if recorded else "added", "present"]
    assert add_records(tmp_path, [*made[:2], made[1]]) == expected
