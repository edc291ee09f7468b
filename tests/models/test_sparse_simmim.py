"""Sparse SimMIM: dense where nothing is masked, SimMIM's loss, a backbone like any other."""

import pytest
import torch
from mmpretrain.structures import DataSample

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"embed_dims": 24, "num_layers": 2, "num_heads": 2, "feedforward_channels": 48},
    "img_size": 64,
    "patch_size": 16,
    "out_type": "featmap",
}
RESNET = {"type": "mmpretrain.ResNet", "depth": 18, "stem_channels": 8, "base_channels": 8}
CNN = {"type": "simmim_bench.PlainCNN", "channels": (8, 8, 8, 8), "depths": (1, 1, 1, 1)}
BACKBONES = {"swin": SWIN, "plain_vit": VIT, "resnet": RESNET, "cnn": CNN}
PREPROCESSOR = {
    "type": "mmpretrain.SelfSupDataPreprocessor",
    "mean": [100.0, 110.0, 120.0],
    "std": [50.0, 60.0, 70.0],
    "to_rgb": True,
}


def build(backbone, kind="simmim_bench.SparseSimMIM", **options):
    torch.manual_seed(0)
    model = MODELS.build(
        {
            "type": kind,
            "backbone": dict(backbone),
            "decoder": {"type": "simmim_bench.LightTransformerDecoder", "width": 16, "heads": 2},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
            "data_preprocessor": PREPROCESSOR,
            **options,
        }
    )
    model.init_weights()
    return model


@pytest.fixture(params=BACKBONES)
def model(request):
    return build(BACKBONES[request.param])


def batch_for(model):
    """Two images with another half visible each."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8)
    side = 64 // model.adapter.token_size
    masks = torch.zeros(2, side, side, dtype=torch.bool)
    masks[0, : side // 2] = masks[1, :, side // 2 :] = True
    batch = {"inputs": images, "data_samples": [DataSample().set_mask(mask) for mask in masks]}
    return model.data_preprocessor(batch)


def test_with_nothing_masked_it_is_simmim(model):
    dense = build(BACKBONES[model.adapter.name], kind="simmim_bench.SimMIM", init_cfg=None)
    dense.backbone.load_state_dict(model.backbone.state_dict())
    dense.decoder.load_state_dict(model.decoder.state_dict())
    images = torch.randn(2, 3, 64, 64)
    found, expected = model(images), dense(images)
    assert (found - expected).abs().max() / expected.abs().max() < 1e-5


def test_loss_is_the_mean_over_masked_pixels(model):
    data = batch_for(model)
    shown = model(**data, mode="predict")
    hidden = shown["mask"]
    assert hidden.float().mean() == 0.5
    pairs = zip(shown["images"], shown["reconstruction"], hidden, strict=True)
    differences = torch.cat([(a - b)[:, mask].flatten() for a, b, mask in pairs])
    assert model(**data, mode="loss")["loss"].item() == pytest.approx(
        differences.abs().mean().item(), rel=1e-5
    )


def test_the_mask_token_stands_at_masked_positions_of_the_last_map(model):
    data = batch_for(model)
    mask = torch.stack([sample.mask for sample in data["data_samples"]])
    features = model.encode(data["inputs"], mask)
    step = mask.shape[1] // features.shape[2]
    hidden = mask[:, ::step, ::step].unsqueeze(1)
    equal = features == model.mask_token.view(1, -1, 1, 1)
    assert torch.equal(equal.all(dim=1, keepdim=True), hidden)
    assert model.mask_token.shape[-1] == features.shape[1]


def test_every_parameter_learns(model):
    model(**batch_for(model), mode="loss")["loss"].backward()
    still = [name for name, value in model.named_parameters() if value.grad is None]
    assert still == []
    assert model.mask_token.grad.abs().sum() > 0


def test_training_lowers_the_loss(model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    data, losses = batch_for(model), []
    for _ in range(20):
        loss = model(**data, mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_one_mask_per_batch_holds_in_training_only(model):
    single = build(BACKBONES[model.adapter.name], one_mask_per_batch=True)
    data = batch_for(single)
    own = torch.stack([sample.mask for sample in data["data_samples"]])
    first = single.pixel_mask(own[:1])[0]
    masks = single(**data, mode="predict")["mask"]
    assert torch.equal(masks[0], first)
    assert torch.equal(masks[1], first)
    single.eval()
    assert torch.equal(single(**data, mode="predict")["mask"], single.pixel_mask(own))


def test_bfloat16_autocast(model):
    data = batch_for(model)
    exact = model(**data, mode="loss")["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(**data, mode="loss")["loss"]
    assert rounded.item() == pytest.approx(exact.item(), rel=0.02)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_backbone_has_the_keys_of_a_dense_one_and_loads_like_it(
    name, save_pretraining, tmp_path
):
    model = build(BACKBONES[name])
    fresh = MODELS.build(dict(BACKBONES[name]))
    assert list(model.backbone.state_dict()) == list(fresh.state_dict())
    parts = {key.split(".")[0] for key in model.state_dict()}
    assert parts == {"backbone", "decoder", "mask_token"}
    checkpoint = save_pretraining(BACKBONES[name], state=model.state_dict())
    report = load_pretrained(fresh, export_backbone(checkpoint, tmp_path / "export").weights)
    assert (report.missing, report.unexpected, report.resized) == ((), (), ())
    fresh.eval()
    images = torch.randn(2, 3, 64, 64)
    model.eval()
    features, dense = model.encode(images), fresh(images)[-1]
    assert (features - dense).abs().max() / dense.abs().max() < 1e-5


def test_a_backbone_that_cannot():
    beit = {"type": "mmpretrain.BEiTViT", "arch": VIT["arch"], "out_type": "featmap"}
    with pytest.raises(BenchError, match="BEiTViT cannot encode visible tokens only"):
        build(beit)


def test_a_sparse_cnn_in_front_of_a_u_shaped_decoder():
    """SparK's pair: every stage's map, hidden positions included, reaches the decoder."""
    for config in (RESNET, CNN):
        model = build(
            {**config, "out_indices": (0, 1, 2, 3)}, decoder={"type": "simmim_bench.UNetDecoder"}
        )
        data = batch_for(model)
        model(**data, mode="loss")["loss"].backward()
        assert [n for n, p in model.named_parameters() if p.grad is None] == []
        pixels = model.pixel_mask(torch.stack([s.mask for s in data["data_samples"]])).unsqueeze(1)
        other = torch.where(pixels, torch.randn_like(data["inputs"]), data["inputs"])
        found, same = (
            model.eval()(images, data["data_samples"], mode="predict")["reconstruction"]
            for images in (data["inputs"], other)
        )
        assert torch.equal(found, same)
