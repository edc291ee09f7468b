"""Similarity-guided SimMIM: its losses by hand, frozen networks, two processes, resuming."""

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.logging import MessageHub
from mmpretrain.structures import DataSample
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
OTHERS = {
    "vit": {
        "type": "mmpretrain.VisionTransformer",
        "arch": {"embed_dims": 24, "num_layers": 2, "num_heads": 2, "feedforward_channels": 48},
        "img_size": 64,
        "patch_size": 16,
        "out_type": "featmap",
    },
    "resnet": {"type": "mmpretrain.ResNet", "depth": 18, "out_indices": (3,)},
}
FROZEN = {
    "type": "simmim_bench.FrozenFeatures",
    "model": SWIN,
    "random": True,
    "levels": [0, 1, 2, 3],
}
KINDS = {
    "cosine": ({"type": "simmim_bench.OwnFeatures", "learn": False}, "CosineDistance", {}),
    "perceptual": (FROZEN, "PerceptualDistance", {}),
    "infonce": (
        {"type": "simmim_bench.OwnFeatures", "learn": True},
        "InfoNCE",
        {"temperature": 0.2},
    ),
}


def build(kind, **options):
    torch.manual_seed(0)
    features, distance, values = KINDS[kind]
    model = MODELS.build(
        {
            "type": "simmim_bench.SimilaritySimMIM",
            "backbone": SWIN,
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
            "features": features,
            "distance": {"type": f"simmim_bench.{distance}", **values},
            "weight": {"value": 0.5},
            "data_preprocessor": {
                "type": "mmpretrain.SelfSupDataPreprocessor",
                "mean": [100.0, 110.0, 120.0],
                "std": [50.0, 60.0, 70.0],
                "to_rgb": True,
            },
            **options,
        }
    )
    model.init_weights()
    return model


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def batch_of(count):
    """Random images, each with another column of masked patches."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 64, 64), generator=generator, dtype=torch.uint8)
    masks = torch.zeros(count, 16, 16, dtype=torch.bool)
    for number, mask in enumerate(masks):
        mask[:, 4 * (number % 4) : 4 * (number % 4) + 4] = True
    return {"inputs": images, "data_samples": [DataSample().set_mask(mask) for mask in masks]}


def test_losses_are_those_of_the_parts(kind):
    model = build(kind)
    data = model.data_preprocessor(batch_of(4))
    images = data["inputs"]
    logged = model(**data, mode="loss")
    shown = model(**data, mode="predict")
    hidden = shown["mask"].unsqueeze(1).expand_as(images)
    pasted = images.clone()
    pasted[hidden] = shown["reconstruction"][hidden]
    assert logged["loss_reconstruction"].item() == pytest.approx(
        (pasted - images)[hidden].abs().mean().item(), rel=1e-4
    )
    network = model.features.network if kind == "perceptual" else model.backbone
    with torch.no_grad():
        distance = model.distance(network(pasted), network(images)).item()
    assert distance > 0
    assert logged["distance"].item() == pytest.approx(distance, rel=1e-4)
    assert logged["loss_similarity"].item() == pytest.approx(0.5 * distance, rel=1e-4)
    total, _ = model.parse_losses(logged)
    parts = logged["loss_reconstruction"] + logged["loss_similarity"]
    assert total.item() == pytest.approx(parts.item(), rel=1e-6)


def test_visible_pixels_of_the_prediction_do_not_count(kind):
    model = build(kind)
    data = model.data_preprocessor(batch_of(2))
    mask = torch.stack([sample.mask for sample in data["data_samples"]])
    features = model.encode(data["inputs"], mask)
    prediction = model.decoder(features)
    noise = torch.randn_like(prediction) * ~model.pixel_mask(mask).unsqueeze(1)
    found = [
        model.losses(data["inputs"], mask, features, each)["distance"].item()
        for each in (prediction, prediction + noise)
    ]
    assert found[0] == found[1]


def test_a_step_moves_the_model_and_not_the_frozen_network(kind):
    model = build(kind).train()
    data = model.data_preprocessor(batch_of(4))
    fixed = model.features.network.state_dict() if kind == "perceptual" else {}
    before = {key: value.clone() for key, value in fixed.items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    losses = []
    for _ in range(4):
        loss, _ = model.parse_losses(model(**data, mode="loss"))
        optimizer.zero_grad()
        loss.backward()
        assert [name for name, value in model.named_parameters() if value.grad is None] == []
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(torch.equal(value, before[key]) for key, value in fixed.items())


def test_the_similarity_alone_teaches_the_decoder(kind):
    model = build(kind)
    data = model.data_preprocessor(batch_of(2))
    model(**data, mode="loss")["loss_similarity"].backward()
    assert model.decoder.projection.weight.grad.abs().sum() > 0
    assert model.mask_token.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_other_backbones(kind, name):
    model = build(kind, backbone=OTHERS[name])
    data = model.data_preprocessor(batch_of(2))
    side = 64 // model.adapter.token_size
    for sample in data["data_samples"]:
        sample.set_mask(torch.arange(side * side).reshape(side, side) % 3 == 0)
    losses = model(**data, mode="loss")
    assert losses["distance"] > 0
    losses["loss_similarity"].backward()
    assert model.mask_token.grad.isfinite().all()
    assert model.decoder.projection.weight.grad.abs().sum() > 0


def test_checkpoint_and_export_are_plain_simmims(kind, save_pretraining, tmp_path):
    model = build(kind)
    plain = {key.split(".")[0] for key in model.state_dict()}
    assert plain == {"backbone", "decoder", "mask_token"}
    checkpoint = save_pretraining(SWIN, state=model.state_dict())
    fresh = MODELS.build(SWIN)
    report = load_pretrained(fresh, export_backbone(checkpoint, tmp_path / "export").weights)
    assert (report.missing, report.unexpected) == ((), ())
    wanted = model.backbone.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in fresh.state_dict().items())


def test_the_weight_follows_the_run_and_a_resumed_model_has_the_same(request):
    hub = MessageHub.get_instance(f"hub of {request.node.name}")
    hub.update_info("max_iters", 10)
    schedule = {"value": 0.8, "schedule": "cosine", "until": 0.5}
    model = build("infonce", weight=schedule)
    data = model.data_preprocessor(batch_of(2))
    with torch.no_grad():
        found = []
        for iteration in range(4):
            hub.update_info("iter", iteration)
            logged = model(**data, mode="loss")
            ratio = logged["loss_similarity"] / logged["distance"]
            assert logged["weight"].item() == pytest.approx(ratio.item(), rel=1e-5, abs=1e-9)
            found.append(logged["loss_similarity"].item())
        assert found == sorted(found)
        resumed = build("infonce", weight=schedule)
        resumed.load_state_dict(model.state_dict())
        assert resumed(**data, mode="loss")["loss_similarity"].item() == found[-1]


def test_targets_that_are_no_images_or_pass_no_gradient():
    with pytest.raises(BenchError, match="predictions of TeacherFeatures are not images"):
        build("cosine", target={"type": "simmim_bench.TeacherFeatures", **teacher()})
    model = build(
        "cosine",
        target={"type": "simmim_bench.ColourBins", "bins": 4},
        loss={"type": "simmim_bench.MaskedCrossEntropyLoss"},
    )
    data = model.data_preprocessor(batch_of(2))
    with pytest.raises(ValueError, match="colours of ColourBins have no gradient"):
        model(**data, mode="loss")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def teacher():
    torch.save(MODELS.build(SWIN).state_dict(), "teacher.pth")
    return {"checkpoint": "teacher.pth", "model": SWIN}


def gradients(model):
    return {name: value.grad.clone() for name, value in model.named_parameters()}


class Summed(nn.Module):
    """A model whose forward gives the sum of its losses, as DDP wants it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs, data_samples):
        return self.model.parse_losses(self.model(inputs, data_samples, mode="loss"))[0]


def in_double(kind):
    """A model and eight images in float64, where sums hardly round."""
    model = build(kind)
    data = model.data_preprocessor(batch_of(8))
    return Summed(model).double(), data["inputs"].double(), data["data_samples"]


def one_of_two(rank, folder, kind):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    summed, inputs, samples = in_double(kind)
    model = nn.parallel.DistributedDataParallel(summed)
    part = slice(4 * rank, 4 * rank + 4)
    loss = model(inputs[part], samples[part])
    loss.backward()
    torch.save((loss.detach(), gradients(summed.model)), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_have_the_loss_and_the_gradients_of_one(tmp_path):
    single, *data = in_double("infonce")
    whole = single(*data)
    whole.backward()
    mp.start_processes(one_of_two, args=(tmp_path, "infonce"), nprocs=2, start_method="spawn")
    losses, found = zip(*(torch.load(tmp_path / f"{rank}.pt") for rank in range(2)), strict=True)
    assert losses[0] != losses[1]
    torch.testing.assert_close(sum(losses) / 2, whole.detach())
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], gradients(single.model), rtol=1e-5, atol=1e-8)
