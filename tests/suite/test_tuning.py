"""Searches of a suite: the same trials for all, a choice, and what runs again after a change."""

import json
import shutil
from types import SimpleNamespace

import pytest
from PIL import Image

from simmim_bench.commands import parser_of
from simmim_bench.config import datasets
from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Manifest
from simmim_bench.suite import cache
from simmim_bench.suite.choose import choose
from simmim_bench.suite.steps import Tune
from simmim_bench.suite.trials import name_of, trials_of

LR, DECAY = "optim_wrapper.optimizer.lr", "optim_wrapper.paramwise_cfg.layer_decay"
TUNE = {"search": {"lr": [0.1, 0.3, 0.2]}, "trials": 3, "held_out": 0.25}
TASK = {"config": "configs/cls_{backbone}.py", "tune": TUNE}
FINAL = ("finetune/classification/scratch__net", "finetune/classification/simmim__net")


@pytest.fixture
def project(project):
    """The project of the other tests, whose classification reads images and is tuned."""
    for split in ("train", "val"):
        for label in ("a", "b"):
            folder = project.root / "images" / split / label
            folder.mkdir(parents=True)
            for number in range(4):
                Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
    loader = "dict(batch_size=2, dataset=dict(type='CustomDataset', data_root={!r}, {}))"
    root = str(project.root / "images")
    lines = [
        f"{split}_dataloader = {loader.format(root, f'data_prefix={split!r}, pipeline=[]')}\n"
        for split in ("train", "val")
    ]
    project.config("cls_net", "".join(lines) + "optim_wrapper = dict(optimizer=dict(lr=0.5))\n")
    tasks = {"classification": TASK, "detection": "configs/det_{backbone}.py"}
    project.write_suite(data=None, tasks=tasks)
    return project


def retune(project, **changes):
    project.write_suite(data=None, tasks={"classification": {**TASK, "tune": {**TUNE, **changes}}})


def pending(project, seeds=1):
    checks = cache.check_plan(project.plan(seeds))
    return {name for name, check in checks.items() if not check.cached}


def test_every_method_gets_the_same_trials(project):
    plan = project.plan(seeds=2)
    trials = {
        method: [s for s in plan.stages if s.id.startswith(f"tune/classification/{method}__net/")]
        for method in ("scratch", "simmim")
    }
    assert [s.id.rpartition("/")[2] for s in trials["scratch"]] == ["lr-0.1", "lr-0.3", "lr-0.2"]
    for ours, theirs in zip(*trials.values(), strict=True):
        assert ours.options == theirs.options
        assert (ours.held_out, ours.held_out_seed) == (theirs.held_out, theirs.held_out_seed)
        command = parser_of("train").parse_args(theirs.command[4:])
        assert (command.held_out, command.held_out_seed, command.seed) == (0.25, 0, 0)
        assert command.cfg_options == list(theirs.options)
    export = "export/simmim__net/seed0"
    assert all(stage.needs == (export,) for stage in trials["simmim"])
    for seed in range(2):
        final = plan.stage(f"finetune/classification/simmim__net/seed{seed}")
        chosen = "work_dirs/tiny/choose/classification/simmim__net/choice.json"
        assert final.needs == (
            f"export/simmim__net/seed{seed}",
            "choose/classification/simmim__net",
        )
        assert parser_of("train").parse_args(final.command[4:]).tuned == final.tuned == chosen
        assert LR not in "".join(final.options)
        assert plan.stage(f"finetune/detection/simmim__net/seed{seed}").tuned == ""


def test_a_trial_names_the_evaluation_set_nowhere(project):
    shutil.rmtree(project.root / "images" / "val")
    plan = project.plan()
    cfg = plan.recipe_of(plan.stage("tune/classification/simmim__net/lr-0.3"))
    assert {dataset.data_prefix for _, dataset in datasets(cfg)} == {"train"}
    assert [name for name, _ in datasets(cfg)] == ["train_dataloader", "val_dataloader"]
    parts = [cfg[f"{loader}_dataloader"].dataset for loader in ("train", "val")]
    assert [(p.type, p.part, p.share, p.seed) for p in parts] == [
        ("simmim_bench.HeldOut", part, 0.25, 0) for part in ("kept", "held_out")
    ]
    assert cfg.optim_wrapper.optimizer.lr == 0.3


