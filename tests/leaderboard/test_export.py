"""Records for other programs."""

import csv
import io
import json
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import modelindex
import pyarrow.parquet as pq
import pytest
import yaml

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import MeanCost
from simmim_bench.leaderboard.costs import COLUMNS
from simmim_bench.leaderboard.export import COSTS, TASKS, export, form_of, rows
from simmim_bench.leaderboard.web.run_report import _cost_facts
from simmim_bench.records.manifest import Cost
from simmim_bench.records.record import Record


@pytest.fixture
def records(make_record, make_simmim, make_published):
    return [make_record(), make_simmim(deviations=["a, b"]), make_published()]


def written(records, tmp_path, form):
    path = tmp_path / "out"
    export(records, path, form=form)
    return path


@pytest.mark.usefixtures("any_name")
def test_csv_has_no_cell_that_a_spreadsheet_computes(make_simmim, tmp_path):
    record = make_simmim(method="=1+1", deviations=["@SUM(A1)"])
    text = written([record], tmp_path, "csv").read_text("utf-8")
    line = next(csv.DictReader(io.StringIO(text)))
    assert (line["method"], line["deviations"]) == ("'=1+1", "'@SUM(A1)")


def test_csv_has_a_line_for_every_metric(records, tmp_path):
    text = written(records, tmp_path, "csv").read_text("utf-8")
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == sum(len(record.metrics) for record in records)
    for line, row in zip(table, rows(records), strict=True):
        assert float(line["value"]) == row["value"]  # full precision
        assert line["run_id"] == row["run_id"]
    assert table[2]["deviations"] == "a, b"
    assert {line["provenance"] for line in table} == {"measured", "published"}


def test_parquet_keeps_types(records, tmp_path):
    table = pq.read_table(written(records, tmp_path, "parquet")).to_pylist()
    assert table == list(rows(records))


def test_a_row_has_both_costs_and_where_it_was_run(make_simmim, make_published, toy):
    cost = {**toy.run_fields()["cost"], "energy_joules": 7.5, "energy_source": "GPU"}
    gpus = {**cost, "device": "A100", "device_count": 4, "wall_seconds": 1800.0}
    environment = {**toy.run_fields()["environment"], "git_commit": "a" * 40, "git_dirty": False}
    measured = make_simmim(cost=cost, pretraining_cost=gpus, environment=environment)
    first, *_ = rows([measured])
    names = ("wall_seconds", "images_per_second", "peak_memory_mb", "parameters", "energy_joules")
    assert [first[name] for name in names] == [120.0, 77.0, 900.5, 3_900_000, 7.5]
    pretraining = [first[f"pretraining_{name}"] for name in names]
    assert pretraining == [1800.0, 77.0, 900.5, 3_900_000, 7.5]
    assert (first["gpu_hours"], first["pretraining_gpu_hours"]) == (None, 2.0)
    assert (first["device"], first["pretraining_device"]) == ("1 x CPU x86_64", "4 x A100")
    assert first["energy_source"] == first["pretraining_energy_source"] == "GPU"
    assert (first["git_commit"], first["git_dirty"], first["torch"]) == ("a" * 40, False, "2.14.1")
    assert (first["split"], first["image_size"]) == ("val", "96x128")
    assert first["pretraining_image_size"] == "64x64"
    cited, *_ = rows([make_published()])
    assert list(cited) == list(first)
    assert {cited[name] for name in ("wall_seconds", "pretraining_device", "torch")} == {None}


def test_json_lines_are_the_records_themselves(records, tmp_path):
    lines = written(records, tmp_path, "jsonl").read_text("utf-8").splitlines()
    assert [Record.model_validate(json.loads(line)) for line in lines] == records


def test_openmmlabs_metafile(records, tmp_path):
    content = yaml.safe_load(written(records, tmp_path, "metafile").read_text("utf-8"))
    assert [c["Name"] for c in content["Collections"]] == ["scratch", "simmim"]
    first = content["Models"][0]
    assert first["In Collection"] == "scratch"
    assert first["Metadata"]["Parameters"] == 3_900_000
    assert [model["Config"] for model in content["Models"]] == ["configs/toy.py"] * 2
    assert first["Results"] == [
        {
            "Task": "Object Detection",
            "Dataset": "toy scenes",
            "Metrics": {"box AP": 34.712345678901234, "mask AP": 23.2},
        }
    ]


def test_a_task_without_a_name_of_openmmlab_keeps_its_own(records, tmp_path, monkeypatch):
    monkeypatch.delitem(TASKS, "detection")
    content = yaml.safe_load(written(records, tmp_path, "metafile").read_text("utf-8"))
    assert content["Models"][0]["Results"][0]["Task"] == "detection"


class ReadFields:
    """Stands for a cost; remembers the fields that are read."""

    def __init__(self):
        self.names = set()

    def __getattr__(self, name):
        self.names.add(name)
        return 1.0


def test_every_field_of_a_cost_is_exported_and_shown():
    assert {*COSTS, "device", "device_count"} == set(Cost.model_fields)
    of_report, of_table = ReadFields(), ReadFields()
    assert list(_cost_facts(SimpleNamespace(cost=of_report)))
    assert of_report.names == set(Cost.model_fields)
    assert all(column.show(of_table) for column in COLUMNS)
    assert of_table.names == {field.name for field in fields(MeanCost)} - {"device"}


def test_the_metafile_is_a_model_index_of_full_measured_runs(records, make_record, tmp_path):
    """As OpenMMLab's own reader sees it."""
    path = tmp_path / "model-index.yml"
    export([*records, make_record(kind="smoke", seed=3)], path, form="metafile")
    index = modelindex.load(str(path))
    assert index.check(silent=True) == []
    assert len(index.models.data) == 2  # of three: one is cited
    assert index.models[0].results[0].metrics["mask AP"] == 23.2
    assert index.models[0].in_collection == "scratch"


def test_the_suffix_gives_the_format(tmp_path):
    forms = [form_of(Path(f"x.{end}")) for end in ("csv", "parquet", "jsonl", "yml")]
    assert forms == ["csv", "parquet", "jsonl", "metafile"]
    with pytest.raises(BenchError, match=r"x\.xls has none of the suffixes \.csv \(csv\), "):
        form_of(Path("x.xls"))


def test_a_folder_is_no_file(records, tmp_path):
    with pytest.raises(BenchError, match="is a folder; give a file"):
        export(records, tmp_path, form="csv")


def test_an_unknown_format(records, tmp_path):
    with pytest.raises(BenchError, match="unknown format 'xls'; supported: csv"):
        export(records, tmp_path / "out", form="xls")
    assert not (tmp_path / "out").exists()
