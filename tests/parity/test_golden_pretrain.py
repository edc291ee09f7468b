"""Equality with the original SimMIM's pretraining (tests/golden, 1e-5 relative)."""

import pytest
import torch

from simmim_bench.weights.convert.translate import write_layout
from tests.parity.golden import FLOAT32_NOISE, Golden, relative_error


@pytest.fixture(params=["swin", "vit"])
def golden(request):
    return Golden(request.param)


def test_latent_reconstruction_and_loss(golden, equal):
    found = dict(zip(("latent", "reconstruction", "loss"), golden.run(), strict=False))
    for name, value in found.items():
        assert value.shape == golden.tensors[name].shape
        equal(golden.file, name, [relative_error(value, golden.tensors[name])])


def test_every_gradient_norm_in_float32(golden, equal):
    *_, norms = golden.run()
    errors = golden.norm_errors(norms, noise=FLOAT32_NOISE)
    equal(golden.file, "gradient norms, differences above 1e-12", errors)


def test_every_gradient_norm_without_our_rounding(golden, equal):
    """In float64 our side adds no rounding, so no absolute tolerance is needed."""
    *_, norms = golden.run(torch.float64)
    equal(golden.file, "gradient norms, ours in float64", golden.norm_errors(norms, noise=0))


def test_weights_go_back_to_the_original_unchanged(golden):
    theirs, dropped = write_layout(golden.model.state_dict(), golden.layout, golden.name)
    assert dropped == []
    original = golden.tensors["state_dict"]
    lost = [key for key in original if key not in theirs]
    assert all(key.endswith("attn_mask") for key in lost)
    assert all(torch.equal(theirs[key], original[key]) for key in theirs)
    assert len(theirs) + len(lost) == len(original)
