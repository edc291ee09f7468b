"""Huge numbers, deep nesting, damaged logs: a sentence, never a traceback; a file at a time."""

import json

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.io import parse_json, read_json
from simmim_bench.records.curves import curves_of, read_scalars
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.record import Record
from simmim_bench.records.schema import read_model

DEEP = "[" * 3000
ROWS = [{"loss": 2.0, "step": 1}, {"loss": 1.0, "step": 2}]
HUGE = b"1" * 400
BAD_LINES = [
    *(b"null", b"1", b'"loss"', b"[]", b"\xff", DEEP.encode(), b"1" * 5000),
    *(b'{"loss": ' + value + b', "step": 3}' for value in (b"[]", b"null", b"true", HUGE)),
    *(b'{"loss": 3, "step": ' + value + b"}" for value in (b'"1"', b"{}", b"1.5", HUGE)),
]


@pytest.mark.parametrize("field", ["seed", "protocol.epochs", "cost.device_count", "cost.flops"])
def test_a_huge_number_in_a_record_is_refused(tmp_path, make_record, field):
    fields = json.loads(make_record().model_dump_json())
    *above, last = field.split(".")
    part = fields[above[0]] if above else fields
    part[last] = 10**400
    (tmp_path / "x.json").write_text(json.dumps(fields))
    with pytest.raises(BenchError, match=r"more than 64 bits|less than or equal"):
        read_model(Record, tmp_path / "x.json", remedy="restore it")


@pytest.mark.parametrize("text", [DEEP, f'{{"a": {DEEP}', "1" * 5000, "\ufeff{}"])
def test_json_that_python_cannot_hold_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text, "utf-8")
    with pytest.raises(BenchError, match="is not valid JSON"):
        Manifest.read(tmp_path / "x.json")
    assert read_json(tmp_path / "x.json") is None
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


@pytest.mark.parametrize("time", [20250131, 1738324800.5, True, "1738324800"])
def test_a_time_is_not_a_number(tmp_path, toy, time):
    fields = toy.manifest_fields(started=time)
    (tmp_path / "x.json").write_text(json.dumps(fields))
    with pytest.raises(BenchError, match=r"started is .* a time must be ISO 8601"):
        Manifest.read(tmp_path / "x.json")


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_damaged_line_of_a_log_is_left_out(tmp_path, line):
    log = tmp_path / "x" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    first, second = (json.dumps(row).encode() for row in ROWS)
    log.write_bytes(b"\n".join([first, line, second]))
    assert read_scalars(tmp_path, "loss") == ([1, 2], [2.0, 1.0])
    assert curves_of(tmp_path, None, by_epoch=True)["loss"].points == [(1.0, 2.0), (2.0, 1.0)]
