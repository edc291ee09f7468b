"""Records for other programs."""

import csv
import io
import json

import modelindex
import pyarrow.parquet as pq
import pytest
import yaml

from simmim_bench.errors import BenchError
from simmim_bench.results.export import export, rows
from simmim_bench.results.record import Record


@pytest.fixture
def records(make_record, make_simmim, make_published):
    return [make_record(), make_simmim(deviations=["a, b"]), make_published()]


def written(records, tmp_path, form):
    path = tmp_path / "out"
    assert export(records, path, form=form) == len(records)
    return path


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
    assert table == rows(records)


def test_json_lines_are_the_records_themselves(records, tmp_path):
    lines = written(records, tmp_path, "jsonl").read_text("utf-8").splitlines()
    assert [Record.model_validate(json.loads(line)) for line in lines] == records


def test_openmmlabs_metafile(records, tmp_path):
    content = yaml.safe_load(written(records, tmp_path, "metafile").read_text("utf-8"))
    assert [c["Name"] for c in content["Collections"]] == ["scratch", "simmim"]
    first = content["Models"][0]
    assert first["In Collection"] == "scratch"
    assert first["Metadata"]["Parameters"] == 3_900_000
    assert first["Results"] == [
        {
            "Task": "Object Detection",
            "Dataset": "toy scenes",
            "Metrics": {"box AP": 34.712345678901234, "mask AP": 23.2},
        }
    ]


def test_the_metafile_is_a_model_index_without_smoke_runs(records, make_record, tmp_path):
    """As OpenMMLab's own reader sees it."""
    path = tmp_path / "model-index.yml"
    export([*records, make_record(kind="smoke", seed=3)], path, form="metafile")
    index = modelindex.load(str(path))
    assert index.check(silent=True) == []
    assert len(index.models.data) == len(records)
    assert index.models[0].results[0].metrics["mask AP"] == 23.2
    assert index.models[0].in_collection == "scratch"


def test_the_list_of_results_leaves_smoke_runs_out(records, make_record, tmp_path):
    path = tmp_path / "out"
    export([*records, make_record(kind="smoke", seed=3)], path, form="results")
    table = json.loads(path.read_text("utf-8"))
    assert len(table) == 3
    assert table[0]["model"] == "scratch (swin-toy)"
    assert table[0]["uses_additional_data"] is False
    assert table[1]["uses_additional_data"] is True


def test_an_unknown_format(records, tmp_path):
    with pytest.raises(BenchError, match="unknown format 'xls'; known are: csv"):
        export(records, tmp_path / "out", form="xls")
    assert not (tmp_path / "out").exists()
