"""Sharding, recomputation and compilation give the same result, or are refused."""

import copy
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS, DefaultScope
from torch import nn
from torch.distributed.fsdp._fully_shard import _fsdp_param_group as groups

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.training.hooks.speed import (
    FullyShardHook,
    SpeedHook,
    refuse_recomputed,
    refuse_sharded,
    refuse_sharded_hooks,
)
from simmim_bench.training.runner import BenchRunner, Bfloat16OptimWrapper
from tests.configs.reader import read_config

VARIANTS = Path(__file__).parents[2] / "configs" / "variants"


def model(name):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(read_config(VARIANTS / f"{name}-demo.py").model)


@pytest.mark.parametrize(
    "name", ["multiview-simmim-momentum_swin", "byol_swin", "adaptive-attention_plain-vit"]
)
def test_averages_of_weights_are_not_sharded(name):
    with pytest.raises(BenchError, match=r"--fsdp does not .*, which averages whole parameters"):
        refuse_sharded(model(name))


class OwnAverage(Hook):
    def __init__(self):
        self.average = ExponentialMovingAverage(nn.Linear(1, 1))


@pytest.mark.parametrize(
    "place", ["custom_hooks", "default_hooks", "default_hooks.checkpoint", "mmpretrain", "own"]
)
def test_a_hook_that_averages_weights_is_refused_wherever_it_stands(place):
    """The hooks that were built are asked, not the words of the config."""
    cfg = {"type": "EMAHook", "momentum": 0.1}
    if place == "own":
        HOOKS.register_module(module=OwnAverage, force=True)
        cfg = {"type": "OwnAverage"}
    elif place == "mmpretrain":
        cfg["type"] = "mmpretrain.EMAHook"
    custom = [{"type": "simmim_bench.SeedHook"}]
    runner = object.__new__(BenchRunner)
    runner._hooks = []
    given = {"checkpoint": cfg} if place.endswith("checkpoint") else {"average": cfg}
    runner.register_hooks(
        given if place.startswith("default_hooks") else None,
        custom if place.startswith("default_hooks") else [*custom, cfg],
    )
    with pytest.raises(BenchError, match=r"--fsdp does not support (EMAHook|OwnAverage), which"):
        refuse_sharded_hooks(runner.hooks)
    refuse_sharded_hooks(hook for hook in runner.hooks if "A" not in type(hook).__name__)


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            *(nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4)) for _ in range(3))
        )
        self.head = nn.Linear(4, 1)

    def forward(self, features):
        return self.head(self.backbone(features)).square().mean()


@pytest.fixture
def one_process():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("wrapper", [OptimWrapper, Bfloat16OptimWrapper])
def test_a_sharded_step_sums_gradients_once_and_in_float32(one_process, monkeypatch, wrapper):
    """With gradients accumulated over 3 iterations; weights are float32 wherever they are."""
    torch.manual_seed(0)
    whole, batches = Blocks(), torch.randn(6, 5, 4)
    model = copy.deepcopy(whole)
    reduced, seen = [], []
    reduce = groups.foreach_reduce

    def count(*args, **kwargs):
        reduced.append((runner.iter, args[6]))  # its reduce_dtype
        return reduce(*args, **kwargs)

    monkeypatch.setattr(groups, "foreach_reduce", count)
    wrappers = [
        wrapper(torch.optim.SGD(one.parameters(), lr=0.1), accumulative_counts=3)
        for one in (whole, model)
    ]
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=wrappers[1],
        hooks=[],
        world_size=1,
        logger=SimpleNamespace(info=lambda _: None),
    )
    hook = FullyShardHook()
    hook.before_train(runner)
    model.backbone[0][1].register_forward_pre_hook(lambda one, _: seen.append(one.weight.dtype))
    for runner.iter, batch in enumerate(batches):
        hook.before_train_iter(runner, runner.iter)
        for one, steps in zip((whole, model), wrappers, strict=True):
            with steps.optim_context(one):
                loss = one(batch)
            steps.update_params(loss)
    assert {iteration for iteration, _ in reduced} == {2, 5}
    assert len(reduced) == 2 * 4  # three blocks and the rest
    assert {dtype for _, dtype in reduced} == {torch.float32}
    assert set(seen) == {torch.float32}
    for name, value in model.named_parameters():
        torch.testing.assert_close(value.full_tensor(), whole.get_parameter(name))


@pytest.mark.parametrize(("refuse", "flag"), [(refuse_sharded, "fsdp"), (refuse_recomputed, "rec")])
def test_weights_that_count_as_constants_stay_whole(refuse, flag):
    with pytest.raises(BenchError, match=f"--{flag}.*OwnFeatures.learn=False"):
        refuse(model("cosine_swin"))
    refuse(model("infonce_swin"))  # learns from them


@pytest.mark.parametrize("name", ["sparse_swin", "sparse_resnet", "sparse_cnn"])
def test_blocks_that_know_a_mask_for_a_while_are_not_computed_again(name):
    with pytest.raises(BenchError, match="--recompute does not support a sparse "):
        refuse_recomputed(model(name))
    refuse_sharded(model(name))


@pytest.mark.parametrize("name", ["sparse_plain-vit", "unet_swin", "adaptive-error_swin"])
def test_other_models_are_accepted(name):
    refuse_recomputed(model(name))
    refuse_sharded(model(name))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GELU())
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, images):
        return self.head(self.backbone(images))


def test_the_backbone_is_compiled_in_place_and_its_keys_stay(monkeypatch):
    """Traced for real; the code that it generates would take a C++ compiler and minutes."""
    graphs = []

    def keep(graph, _):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=keep))
    torch.manual_seed(0)
    model, images = Small(), torch.rand(2, 3, 8, 8)
    before, keys = model(images), list(model.state_dict())
    runner = SimpleNamespace(model=model, logger=SimpleNamespace(info=lambda _: None))
    SpeedHook(compiled=True).before_train(runner)
    torch.testing.assert_close(model(images), before)
    assert len(graphs) == 1
    assert not any("head" in str(node.target) for node in graphs[0].graph.nodes)
    assert list(model.state_dict()) == keys


def prepared(model, **flags):
    runner = SimpleNamespace(model=model, logger=SimpleNamespace(info=lambda _: None))
    SpeedHook(**flags).before_train(runner)
    return model


class Normed(Blocks):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            *(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)) for _ in range(3))
        )


def test_recomputed_batch_norm_counts_a_batch_once():
    torch.manual_seed(0)
    whole = Normed()
    again = prepared(copy.deepcopy(whole), recompute=True)
    for batch in torch.randn(3, 8, 4):
        for one in (whole, again):
            one(batch).backward()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_a_compiled_backbone_sees_masks_that_come_and_go(monkeypatch):
    monkeypatch.setattr(torch._dynamo.config, "skip_nnmodule_hook_guards", True)  # as torch has it
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="eager"))
    torch.manual_seed(0)
    backbone = prepared(Blocks(), compiled=True).backbone
    plain, images = copy.deepcopy(backbone[0]), torch.randn(2, 4)
    rest = nn.Sequential(plain, *copy.deepcopy(list(backbone[1:])))

    def masked(one):
        with backbone[0].register_forward_hook(lambda *args: args[2] * 0):
            return one(images)

    for _ in range(2):
        torch.testing.assert_close(backbone(images), rest(images))
        assert not torch.allclose(masked(backbone), rest(images))
    torch._dynamo.reset()
