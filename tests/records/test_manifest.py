import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.protocols import Protocol, read_protocol

percents = st.floats(0, 100)


@given(box=percents, mask=percents, seconds=st.floats(0, 1e9))
def test_round_trip_is_exact(make_manifest, toy, tmp_path_factory, box, mask, seconds):
    cost = {**toy.run_fields()["cost"], "wall_seconds": seconds}
    made = make_manifest(metrics={"box_ap": box, "mask_ap": mask}, cost=cost)
    path = tmp_path_factory.mktemp("manifest") / "manifest.json"
    made.write(path)
    read = Manifest.read(path)
    assert read == made
    assert read.metrics == {"box_ap": box, "mask_ap": mask}


def test_tuples_of_a_config_and_report_survive(make_manifest, toy, tmp_path):
    report = {"resized": {"table": (121, 4)}, "matched": 12}
    made = make_manifest(protocol=toy.protocol(image_size=(96, 128)), load_report=report)
    made.write(tmp_path / "m.json")
    read = Manifest.read(tmp_path / "m.json")
    assert read == made
    assert read.protocol.image_size == (96, 128)
    assert read.load_report["resized"]["table"] == [121, 4]


REFUSED = {
    "NaN": ({"metrics": {"box_ap": math.nan, "mask_ap": 1.0}}, "metrics.box_ap is nan"),
    "infinity": ({"metrics": {"box_ap": math.inf, "mask_ap": 1.0}}, "metrics.box_ap is inf"),
    "101 %": ({"metrics": {"box_ap": 101.0, "mask_ap": 1.0}}, "metrics.box_ap is 101.0"),
    "negative": ({"metrics": {"box_ap": -100.0, "mask_ap": 1.0}}, "metrics.box_ap is -100.0"),
    "text": ({"metrics": {"box_ap": "34.7", "mask_ap": 1.0}}, "metrics.box_ap is '34.7'"),
    "metric missing": ({"metrics": {"box_ap": 1.0}}, "metrics are box_ap"),
    "unknown field": ({"speed": 3}, "speed is 3"),
    "other schema": ({"schema_version": 9}, "schema_version is 9"),
    "no such stage": ({"stage": "train"}, "stage is 'train'"),
    "pretrained scratch": ({"method": "simmim"}, "pretraining is none"),
    "no protocol": ({"protocol": None}, "protocol is missing"),
    "no cost": ({"cost": None}, "cost is missing"),
    "no environment": ({"environment": None}, "environment is None"),
    "local time": ({"started": "2025-01-31T12:00:00+01:00"}, "started is"),
    "no zone": ({"finished": "2025-01-31T12:00:00"}, "finished is"),
    "path as name": ({"backbone": "../../etc"}, "backbone is '../../etc'"),
    "escape code": ({"method": "a\x1b[2J"}, "method is"),
    "bool as seed": ({"seed": True}, "seed is True"),
    "NaN in report": ({"load_report": {"a": math.nan}}, "load_report is"),
    "half a hash": ({"inputs": {"x": {"path": "p", "sha256": "abc"}}}, "inputs.x.sha256 is 'abc'"),
}


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_with_field_found_and_remedy(toy, tmp_path, changes, said):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(toy.manifest_fields(**changes)))
    with pytest.raises(BenchError) as refused:
        Manifest.read(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert message.endswith("delete it and run its stage again")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 0}, "version"),
        ({"primary": "top1"}, "expected one of box_ap, mask_ap"),
        ({"metrics": {}}, "metrics"),
        ({"epochs": 0}, "epochs"),
        ({"id": "Toy Detection"}, "id"),
        ({"image_size": [96]}, "image_size"),
        ({"task": "pose"}, "task"),
    ],
)
def test_protocol_refuses(toy, changes, said):
    with pytest.raises(ValidationError, match=said):
        Protocol.model_validate(toy.protocol(**changes))


def test_a_run_states_how_long_its_protocol_trains(toy):
    with pytest.raises(ValidationError, match="needs epochs or iterations"):
        Manifest.model_validate(toy.manifest_fields(protocol=toy.protocol(epochs=None)))
    with pytest.raises(BenchError, match=r"^toy\.py: a protocol needs epochs .*; correct it$"):
        read_protocol(toy.protocol(epochs=None), source="toy.py", remedy="correct it")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1', "\x00", "[" * 100_000])
def test_what_is_no_manifest_is_a_sentence(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(BenchError, match="delete it and run its stage again"):
        Manifest.read(path)


def test_binary_and_missing_files_are_sentences(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name in ("binary.json", "missing.json"):
        with pytest.raises(BenchError, match=name):
            Manifest.read(tmp_path / name)


def test_failed_write_leaves_the_old_manifest(make_manifest, tmp_path, monkeypatch):
    path = tmp_path / "manifest.json"
    make_manifest(seed=1).write(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        make_manifest(seed=2).write(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]


def test_stages_without_a_run_need_no_protocol(make_manifest, toy):
    assert make_manifest(stage="data", method=None, backbone=None, protocol=None, cost=None)
    with pytest.raises(ValidationError, match="pretraining is missing"):
        make_manifest(stage="pretrain", protocol=None, metrics={})
