"""Axes of a suite: one method for each combination of values."""

import itertools

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.suite.load import load_suite

AXES = {"masking": ["random", "square"], "ratio": {0.4: {"a.ratio": 0.4}, 0.6: {"a.ratio": 0.6}}}
ENTRY = {
    "config": "configs/simmim_{backbone}.py",
    "overrides": {"train_cfg.max_epochs": 2, "a.ratio": 0.5},
    "axes": AXES,
}


def load(project, pretrain):
    project.write_suite(pretrain=pretrain)
    return load_suite(project.suite)


def test_every_combination_is_a_method(project):
    suite = load(project, {"simmim-{masking}-r{ratio}": ENTRY, "plain": ENTRY["config"]})
    methods = suite.methods()
    combinations = itertools.product(["random", "square"], ["0.4", "0.6"])
    assert set(methods) == {f"simmim-{m}-r{r}" for m, r in combinations} | {"plain"}
    assert set(methods["simmim-square-r0.6"].options()) == {
        "pretraining.method=simmim-square-r0.6",
        "train_cfg.max_epochs=2",
        "a.ratio=0.6",  # an axis wins over the entry
    }
    assert methods["plain"].options() == []


def test_an_axis_may_choose_the_config(project):
    for name in ("random", "square"):
        project.config(f"simmim-{name}_net", "")
    entry = {"config": "configs/simmim-{masking}_{backbone}.py", "axes": {"masking": ["random"]}}
    suite = load(project, {"simmim-{masking}": entry})
    assert suite.methods()["simmim-random"].path("net") == "configs/simmim-random_net.py"
    entry["axes"] = {"masking": ["random", "squares"]}
    load(project, {"simmim-{masking}": entry})
    with pytest.raises(BenchError, match=r"simmim-squares_net.py does not exist; did you mean"):
        project.run(dry_run=True)


def test_the_plan_trains_and_exports_each(project):
    project.write_suite(pretrain={"simmim-{masking}-r{ratio}": ENTRY}, seeds=2)
    plan = project.plan()
    made = [stage.id for stage in plan.stages if stage.id.startswith("export/")]
    assert len(made) == len(set(made)) == 2 * 4
    command = plan.stage("pretrain/simmim-square-r0.4__net/seed1").command
    assert "pretraining.method=simmim-square-r0.4" in command


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "simmim-{masking}",
            {},
            r"the name must contain \{ratio\}, so that each value",
        ),
        ("simmim-{masking}-{ratio}-{size}", {}, "has no axis 'size'; its axes: masking"),
        ("simmim-{masking}-{ratio}", {"config": "configs/{size}.py"}, "no axis 'size'"),
        ("simmim-{size}", {"axes": {}}, r"uses \{size\}, but has no axis 'size'"),
        ("simmim-{masking}", {"axes": {"masking": []}}, "axes.masking has no values"),
        ("simmim-{masking}", {"axes": {"masking": ["a", "a"]}}, "axes.masking lists 'a' twice"),
        ("simmim-{masking}", {"axes": {"masking": "random"}}, "axes.masking"),
        ("simmim-{masking}", {"axis": AXES}, "did you mean 'axes'?"),
    ],
)
def test_wrong_axes_are_refused(project, name, changes, said):
    with pytest.raises(BenchError, match=said):
        load(project, {name: {**ENTRY, **changes}})


def test_two_methods_with_one_name_are_refused(project):
    entry = {"config": ENTRY["config"], "axes": {"masking": ["random"]}}
    with pytest.raises(
        BenchError, match="two methods are called 'simmim-random'; give one of them another name"
    ):
        load(project, {"simmim-{masking}": entry, "simmim-random": ENTRY["config"]})


@pytest.mark.parametrize("label", ["pixel norm", "a;b", "a/b"])
def test_a_value_that_is_no_folder_name_is_refused(project, label):
    entry = {**ENTRY, "axes": {"masking": [label]}}
    with pytest.raises(BenchError, match=r"a part of folder names; use letters, digits"):
        load(project, {"simmim-{masking}": entry})
