"""The folder of an evaluation: its configs and its suite are those of the recipes."""

import json
import shlex

import pytest

from simmim_bench.config import load_config, resolved_hash
from simmim_bench.data.own import Images, OwnDataset, write_dataset
from simmim_bench.evaluation.evaluate import changes_of, find_entries
from simmim_bench.evaluation.files import recipe_of, write_files
from simmim_bench.evaluation.recipes import find_jobs
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.load import load_suite
from simmim_bench.weights.export import export_backbone
from tests.weights.cards import reseal
from tests.weights.test_pretrained import SWIN


@pytest.fixture
def weights(save_pretraining, tmp_path):
    """Makes exported weights of a method, with other windows if asked."""

    def make(method, **changed):
        found = export_backbone(save_pretraining(SWIN), tmp_path / method).weights

        def change(card):
            card["method"] = card["pretraining"]["method"] = method
            card["backbone_config"].update(changed)
            card["kind"] = "full"

        return str(reseal(found, change_card=change))

    return make


def write(folder, entries, jobs, **changed):
    hours = {(entry.backbone, job.name): 0.5 for entry in entries for job in jobs}
    values = {"scratch": True, "seeds": 2, "kind": "full", "hours": hours, "machine": "a test"}
    return write_files(folder, entries, jobs, **{**values, **changed})


def test_a_written_config_is_the_recipe(weights, tmp_path):
    entries, jobs = find_entries([weights("mine")]), find_jobs([], [])
    write(tmp_path / "out", entries, jobs)
    for job in jobs:
        path = tmp_path / "out/configs" / entries[0].backbone / f"{job.name}.py"
        made, recipe = load_config(str(path)), recipe_of(entries[0], job)
        assert made._cfg_dict == recipe._cfg_dict
        assert resolved_hash(made) == resolved_hash(recipe)
        assert "# class and options of the weights" in path.read_text("utf-8")


def test_the_size_of_the_cache_is_for_probes_alone(weights, tmp_path):
    entries, jobs = find_entries([weights("mine")]), find_jobs(["knn", "detection"], [])
    suite = load_suite(write(tmp_path / "out", entries, jobs, cache_gb=7))
    assert {name: task.cache_gb for name, task in suite.tasks.items()} == {
        "knn": 7,
        "detection": None,
    }
    plan = build_plan(suite, root=tmp_path, folder=tmp_path / "out")
    for stage in plan.stages:
        if stage.id.startswith("finetune/"):
            given = "--cache-gb 7" in " ".join(stage.command)
            assert given == stage.id.startswith("finetune/knn")


def test_the_suite_has_every_run_once(weights, tmp_path):
    given = [weights("mine"), weights("other"), weights("windows", window_size=2)]
    entries, jobs = find_entries(given), find_jobs(["knn", "detection"], [])
    first = entries[0].backbone
    assert [entry.backbone for entry in entries] == [first, first, f"{first}_2"]
    path = write(tmp_path / "out", entries, jobs)
    suite = load_suite(path)
    plan = build_plan(suite, root=tmp_path, folder=tmp_path / "out")
    runs = [stage.id for stage in plan.stages if stage.id.startswith("finetune/")]
    pairs = [("mine", first), ("other", first), ("windows", f"{first}_2"), ("scratch", first)]
    expected = {
        f"finetune/{task}/{method}__{backbone}/seed{seed}"
        for task in ("knn", "detection") for method, backbone in pairs for seed in (0, 1)
    }  # fmt: skip
    assert len(runs) == len(expected)
    assert set(runs) == expected
    assert all(stage.problem == "" for stage in plan.stages)


def test_the_suite_imports_the_modules_of_the_command(weights, tmp_path, monkeypatch):
    entries, jobs = find_entries([weights("mine")]), find_jobs(["knn"], [])
    assert load_suite(write(tmp_path / "out", entries, jobs)).imports == []
    monkeypatch.setenv("SIMMIM_BENCH_IMPORTS", "my_backbone,my_package.masks")
    suite = load_suite(write(tmp_path / "other", entries, jobs))
    assert suite.imports == ["my_backbone", "my_package.masks"]


