"""The plan of a suite: dependencies, inputs and commands."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from simmim_bench.commands import parser_of
from simmim_bench.errors import BenchError
from simmim_bench.records import manifest
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.plan import MANIFEST, SUPERSEDED, Plan
from simmim_bench.suite.profile import Profile

ROOT = Path(__file__).parents[2]


def needed(plan, identifier):
    """All stages that must have run before."""
    needs = plan.stage(identifier).needs
    return set(needs).union(*(needed(plan, need) for need in needs))


def test_every_cell_of_three_seeds_is_planned_once(project):
    plan = project.plan(seeds=3)
    ids = [stage.id for stage in plan.stages]
    assert len(ids) == len(set(ids)) == 1 + 3 * (1 + 1 + 2 * 2) + 1
    assert len({stage.result for stage in plan.stages}) == len(ids)
    assert ids[-1] == "leaderboard"


def test_stages_stand_after_what_they_need(project):
    plan = project.plan(seeds=2)
    ids = [stage.id for stage in plan.stages]
    assert all(
        ids.index(need) < ids.index(stage.id) for stage in plan.stages for need in stage.needs
    )


def test_scratch_depends_on_no_pretraining(project):
    plan = project.plan(seeds=2)
    scratch = [stage for stage in plan.stages if "/scratch__net/" in stage.id]
    assert len(scratch) == 4
    for stage in scratch:
        assert needed(plan, stage.id) == {"data"}
        assert "--from-scratch" in stage.command
        assert "--pretrained" not in stage.command


def test_fine_tuning_starts_from_its_own_seed(project):
    plan = project.plan(seeds=3)
    for seed in range(3):
        cell = f"simmim__net/seed{seed}"
        stage = plan.stage(f"finetune/detection/{cell}")
        assert needed(plan, stage.id) == {"data", f"pretrain/{cell}", f"export/{cell}"}
        given = stage.command[stage.command.index("--pretrained") + 1]
        assert given == f"work_dirs/tiny/export/{cell}/backbone.pth"
        assert stage.command[stage.command.index("--seed") + 1] == str(seed)


def test_a_pretraining_may_use_the_export_of_another_of_its_seed(project):
    guided = {"config": "configs/simmim_net.py", "uses": {"steps": "simmim"}}
    project.write_suite(pretrain={"simmim": "configs/simmim_net.py", "guided": guided}, seeds=2)
    plan = project.plan()
    stage = plan.stage("pretrain/guided__net/seed1")
    assert stage.needs == ("data", "export/simmim__net/seed1")
    weights = "work_dirs/tiny/export/simmim__net/seed1/backbone.pth"
    assert stage.command[-2:] == ("--cfg-options", f"steps={weights}")
    assert stage.inputs["overrides"] == "steps=export/simmim__net/seed1"  # wherever the folder is
    assert plan.stage("pretrain/simmim__net/seed1").needs == ("data",)


def test_a_painting_takes_the_whole_pretraining_and_its_overrides(project):
    project.config("paint_net", "painting = dict()\n")
    paint = {"config": "configs/paint_{backbone}.py", "tool": "evaluate_painting"}
    pretrain = {"config": "configs/simmim_{backbone}.py", "overrides": {"train_cfg.max_epochs": 2}}
    project.write_suite(tasks={"painting": paint}, baselines=[], pretrain={"simmim": pretrain})
    stage = project.plan().stage("finetune/painting/simmim__net/seed0")
    assert needed(project.plan(), stage.id) == {"data", "pretrain/simmim__net/seed0"}
    command = parser_of("analyze").parse_args(stage.command[4:])
    assert command.config == "configs/simmim_net.py"
    assert command.run.as_posix() == "work_dirs/tiny/pretrain/simmim__net/seed0"
    assert command.protocol == "configs/paint_net.py"
    assert command.cfg_options == ["train_cfg.max_epochs=2"]
    assert stage.result == f"{command.out.as_posix()}/manifest.json"


def test_a_protocol_with_the_wrong_tool_is_reported_before_anything_runs(project):
    project.config("paint_net", "painting = dict()\n")
    project.write_suite(tasks={"painting": "configs/paint_{backbone}.py"})
    wanted = "paint_net.py runs with simmim-bench analyze painting; add `tool: evaluate_painting`"
    with pytest.raises(BenchError, match=wanted):
        project.run()


def test_a_missing_reference_network_is_reported_before_anything_runs(project):
    reference_network = 'dict(checkpoint="data/vgg16.pth")'
    project.config("paint_net", f"painting = dict(reference_network={reference_network})\n")
    paint = {"config": "configs/paint_{backbone}.py", "tool": "evaluate_painting"}
    project.write_suite(tasks={"painting": paint}, baselines=[])
    with pytest.raises(BenchError, match=r"network's weights data/vgg16.pth do not exist; get"):
        project.run()
    assert not project.folder.exists()
    (project.root / "data").mkdir(exist_ok=True)
    (project.root / "data" / "vgg16.pth").touch()
    assert project.run(dry_run=True)[0] == 0


def test_more_seeds_change_no_cell_of_the_first(project):
    one, three = project.plan(seeds=1), project.plan(seeds=3)
    for stage in one.stages[:-1]:
        assert three.stage(stage.id) == stage


def test_inputs_name_config_bases_overrides_and_kind(project):
    stage = project.plan().stage("finetune/classification/scratch__net/seed0")
    assert stage.inputs["overrides"] == "train_cfg.max_epochs=1"
    assert stage.inputs["kind"] == "smoke"
    assert {"configs/cls_net.py", "configs/_base_/net.py"} <= set(stage.inputs)


def test_inputs_hold_nothing_of_the_machine(project):
    for stage in project.plan().stages:
        assert str(project.root) not in repr((stage.inputs, stage.command[1:], stage.result))


def test_a_suite_without_data_step_reads_none(project):
    project.write_suite(data=None)
    plan = project.plan()
    assert not any(stage.id == "data" or "data" in stage.needs for stage in plan.stages)


def test_names_of_files_are_those_of_records():
    assert (MANIFEST, SUPERSEDED) == (manifest.FILE_NAME, manifest.SUPERSEDED)


def test_a_plan_is_the_same_after_json(project, tmp_path):
    plan = project.plan()
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan.to_json()), "utf-8")
    assert Plan.read(path) == plan


@pytest.mark.parametrize("name", ["demo", "smoke"])
def test_the_real_tools_understand_their_commands(name):
    suite = load_suite(ROOT / "configs" / "suites" / f"{name}.yaml", seeds=2)
    plan = build_plan(suite, root=ROOT, folder=ROOT / "work_dirs" / name)
    seen = set()
    for stage in plan.stages:
        python, *options, package, tool = stage.command[:5]
        assert (python, options, package) == (sys.executable, ["-P", "-m"], "simmim_bench")
        parser_of(tool).parse_args(stage.command[5:])
        seen.add(tool)
    assert seen == {"data", "train", "export", "leaderboard"}


def test_speed_reaches_trainings_and_only_precision_is_an_input(project):
    def trainings(resources):
        project.write_suite(data=None, resources=resources)
        suite = load_suite(project.suite)
        profile = Profile(launcher="torchrun")
        plan = build_plan(suite, root=project.root, folder=project.folder, profile=profile)
        return {s.id: s for s in plan.stages if s.id.startswith(("pretrain/", "finetune/"))}

    plain = trainings({"gpus": 2})
    fast = trainings({"gpus": 2, "fsdp": True, "recompute": True, "compile": True})
    for name, stage in fast.items():
        added = [word for word in stage.command if word not in plain[name].command]
        assert added == ["--recompute", "--compile", "--fsdp"]
        assert stage.inputs == plain[name].inputs
    assert all("--fsdp" not in s.command for s in trainings({"fsdp": True}).values())
    for name, stage in trainings({"gpus": 2, "precision": "bfloat16"}).items():
        assert ("--precision", "bfloat16") in zip(stage.command, stage.command[1:], strict=False)
        assert stage.inputs == {**plain[name].inputs, "precision": "bfloat16"}


NAMED = "My 1000 photos"


def test_the_name_of_own_data_reaches_trainings(project):
    def stages(**changes):
        project.write_suite(data=None, **changes)
        return {stage.id: stage for stage in project.plan().stages}

    plain = stages()
    raw = yaml.safe_load(project.suite.read_text("utf-8"))
    named = {
        name: {**(step if isinstance(step, dict) else {"config": step}), "dataset_name": NAMED}
        for name, step in raw["tasks"].items()
    }
    for name, stage in stages(tasks=named).items():
        pair = ("--dataset-name", NAMED)
        is_task = name.startswith("finetune/")
        assert (pair in zip(stage.command, stage.command[1:], strict=False)) == is_task
        assert stage.inputs == {
            **plain[name].inputs,
            **({"dataset name": NAMED} if is_task else {}),
        }
    for step in named.values():
        step["dataset_name"] = "a/b"
    with pytest.raises(BenchError, match=r"dataset_name.*a name holds letters"):
        stages(tasks=named)