def test_trials_run_once_then_the_choice_then_the_final_runs(project):
    retune(project, search={"lr": [2.0, 0.3, 0.2]})  # the first diverges
    code, printed = project.run()
    assert code == 0, printed
    calls = project.take_calls()
    assert sum(call.startswith("tune/") for call in calls) == 6
    final = [call for call in calls if call.startswith("finetune/")]
    assert final == [f"{name}/seed0 from 0 with {{'{LR}': 0.3}}" for name in FINAL]
    assert project.table() == "cells: 2\n"
    path = project.folder / "choose/classification/simmim__net/choice.json"
    choice = json.loads(path.read_text("utf-8"))
    assert choice["search"] == {LR: [2.0, 0.3, 0.2]}
    assert [trial["score"] for trial in choice["trials"]] == [None, 30, 20]
    assert choice["trials"][0]["failure"] == "the loss is nan"
    assert choice["chosen"] == {LR: 0.3}
    assert choice["hours"] == pytest.approx(3 * 36 / 3600)
    assert choice["held_out"] == {"share": 0.25, "seed": 0, "images": 2, "training_images": 6}
    assert all(trial["curves"] for trial in choice["trials"])
    assert pending(project) == set()

    # another value runs one more trial of each method, and what depends on it
    retune(project, search={"lr": [2.0, 0.3, 0.2, 0.4]}, trials=4)
    code, printed = project.run(seeds=2)
    assert code == 0, printed
    calls = project.take_calls()
    assert [call for call in calls if call.startswith("tune/")] == [
        f"tune/classification/{method}__net/lr-0.4 from 0" for method in ("scratch", "simmim")
    ]
    assert [call for call in calls if call.startswith("finetune/")] == [
        f"{name}/seed{seed} from 0 with {{'{LR}': 0.4}}" for name in FINAL for seed in range(2)
    ]
    assert "pretrain/simmim__net/seed0 from 0" not in calls
    assert pending(project, seeds=2) == set()

    # another held-out part is for all trials; a damaged choice is made again from them
    retune(project, search={"lr": [2.0, 0.3, 0.2, 0.4]}, trials=4, held_out=0.5)
    assert sum(name.startswith("tune/") for name in pending(project)) == 8
    retune(project, search={"lr": [2.0, 0.3, 0.2, 0.4]}, trials=4)
    path.write_text("{}", "utf-8")
    assert pending(project) == {
        *("choose/classification/simmim__net", f"{FINAL[1]}/seed0", "leaderboard")
    }


def test_a_dry_run_shows_trials_with_their_costs(project):
    task = {**TASK, "gpu_hours": 2}
    project.write_suite(data=None, tasks={"classification": task}, budget={"gpu_hours": 16})
    code, printed = project.run(dry_run=True)
    assert code == 0
    lines = [line for line in printed.splitlines() if line.startswith("tune/")]
    assert len(lines) == 6
    assert all("2 GPU h" in line for line in lines)
    assert "estimated at 16 GPU hours" in printed
    assert not project.folder.exists()
    project.write_suite(data=None, tasks={"classification": task}, budget={"gpu_hours": 15})
    with pytest.raises(BenchError, match="estimated at 16 GPU hours"):
        project.run(dry_run=True)


def test_a_search_of_the_suite_is_for_every_task_that_states_none(project):
    project.config("det_net", (project.root / "configs/cls_net.py").read_text("utf-8"))
    other = {**TUNE, "search": {"lr": [0.7]}}
    tasks = {
        "a": "configs/cls_net.py",
        "b": {"config": "configs/cls_net.py", "tune": other},
        "c": {"config": "configs/cls_net.py", "tune": None},
    }
    project.write_suite(data=None, baselines=["scratch"], pretrain={}, tune=TUNE, tasks=tasks)
    trials = [s.id for s in project.plan().stages if s.id.startswith("tune/")]
    assert trials == [
        *(f"tune/a/scratch__net/lr-{rate}" for rate in (0.1, 0.3, 0.2)),
        "tune/b/scratch__net/lr-0.7",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 3}, r"unknown key 'tasks.classification.tune.trails'; did you mean 'trials'\?"),
        ({"trials": 0}, r"'tasks.classification.tune.trials' should be greater than or equal to 1"),
        ({"trials": True}, "tune.trials' should be a valid integer, got True"),
        ({"held_out": 0}, "tune.held_out' should be greater than 0, got 0"),
        ({"held_out": 0.6}, "tune.held_out' should be less than or equal to 0.5, got 0.6"),
        ({"search": {}}, "tune.search' .*at least 1 item"),
        ({"search": {"lr": []}}, "tune.search.lr has no values; list at least one"),
        ({"search": {"lr": 0.1}}, "tune.search.lr' should be a valid list, got 0.1"),
        ({"search": {"lr": [[0.1]]}}, "tune.search.lr' must be a list of numbers or texts"),
        ({"search": {"lr": [0.1, 0.1]}}, "tune.search.lr lists 0.1 twice"),
        ({"search": {"lr": [float("nan")]}}, "tune.search.lr lists nan; expected finite numbers"),
        ({"search": {"model.type": [" "]}}, "tune.search.model.type lists ' '; expected finite"),
        ({"search": {"lr": [1.0], LR: [2.0]}}, f"tune searches {LR} twice; name it once"),
        ({"search": {"val_cfg.x": [1]}}, "tune.search.val_cfg.x would change how a result is"),
        (
            {"search": {"optim_wrapper.optimizer.lrr": [1.0]}},
            "optimizer has no 'lrr'; did you mean",
        ),
        ({"search": {"lr": ["high"]}}, f"'{LR}' must be a number"),
        (
            {"search": {"layer_decay": [0.8]}},
            f"cls_net.py has no layer decay: its optim_wrapper.constructor is None.*leave {DECAY}",
        ),
    ],
)
def test_a_wrong_search_is_one_sentence_before_anything_runs(project, changes, message):
    retune(project, **changes)
    with pytest.raises(BenchError, match=message) as caught:
        project.run(dry_run=True)
    assert str(caught.value).count("\n") == 0 or "layer_decay" in str(changes)
    assert not project.folder.exists()


