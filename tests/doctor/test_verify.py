"""The values of the smoke flow against committed ones."""

import json
import os
from dataclasses import replace

import pytest

from simmim_bench.doctor import verify as module
from simmim_bench.doctor.verify import Reference, Stage, compare, stages_of, with_tolerances
from simmim_bench.errors import BenchError

NAMES = ["pretrain/a/seed0", "finetune/b/c/seed0"]
PRETRAINED = Stage("c1", "d1", {"loss": 0.9}, {"loss": 0.001})
TUNED = Stage("c2", "d2", {"loss": 2.0, "top1": 27.0}, {"loss": 0.01, "top1": 2.0})
REFERENCE = Reference({"numpy": "1.0", "pillow": "9"}, {NAMES[0]: PRETRAINED, NAMES[1]: TUNED})


def measured(**changes):
    tuned = replace(TUNED, **changes)
    return {NAMES[0]: PRETRAINED, NAMES[1]: tuned}


def only(findings):
    [finding] = findings
    return finding


def test_values_within_the_tolerance_reproduce():
    found = only(compare(REFERENCE, measured(values={"loss": 2.009, "top1": 25.0})))
    assert found.status == "ok"
    assert found.text.startswith("this installation reproduces: 3 values of 2 trainings")
    assert found.text.endswith("they use 100% at most")


@pytest.mark.parametrize("top1", [29.1, 24.9, float("nan")])
def test_a_value_that_differs_is_named_with_both_numbers(top1):
    found = only(compare(REFERENCE, measured(values={"loss": 2.0, "top1": top1})))
    assert found.status == "problem"
    assert found.text == f"{NAMES[1]}: top1 is {top1:.5g}, committed is 27 +- 2"


def test_a_value_that_is_missing_differs():
    assert "top1 is nan" in only(compare(REFERENCE, measured(values={"loss": 2.0}))).text


def test_each_difference_is_told():
    found = [*compare(REFERENCE, measured(values={"loss": 3.0, "top1": 1.0}))]
    assert [one.text.split(": ")[1].split()[0] for one in found] == ["loss", "top1"]


def test_a_stage_that_failed():
    found = only(compare(REFERENCE, {NAMES[0]: PRETRAINED}))
    assert (found.status, found.text) == ("problem", f"{NAMES[1]} failed")


@pytest.mark.parametrize("what", ["config", "data"])
def test_another_config_or_other_data_are_not_compared(what):
    found = only(compare(REFERENCE, measured(**{what: "other", "values": {}})))
    assert found.text == f"{NAMES[1]} has another {what} than the committed values"


def test_the_remedy_names_versions_that_differ(monkeypatch):
    monkeypatch.setattr(module, "versions", lambda _: {"numpy": "2.0"})
    found = only(compare(REFERENCE, {NAMES[0]: PRETRAINED}))
    assert found.remedy.startswith("see its log.txt")
    found = only(compare(REFERENCE, measured(data="other")))
    assert found.remedy == "versions differ: numpy 2.0 instead of 1.0, pillow none instead of 9"


def test_tolerances_come_from_repetitions_but_are_not_tiny():
    stage = Stage("c", "d", {"first loss": 2.0, "top1": 30.0})
    others = [
        Stage("c", "d", {"first loss": 2.0, "top1": 30.5}),
        Stage("c", "d", {"first loss": 2.03, "top1": 29.9}),
    ]
    assert with_tolerances(stage, others).tolerances == {"first loss": 0.15, "top1": 2.5}
    assert with_tolerances(stage, []).tolerances == {"first loss": 0.002, "top1": 2.0}


def manifest(tmp_path, name, losses, **changes):
    (tmp_path / name).mkdir(parents=True)
    content = {
        "status": "complete",
        "config": {"sha256": "c"},
        "data": {"sha256": "d"},
        "metrics": {"top1": 5.0},
        "curves": {"loss": {"points": [[step, loss] for step, loss in enumerate(losses)]}},
    }
    (tmp_path / name / "manifest.json").write_text(json.dumps(content | changes), "utf-8")


def test_stages_are_read_from_their_manifests(tmp_path):
    manifest(tmp_path, "a", [3.0])
    manifest(tmp_path, "b", [3.0, 2.0, 1.0])
    manifest(tmp_path, "c", [3.0], status="failed")
    assert stages_of(tmp_path, ["a", "b", "c", "d"]) == {
        "a": Stage("c", "d", {"loss": 3.0, "top1": 5.0}),
        "b": Stage("c", "d", {"first loss": 3.0, "last loss": 1.0, "top1": 5.0}),
    }


def test_a_damaged_reference_is_one_sentence(tmp_path):
    (tmp_path / "r.json").write_text('{"stages": {"a": {}}}', "utf-8")
    with pytest.raises(BenchError, match="is damaged"):
        Reference.read(tmp_path / "r.json")


@pytest.fixture
def suite(monkeypatch, tmp_path):
    """Function that lets the suite write these stages; returns what it saw."""
    seen = {}

    def fake(**stages):
        def run_suite(options, _):
            seen.update(options=options, gpus=os.environ["CUDA_VISIBLE_DEVICES"])
            seen.update(data=os.environ["SIMMIM_BENCH_DATA"])
            for name, losses in stages.items():
                manifest(options.work_dir, name, losses)

        monkeypatch.setattr("simmim_bench.suite.run.run_suite", run_suite)
        wanted = Stage("c", "d", {"loss": 3.0, "top1": 5.0}, {"loss": 0.1, "top1": 1.0})
        reference = Reference({}, {"a": wanted})
        monkeypatch.setattr(module.Reference, "read", classmethod(lambda _: reference))
        return seen

    return fake


def test_the_flow_runs_on_the_cpu_and_leaves_nothing(suite, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("SIMMIM_BENCH_DATA", raising=False)
    seen = suite(a=[3.05])
    found = only(module.verify(None, tmp_path / "work_dirs"))
    assert found.status == "ok"
    assert seen["gpus"] == ""
    assert seen["data"] == f"{seen['options'].root}/data"
    assert "SIMMIM_BENCH_DATA" not in os.environ
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    assert seen["options"].suite.name == "smoke.yaml"
    assert [*(tmp_path / "work_dirs").iterdir()] == []


def test_a_difference_leaves_the_runs(suite, tmp_path):
    suite(a=[4.0])
    different, where = module.verify(None, tmp_path / "work_dirs")
    assert different.status == "problem"
    [folder] = (tmp_path / "work_dirs").iterdir()
    assert where.text.endswith(str(folder))
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_the_committed_values_are_of_the_recipes_as_they_are(tmp_path):
    from simmim_bench.config import resolved_hash
    from simmim_bench.suite.build import build_plan
    from simmim_bench.suite.load import load_suite

    plan = build_plan(load_suite(module.SUITE), root=tmp_path, folder=tmp_path)
    trained = {stage.id.split(" ")[0]: stage for stage in plan.stages if stage.config}
    reference = Reference.read()
    assert {*reference.stages} == {*trained}
    for name, stage in reference.stages.items():
        assert stage.config == resolved_hash(plan.recipe_of(trained[name])), f"{name}: run it again"
        assert {*stage.values} == {*stage.tolerances}
