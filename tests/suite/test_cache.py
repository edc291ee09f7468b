"""Which stages run again after a change: its dependants, and nothing else."""

import json
import shutil

import pytest
from PIL import Image

from simmim_bench.config import load_config, resolved_hash
from simmim_bench.data.fingerprint import fingerprint_config, sha256_of
from simmim_bench.suite import cache

PRETRAINED = {
    "pretrain/simmim__net/seed0",
    "export/simmim__net/seed0",
    "finetune/classification/simmim__net/seed0",
    "finetune/detection/simmim__net/seed0",
    "leaderboard",
}
DETECTION = {
    "finetune/detection/simmim__net/seed0",
    "finetune/detection/scratch__net/seed0",
    "leaderboard",
}
EVERYTHING = {*PRETRAINED, *DETECTION, "data", "finetune/classification/scratch__net/seed0"}


def pending(project, seeds=None):
    """Id to reason of what would run."""
    checks = cache.check_plan(project.plan(seeds))
    return {name: check.reason for name, check in checks.items() if not check.cached}


def test_a_copied_project_with_other_file_times_is_done(finished):
    assert pending(finished) == {}


def test_unrelated_files_change_nothing(finished):
    finished.config("other", "a = 1\n")
    (finished.root / "README.md").write_text("new", "utf-8")
    finished.suite.touch()
    finished.config("det_net", '# a comment\n_base_ = ["_base_/net.py"]\nsteps = 1\n')
    assert pending(finished) == {}


@pytest.mark.parametrize(
    ("name", "reruns"),
    [
        ("simmim_net", PRETRAINED),
        ("det_net", DETECTION),
        ("_base_/net", EVERYTHING - {"data"}),
    ],
)
def test_a_changed_config_reruns_its_dependants_only(finished, name, reruns):
    path = finished.root / "configs" / f"{name}.py"
    path.write_text(path.read_text("utf-8") + "extra = 1\n", "utf-8")
    found = pending(finished)
    assert set(found) == reruns
    assert f"configs/{name}.py changed" in found.values()


@pytest.mark.parametrize("steps", [1, 2])
def test_only_a_config_that_resolves_to_something_else_reruns_its_stage(finished, steps):
    name = "finetune/detection/scratch__net/seed0"
    manifest = folder(finished, name) / "manifest.json"
    used = {"sha256": resolved_hash(load_config(str(finished.root / "configs" / "det_net.py")))}
    content = {**json.loads(manifest.read_text("utf-8")), "config": used}
    manifest.write_text(json.dumps(content), "utf-8")
    finished.config("_base_/steps", f"steps = {steps}\n")
    finished.config("det_net", '_base_ = ["_base_/net.py", "_base_/steps.py"]\n')
    found = pending(finished)
    assert (name in found) == (steps == 2)
    assert "finetune/detection/simmim__net/seed0" in found  # its manifest states no config


def test_a_changed_override_reruns_its_task(finished):
    tasks = {
        "classification": {
            "config": "configs/cls_net.py",
            "overrides": {"train_cfg.max_epochs": 2},
        },
        "detection": "configs/det_net.py",
    }
    finished.write_suite(tasks=tasks)
    found = pending(finished)
    assert set(found) == {
        "finetune/classification/simmim__net/seed0",
        "finetune/classification/scratch__net/seed0",
        "leaderboard",
    }
    assert found["finetune/classification/scratch__net/seed0"] == "overrides changed"


def test_more_seeds_run_the_new_ones_only(finished):
    found = pending(finished, seeds=2)
    assert len(found) == 7
    assert all("seed1" in name or name == "leaderboard" for name in found)


def test_threads_do_not_count(finished):
    finished.write_suite(resources={"threads": 2})
    assert pending(finished) == {}


def folder(project, identifier):
    return project.folder / identifier


def test_a_missing_output_is_noticed(finished):
    (folder(finished, "pretrain/simmim__net/seed0") / "last.pth").unlink()
    found = pending(finished)
    assert found["pretrain/simmim__net/seed0"] == "its last.pth is missing"
    assert set(found) == PRETRAINED


def test_a_damaged_output_is_noticed(finished):
    path = folder(finished, "export/simmim__net/seed0") / "backbone.pth"
    path.write_text(path.read_text("utf-8")[:-1], "utf-8")
    assert pending(finished)["export/simmim__net/seed0"] == "its backbone.pth is damaged"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": "failed"}'])
