"""Modules of users in suites: they reach every stage, and their source is an input."""

import sys

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.suite import cache
from tests.suite.conftest import SUITE

MODULE = """
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.registry import MASKS


@MASKS.register_module("suite_mask")
class SuiteMask(RandomPatchMask):
    pass
"""


@pytest.fixture
def own(project, monkeypatch):
    """The project with a package of a user, and a suite that imports it."""
    from simmim_bench.masking.strategies import strategies
    from simmim_bench.registry import MASKS

    strategies()
    monkeypatch.setattr(MASKS, "_module_dict", dict(MASKS.module_dict))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(project.root)
    package = project.root / "suite_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "masks.py").write_text(MODULE)
    project.write_suite(imports=["suite_package.masks"])
    yield project
    for name in [name for name in sys.modules if name.startswith("suite_package")]:
        del sys.modules[name]


def imported(stage):
    words = stage.command
    return [words[at + 1] for at, word in enumerate(words) if word == "--import"]


def pending(project):
    checks = cache.check_plan(project.plan())
    return {name: check.reason for name, check in checks.items() if not check.cached}


def test_every_stage_but_the_demo_data_imports_the_modules_of_the_suite(own):
    stages = {stage.id: imported(stage) for stage in own.plan().stages}
    assert stages.pop("data") == []
    assert len(stages) > 6
    assert set(map(tuple, stages.values())) == {("suite_package.masks",)}


def test_they_run_and_a_changed_package_runs_them_again(own):
    code, printed = own.run()
    assert code == 0, printed
    calls = own.take_calls()
    assert {
        f"{tool} imports suite_package.masks" for tool in ("train", "export", "leaderboard")
    } <= {*calls}
    assert pending(own) == {}
    (own.root / "suite_package" / "more.py").write_text("x = 1")
    found = pending(own)
    assert set(found) == {stage.id for stage in own.plan().stages} - {"data"}
    reasons = {found[name] for name in found if name != "leaderboard"}
    assert "module suite_package.masks changed" in reasons


def test_custom_imports_of_a_config_reach_the_stages_that_follow_from_it(own):
    own.write_suite()
    own.config(
        "simmim_net",
        """
_base_ = ["_base_/net.py"]
custom_imports = dict(imports=["suite_package.masks"], allow_failed_imports=False)
""",
    )
    stages = {stage.id: stage for stage in own.plan().stages}
    module = ["suite_package.masks"]
    assert imported(stages["pretrain/simmim__net/seed0"]) == []  # its config imports it
    assert imported(stages["export/simmim__net/seed0"]) == module
    assert imported(stages["leaderboard"]) == module
    assert imported(stages["finetune/detection/scratch__net/seed0"]) == []
    before = stages["pretrain/simmim__net/seed0"].inputs["module suite_package.masks"]
    (own.root / "suite_package" / "masks.py").write_text(f"{MODULE}x = 1")
    after = {stage.id: stage.inputs for stage in own.plan().stages}
    for name in ("pretrain", "export"):
        assert after[f"{name}/simmim__net/seed0"]["module suite_package.masks"] != before


def test_modules_of_the_command_line_are_added(own):
    (own.root / "suite_other.py").write_text(MODULE.replace("suite_mask", "other_mask"))
    code, printed = own.run(imports=("suite_other",))
    assert code == 0, printed
    assert "train imports suite_other" in own.take_calls()


@pytest.mark.parametrize(
    ("imports", "said"),
    [
        (["no_such_module"], r"imports of .*tiny.yaml: no_such_module: there is no module 'no_suc"),
        (["suite_package"], r"suite_package: the module registers nothing"),
        (["my module"], r"'imports.0' should match pattern"),
        (["a", "a"], "lists 'a' twice"),
        ("suite_package.masks", "'imports' should be a valid list"),
    ],
)
def test_what_is_refused_before_anything_runs(own, imports, said):
    own.write_suite(imports=imports)
    with pytest.raises(BenchError, match=said):
        own.run()
    assert own.take_calls() == []


def test_a_config_that_names_a_missing_module(own):
    own.write_suite(tasks={"detection": SUITE["tasks"]["detection"]})
    own.config("det_net", 'custom_imports = dict(imports=["no_such_module"])\n')
    with pytest.raises(BenchError, match=r"tasks\.detection: there is no module 'no_such_module'"):
        own.run()