def test_writing_again_keeps_what_was_edited(weights, tmp_path):
    entries, jobs = find_entries([weights("mine")]), find_jobs(["knn"], [])
    path = write(tmp_path / "out", entries, jobs)
    before = path.stat().st_mtime_ns
    write(tmp_path / "out", entries, jobs)
    assert path.stat().st_mtime_ns == before
    path.write_text(path.read_text("utf-8") + "# mine\n", "utf-8")
    write(tmp_path / "out", entries, jobs)
    assert path.with_name("suite.yaml.before").read_text("utf-8").endswith("# mine\n")


def test_the_kind_is_that_of_the_command_line(weights, tmp_path):
    entries, jobs = find_entries([weights("mine")]), find_jobs(["knn"], [])
    path = write(tmp_path / "out", entries, jobs, scratch=False, kind="smoke")
    suite = load_suite(path)
    assert (suite.kind, suite.baselines) == ("smoke", [])


def test_another_image_size_stands_in_the_suite(weights, tmp_path):
    entries, jobs = find_entries([weights("mine")]), find_jobs(["knn"], [])
    assert recipe_of(entries[0], jobs[0], 96).model.backbone.img_size == 96
    suite = load_suite(write(tmp_path / "out", entries, jobs, image_size=96))
    assert suite.tasks["knn"].image_size == 96


@pytest.mark.parametrize("name", ["eval vit", "photos été", "веса", "犬 と 猫", "-a'b"])
def test_the_folder_may_have_any_name(weights, tmp_path, name):
    entries, jobs = find_entries([weights("mine")]), find_jobs(["knn"], [])
    path = write(tmp_path / name, entries, jobs)
    plan = build_plan(load_suite(path), root=tmp_path, folder=tmp_path / name)
    assert all(stage.problem == "" for stage in plan.stages)
    command = next(
        line for line in path.read_text("utf-8").splitlines() if "simmim-bench suite" in line
    )
    assert shlex.split(command.lstrip("# "))[2:] == [str(path), "--work-dir", str(path.parent)]


def test_weights_for_other_channels_are_widened_as_asked(weights, tmp_path):
    four = OwnDataset(
        name="four",
        task="classification",
        classes=("a", "b"),
        channels=4,
        mean=(120.0,) * 4,
        std=(60.0,) * 4,
        images=Images(train=8, val=4),
        fingerprint="0" * 64,
        origin="a test",
    )
    write_dataset(four, tmp_path / "four")
    entries = find_entries([weights("mine")])
    jobs = find_jobs([], [f"knn={tmp_path / 'four'}", "detection=demo"])
    path = write(tmp_path / "out", entries, jobs, widen="repeat")
    tasks = load_suite(path).tasks
    assert (tasks["knn"].widen, tasks["detection"].widen) == ("repeat", None)
    stages = build_plan(load_suite(path), root=tmp_path, folder=tmp_path / "out").stages
    [stage, *_] = [stage for stage in stages if stage.id.startswith("finetune/knn/mine")]
    assert "--widen repeat" in " ".join(stage.command)
    recipes = {(entries[0].backbone, job.name): recipe_of(entries[0], job) for job in jobs}
    said = [text for text in changes_of(entries, recipes, "repeat") if "channels" in text]
    assert said == ["mine: weights of 3 channels are used for 4 bands (repeat)"]


def test_the_folder_has_weights_of_its_own(weights, tmp_path):
    entries = find_entries([weights("mine")])
    write(tmp_path / "out", entries, find_jobs(["knn"], []))
    kept = tmp_path / "out/weights" / entries[0].backbone / "mine/backbone.json"
    assert not kept.is_symlink()
    assert json.loads(kept.read_text("utf-8"))["method"] == "mine"
