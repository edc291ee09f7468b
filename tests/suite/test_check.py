"""What a suite prints before it runs: plan, reasons, mistakes; the JSON Schema."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from simmim_bench.errors import BenchError
from simmim_bench.suite import json_schema

ROOT = Path(__file__).parents[2]
INCLUDED = {"method": "simmim", "backbone": "net", "task": "a", "seed": 4}
SCRATCH = "finetune/detection/scratch__net/seed0"


def test_a_dry_run_shows_config_estimate_and_reason(finished):
    detection = {"config": "configs/det_net.py", "gpu_hours": 1.5}
    finished.write_suite(tasks={"detection": detection})
    path = finished.root / "configs" / "det_net.py"
    path.write_text(path.read_text("utf-8") + "extra = 1\n", "utf-8")
    code, printed = finished.run(dry_run=True)
    assert code == 0
    (line,) = (line for line in printed.splitlines() if line.startswith(SCRATCH))
    assert "configs/det_net.py" in line
    assert "runs" in line
    assert "1.5 GPU h" in line
    assert "det_net.py changed" in printed
    assert "3 of 6 stages would run, estimated at 3 GPU hours" in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("export"))
    assert "cached" in line
    assert "took" in line


def test_explain_shows_every_change(finished):
    detection = {"config": "configs/det_net.py", "overrides": {"train_cfg.max_epochs": 7}}
    finished.write_suite(kind="full", tasks={"detection": detection})
    code, printed = finished.run(dry_run=True, explain=True)
    assert code == 0
    lines = printed.splitlines()
    at = lines.index(f"{SCRATCH}: runs, kind and 1 more changed")
    assert lines[at + 1 : at + 3] == [
        "    kind: smoke -> full",
        "    overrides: (none) -> train_cfg.max_epochs=7",
    ]
    assert "data: cached, its inputs and the results that it reads are unchanged" in lines
    assert finished.take_calls() == []


@pytest.mark.parametrize(
    ("config", "sentences"),
    [
        ("train_cfg = dict(max_epochs=\n", ["config configs/det_net.py is not valid Python"]),
        (
            "train_dataloader = dict(dataset=dict(data_root='nowhere/coco'))\n",
            ["configs/det_net.py: train_dataloader: no data at", "nowhere/coco"],
        ),
        ("a = nothing_of_that_name\n", ["configs/det_net.py cannot be read"]),
        ("load_from = 'a.pth'\n", ["configs/det_net.py: it has load_from='a.pth', which a run"]),
        (
            "model = dict(type='X', init_cfg=dict(type='Pretrained', checkpoint='a.pth'))\n",
            ["configs/det_net.py has model.init_cfg of type Pretrained, which loads weights"],
        ),
    ],
)
def test_what_would_fail_later_is_reported_before_anything_runs(project, config, sentences):
    project.config("det_net", config)
    with pytest.raises(BenchError) as caught:
        project.run()
    assert all(sentence in str(caught.value) for sentence in sentences)
    assert project.take_calls() == []
    assert not project.folder.exists()


def test_a_missing_dataset_is_reported_once(project):
    data = "dict(dataset=dict(data_root='nowhere/coco', data_prefix='train'))"
    for name in ("det_net", "cls_net"):
        project.config(name, f"train_dataloader = {data}\nval_dataloader = {data}\n")
    with pytest.raises(BenchError) as caught:
        project.run()
    assert str(caught.value).count("no data at") == 1


def test_mistakes_of_configs_and_budget_are_reported_at_once(project):
    overrides = {"train_cfg.max_epoch": 1}
    project.write_suite(
        budget={"gpu_hours": 3},
        tasks={
            "a": {"config": "configs/cls_net.py", "overrides": overrides, "gpu_hours": 2},
            "b": "configs/simmim_net.py",
        },
    )
    with pytest.raises(BenchError) as caught:
        project.run(dry_run=True)
    message = str(caught.value)
    assert "has 3 mistakes" in message
    assert "'train_cfg.max_epoch'" in message
    assert "did you mean max_epochs?" in message
    assert "configs/simmim_net.py is listed under 'tasks', but defines no `protocol`" in message
    assert "estimated at 4 GPU hours, but budget.gpu_hours is 3" in message


FIVE = """
name: five
kind: quick
sead: 3
backbones: [net, net]
pretrain:
  simmim: configs/simmim_{backbone}.py
  simmim-{ratio}: configs/simmim_{backbone}.py
tasks:
  c: {config: configs/cls_net.py, resources: {time: 90}}
"""
SEVEN = """
name: seven
backbones: [net]
pretrain:
  simmim:
    config: configs/simmim_{backbone}.py
    overrides: {train_cfg.max_epoch: 1}
tasks:
  a: configs/clss_{backbone}.py
  b: {config: configs/cls_net.py, overrides: {train_cfg.max_epochs: many}, gpu_hours: 2}
  c: configs/broken_net.py
  d: configs/det_net.py
  e: configs/simmim_net.py
