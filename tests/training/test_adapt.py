"""What the flags of a run change in its config, and what they say."""

from types import SimpleNamespace

import mmengine.visualization  # noqa: F401  (registers its back ends)
import pytest
from mmengine.config import Config
from mmengine.registry import VISBACKENDS

from simmim_bench.errors import BenchError
from simmim_bench.recipe.channels import set_channels
from simmim_bench.records.environment import precision_of
from simmim_bench.training.adapt import (
    ADAPTATIONS,
    TRACKERS,
    adapt,
    add_trackers,
    has_tracker,
    set_precision,
)
from simmim_bench.training.run import Note


@pytest.fixture
def cfg():
    return Config({"visualizer": {"vis_backends": [{"type": "mmengine.LocalVisBackend"}]}})


def test_a_tracker_comes_beside_the_files(cfg):
    assert not has_tracker(cfg)
    add_trackers(cfg, SimpleNamespace(log_to=["tensorboard"]))
    assert [one["type"] for one in cfg.visualizer.vis_backends] == [
        "mmengine.LocalVisBackend",
        "mmengine.TensorboardVisBackend",
    ]
    assert has_tracker(cfg)


def test_mmengine_knows_every_one():
    assert all(VISBACKENDS.get(name) is not None for name in TRACKERS.values())


def test_one_that_is_not_installed(cfg, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BenchError, match="needs the package wandb; install it with `pip install"):
        add_trackers(cfg, SimpleNamespace(log_to=["wandb"]))


PRETRAIN = "configs/demo/simmim_swin-demo.py"
INFONCE = "configs/variants/infonce_swin-demo.py"
DETECTION = "configs/demo/mask-rcnn_swin-demo_fpn.py"
SMALLER = ["train_dataloader.batch_size=4", "auto_scale_lr.base_batch_size=8"]


def test_they_act_in_this_order():
    assert [change.__name__ for change in ADAPTATIONS] == [
        "train_longer",
        "say_sizes",
        "say_reduced",
        "say_left_out",
        "shrink",
        "add_trackers",
        "shard",
        "set_precision",
        "use_smaller_batch",
        "keep_batch",
        "use_cpu",
        "cap_neighbours",
        "seed_samples",
        "use_quick",
    ]


def test_what_other_channels_leave_out_of_a_recipe_is_a_deviation(command_line):
    cfg, run = command_line(PRETRAIN)
    bands = {"channels": 4, "mean": [1.0] * 4, "std": [1.0] * 4}
    cfg.train_dataloader.dataset.pipeline.insert(1, {"type": "PhotoMetricDistortion"})
    set_channels(cfg, value_range=[0, 255], **bands)
    (said,) = adapt(cfg, run)
    assert said == "PhotoMetricDistortion without saturation and hue, which need 8-bit RGB"
    assert not isinstance(said, Note)


def test_a_run_as_in_the_recipe_says_nothing(command_line):
    cfg, run = command_line(PRETRAIN, "--seed", 7)
    assert adapt(cfg, run) == []
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert pipeline[0] == {"type": "simmim_bench.SeedSample", "seed": 7}
    (masks,) = [step for step in pipeline if step["type"] == "simmim_bench.GenerateMask"]
    assert masks["seed"] == 7


def test_a_config_that_a_run_wrote_takes_the_seed_of_the_next(command_line):
    cfg, run = command_line(PRETRAIN, "--seed", 7)
    adapt(cfg, run)
    cfg.fsdp = True  # of a sharded run
    _, later = command_line(PRETRAIN, "--seed", 8)
    adapt(cfg, later)
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert [step["seed"] for step in pipeline if "seed" in step] == [8, 8]
    assert "fsdp" not in cfg


def test_masks_keep_a_seed_that_the_config_states(command_line):
    cfg, run = command_line(PRETRAIN, "--seed", 7)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step["type"] == "simmim_bench.GenerateMask":
            step["seed"] = 3
    adapt(cfg, run)
    found = [step["seed"] for step in cfg.train_dataloader.dataset.pipeline if "seed" in step]
    assert found == [7, 3]


