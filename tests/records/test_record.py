import json

import pytest
from pydantic import ValidationError

from simmim_bench.records.record import Record, RecordBody


def test_round_trip_is_exact(make_simmim):
    record = make_simmim()
    again = Record.model_validate(json.loads(json.dumps(record.as_json())))
    assert again == record
    assert again.metrics["box_ap"] == 34.712345678901234


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"provenance": None}, "provenance"),
        ({"provenance": {"kind": "published"}}, "without table and url"),
        ({"provenance": {"kind": "reproduced", "table": "README"}}, "without table and url"),
        ({"provenance": {"kind": "measured", "table": "T", "url": "https://x.y"}}, "cite it"),
        (
            {"provenance": {"kind": "published", "table": "T", "url": "javascript:alert(1)"}},
            "url",
        ),
        ({"metrics": {"box_ap": float("nan"), "mask_ap": 1.0}}, "finite"),
        ({"metrics": {"box_ap": 101.0, "mask_ap": 1.0}}, "less than or equal to 100"),
        ({"metrics": {}}, "metrics"),
        ({"metrics": {"box_ap": 1.0}}, "metrics are box_ap"),
        ({"metrics": {"box_ap": 1.0, "mask_ap": 1.0, "ap50": 1.0}}, "metrics are ap50"),
        ({"notes": "by hand"}, "notes"),
        ({"cost": None}, "cost is missing"),
        ({"environment": None}, "environment is missing"),
        ({"seed": None}, "seed is missing"),
        ({"config": None}, "config is missing"),
        ({"method": "simmim"}, "pretraining is none"),
    ],
)
def test_refused(make_record, changes, said):
    with pytest.raises(ValidationError, match=said):
        make_record(**changes)


def test_missing_provenance_is_refused(toy):
    fields = toy.record_fields()
    del fields["provenance"]
    with pytest.raises(ValidationError, match="provenance"):
        RecordBody.model_validate(fields)


def test_a_published_record_is_full_and_of_its_protocol(make_published):
    assert make_published(metrics={"box_ap": 46.0}).seed is None
    with pytest.raises(ValidationError, match="kind 'full'"):
        make_published(kind="smoke")
    with pytest.raises(ValidationError, match="metrics of its protocol"):
        make_published(metrics={"top1": 83.0})


def changed(record, **changes):
    return {**record.as_json(), **changes}


def test_tampering_is_seen(make_record):
    record = make_record()
    better = changed(record, metrics={"box_ap": 99.0, "mask_ap": 23.2})
    with pytest.raises(ValidationError, match="changed after it was written"):
        Record.model_validate(better)
    with pytest.raises(ValidationError, match="run_id is 'other'"):
        Record.model_validate(changed(record, run_id="other"))


def test_run_id_follows_inputs_and_nothing_else(make_simmim, toy):
    base = make_simmim()
    same = [
        {"metrics": {"box_ap": 1.0, "mask_ap": 1.0}},
        {"date": "2026-01-01T00:00:00+00:00"},
        {"cost": {**toy.run_fields()["cost"], "wall_seconds": 1.0}},
        {"pretraining_data": {"name": "Flowers", "sha256": toy.sha("flowers")}},
    ]
    other = [
        {"kind": "smoke"},
        {"method": "mae"},
        {"backbone": "vit-toy"},
        {"seed": 1},
        {"protocol": toy.protocol(version=2)},
        {"protocol": toy.protocol(id="toy-2x")},
        {"data": {"name": "Flowers", "sha256": toy.sha("flowers")}},
        {"data": {"name": "Flowers", "sha256": toy.sha("other flowers")}},
        {"precision": "bfloat16"},
        {"config": {"path": "configs/toy.py", "sha256": toy.sha("else")}},
        {"pretraining": toy.pretraining(checkpoint_sha256=toy.sha("else"))},
    ]
    assert {make_simmim(**changes).run_id for changes in same} == {base.run_id}
    assert all(make_simmim(**changes).sha256 != base.sha256 for changes in same)
    ids = {base.run_id, *(make_simmim(**{"seed": 0, **changes}).run_id for changes in other)}
    assert len(ids) == len(other) + 1
