"""Trials on a held-out part of the training data, and a run with what they chose."""

import json
import shutil

import pytest
import torch
from mmengine.registry import DefaultScope

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.records.collect import collect
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.store import read_records
from simmim_bench.registry import DATASETS, METRICS
from simmim_bench.suite.choose import choose
from tests.e2e.conftest import CONFIGS, Tools

LR = "optim_wrapper.optimizer.lr"
SHORT = ["train_cfg.max_epochs=1", "param_scheduler.0.end=1", "train_dataloader.batch_size=8"]
SHORT += ["auto_scale_lr.base_batch_size=8"]


def parts(config, *, share=0.25, seed=0, overrides=()):
    """The kept and the held-out data set of a trial."""
    changes = Changes(overrides=overrides, held_out=share, held_out_seed=seed)
    cfg = load_recipe(str(config), changes)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loaders = (cfg.train_dataloader, cfg.val_dataloader)
        return cfg, *(DATASETS.build(loader.dataset) for loader in loaders)


def images(dataset):
    return [dataset.get_data_info(index)["img_path"] for index in range(len(dataset))]


@pytest.fixture
def root(data, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(data))


@pytest.mark.parametrize("task", CONFIGS)
def test_each_image_is_in_one_part_and_the_same_for_everyone(task, root):
    changes = Changes()
    plain = load_recipe(str(CONFIGS[task]), changes)
    with DefaultScope.overwrite_default_scope(plain.default_scope):
        everything = images(DATASETS.build(plain.train_dataloader.dataset))
    _, kept, held_out = parts(CONFIGS[task])
    assert sorted([*images(kept), *images(held_out)]) == sorted(everything)
    assert not set(images(kept)) & set(images(held_out))
    assert abs(len(held_out) - 0.25 * len(everything)) <= len(everything) / 10
    assert (kept.test_mode, held_out.test_mode) == (False, True)
    assert images(parts(CONFIGS[task])[2]) == images(held_out)
    assert images(parts(CONFIGS[task], seed=1)[2]) != images(held_out)


def test_every_class_is_held_out_alike(root):
    _, kept, held_out = parts(CONFIGS["classification"], share=0.34)
    for dataset, counts in ((kept, {2, 3}), (held_out, {1})):
        labels = dataset.get_gt_labels()
        assert {sum(labels == label) for label in range(10)} <= counts
    assert kept.CLASSES == held_out.CLASSES


def test_what_a_training_would_not_use_is_in_neither_part(root):
    few = ("train_dataloader.dataset.indices=8",)
    _, kept, held_out = parts(CONFIGS["segmentation"], overrides=few)
    assert (len(kept), len(held_out)) == (6, 2)
    with pytest.raises(BenchError, match=r"1 training images are too few to hold 25 % of them out"):
        parts(CONFIGS["segmentation"], overrides=("train_dataloader.dataset.indices=1",))


def test_metrics_of_detection_count_the_held_out_images_alone(root):
    cfg, _, held_out = parts(CONFIGS["detection"])
    metric = METRICS.build({**cfg.val_evaluator, "metric": "bbox"})
    metric.dataset_meta = held_out.metainfo
    for index in range(len(held_out)):
        entry = held_out.get_data_info(index)
        found = [each for each in entry["instances"] if not each["ignore_flag"]]
        sample = {
            "img_id": entry["img_id"],
            "ori_shape": (entry["height"], entry["width"]),
            "pred_instances": {
                "bboxes": torch.tensor([each["bbox"] for each in found]).reshape(-1, 4),
                "labels": torch.tensor([each["bbox_label"] for each in found]),
                "scores": torch.ones(len(found)),
            },
        }
        metric.process({}, [sample])
    assert metric.evaluate(len(held_out))["coco/bbox_mAP"] == pytest.approx(1.0)


def test_trials_read_no_evaluation_data_and_the_tuned_run_states_them(data, tools, tmp_path):
    blind = tmp_path / "blind"
    shutil.copytree(data / "demo", blind / "demo", symlinks=True)
    shutil.rmtree(blind / "demo" / "imagenet" / "val")
    trials = {}
    for rate in (1e-3, 1e9):  # the second diverges
        folder = tmp_path / "tune" / f"{rate}"
        code, output = Tools(blind).call(
            "tools/train.py", CONFIGS["classification"], "--work-dir", folder, "--kind", "smoke",
            "--from-scratch", "--held-out", 0.25, "--cfg-options", *SHORT, f"{LR}={rate}",
        )  # fmt: skip
        assert code == 0, output[-3000:]
        trials[folder / "manifest.json"] = {LR: rate}
    good, bad = (Manifest.read(path) for path in trials)
    assert (good.stage, good.status, bad.status) == ("trial", "complete", "failed")
    assert good.held_out.as_json() == {
        **{"share": 0.25, "seed": 0, "images": good.held_out.images},
        "training_images": 32 - good.held_out.images,
    }
    assert set(good.data.parts) == {"train", "val"}
    assert good.data.parts["train"] == good.data.parts["val"]
    assert "override --held-out=0.25" in good.deviations
    choice = choose({LR: [1e-3, 1e9]}, trials, seed=0)
    assert choice.chosen == {LR: 1e-3}
    assert set(choice.trials[0].curves) >= {"top1"}
    file = tmp_path / "choice.json"
    atomic_write_json(file, choice.as_json())

    final = tmp_path / "finetune"
    code, output = tools.call(
        "tools/train.py", CONFIGS["classification"], "--work-dir", final, "--kind", "smoke",
        "--from-scratch", "--tuned", file, "--cfg-options", *SHORT,
    )  # fmt: skip
    assert code == 0, output[-3000:]
    run = Manifest.read(final / "manifest.json")
    assert (run.stage, run.held_out) == ("finetune", None)
    assert run.tuning.as_json() == {
        **json.loads(file.read_text("utf-8")),
        "recipe_sha256": run.tuning.recipe_sha256,
    }
    assert run.tuning.recipe_sha256 != run.config.sha256
    assert f"tuned: {LR}=0.001" in run.deviations
    assert f"override {LR}=0.001" not in run.deviations
    assert f"{LR}=0.001" in run.config.overrides
    collect(tmp_path, tmp_path / "records")
    (record,) = read_records(tmp_path / "records")
    assert record.tuning == run.tuning
    assert record.untuned_deviations == [f"override {item}" for item in SHORT]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo/simmim_swin-demo", "--tuned", "choice.json"], "choice.json does not exist; delete"),
        (["demo/simmim_swin-demo", "--held-out", "0.2"], "no training and validation data of a do"),
        (
            [CONFIGS["classification"], "--from-scratch", "--held-out", "0.6"],
            "at most 0.5, got 0.6",
        ),
        (
            [CONFIGS["classification"], "--from-scratch", "--held-out", "0.2", "--tuned", "x"],
            "--tuned takes what trials chose, --held-out makes a trial; leave out one of them",
        ),
    ],
)
def test_flags_that_cannot_be_used(tools, arguments, message):
    code, output = tools.call("tools/train.py", *arguments)
    assert code == 2
    assert message in output