@pytest.mark.parametrize(
    ("precision", "said"),
    [
        ("float32", "features in float32 instead of bfloat16"),
        ("bfloat16", "precision bfloat16 instead of float32"),
    ],
)
def test_another_precision_of_frozen_features_is_a_deviation(precision, said):
    cfg = Config(
        {
            "model": {"type": "simmim_bench.FrozenSegmentor", "precision": "bfloat16"},
            "optim_wrapper": {"type": "OptimWrapper"},
            "default_scope": "mmseg",
        }
    )
    assert set_precision(cfg, SimpleNamespace(precision=precision)) == said
    assert cfg.model.precision == precision


def test_an_accumulated_batch_is_a_note_unless_the_loss_compares_within_it(command_line):
    cfg, run = command_line(PRETRAIN, "--cfg-options", *SMALLER)
    (said,) = adapt(cfg, run)
    assert isinstance(said, Note)
    cfg, run = command_line(INFONCE, "--cfg-options", *SMALLER)
    (said,) = adapt(cfg, run)
    assert not isinstance(said, Note)
    assert said.endswith("; the contrastive loss has fewer negatives than in the recipe")


def test_deviations_come_in_the_order_of_the_adaptations(command_line):
    flags = ["--precision", "bfloat16", "--auto-scale-lr"]
    cfg, run = command_line(PRETRAIN, *flags, "--cfg-options", *SMALLER)
    precision, rate = adapt(cfg, run)
    assert not isinstance(precision, Note)
    assert not isinstance(rate, Note)
    assert precision == "precision bfloat16 instead of float32"
    assert rate.startswith("learning rate x 0.5 by the linear scaling rule")
    assert cfg.optim_wrapper.type == "simmim_bench.Bfloat16OptimWrapper"


FULL_SIZE = "configs/simmim/swin-b_8xb128.py"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)


def test_without_a_gpu_a_recipe_in_float16_runs_in_float32_and_says_so(command_line):
    cfg, run = command_line(FULL_SIZE, world_size=8)
    assert precision_of(cfg.optim_wrapper) == "float16"
    (said,) = adapt(cfg, run)
    assert isinstance(said, Note)
    assert said == "no GPU: float32 instead of the recipe's float16"
    assert (cfg.optim_wrapper.type, precision_of(cfg.optim_wrapper)) == ("OptimWrapper", "float32")
    assert cfg.optim_wrapper.accumulative_counts == 2


def test_on_a_gpu_a_recipe_in_float16_is_followed(command_line, gpu):
    cfg, run = command_line(FULL_SIZE, world_size=8)
    assert adapt(cfg, run) == []
    assert cfg.optim_wrapper.type == "AmpOptimWrapper"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_another_precision_than_the_recipes_is_a_deviation(command_line, gpu, precision):
    flags = ["--precision", precision, "--cfg-options", "optim_wrapper.loss_scale=512."]
    cfg, run = command_line(FULL_SIZE, *flags, world_size=8)
    (said,) = adapt(cfg, run)
    assert not isinstance(said, Note)
    assert said == f"precision {precision} instead of float16"
    assert "loss_scale" not in cfg.optim_wrapper


def test_sharding_a_recipe_in_float16_names_the_flag_that_helps(command_line):
    cfg, run = command_line(FULL_SIZE, "--fsdp", world_size=8)
    with pytest.raises(BenchError, match="bfloat16 or float32, got float16 from the config"):
        adapt(cfg, run)


def test_a_try_makes_an_optimiser_step_of_each_iteration(command_line):
    cfg, run = command_line(FULL_SIZE, "--try", 3, world_size=1)
    adapt(cfg, run)
    assert "accumulative_counts" not in cfg.optim_wrapper


def test_a_try_keeps_its_own_batch(command_line):
    cfg, run = command_line(DETECTION, "--from-scratch", "--try", 3, "--auto-scale-lr")
    assert adapt(cfg, run) == []
    assert cfg.train_dataloader.dataset.indices == 3
    assert cfg.train_dataloader.batch_size == 1


@pytest.mark.parametrize(
    ("flags", "world_size", "message"),
    [
        (["--fsdp"], 1, "over several processes, got 1; start more with"),
        (["--fsdp", "--precision", "float16"], 2, "bfloat16 or float32, got float16; pass"),
        (
            ["--fsdp", "--cfg-options", "optim_wrapper.type=AmpOptimWrapper"],
            2,
            "bfloat16 or float32, got float16 from the config; pass one of them",
        ),
    ],
)
def test_flags_that_cannot_be_combined(command_line, flags, world_size, message):
    with pytest.raises(BenchError, match=message):
        adapt(*command_line(PRETRAIN, *flags, world_size=world_size))