budget: {gpu_hours: 1}
"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            FIVE,
            [
                "has 5 mistakes:",
                "'kind' should be 'full' or 'smoke', got 'quick'",
                "'backbones' lists 'net' twice, got ['net', 'net']",
                "pretrain.simmim-{ratio} uses {ratio}, but has no axis 'ratio'; its axes: none",
                "'tasks.c.resources.time' should be a number with a unit (s, min, m, h, d), e.g.",
                "unknown key 'sead'; did you mean 'seeds'?",
            ],
        ),
        (
            SEVEN,
            [
                "has 7 mistakes:",
                "tasks.a: config configs/clss_net.py does not exist; did you mean configs/cls_net.",
                "tasks.c: config configs/broken_net.py is not valid Python",
                "train_cfg has no 'max_epoch'; did you mean max_epochs?",
                "'train_cfg.max_epochs' must be a number (it is 1), got 'many'",
                "configs/det_net.py: train_dataloader: no data at",
                "configs/simmim_net.py is listed under 'tasks', but defines no `protocol`",
                "estimated at 2 GPU hours, but budget.gpu_hours is 1",
            ],
        ),
    ],
    ids=["of the file", "of its configs"],
)
def test_all_mistakes_are_reported_at_once(project, text, wanted):
    project.suite.write_text(text, "utf-8")
    project.config("broken_net", "a = (\n")
    project.config("det_net", "train_dataloader = dict(dataset=dict(data_root='nowhere/coco'))\n")
    with pytest.raises(BenchError) as caught:
        project.run()
    lines = str(caught.value).splitlines()
    assert len(lines) == len(wanted), lines
    for want in wanted:
        assert sum(want in line for line in lines) == 1, (want, lines)
    assert not project.folder.exists()


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        # A missing task is no reason to report that nothing matches it.
        ({"tasks": {"a": {"path": "x"}}, "exclude": [{"task": "a"}]}, 2),
        ({"baselines": ["scrtch"], "pretrain": {}}, 1),
        ({"pretrain": {"simmim": 3}, "include": [INCLUDED]}, 1),
        ({"pretrain": {"scratch": "configs/simmim_net.py"}, "include": [INCLUDED]}, 1),
        ({"tasks": {"a": "configs/none.py"}, "include": [INCLUDED]}, 1),
        ({"name": "../x", "tasks": {"a": "configs/none.py"}}, 1),
        ({"name": None, "backbones": []}, 2),
    ],
)
def test_a_mistake_causes_no_further_messages(project, changes, count):
    project.write_suite(**changes)
    with pytest.raises(BenchError) as caught:
        project.run()
    numbered = [line for line in str(caught.value).splitlines() if line.startswith("  ")]
    assert max(len(numbered), 1) == count, caught.value


def test_a_cached_stage_is_not_checked_again(finished):
    path = finished.root / "configs" / "det_net.py"
    path.write_text("a = nothing_of_that_name\n" + path.read_text("utf-8"), "utf-8")
    finished.write_suite(
        tasks={
            "classification": yaml.safe_load(finished.suite.read_text())["tasks"]["classification"]
        }
    )
    code, _ = finished.run(dry_run=True)
    assert code == 0


def test_the_json_schema_in_docs_is_current():
    assert json_schema.FILE.read_text("utf-8") == json_schema.render(), (
        "run `python -m simmim_bench.suite.json_schema`"
    )


def test_the_json_schema_takes_ready_suites_and_refuses_mistakes():
    checker = jsonschema.Draft202012Validator(json.loads(json_schema.render()))
    files = sorted((ROOT / "configs" / "suites").glob("*.yaml"))
    assert len(files) >= 6
    for path in files:
        checker.validate(yaml.safe_load(path.read_text("utf-8")))
    good = yaml.safe_load((ROOT / "configs" / "suites" / "demo.yaml").read_text("utf-8"))
    for wrong in (
        {"seed": 3},
        {"kind": "quick"},
        {"resources": {"memory": "16"}},
        {"tasks": {"t": {"config": "a", "overides": {}}}},
        {"exclude": [{"tasks": "t"}]},
    ):
        assert not checker.is_valid({**good, **wrong}), wrong
    assert checker.is_valid({**good, "resources": {"memory": "16 GB", "time": "2 h"}})
    assert checker.is_valid({"base": "demo.yaml", "name": "mine"})
    assert not checker.is_valid({"name": "mine", "backbones": ["swin-demo"]})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("train_dataloader = dict(batch_size=0, dataset=dict(data_root='.'))\n",
         "train_dataloader.batch_size must be an integer >= 1, got 0"),
        ("optim_wrapper = dict(optimizer=dict(lr=float('nan')))\n",
         "optim_wrapper.optimizer.lr must be a finite number >= 0, got nan"),
        ("val_evaluator = dict(type='Accuracy', topk=(5,))\n"
         "protocol['metrics'] = dict(top1='accuracy/top1')\n",
         "protocol.metrics.top1 asks for 'accuracy/top1', which val_evaluator does not measure"),
    ],
)  # fmt: skip
def test_a_dry_run_finds_mistakes_of_configs_that_a_run_would_find(project, config, said):
    path = project.root / "configs" / "det_net.py"
    path.write_text(path.read_text("utf-8") + config, "utf-8")
    with pytest.raises(BenchError) as caught:
        project.run(dry_run=True)
    assert f"configs/det_net.py: {said}" in str(caught.value)


def test_a_dry_run_finds_wrong_annotations_that_a_run_would_find(project, tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 9, "height": 9}],
        "annotations": [{"id": 1, "image_id": 2, "category_id": 1, "bbox": [1, 1, 2, 2]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (tmp_path / "file.json").write_text(json.dumps(content), "utf-8")
    dataset = f"dict(type='CocoLayoutDataset', data_root={str(tmp_path)!r}, ann_file='file.json')"
    path = project.root / "configs" / "det_net.py"
    loader = f"val_dataloader = dict(dataset={dataset})\n"
    path.write_text(path.read_text("utf-8") + loader, "utf-8")
    with pytest.raises(BenchError, match="annotation 1 refers to image 2, which is not listed"):
        project.run(dry_run=True)
