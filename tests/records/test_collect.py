import multiprocessing

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.records.collect import collect
from simmim_bench.records.manifest import FileRef, Manifest
from simmim_bench.records.store import read_records


def test_records_of_a_suite(write_suite, tmp_path):
    records = tmp_path / "records"
    work = write_suite(seeds=(0, 1))
    found = collect(work, records)
    assert len(found.records["added"]) == 4
    by_method = {record.method: record for record in read_records(records)}
    assert set(by_method) == {"scratch", "simmim"}
    assert by_method["simmim"].pretraining_cost.wall_seconds == 600.0
    assert by_method["simmim"].cost.wall_seconds == 120.0
    assert by_method["scratch"].pretraining_cost is None
    assert all(record.provenance.kind == "measured" for record in by_method.values())


def test_collecting_twice_changes_no_byte(write_suite, tmp_path):
    work = write_suite(seeds=(0, 1))
    collect(work, tmp_path / "records")
    before = {path: path.read_bytes() for path in (tmp_path / "records").rglob("*.json")}
    again = collect(work, tmp_path / "records")
    assert len(before) == len(again.records["present"]) == 4
    assert again.records["added"] == []
    assert before == {path: path.read_bytes() for path in (tmp_path / "records").rglob("*.json")}


def test_the_same_run_with_other_metrics_is_refused(write_suite, tmp_path):
    collect(write_suite(), tmp_path / "records")
    work = write_suite(simmim_ap=45.0)
    with pytest.raises(BenchError) as refused:
        collect(work, tmp_path / "records")
    message = str(refused.value)
    assert str(work / "finetune" / "detection" / "simmim__swin-toy" / "seed0") in message
    assert str(tmp_path / "records" / "simmim__swin-toy") in message
    assert "box_ap 45.0" in message
    assert "box_ap 44.0" in message


def test_a_contradiction_leaves_the_records_as_they_are(write_suite, tmp_path):
    collect(write_suite(seeds=(1,)), tmp_path / "records")
    before = sorted((tmp_path / "records").rglob("*.json"))
    work = write_suite(seeds=(0, 1), simmim_ap=45.0)
    with pytest.raises(BenchError, match="box_ap 46"):
        collect(work, tmp_path / "records")
    assert sorted((tmp_path / "records").rglob("*.json")) == before


