"""What sharding and recomputation would silently change is refused, all else is not."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.training.hooks.speed import refuse_recomputed, refuse_sharded

VARIANTS = Path(__file__).parents[2] / "configs" / "variants"


def model(name):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(Config.fromfile(VARIANTS / f"{name}-demo.py").model)


@pytest.mark.parametrize(
    "name", ["multiview-simmim-momentum_swin", "byol_swin", "adaptive-attention_plain-vit"]
)
def test_averages_of_weights_are_not_sharded(name):
    with pytest.raises(BenchError, match=r"--fsdp does not .*, which averages whole parameters"):
        refuse_sharded(model(name))


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
def test_others_are_let_through(name):
    refuse_recomputed(model(name))
    refuse_sharded(model(name))