def test_a_backbone_without_drop_path_is_found_beside_a_search_of_layer_decay(project, monkeypatch):
    constructor = "simmim_bench.LayerDecayOptimWrapperConstructor"
    text = (project.root / "configs/cls_net.py").read_text("utf-8")
    text += f"optim_wrapper['constructor'] = {constructor!r}\n"
    project.config("cls_net", text + "model = dict(backbone=dict(type='ResNet'))\n")
    retune(project, search={"layer_decay": [0.8], "drop_path": [0.1]})
    asked = []

    def check(command, *, input, **_):  # noqa: A002
        asked.extend(json.loads(input))
        return SimpleNamespace(returncode=0, stdout='[["cls_net.py", "ResNet has no drop path"]]')

    monkeypatch.setattr("simmim_bench.suite.check.subprocess.run", check)
    with pytest.raises(BenchError, match=r"cls_net.py: ResNet has no drop path"):
        project.run(dry_run=True)
    assert asked == [["configs/cls_net.py", ["model.backbone.drop_path_rate=0.1"]]]


def test_a_value_cannot_be_searched_and_set(project):
    task = {**TASK, "overrides": {LR: 0.1}}
    project.write_suite(data=None, tasks={"classification": task})
    with pytest.raises(BenchError, match=f"'classification' sets {LR} and its tune searches it"):
        project.run(dry_run=True)
    change = {"method": "scratch", "set": {LR: 0.1}}
    project.write_suite(data=None, tasks={"classification": TASK}, override=[change])
    with pytest.raises(BenchError, match=f"'classification' sets {LR} and its tune searches it"):
        project.run(dry_run=True)


def test_few_combinations_are_all_tried():
    tune = Tune(search={"lr": [1, 2], "layer_decay": [0.8, 0.9]}, trials=4)
    assert trials_of(tune) == [{LR: lr, DECAY: decay} for lr in (1, 2) for decay in (0.8, 0.9)]


def test_a_sample_is_spread_and_more_trials_keep_those_of_fewer():
    search = {"lr": [1, 2, 3, 4], "layer_decay": [0.7, 0.8, 0.9], "drop_path": [0.0, 0.1, 0.2]}
    few, many = (trials_of(Tune(search=search, trials=count)) for count in (6, 12))
    assert many[:6] == few
    assert len({name_of(values) for values in many}) == 12
    assert {values[LR] for values in few} == {1, 2, 3, 4}
    assert all(len({values[key] for values in few}) == 3 for key in few[0] if key != LR)
    assert trials_of(Tune(search=search, trials=6, seed=1)) != few
    assert len({name_of(values) for values in trials_of(Tune(search=search, trials=36))}) == 36
    assert len({name_of(values) for values in trials_of(Tune(search=search, trials=35))}) == 35


def test_names_of_folders_are_safe_and_differ():
    assert name_of({LR: 0.001, DECAY: 0.8}) == "lr-0.001_layer_decay-0.8"
    odd = [name_of({"model.a": text}) for text in ("../x", "..\\x", "a b", "x" * 200)]
    assert len(set(odd)) == 4
    assert all(name.isalnum() for name in odd)


def test_the_first_of_equal_trials_is_chosen_and_others_are_refused(tmp_path, toy):
    held_out = {"share": 0.2, "seed": 0, "images": 20, "training_images": 80}
    trials = {}
    for rate, score in ((0.1, 40.0), (0.2, 50.0), (0.3, 50.0)):
        metrics = {"box_ap": score, "mask_ap": 100 - score}
        path = tmp_path / f"{rate}" / "manifest.json"
        fields = toy.manifest_fields(stage="trial", held_out=held_out, metrics=metrics)
        Manifest.model_validate(fields).write(path)
        trials[path] = {LR: rate}
    search = {LR: [0.1, 0.2, 0.3]}
    choice = choose(search, trials, seed=0)
    assert (choice.chosen, choice.metric) == ({LR: 0.2}, "box_ap")
    failure = {"reason": "the loss is nan", "iteration": 3}
    failed = {"stage": "trial", "status": "failed", "metrics": {}, "failure": failure}
    Manifest.model_validate(toy.manifest_fields(held_out=held_out, **failed)).write(path)
    assert choose(search, trials, seed=0).trials[2].failure == "the loss is nan"
    with pytest.raises(BenchError, match=r"none of 1 trials .* because the loss is nan; search sm"):
        choose({LR: [0.3]}, {path: {LR: 0.3}}, seed=0)
    other = toy.manifest_fields(stage="trial", held_out={**held_out, "images": 19})
    Manifest.model_validate(other).write(path)
    with pytest.raises(BenchError, match="scored on different images or metrics: 20 images"):
        choose(search, trials, seed=0)
    Manifest.model_validate(toy.manifest_fields()).write(path)
    with pytest.raises(BenchError, match="is of stage finetune, expected a trial"):
        choose(search, trials, seed=0)
