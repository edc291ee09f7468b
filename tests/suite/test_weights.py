"""Methods with existing weights, for example a supervised model."""

import json
import re

import pytest

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
    command = "python tools/convert_checkpoint.py FILE work_dirs/supervised-net --method supervised"
    assert said.count(command) == 1
    put(suite)
    (suite.root / "work_dirs" / "supervised-net" / "backbone.json").unlink()
    assert "weights.supervised: " in refused(suite)
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