def test_one_bad_manifest_and_nothing_is_written(write_suite, tmp_path):
    work = write_suite()
    bad = work / "finetune" / "detection" / "simmim__swin-toy" / "seed0" / "manifest.json"
    bad.write_text(bad.read_text().replace('"box_ap": 44.0', '"box_ap": 144.0'))
    with pytest.raises(BenchError, match=r"metrics\.box_ap is 144\.0"):
        collect(work, tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_failed_runs_are_left_out_and_told(write_suite, make_manifest, tmp_path):
    work = write_suite()
    failed = work / "finetune" / "detection" / "scratch__swin-toy" / "seed1" / "manifest.json"
    make_manifest(seed=1, status="failed", metrics={}).write(failed)
    found = collect(work, tmp_path / "records")
    assert found.skipped == [failed]
    assert {record.seed for record in read_records(tmp_path / "records")} == {0}


def test_a_full_run_of_a_smoke_pretraining_is_refused(write_suite, tmp_path):
    work = write_suite()
    path = work / "pretrain" / "simmim__swin-toy" / "seed0" / "manifest.json"
    Manifest.read(path).model_copy(update={"kind": "smoke"}).write(path)
    with pytest.raises(BenchError, match="full run of a smoke pretraining"):
        collect(work, tmp_path / "records")


def test_a_smoke_run_of_a_full_pretraining_is_a_smoke_record(write_suite, tmp_path):
    work = write_suite()
    for path in work.glob("finetune/**/manifest.json"):
        Manifest.read(path).model_copy(update={"kind": "smoke"}).write(path)
    collect(work, tmp_path / "records")
    assert {record.kind for record in read_records(tmp_path / "records")} == {"smoke"}


def test_deviations_of_all_stages_reach_the_record(write_suite, tmp_path):
    work = write_suite()
    for folder in ("pretrain", "export", "finetune/detection"):
        path = work / folder / "simmim__swin-toy" / "seed0" / "manifest.json"
        changed = Manifest.read(path).model_copy(update={"deviations": [f"override in {folder}"]})
        changed.write(path)
    collect(work, tmp_path / "records")
    records = {record.method: record for record in read_records(tmp_path / "records")}
    simmim, scratch = records["simmim"], records["scratch"]
    assert simmim.deviations == ["override in finetune/detection"]
    assert simmim.pretraining_deviations == ["override in pretrain", "override in export"]
    assert scratch.deviations == scratch.pretraining_deviations == []


def test_the_cost_of_initial_weights_is_not_that_of_the_pretraining(write_suite, toy, tmp_path):
    work = write_suite()
    path = work / "pretrain" / "simmim__swin-toy" / "seed0" / "manifest.json"
    run = Manifest.read(path)
    earlier = run.model_copy(
        update={
            "cost": run.cost.model_copy(update={"wall_seconds": 9.0}),
            "outputs": {"checkpoint": FileRef(path="epoch_9.pth", sha256=toy.sha("earlier"))},
            "deviations": ["override earlier"],
            "config": run.config.model_copy(update={"path": "configs/earlier.py"}),
        }
    )
    earlier.write(work / "pretrain" / "earlier" / "manifest.json")
    given = {"initial": FileRef(path="epoch_9.pth", sha256=toy.sha("earlier"))}
    run.model_copy(update={"inputs": given}).write(path)
    collect(work, tmp_path / "records")
    records = {record.method: record for record in read_records(tmp_path / "records")}
    assert records["simmim"].pretraining_cost.wall_seconds == 600.0
    assert records["simmim"].pretraining_deviations == ["override earlier"]
    configs = records["simmim"].pretraining_configs
    assert [config.path for config in configs] == ["configs/earlier.py", run.config.path]


def test_unknown_pretraining_cost_stays_unknown(write_suite, tmp_path):
    work = write_suite()
    (work / "export" / "simmim__swin-toy" / "seed0" / "manifest.json").unlink()
    collect(work, tmp_path / "records")
    assert all(record.pretraining_cost is None for record in read_records(tmp_path / "records"))


@pytest.mark.parametrize("names", [[], ["pretrain"]])
def test_nothing_to_collect_is_a_sentence(write_suite, tmp_path, names):
    work = write_suite()
    for path in list(work.rglob("manifest.json")):
        if path.relative_to(work).parts[0] not in names:
            path.unlink()
    with pytest.raises(BenchError, match="no complete fine-tuning"):
        collect(work, tmp_path / "records")


def test_two_processes_collect_at_once(write_suite, tmp_path):
    work = write_suite(seeds=range(10))
    context = multiprocessing.get_context("spawn")
    arguments = [(work, tmp_path / "records")] * 2
    with context.Pool(2) as pool:
        found = pool.starmap(collect, arguments, chunksize=1)
    assert sum(len(each.records["added"]) for each in found) == 20
    assert sum(len(each.records["present"]) for each in found) == 20
    assert len(read_records(tmp_path / "records")) == 20


def test_runs_that_a_suite_replaced_do_not_count(write_suite, tmp_path):
    work = write_suite()
    run = work / "finetune" / "detection" / "simmim__swin-toy" / "seed0"
    aside = work / "superseded" / run.relative_to(work) / "1"
    aside.mkdir(parents=True)
    text = (run / "manifest.json").read_text("utf-8")
    (aside / "manifest.json").write_text(text.replace('"box_ap": ', '"box_ap": 1'), "utf-8")
    assert len(collect(work, tmp_path / "records").records["added"]) == 2
