"""Results on different data never meet: not in a record, not in a row, not in a column."""

import shutil

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import aggregate, comparable_cells
from simmim_bench.leaderboard.build import build
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.export import FORMS, rows
from simmim_bench.leaderboard.latex import render_latex
from simmim_bench.leaderboard.markdown import render_markdown
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.web.page import render_web
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.store import read_records


def data(name, sha="a", images=100):
    return {"name": name, "sha256": sha * 64, "images": images}


@pytest.fixture
def write_run(tmp_path, toy):
    """Function that writes the manifest of a run from scratch into a work dir."""

    def write(folder, **changes):
        made = toy.manifest_fields(**{"precision": "float32", **changes})
        Manifest.model_validate(made).write(tmp_path / "work" / folder / "manifest.json")
        return tmp_path / "work"

    return write


def test_a_second_data_set_does_not_vanish_as_a_repeat(write_run, tmp_path):
    write_run("one", data=data("Flowers"))
    work = write_run("two", data=data("Trees", "b"))  # with the same metrics, by chance
    assert len(build(work).collected.records["added"]) == 2
    found = read_records(work / "results" / "records")
    assert {record.data.name for record in found} == {"Flowers", "Trees"}


def test_a_second_data_set_does_not_stop_the_build_as_a_conflict(write_run):
    write_run("one", data=data("Flowers"))
    work = write_run("two", data=data("Flowers", "b"), metrics={"box_ap": 1.0, "mask_ap": 1.0})
    assert len(build(work).collected.records["added"]) == 2


def test_the_same_data_under_another_name_are_a_repeat(write_run):
    write_run("one", data=data("Flowers"))
    work = write_run("two", data=data("My flowers"))
    collected = build(work).collected.records
    assert [len(collected[outcome]) for outcome in ("added", "repeated")] == [1, 1]


def test_another_precision_is_another_run(write_run):
    write_run("one", data=data("Flowers"))
    other = {"box_ap": 1.0, "mask_ap": 1.0}
    work = write_run("two", data=data("Flowers"), precision="bfloat16", metrics=other)
    assert len(build(work).collected.records["added"]) == 2


def test_runs_of_an_earlier_version_are_told_once(write_run):
    write_run("one", data=None, precision=None)
    work = write_run("two", data=None, precision=None, seed=1)
    said = build(work).summary()
    assert said.count("note: 2 of 2 records are from an earlier version") == 1
    shutil.rmtree(work / "two")


@pytest.fixture
def records(make_record):
    values = [
        (0, data("Flowers", "a")), (1, data("Flowers", "a")), (0, data("Trees", "b", None)),
        (0, data("Trees", "c", 2000)), (0, None),
    ]  # fmt: skip
    return [
        make_record(seed=seed, data=of, metrics={"box_ap": 10.0 + number, "mask_ap": 1.0})
        for number, (seed, of) in enumerate(values)
    ]


def test_other_data_are_another_column_under_their_own_name(records):
    (table,) = aggregate(records)
    named = {key.data and key.data[0]: found.dataset for key, found in table.columns.items()}
    assert named == {
        None: "toy scenes",
        "a": "Flowers",
        "b": "Trees (fingerprint bbbbbbbb)",
        "c": "Trees (2000 images, fingerprint cccccccc)",
    }  # fmt: skip
    cells = {key.data and key.data[0]: cell for key, cell in table.rows[0].cells.items()}
    assert [cells["a"].metrics["box_ap"].mean, cells["a"].metrics["box_ap"].n] == [10.5, 2]
    assert [cells[key].metrics["box_ap"].mean for key in ("b", "c", None)] == [12.0, 13.0, 14.0]


def test_every_format_names_the_data(records):
    page = make_page(records)
    names = ["toy-detection@1 on Flowers", "Trees (2000 images, fingerprint cccccccc)"]
    for text in (render_markdown(page), render_latex(page), render_web(records)):
        for name in names:
            assert name.split(" (")[0] in text
            assert "fingerprint cccccccc" in text
    flat = list(rows(records))
    assert {row["dataset"] for row in flat} == {"toy scenes", "Flowers", "Trees"}
    assert {row["data_sha256"] and row["data_sha256"][0] for row in flat} == {None, "a", "b", "c"}
    assert FORMS["jsonl"](records).count('"sha256": "' + "a" * 64) == 2
    assert "Dataset: Trees" in FORMS["metafile"](records)


def test_the_filter_of_the_web_page_separates_data(records):
    text = render_web(records)
    for name in ("Flowers", "toy scenes", "Trees (fingerprint bbbbbbbb)"):
        assert f'<option value="{name}"' in text


def test_one_data_set_alone_is_named_once(make_record):
    text = render_markdown(make_page([make_record(data=data("Flowers"))]))
    assert "**toy-detection@1**: Flowers (val)" in text
    assert "toy scenes" not in text


def test_pretrainings_on_other_data_are_other_rows(make_simmim):
    records = [
        make_simmim(0, pretraining_data=data("toy images", "a")),
        make_simmim(1, pretraining_data=data("toy images", "b")),
        make_simmim(2),
    ]
    (table,) = aggregate(records)
    assert {row.pretraining.dataset for row in table.rows} == {
        "toy images (100 images, fingerprint aaaaaaaa)",
        "toy images (100 images, fingerprint bbbbbbbb)",
        "toy images (data not stated)",
    }
    assert all(cell.metrics["box_ap"].n == 1 for row in table.rows for cell in row.cells.values())


def test_cited_results_are_of_the_data_that_their_protocol_names(make_record, make_published):
    cited = make_published()
    own = make_record(data=data("Flowers", "a"))
    named = make_record(data=data("toy scenes", "b"))
    (table,) = aggregate([own, named, cited])
    row = next(row for row in table.rows if row.provenance.kind == "published")
    assert list(row.cells) == [ColumnKey("toy-detection", 1, "b" * 64)]
    (table,) = aggregate([own, cited])
    row = next(row for row in table.rows if row.provenance.kind == "published")
    assert list(row.cells) == [ColumnKey("toy-detection", 1, None)]


def test_precisions_are_neither_averaged_nor_compared(make_record, make_simmim):
    records = [
        make_record(precision="float32"),
        make_simmim(0, precision="float32"),
        make_simmim(1, precision="bfloat16"),
    ]
    (table,) = aggregate(records)
    base, *others = sorted(table.rows, key=lambda row: row.method)
    key = ColumnKey("toy-detection", 1)
    assert [row.cells[key].metrics["box_ap"].n for row in others] == [1, 1]
    assert [bool(comparable_cells(row, base)) for row in others] == [
        row.cells[key].precision == "float32" for row in others
    ]
    assert "trained in bfloat16" in render_markdown(make_page(records))


def test_contradicting_protocols_are_seen_on_different_data_too(make_record, toy):
    records = [
        make_record(data=data("Flowers", "a")),
        make_record(data=data("Trees", "b"), protocol=toy.protocol(epochs=9)),
    ]
    with pytest.raises(BenchError, match="epochs: 3 and 9"):
        aggregate(records)
