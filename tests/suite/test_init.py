"""A pretraining of a suite that starts from existing weights."""

import json

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.weights.seal import SEAL, seal_of

NAME = "supervised ImageNet-1k"
STAGE = "pretrain/simmim__net/seed0"


@pytest.fixture
def suite(project):
    def write(**entry):
        entry = {"config": "configs/simmim_{backbone}.py", "init": "start_{backbone}.pth", **entry}
        project.write_suite(pretrain={"simmim": entry})
        return project

    return write


def put(project, content="weights", card=None):
    file = project.root / "start_net.pth"
    file.write_text(content, "utf-8")
    if card:
        file.with_suffix(".json").write_text(json.dumps(card), "utf-8")


def card(**changes):
    facts = {"method": "simmim", "kind": "full", "sha256": "ab", **changes}
    facts.setdefault("pretraining", {"method": "simmim", "dataset": "demo"})
    return {**facts, SEAL: seal_of(facts)}


def stage_of(plan):
    return next(stage for stage in plan.stages if stage.id == STAGE)


def test_the_command_and_the_inputs(suite):
    project = suite(init_name=NAME)
    put(project)
    command, inputs = stage_of(project.plan()).command, stage_of(project.plan()).inputs
    at = command.index("--init")
    assert command[at : at + 4] == ("--init", "start_net.pth", "--init-name", NAME)
    assert inputs["init_name"] == NAME
    put(project, content="others")
    assert stage_of(project.plan()).inputs["init"] != inputs["init"]
    put(project, card=card())
    assert stage_of(project.plan()).inputs["init"] == "ab"


def test_a_pretraining_from_random_weights_keeps_its_inputs(project):
    stage = stage_of(project.plan())
    assert "--init" not in stage.command
    assert not {"init", "init_name"} & set(stage.inputs)


def test_other_weights_run_it_again(suite):
    project = suite(init_name=NAME)
    put(project)
    assert project.run()[0] == 0
    project.take_calls()
    assert project.run()[0] == 0
    assert not project.take_calls()
    put(project, content="others")
    assert project.run()[0] == 0
    assert any(call.startswith("pretrain/") for call in project.take_calls())


@pytest.mark.parametrize(
    ("entry", "found", "said"),
    [
        ({}, None, "init: start_net.pth does not exist"),
        ({}, {}, "init: start_net.pth has no card beside it; state in init_name what it is"),
        ({}, {"card": {**card(), "kind": "smoke"}}, "the card of start_net.pth was changed: its"),
        ({"init_name": NAME}, {"card": card()}, "is not used, since start_net.pth has a card"),
        (
            {},
            {
                "card": card(
                    method="converted from timm",
                    pretraining={"method": "converted from timm", "dataset": "not stated"},
                )
            },
            "the card of --init start_net.pth does not say it; say what the weights are",
        ),
    ],
)
def test_a_dry_run_finds_what_the_run_would(suite, entry, found, said):
    project = suite(**entry)
    if found is not None:
        put(project, **found)
    with pytest.raises(BenchError, match=said):
        project.run(dry_run=True)
    assert not project.take_calls()


def test_smoke_weights_in_a_full_suite(project):
    entry = {"config": "configs/simmim_{backbone}.py", "init": "start_net.pth"}
    project.write_suite(kind="full", pretrain={"simmim": entry})
    put(project, card=card(kind="smoke"))
    with pytest.raises(BenchError, match="comes from a smoke run, which cannot make a full result"):
        project.run(dry_run=True)


def test_every_combination_of_axes_starts_from_it(suite):
    axes = {"ratio": {"low": {"model.ratio": 0.4}, "high": {"model.ratio": 0.8}}}
    entry = {"config": "configs/simmim_{backbone}.py", "init": "start_net.pth", "axes": axes}
    project = suite()
    project.write_suite(pretrain={"simmim-{ratio}": entry})
    put(project, card=card())
    started = [stage for stage in project.plan().stages if stage.id.startswith("pretrain/")]
    assert len(started) == 2
    assert all("--init" in stage.command for stage in started)
