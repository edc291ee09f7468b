"""Probes of frozen features in a suite: stages, random weights of the same backbone, mistakes."""

import pytest

from simmim_bench.errors import BenchError

FROZEN = {"tasks": ["knn", "segmentation-linear"], "gpu_hours": 0.01, "cache_gb": 3}


def probe(plan, method, task="knn"):
    [stage] = [each for each in plan.stages if each.id == f"finetune/{task}/{method}__net/seed0"]
    return stage


def test_each_method_and_scratch_are_probed(project):
    project.write_suite(frozen=FROZEN)
    plan = project.plan()
    words = " ".join(probe(plan, "simmim").command)
    assert "train configs/any/demo_knn.py" in words
    assert "--cache-gb 3" in words
    assert "--pretrained" in words
    assert probe(plan, "simmim").gpu_hours == 0.01
    assert "configs/any/demo_segmentation-linear.py" in " ".join(
        probe(plan, "scratch", "segmentation-linear").command
    )
    assert "--cache-gb" not in probe(plan, "simmim", "detection").command


def test_random_weights_are_those_of_the_backbone_of_a_method(project):
    project.write_suite(frozen=FROZEN)
    stage = probe(project.plan(), "scratch")
    words = " ".join(stage.command)
    assert "--from-scratch --like work_dirs/tiny/export/simmim__net/seed0/backbone.pth" in words
    assert "export/simmim__net/seed0" in stage.needs
    assert "--like" not in probe(project.plan(), "scratch", "detection").command


def test_random_weights_are_those_of_the_backbone_of_weights(project):
    (project.root / "given.pth").write_bytes(b"")
    project.write_suite(pretrain={}, weights={"mine": "given.pth"}, frozen=FROZEN)
    words = " ".join(probe(project.plan(), "scratch").command)
    assert "--from-scratch --like" in words
    assert "work_dirs/tiny/weights/mine__net" in words  # converted: it has no card


def test_probes_alone_are_a_suite_and_a_larger_cache_reruns_nothing(project):
    project.write_suite(tasks={}, frozen=FROZEN)
    before = project.plan()
    project.write_suite(tasks={}, frozen={**FROZEN, "cache_gb": 100})
    after = project.plan()
    assert {stage.id.split("/")[1] for stage in before.stages if "finetune" in stage.id} == {
        "knn",
        "segmentation-linear",
    }
    assert [stage.inputs for stage in before.stages] == [stage.inputs for stage in after.stages]


def test_a_search_is_not_for_probes(project):
    search = {"search": {"optim_wrapper.optimizer.lr": [0.1, 0.2]}, "trials": 2}
    project.write_suite(frozen=FROZEN, tune=search)
    ids = {stage.id for stage in project.plan().stages}
    assert any(each.startswith("tune/detection/") for each in ids)
    assert not any(each.startswith("tune/knn/") for each in ids)


def test_a_random_start_comes_after_the_export_that_it_is_like(project):
    """Included cells stand behind all others."""
    task = "classification"
    project.write_suite(
        frozen=FROZEN,
        exclude=[{"method": "simmim"}],
        include=[{"method": "simmim", "backbone": "net", "task": task}],
    )
    plan = project.plan()
    stages = [stage.id for stage in plan.stages]
    assert any(each.startswith("finetune/knn/scratch") for each in stages)
    for place, stage in enumerate(plan.stages):
        assert set(stage.needs) <= set(stages[:place])


@pytest.mark.parametrize(
    ("frozen", "said"),
    [
        ({"tasks": []}, "'frozen.tasks' "),
        ({"tasks": ["knn", "knn"]}, "knn"),
        ({"tasks": ["detection"]}, "'detection' is in tasks and in frozen.tasks; leave out one"),
        ({"tasks": ["knn"], "cache_gb": -1}, "'frozen.cache_gb' "),
        ({"tasks": ["knn"], "cache": 3}, "unknown key 'frozen.cache'; did you mean 'cache_gb'?"),
        ({"probes": ["knn"]}, "'frozen.tasks' is missing"),
        ("knn", "'frozen' must be "),
    ],
)
def test_mistakes_are_named(project, frozen, said):
    project.write_suite(frozen=frozen)
    with pytest.raises(BenchError) as caught:
        project.plan()
    assert said in str(caught.value)
