"""The matrix of a suite: exclude, include and override."""

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.profile import Profile


def ids(project):
    return [stage.id for stage in project.plan().stages]


PAINT = {"config": "configs/cls_{backbone}.py", "tool": "evaluate_painting"}


def test_excluding_all_tasks_of_a_pretraining_excludes_it(project):
    project.write_suite(exclude=[{"task": "det*", "method": "simmim"}])
    assert "finetune/detection/simmim__net/seed0" not in ids(project)
    assert "finetune/detection/scratch__net/seed0" in ids(project)
    assert "pretrain/simmim__net/seed0" in ids(project)
    project.write_suite(exclude=[{"method": "simmim"}])
    assert not any("simmim" in name for name in ids(project))
    assert len(ids(project)) == 4


def test_an_included_cell_adds_its_pretraining(project):
    for name in ("simmim_big", "cls_big"):
        project.config(name, "steps = 1\n")
    include = [{"method": "simmim", "backbone": "big", "task": "classification", "seed": 3}]
    project.write_suite(include=include)
    joined = [name for name in ids(project) if "big" in name]
    assert joined == [
        "pretrain/simmim__big/seed3",
        "export/simmim__big/seed3",
        "finetune/classification/simmim__big/seed3",
    ]
    assert len(ids(project)) == 8 + 3


def test_an_override_changes_its_cells_only_and_wins_over_the_step(project):
    override = [
        {"task": "classification", "method": "scratch", "set": {"train_cfg.max_epochs": 9}},
        {"task": "pretrain", "resources": {"gpus": 2, "memory": "2 GB", "time": "90 min"}},
    ]
    project.write_suite(override=override)
    plan = project.plan()
    scratch = plan.stage("finetune/classification/scratch__net/seed0")
    simmim = plan.stage("finetune/classification/simmim__net/seed0")
    pretrain = plan.stage("pretrain/simmim__net/seed0")
    assert scratch.options == ("train_cfg.max_epochs=9",)
    assert simmim.options == ("train_cfg.max_epochs=1",)
    assert (pretrain.memory_mb, pretrain.minutes) == (2048, 90)
    assert (scratch.memory_mb, scratch.minutes) == (None, None)
    assert pretrain.options == ()


def test_an_override_may_name_another_config(project):
    project.config("cls2_net", "steps = 1\n")
    change = {"task": "classification", "method": "scratch", "config": "configs/cls2_{backbone}.py"}
    project.write_suite(override=[change])
    configs = {stage.id: stage.config for stage in project.plan().stages}
    assert configs["finetune/classification/scratch__net/seed0"] == "configs/cls2_net.py"
    assert configs["finetune/classification/simmim__net/seed0"] == "configs/cls_net.py"
    project.write_suite(override=[{**change, "config": "configs/cls3_{backbone}.py"}])
    with pytest.raises(
        BenchError, match=r"tasks.classification: config configs/cls3_net.py does not exist"
    ):
        project.run(dry_run=True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exclude": [{"task": "segmentation"}]}, "exclude 1 matches no cell"),
        ({"exclude": [{}]}, "'exclude.0' should name a method, a backbone, a task or a seed"),
        ({"exclude": [{"backbone": "*"}]}, "exclude leaves no cell of the matrix"),
        ({"exclude": [{"task": "pretrain"}]}, "exclude 1 names the task 'pretrain'"),
        ({"override": [{"seed": 1, "set": {"a": 1}}]}, "override 1 matches no cell"),
        ({"override": [{"sett": {"a": 1}}]}, "unknown key 'override.0.sett'; did you mean 'set'?"),
        (
            {"include": [{"method": "mae", "backbone": "net", "task": "detection"}]},
            "include 1: unknown method 'mae'; methods: simmim, scratch",
        ),
        (
            {"include": [{"method": "simmim", "backbone": "big", "task": "detection"}]},
            "pretrain.simmim: config configs/simmim_big.py does not exist",
        ),
        (
            {"tasks": {"paint": PAINT}},
            "task 'paint' needs the decoder of a pretraining, which 'scratch' does not have",
        ),
        (
            {"tasks": {"paint": {**PAINT, "overrides": {"painting.ratio": 0.5}}}, "baselines": []},
            "task 'paint' has overrides, but painting protocols run unchanged; remove them",
        ),
        (
            {"tasks": {"paint": {**PAINT, "image_size": 96}}, "baselines": []},
            "task 'paint' states image_size, which painting does not use; remove it",
        ),
        (
            {
                "pretrain": {
                    "guided": {"config": "configs/simmim_net.py", "uses": {"steps": "simmim"}},
                    "simmim": "configs/simmim_net.py",
                }
            },
            "'guided' uses the backbone of 'simmim', but no earlier pretraining makes it for net",
        ),
        ({"tasks": {"pretrain": "configs/cls_net.py"}}, "a task cannot be named 'pretrain'"),
        (
            {"resources": {"memory": "16"}},
            "a number with a unit (mb, gb, tb), e.g. 16 GB",
        ),
        ({"resources": {"time": "2 weeks"}}, "should be a number with a unit (s, min, m, h, d)"),
        ({"budget": {"gpu_hours": 0}}, "'budget.gpu_hours' should be greater than 0, got 0"),
    ],
)
def test_each_mistake_has_its_message(project, changes, sentence):
    project.write_suite(**changes)
    with pytest.raises(BenchError) as caught:
        project.run(dry_run=True)
    assert sentence in str(caught.value)


def test_names_that_give_the_same_folder_are_refused(project):
    for name in ("simmim_x", "simmim_a__x", "cls_x", "cls_a__x"):
        project.config(name, "steps = 1\n")
    project.write_suite(
        backbones=["x", "a__x"],
        pretrain={"s__a": "configs/simmim_net.py", "s": "configs/simmim_net.py"},
        tasks={"t": "configs/cls_net.py"},
    )
    with pytest.raises(BenchError, match=r"two stages would write into pretrain/s__a__x/seed0"):
        project.plan()


@pytest.mark.parametrize(
    ("profile", "processes", "begin"),
    [
        (Profile(), 1, ["-P", "-m", "simmim_bench", "train"]),
        (Profile(launcher="torchrun"), 4, ["-P", "-m", "torch.distributed.run", "--standalone"]),
        (
            Profile(launcher="torchrun", gpus=2, on_gpus=True),
            2,
            ["-P", "-m", "torch.distributed.run"],
        ),
        (Profile(launcher="slurm"), 4, ["--ntasks=4", "--cpus-per-task=3"]),
    ],
)
def test_a_launcher_starts_as_many_processes_as_it_may(project, profile, processes, begin):
    project.write_suite(resources={"gpus": 4, "threads": 3})
    suite = load_suite(project.suite)
    plan = build_plan(suite, root=project.root, folder=project.folder, profile=profile)
    stage = plan.stage("pretrain/simmim__net/seed0")
    assert stage.processes == processes
    assert stage.gpus == (processes if profile.on_gpus else 0)
    assert list(stage.command[1 : len(begin) + 1]) == begin
    assert stage.inputs == project.plan().stage(stage.id).inputs  # done is done, however started
    assert plan.stage("export/simmim__net/seed0").processes == 1
