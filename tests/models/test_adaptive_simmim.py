"""Masks chosen by reconstruction error or a teacher's attention."""

import copy
import math

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from simmim_bench.errors import BenchError
from simmim_bench.masking.strategies import build_strategy
from simmim_bench.registry import MODELS

CNN = {"type": "simmim_bench.PlainCNN", "channels": (8, 8, 8, 8), "depths": (1, 1, 1, 1)}
VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"embed_dims": 24, "num_layers": 2, "num_heads": 2, "feedforward_channels": 48},
    "img_size": 64,
    "patch_size": 8,
    "out_type": "featmap",
}
ERROR = {"type": "simmim_bench.ReconstructionErrorScore"}
ATTENTION = {"type": "simmim_bench.TeacherAttentionScore", "momentum": 0.1}
CASES = {"error": (CNN, ERROR, 4), "attention": (VIT, ATTENTION, 8)}


def build(case, **options):
    backbone, score, _ = CASES[case]
    torch.manual_seed(0)
    model = MODELS.build(
        {
            "type": "simmim_bench.AdaptiveSimMIM",
            "backbone": dict(backbone),
            "score": score,
            "mask_patch_size": 16,
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
            **options,
        }
    )
    model.init_weights()
    return model


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def samples(case, epoch=0, count=3):
    grid = 64 // CASES[case][2]
    made = []
    for index in range(count):
        sample = DataSample()
        sample.set_field(torch.zeros(grid, grid, dtype=torch.bool), "mask")
        sample.mask[:4] = True
        sample.set_field(torch.tensor([5, epoch, index]), "seed_key")
        made.append(sample)
    return made


def used(model, images, data_samples):
    """The mask that a training step takes."""
    taken = []
    handle = model.criterion.register_forward_hook(lambda _, args, __: taken.append(args[2]))
    model(images, data_samples, mode="loss")
    handle.remove()
    return taken[0]


def counts(pixels):
    patches = pixels.view(-1, 4, 16, 4, 16)
    assert torch.equal(patches.any(4).any(2), patches.all(4).all(2))
    return patches.all(4).all(2).sum(dim=(1, 2)).tolist()


def test_counts_follow_the_schedule_of_the_epoch(case, images):
    model = build(case, schedule={"start": 0.2, "epochs": 2})
    for epoch, ratio in enumerate((0.2, 0.4, 0.6, 0.6)):
        assert counts(used(model, images, samples(case, epoch))) == [math.ceil(16 * ratio)] * 3


def test_a_mask_depends_on_the_sample_and_the_weights_alone(case, images):
    model = build(case)
    state = torch.get_rng_state(), copy.deepcopy(model.backbone.state_dict())
    words = [[5, 0, index] for index in range(3)]
    together = model.choose(images, words)
    alone = [copy.deepcopy(model).choose(images[n : n + 1], words[n : n + 1]) for n in range(3)]
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(torch.get_rng_state(), state[0])
    assert all(torch.equal(v, state[1][k]) for k, v in model.backbone.state_dict().items())
    assert not torch.equal(together, model.choose(images, [[5, 1, index] for index in range(3)]))


def test_outside_training_the_mask_is_the_pipelines(case, images):
    model = build(case).eval()
    shown = model(images, samples(case), mode="predict")["mask"]
    assert shown[:, : shown.shape[1] // 2 if case == "attention" else 16].all()
    assert counts(shown) == [8 if case == "attention" else 4] * 3


def test_every_parameter_learns_and_the_teacher_does_not(case, images):
    model = build(case)
    model(images, samples(case), mode="loss")["loss"].backward()
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert {name for name, p in model.named_parameters() if p.grad is None} == {
        name for name, _ in model.named_parameters() if name.startswith("score.")
    }
    assert not any(name.startswith("score.") for name in learning)
    parts = {key.split(".")[0] for key in model.state_dict()}
    assert parts - {"score"} == {"backbone", "decoder", "mask_token"}


def test_what_is_painted_worst_is_hidden(images):
    """The error of each patch when hidden, from two passes over halves that are drawn anew here."""
    model = build("error", guided=1.0)
    words = [[5, 0, index] for index in range(3)]
    halves = build_strategy("random", mask_patch_size=16, mask_ratio=0.5, token_size=4)
    first = torch.stack(
        [torch.from_numpy(halves((64, 64), np.random.default_rng([*own, 1]))) for own in words]
    )
    twin = copy.deepcopy(model).eval()
    errors = torch.zeros(3, 64, 64)
    with torch.no_grad():
        for mask in (first, ~first):
            painted = twin.decoder(twin.encode(images, mask))
            where = mask.repeat_interleave(4, 1).repeat_interleave(4, 2)
            errors[where] = (painted - images).abs().mean(1)[where]
    patches = errors.view(3, 4, 16, 4, 16).mean(dim=(2, 4)).flatten(1)
    hidden = model.choose(images, words)[:, ::4, ::4].flatten(1)
    for own, score in zip(hidden, patches, strict=True):
        assert set(own.nonzero().flatten().tolist()) == set(score.topk(10).indices.tolist())
    assert not twin.training
    assert model.training


def test_the_teachers_attention_is_the_softmax_of_its_last_block(images):
    model = build("attention")
    for _ in range(2):
        model.choose(images, [[5, 0, index] for index in range(3)])
    teacher = copy.deepcopy(model.score.teacher.module)
    teacher.eval()  # mmpretrain's returns nothing
    weights = []

    def attention(query, key, value, **_):  # the library's own product, in plain tensors
        share = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
        weights.append(share)
        return share @ value

    for layer in teacher.layers:
        layer.attn.scaled_dot_product_attention = attention
    with torch.no_grad():
        teacher(images)
    expected = weights[-1][:, :, 0, 1:].mean(1).view(3, 8, 8)
    with torch.no_grad():
        found = model.eval().score(model, images, [])
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_teacher_is_the_moving_average_and_comes_back_with_the_checkpoint(images):
    model = build("attention")
    weight = model.backbone.layers[0].attn.qkv.weight
    history = []
    for _ in range(3):
        model(images, samples("attention"), mode="loss")
        history.append(weight.detach().clone())
        with torch.no_grad():
            weight.add_(torch.randn_like(weight))
    expected = history[0]
    for student in history[1:]:
        expected = 0.9 * expected + 0.1 * student
    name = "score.teacher.module.layers.0.attn.qkv.weight"
    assert torch.allclose(model.state_dict()[name], expected, atol=1e-6)
    resumed = build("attention")
    resumed.load_state_dict(model.state_dict(), strict=True)
    words = [[5, 1, index] for index in range(3)]
    assert torch.equal(resumed.choose(images, words), model.choose(images, words))
    assert torch.equal(resumed.state_dict()[name], model.state_dict()[name])


def test_what_is_refused(images):
    with pytest.raises(BenchError, match="needs a plain ViT with a class token, got PlainCNN"):
        MODELS.build({**ATTENTION, "backbone": MODELS.build(dict(CNN))})
    model, lone = build("error"), samples("error")
    for sample in lone:
        del sample.seed_key
    with pytest.raises(ValueError, match=r'set algorithm_keys=\["mask", "seed_key"\]'):
        model(images, lone, mode="loss")
