"""Methods with existing weights, for example a supervised model."""

import json
import re

import pytest
import torch

from simmim_bench.errors import BenchError

WEIGHTS = "work_dirs/supervised-{backbone}/backbone.pth"
CELL = "finetune/detection/supervised__net/seed0"


@pytest.fixture
def suite(project):
    """A project whose suite names a supervised method."""
    project.write_suite(weights={"supervised": WEIGHTS})
    return project


def put(project, content="weights", method="supervised", sha256="ab"):
    weights = project.root / WEIGHTS.replace("{backbone}", "net")
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_text(content, "utf-8")
    card = {"method": method, "sha256": sha256}
    weights.with_suffix(".json").write_text(json.dumps(card), "utf-8")


def test_tasks_start_from_existing_weights(suite):
    plan = suite.plan(seeds=2)
    found = [stage for stage in plan.stages if "supervised__net" in stage.id]
    assert len(found) == 2 * 2
    for stage in found:
        assert stage.id.startswith("finetune/")
        assert stage.needs == ("data",)
        given = stage.command[stage.command.index("--pretrained") + 1]
        assert given == "work_dirs/supervised-net/backbone.pth"


def test_other_weights_rerun_the_tasks(suite):
    put(suite)
    assert suite.run()[0] == 0
    assert f"{CELL} from 0" in suite.take_calls()
    assert suite.run()[0] == 0
    assert not suite.take_calls()
    put(suite, content="others", sha256="cd")
    assert suite.run()[0] == 0
    trained = [call for call in suite.take_calls() if call.startswith("finetune")]
    assert sorted(trained) == [
        "finetune/classification/supervised__net/seed0 from 0",
        f"{CELL} from 0",
    ]


def refused(project):
    with pytest.raises(BenchError) as error:
        project.run()
    return str(error.value)


def test_missing_weights_are_reported_once_with_the_command(suite):
    said = refused(suite)
    command = "simmim-bench convert FILE work_dirs/supervised-net --method supervised"
    assert said.count(command) == 1
    assert not (suite.root / "calls.txt").exists()


def test_weights_of_another_method_are_refused(suite):
    put(suite, method="converted from timm")
    assert "belongs to the method 'converted from timm'; use that name" in refused(suite)


def test_unused_weights_may_be_missing(suite):
    suite.write_suite(weights={"supervised": WEIGHTS}, exclude=[{"method": "supervised"}])
    assert suite.run()[0] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("simmim", "two methods are called 'simmim'"), ("scratch", "cannot be called 'scratch'")],
)
def test_names_in_use_are_refused(project, name, said):
    project.write_suite(weights={name: WEIGHTS})
    with pytest.raises(BenchError, match=re.escape(said)):
        project.plan()


def test_a_painting_of_given_weights_is_refused(suite):
    suite.config("paint_net", "painting = dict()\n")
    paint = {"config": "configs/paint_{backbone}.py", "tool": "evaluate_painting"}
    suite.write_suite(tasks={"painting": paint}, baselines=[], weights={"supervised": WEIGHTS})
    with pytest.raises(BenchError, match="'supervised' does not have; exclude that method"):
        suite.plan()


REMOTE = "timm:resnet18.a1_in1k"
STAGE = "weights/supervised__net"


def test_weights_from_elsewhere_are_converted_once_for_all_seeds(suite):
    suite.write_suite(weights={"supervised": "timm:{backbone}.a1_in1k"}, backbones=["resnet18"])
    for name in ("cls", "det", "simmim"):
        suite.config(f"{name}_resnet18", "")
    plan = suite.plan(seeds=2)
    stages = [stage for stage in plan.stages if stage.id.startswith("weights/")]
    assert [stage.id for stage in stages] == ["weights/supervised__resnet18"]
    target = "work_dirs/tiny/weights/supervised__resnet18/converted"
    assert stages[0].command[3:] == (
        "convert", REMOTE, target, "--method", "supervised",
    )  # fmt: skip
    for stage in plan.stages:
        if stage.id.startswith("finetune/") and "/supervised__" in stage.id:
            assert stages[0].id in stage.needs
            given = stage.command[stage.command.index("--pretrained") + 1]
            assert given == f"{target}/backbone.pth"


def test_a_dry_run_shows_the_conversion_and_fetches_nothing(suite):
    suite.write_suite(weights={"supervised": REMOTE})
    code, shown = suite.run(dry_run=True)
    assert code == 0
    assert STAGE in shown
    assert not suite.take_calls()


def test_converted_weights_are_kept(suite):
    suite.write_suite(weights={"supervised": REMOTE})
    assert suite.run()[0] == 0
    assert f"convert {REMOTE}" in suite.take_calls()
    assert suite.run()[0] == 0
    assert not suite.take_calls()
    suite.write_suite(weights={"supervised": "timm:resnet18.tv_in1k"})
    assert suite.run()[0] == 0
    calls = suite.take_calls()
    assert "convert timm:resnet18.tv_in1k" in calls
    assert f"{CELL} from 0" in calls


def test_a_file_of_others_is_converted_and_its_content_counts(suite, tmp_path):
    given = suite.root / "others.pth"
    suite.write_suite(weights={"supervised": "others.pth"})

    def write(value):
        state = {"conv1.weight": torch.full((8, 3, 7, 7), value)}
        torch.save(state, given)
        return suite.plan().stage(STAGE).inputs

    first, second = write(1.0), write(2.0)
    assert first["weights"] == second["weights"] == "others.pth"
    assert first["content"] != second["content"]
    assert "weights/supervised__net: " in refused(suite)
    given.with_suffix(".json").write_text("{}")
    assert not [stage for stage in suite.plan().stages if stage.id == STAGE]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("timm:resnet81", "weights/supervised__net: unknown timm model 'resnet81'; did you mean"),
        ("hugging:me/net", "weights/supervised__net: unknown origin 'hugging' of weights"),
        ("torchvision:resnet18", "names no weights of resnet18; there are torchvision:resnet18."),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_runs(suite, given, said):
    suite.write_suite(weights={"supervised": given})
    assert said in refused(suite)
    assert not (suite.root / "calls.txt").exists()


def test_secrets_of_an_address_are_no_input(suite):
    suite.write_suite(weights={"supervised": "https://me:s3cret@host/x.pth?token=s3cret"})
    assert "s3cret" not in repr(suite.plan().stage(STAGE).inputs)


def test_a_pretraining_from_weights_elsewhere(suite):
    entry = {"config": "configs/simmim_{backbone}.py", "init": REMOTE, "init_name": "supervised"}
    suite.write_suite(pretrain={"simmim": entry})
    plan = suite.plan()
    stage = plan.stage("weights/simmim__net")
    assert stage.command[-2:] == ("--method", "supervised")
    pretrain = plan.stage("pretrain/simmim__net/seed0")
    assert pretrain.needs == ("data", stage.id)
    at = pretrain.command.index("--init")
    assert pretrain.command[at + 1] == ("work_dirs/tiny/weights/simmim__net/converted/backbone.pth")
    assert "--init-name" not in pretrain.command
    assert suite.run()[0] == 0
