"""Tasks that start from the backbone that another task has trained."""

import pytest

from simmim_bench.errors import BenchError
from tests.suite.conftest import SUITE

TASKS = {
    # listed before the task that it starts from
    "detection": {"config": "configs/det_{backbone}.py", "init_from": "classification"},
    **{"classification": SUITE["tasks"]["classification"]},
}


@pytest.fixture
def chained(project):
    project.write_suite(tasks=TASKS)
    return project


def test_the_second_task_starts_from_the_first_one(chained):
    code, printed = chained.run()
    assert code == 0, printed
    simmim, scratch = "simmim__net/seed0", "scratch__net/seed0"
    assert chained.take_calls() == sorted(
        [
            "data",
            "leaderboard",
            f"pretrain/{simmim} from 0",
            f"export/{simmim}",
            *(f"finetune/{task}/{simmim} from 0" for task in ("classification", "detection")),
            f"export/classification/{simmim}",
            *(f"finetune/{task}/{scratch} from 0" for task in ("classification", "detection")),
            f"export/classification/{scratch}",
        ]
    )
    plan = chained.plan()
    for name, first in {simmim: f"export/{simmim}", scratch: None}.items():
        classification = plan.stage(f"finetune/classification/{name}")
        detection = plan.stage(f"finetune/detection/{name}")
        exported = plan.stage(f"export/classification/{name}")
        assert classification.needs == (("data", first) if first else ("data",))
        assert exported.needs == (classification.id,)
        assert detection.needs == ("data", exported.id)
        given = detection.command[detection.command.index("--pretrained") + 1]
        assert given == f"work_dirs/tiny/{exported.id}/backbone.pth"
        order = [stage.id for stage in plan.stages]
        assert order.index(classification.id) < order.index(exported.id) < order.index(detection.id)


def test_the_plan_shows_the_chain(chained):
    _, printed = chained.run(dry_run=True)
    assert "export/classification/simmim__net/seed0" in printed


def test_a_change_of_the_first_task_runs_the_second_again(chained):
    chained.run()
    chained.take_calls()
    chained.config("cls_net", '_base_ = ["_base_/net.py"]\nsteps = 2\n')
    code, _ = chained.run()
    assert code == 0
    calls = chained.take_calls()
    assert "finetune/detection/simmim__net/seed0 from 0" in calls
    assert not [call for call in calls if call.startswith("pretrain/")]


def test_one_task_and_what_it_needs(chained):
    assert chained.run(only=("finetune/detection/simmim__net/seed0",))[0] == 0
    calls = chained.take_calls()
    assert "finetune/classification/simmim__net/seed0 from 0" in calls
    assert not [call for call in calls if "scratch" in call]


def starts(**sources):
    return {
        name: {"config": f"configs/{config}_net.py", **({"init_from": source} if source else {})}
        for (name, source), config in zip(sources.items(), ("cls", "det", "cls"), strict=False)
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"tasks": starts(a="c", b=None)},
            "task 'a' starts from the task 'c', which does not exist; tasks: a, b",
        ),
        ({"tasks": starts(a="a")}, r"task 'a' would start from its own backbone \(a -> a\)"),
        (
            {"tasks": starts(a="b", b="c", c="a")},
            r"'a' would start from its own backbone \(a -> c -> b -> a\); remove init_from",
        ),
        (
            {
                "tasks": {
                    "a": {"config": "configs/cls_net.py", "tool": "evaluate_painting"},
                    **starts(b="a"),
                },
                "baselines": [],
            },
            "task 'b' cannot start from 'a': evaluate_painting trains no backbone",
        ),
        (
            {"tasks": TASKS, "exclude": [{"method": "scratch", "task": "classification"}]},
            "'detection' starts from the task 'classification', which does not run for 'scratch' on"
            " net; exclude 'detection' there too, or keep 'classification'",
        ),
    ],
)
def test_a_wrong_chain_is_a_sentence(project, changes, said):
    project.write_suite(**changes)
    with pytest.raises(BenchError, match=said):
        project.plan()


def test_a_task_that_trains_no_backbone_starts_no_chain(chained):
    chained.config(
        "cls_net", '_base_ = ["_base_/net.py"]\nmodel = dict(type="simmim_bench.KNNClassifier")\n'
    )
    said = r"cls_net\.py trains no backbone \(simmim_bench\.KNNClassifier leaves it as it is\)"
    with pytest.raises(BenchError, match=said):
        chained.run()
    assert chained.take_calls() == []
