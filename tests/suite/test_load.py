"""Suite files: ready ones are valid, and each mistake has its message."""

from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.suite.build import build_plan
from simmim_bench.suite.load import load_suite

ROOT = Path(__file__).parents[2]


def refused(project, text):
    project.suite.write_text(text, "utf-8")
    with pytest.raises(BenchError) as caught:
        load_suite(project.suite)
    return str(caught.value)


def test_ready_suites_are_valid():
    files = sorted((ROOT / "configs" / "suites").glob("*.yaml"))
    assert {"demo.yaml", "smoke.yaml"} <= {path.name for path in files}
    for path in files:
        suite = load_suite(path)
        assert suite.name == path.stem
        assert suite.kind == ("smoke" if path.stem == "smoke" else "full")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs" / "suites").glob("*.yaml")), ids=lambda path: path.stem
)
def test_ready_suites_name_their_schema_and_estimate_every_training(path):
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=suite.schema")
    suite = load_suite(path)
    stages = build_plan(suite, root=ROOT, folder=ROOT / "work_dirs" / "x").stages
    trainings = [stage for stage in stages if stage.config]
    assert trainings
    assert [stage.id for stage in trainings if not stage.gpu_hours] == []


def test_demo_and_smoke_run_the_same_configs():
    demo, smoke = (
        load_suite(ROOT / "configs" / "suites" / f"{name}.yaml") for name in ("demo", "smoke")
    )
    assert not any(step.overrides for step in (*demo.pretrain.values(), *demo.tasks.values()))
    for section in ("pretrain", "tasks"):
        long, short = getattr(demo, section), getattr(smoke, section)
        assert {name: step.config for name, step in long.items()} == {
            name: step.config for name, step in short.items()
        }
        assert all(step.overrides for step in short.values())


def test_overrides_become_cfg_options(project):
    overrides = {"a.b": 1, "c": True, "d": None, "e": [1, 2.5], "f": "1e-3"}
    project.write_suite(tasks={"t": {"config": "configs/cls_net.py", "overrides": overrides}})
    step = load_suite(project.suite).tasks["t"]
    assert step.options() == ["a.b=1", "c=True", "d=None", "e=[1,2.5]", "f=1e-3"]


def test_seeds_of_the_command_line_are_checked_too(project):
    assert load_suite(project.suite, seeds=3).seeds == 3
    with pytest.raises(BenchError, match="'seeds' should be greater than or equal to 1, got 0"):
        load_suite(project.suite, seeds=0)


BASE = "name: x\nbackbones: [net]\nbaselines: [scratch]\ntasks: {t: configs/cls_net.py}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BASE + "seed: 3\n", "unknown key 'seed'; did you mean 'seeds'?"),
        (BASE + "resources: {thread: 3}\n", "'resources.thread'; did you mean 'threads'?"),
        (BASE + "seeds: 0\n", "'seeds' should be greater than or equal to 1, got 0"),
        (BASE + "kind: quick\n", "'kind' should be 'full' or 'smoke', got 'quick'"),
        (BASE + "name: y\n", "line 5, column 1: the key 'name' is given twice"),
        (BASE.replace("[net]", "[net, net]"), "'backbones' lists 'net' twice"),
        (BASE.replace("[scratch]", "[]"), "nothing to compare"),
        (BASE.replace("name: x\n", ""), "'name' is missing"),
        (BASE.replace("name: x", "name: ../x"), "'name' should match pattern"),
        (BASE + "pretrain: {scratch: configs/simmim_net.py}\n", "cannot be called 'scratch'"),
        ("tasks: [", "is not valid YAML: line 1, column 9"),
        ("- a\n", "contains a list; expected keys such as name"),
        ("", "contains nothing"),
        (
            BASE.replace("configs/cls_net.py", "{config: configs/cls_net.py, overides: {a: 1}}"),
            "unknown key 'tasks.t.overides'; did you mean 'overrides'?",
        ),
        (
            BASE.replace("configs/cls_net.py", "{config: configs/cls_net.py, overrides: {a: {}}}"),
            "'tasks.t.overrides.a' must be a number, text or list; write nested keys with dots",
        ),
        (
            BASE.replace("configs/cls_net.py", "3"),
            "'tasks.t' must be the path of a config, or",
        ),
    ],
)
def test_each_mistake_has_its_message(project, text, sentence):
    message = refused(project, text)
    assert sentence in message
    assert len(message.splitlines()) == 1


def test_all_mistakes_of_a_file_are_reported_at_once(project):
    message = refused(project, BASE + "seeds: 0\nkind: quick\nsead: 1\n")
    assert "has 3 mistakes" in message
    assert all(part in message for part in ("1. ", "2. ", "3. ", "'seeds'", "'kind'", "'sead'"))


def test_a_missing_suite_names_its_neighbours(project):
    with pytest.raises(BenchError, match=r"tinny\.yaml does not exist; that folder has tiny\.yaml"):
        load_suite(project.suite.with_name("tinny.yaml"))


def test_a_base_gives_what_a_suite_does_not_state(project):
    beneath = load_suite(project.suite)
    upper = project.suite.with_name("upper.yaml")
    upper.write_text("base: tiny.yaml\nname: upper\ntasks: {t: configs/cls_net.py}\n")
    suite = load_suite(upper)
    changed = {"base": "tiny.yaml", "name": "upper", "tasks": suite.tasks}
    assert suite == beneath.model_copy(update=changed)
    assert [task.config for task in suite.tasks.values()] == ["configs/cls_net.py"]


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("tinny.yaml", r"tinny\.yaml does not exist; that folder has tiny\.yaml"),
        ("upper.yaml", r"base 'upper\.yaml' of suite file .* has a base itself"),
        ("[tiny.yaml]", "'base' should be a valid string"),
    ],
)
def test_a_wrong_base_is_refused(project, base, said):
    upper = project.suite.with_name("upper.yaml")
    upper.write_text(f"base: {base}\n{BASE}")
    with pytest.raises(BenchError, match=said):
        load_suite(upper)


@pytest.mark.parametrize(
    ("text", "said"),
    [("name: a\x07b\n", "not valid YAML: "), ("? [a, b]\n: 1\n", "a key is a list or a mapping")],
)
def test_broken_yaml_is_refused(project, text, said):
    project.suite.write_text(text)
    with pytest.raises(BenchError, match=said):
        load_suite(project.suite)


def test_the_example_in_the_docs_is_right(tmp_path):
    text = (ROOT / "docs" / "suites.md").read_text("utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0], "utf-8")
    suite = load_suite(path)
    stages = build_plan(suite, root=ROOT, folder=tmp_path).stages
    names = [stage.id for stage in stages]
    assert "finetune/imagenet/simmim__swin-l/seed0" in names
    assert "finetune/coco/scratch__vit-b/seed0" not in names


def test_suites_of_the_paper_leave_no_released_model_out():
    suite = load_suite(ROOT / "configs" / "suites" / "simmim_paper.yaml")
    stages = build_plan(suite, root=ROOT, folder=ROOT / "work_dirs" / "x").stages
    configs = {stage.config for stage in stages if stage.id.startswith("pretrain/")}
    recipes = {
        f"configs/simmim/{path.name}" for path in (ROOT / "configs" / "simmim").glob("s*.py")
    }
    recipes.add("configs/simmim/vit-b_8xb128.py")
    assert configs == recipes
    assert all(stage.gpu_hours for stage in stages if stage.config)
