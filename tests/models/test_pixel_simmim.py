"""SimMIM masked in the image: masks below the token, and what stands at hidden pixels."""

import pytest
import torch
from mmpretrain.structures import DataSample

from simmim_bench.masking.base import draw_batch
from simmim_bench.masking.strategies import build_strategy
from simmim_bench.registry import MODELS

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
CNN = {"type": "simmim_bench.PlainCNN", "channels": (8, 8, 8, 8), "depths": (1, 1, 1, 1)}


def build(backbone=CNN, kind="PixelSimMIM", **options):
    torch.manual_seed(0)
    model = MODELS.build(
        {
            "type": f"simmim_bench.{kind}",
            "backbone": dict(backbone),
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
            **options,
        }
    )
    model.init_weights()
    return model


def samples(masks):
    return [DataSample().set_mask(mask) for mask in masks]


def draw(block, token=1, ratio=0.6):
    strategy = build_strategy("random", mask_patch_size=block, mask_ratio=ratio, token_size=token)
    return draw_batch(strategy, (64, 64), [(0, 0, n) for n in range(2)])


def seen(model, images, mask):
    """Images as the backbone gets them."""
    found = []
    handle = model.backbone.register_forward_hook(lambda _, args, __: found.append(args[0]))
    model.encode(images, mask)
    handle.remove()
    return found[0]


@pytest.mark.parametrize("backbone", [SWIN, CNN])
@pytest.mark.parametrize("block", [1, 2])
def test_single_pixels_and_small_blocks_are_hidden_in_any_backbone(backbone, block):
    model, images, mask = build(backbone).eval(), torch.randn(2, 3, 64, 64), draw(block)
    hidden = mask.unsqueeze(1)
    other = torch.where(hidden, torch.randn_like(images), images)
    assert torch.equal(model.encode(images, mask), model.encode(other, mask))
    assert not torch.equal(model.encode(images, mask), model.encode(images + 1, mask))
    given = seen(model, images, mask)
    assert torch.equal(given, torch.where(hidden, model.mask_token.view(1, 3, 1, 1), images))
    shown = model(images, samples(mask), mode="predict")
    assert torch.equal(shown["mask"], mask)
    errors = (shown["reconstruction"] - images).abs().movedim(1, -1)[mask]
    loss = model(images, samples(mask), mode="loss")["loss"]
    assert loss.item() == pytest.approx(errors.mean().item(), rel=1e-5)


@pytest.mark.parametrize("fill", ["token", "mean", "noise"])
def test_every_parameter_learns(fill):
    model = build(fill=fill)
    model(torch.randn(2, 3, 64, 64), samples(draw(2)), mode="loss")["loss"].backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    assert ("mask_token" in model.state_dict()) == (fill == "token")
    assert hasattr(model, "mask_token")  # by which a pretraining is known


def test_a_learned_token_on_the_backbones_own_grid_is_simmim():
    images, mask = torch.randn(2, 3, 64, 64), draw(16, token=4)
    own, plain = build(mask_size=4), build(kind="SimMIM")
    own.load_state_dict(plain.state_dict())
    found, expected = (m(images, samples(mask), mode="loss")["loss"] for m in (own, plain))
    assert torch.equal(found, expected)


def test_the_mean_colour_is_zero():
    images, mask = torch.randn(2, 3, 64, 64), draw(4)
    assert torch.equal(seen(build(fill="mean"), images, mask), images * ~mask.unsqueeze(1))


def test_noise_is_of_the_sample_and_of_nothing_else():
    model, images, mask = build(fill="noise"), torch.randn(2, 3, 64, 64), draw(1)
    state = torch.get_rng_state()
    first = seen(model, images, mask)
    assert torch.equal(state, torch.get_rng_state())
    alone = torch.cat([seen(model, images[n : n + 1], mask[n : n + 1]) for n in (0, 1)])
    assert torch.equal(first, alone)
    hidden = mask.unsqueeze(1).expand_as(images)
    assert torch.equal(first[~hidden], images[~hidden])
    values = first[hidden]
    assert abs(values.mean()) < 0.04
    assert abs(values.std() - 1) < 0.04
    both = (mask[0] & mask[1]).expand(3, -1, -1)
    assert not torch.equal(first[0][both], first[1][both])
    assert not torch.equal(seen(model, images, ~mask)[0][hidden[0]], first[0][hidden[0]])


def test_refused_values():
    with pytest.raises(ValueError, match="fill must be one of token, mean, noise, got 'zeros'"):
        build(fill="zeros")
    with pytest.raises(ValueError, match="mask_size must be >= 1 pixel, got 0"):
        build(mask_size=0)
    with pytest.raises(ValueError, match="does not fit a batch of 2 images of 64 x 64 tokens"):
        build().encode(torch.randn(2, 3, 64, 64), draw(16, token=4))


def test_a_backbone_with_tokens_masked_at_tokens_refuses_a_mask_of_pixels():
    model = build(SWIN, kind="SimMIM")
    with pytest.raises(ValueError, match="2 images of 16 x 16 tokens; make it"):
        model.encode(torch.randn(2, 3, 64, 64), draw(1))