def test_a_damaged_or_failed_manifest_reruns_the_stage(finished, text):
    name = "finetune/detection/scratch__net/seed0"
    (folder(finished, name) / "manifest.json").write_text(text, "utf-8")
    assert set(pending(finished)) == {name, "leaderboard"}


@pytest.mark.parametrize("text", ["", "{", "{}", '{"inputs": {}}', '{"inputs": 3}'])
def test_a_stage_whose_inputs_are_not_known_runs(finished, text):
    name = "finetune/detection/scratch__net/seed0"
    (folder(finished, name) / "stage.json").write_text(text, "utf-8")
    assert set(pending(finished)) == {name, "leaderboard"}


def test_a_pretraining_with_other_weights_reruns_what_reads_it(finished):
    name = "pretrain/simmim__net/seed0"
    (folder(finished, name) / "last.pth").write_text("1 other", "utf-8")
    manifest = folder(finished, name) / "manifest.json"
    content = json.loads(manifest.read_text("utf-8"))
    content["outputs"]["file"]["sha256"] = cache.sha256_file(folder(finished, name) / "last.pth")
    manifest.write_text(json.dumps(content), "utf-8")
    found = pending(finished)
    assert set(found) == PRETRAINED - {name}
    assert found["export/simmim__net/seed0"] == f"{name} changed"


def test_other_inputs_move_the_old_run_away(finished):
    name = "finetune/detection/scratch__net/seed0"
    finished.config("det_net", "steps = 5\n")
    plan = finished.plan()
    cache.begin(plan, plan.stage(name))
    assert [path.name for path in folder(finished, name).iterdir()] == ["stage.json"]
    assert (finished.folder / "superseded" / name / "1" / "last.pth").is_file()


def test_the_same_inputs_keep_the_checkpoint(finished):
    name = "finetune/detection/scratch__net/seed0"
    (folder(finished, name) / "manifest.json").unlink()
    plan = finished.plan()
    cache.begin(plan, plan.stage(name))
    assert (folder(finished, name) / "last.pth").is_file()


def test_deleted_tables_are_rebuilt_alone(finished):
    shutil.rmtree(finished.folder / "results")
    assert set(pending(finished)) == {"leaderboard"}


def test_tables_of_a_killed_run_are_rebuilt(finished):
    table = finished.folder / "results" / "leaderboard" / "README.md"
    table.write_text("cells: 3\n", "utf-8")
    plan = finished.plan()
    cache.begin(plan, plan.stage("leaderboard"))  # and then it was killed
    assert set(pending(finished)) == {"leaderboard"}
    code, printed = finished.run()
    assert code == 0, printed
    assert finished.table() == "cells: 4\n"
    assert pending(finished) == {}


@pytest.fixture
def with_data(finished, tmp_path):
    """Function: a finished stage that read a folder, whose manifest says so."""
    stage, folder = "finetune/classification/scratch__net/seed0", tmp_path / "photos"
    for split in ("train", "val"):
        (folder / split / "a").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / split / "a" / "1.png")
    config = finished.root / "configs" / "cls_net.py"
    lines = [
        f"{loader}_dataloader = dict(dataset=dict(type='CustomDataset', "
        f"data_root={str(folder)!r}, data_prefix={loader!r}))\n"
        for loader in ("train", "val")
    ]
    config.write_text(config.read_text("utf-8") + "".join(lines), "utf-8")
    assert finished.run()[0] == 0
    cfg = load_config(str(config), overrides=["train_cfg.max_epochs=1"])
    data = {"sha256": sha256_of(fingerprint_config(cfg).parts)}
    path = finished.folder / stage / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "data": data}), "utf-8")
    assert set(pending(finished)) == {"leaderboard"}  # whose table shows the manifest
    return stage, folder


def test_other_data_are_not_a_finished_run(finished, with_data):
    stage, folder = with_data
    (folder / "val" / "a" / "2.png").write_bytes(b"y")
    assert pending(finished)[stage] == "its data changed"
    plan = finished.plan()
    cache.begin(plan, plan.stage(stage))  # the results on the earlier data are kept
    assert (finished.folder / "superseded" / stage / "1" / "manifest.json").exists()


def test_a_finished_run_without_its_data_stays_done(finished, with_data):
    stage, folder = with_data
    shutil.rmtree(folder)
    assert stage not in pending(finished)


def test_a_manifest_of_an_earlier_version_stays_done(finished, with_data):
    stage, folder = with_data
    path = finished.folder / stage / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    del manifest["data"]
    path.write_text(json.dumps(manifest), "utf-8")
    (folder / "val" / "a" / "2.png").write_bytes(b"y")
    assert stage not in pending(finished)
