"""Every decoder with every target and its losses: builds, learns, and keeps its promises."""

import json

import pytest
import torch
from mmpretrain.structures import DataSample

from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

SIZE = (64, 96)
BACKBONE = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    "img_size": SIZE,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
DECODERS = {
    "linear": {"type": "simmim_bench.LinearDecoder"},
    "mlp": {"type": "simmim_bench.MLPDecoder"},
    "conv": {"type": "simmim_bench.ConvDecoder"},
    "transposed": {"type": "simmim_bench.TransposedConvDecoder"},
    "unet": {"type": "simmim_bench.UNetDecoder"},
    "transformer": {"type": "simmim_bench.LightTransformerDecoder", "width": 16, "heads": 2},
    "inverse swin": {
        "type": "simmim_bench.InverseSwinDecoder",
        "arch": {"embed_dims": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2)},
        "window_size": 2,
    },
}
LEVELS = {"unet": (0, 1, 2, 3)}  # of the backbone that a decoder reads; else the last
RATES = {"transformer": 1e-4}  # its first steps of 1e-3 overshoot on the few coarse positions
REGRESSION = ("MaskedL1Loss", "MaskedL2Loss", "MaskedSmoothL1Loss")
CLASSES = ("MaskedCrossEntropyLoss",)
TARGETS = {
    "default": (None, REGRESSION),
    "patches": ({"type": "simmim_bench.PatchNormalisedRGB", "patch_size": 16}, REGRESSION),
    "windows": ({"type": "simmim_bench.WindowNormalisedRGB", "window_size": 47}, REGRESSION),
    "half": ({"type": "simmim_bench.DownsampledRGB", "stride": 2}, REGRESSION),
    "a pixel a feature": ({"type": "simmim_bench.DownsampledRGB", "stride": 32}, REGRESSION),
    "bins": ({"type": "simmim_bench.ColourBins", "bins": 8}, CLASSES),
    "clusters": ({"type": "simmim_bench.ColourClusters", "palette": "palette.json"}, CLASSES),
    "teacher": (
        {"type": "simmim_bench.TeacherFeatures", "checkpoint": "t.pth", "model": BACKBONE},
        REGRESSION,
    ),
}
COMBINATIONS = [  # every pair of decoder and target, decoder and loss, target and loss
    (decoder, target, losses[(row + column) % len(losses)])
    for row, decoder in enumerate(DECODERS)
    for column, (target, (_, losses)) in enumerate(TARGETS.items())
]


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Function that builds a model; its palette and its teacher are files."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    torch.save(MODELS.build(BACKBONE).state_dict(), "t.pth")
    centres = torch.randint(0, 256, (6, 3)).tolist()
    (tmp_path / "palette.json").write_text(json.dumps({"centres": centres}))

    def build(decoder, target, loss, region="masked", seed=0):
        torch.manual_seed(seed)
        model = MODELS.build(
            {
                "type": "simmim_bench.SimMIM",
                "backbone": {**BACKBONE, "out_indices": LEVELS.get(decoder, (3,))},
                "decoder": DECODERS[decoder],
                "target": TARGETS[target][0],
                "loss": {"type": f"simmim_bench.{loss}", "region": region},
                "data_preprocessor": {
                    "type": "mmpretrain.SelfSupDataPreprocessor",
                    "mean": [100.0, 110.0, 120.0],
                    "std": [50.0, 60.0, 70.0],
                    "to_rgb": True,
                },
            }
        )
        model.init_weights()
        return model

    return build


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, *SIZE), generator=generator, dtype=torch.uint8)
    masks = torch.zeros(2, SIZE[0] // 4, SIZE[1] // 4, dtype=torch.bool)
    masks[0, :6] = masks[1, :, 13:] = True  # ends inside a feature's square
    return {"inputs": images, "data_samples": [DataSample().set_mask(mask) for mask in masks]}


@pytest.mark.parametrize(("decoder", "target", "loss"), COMBINATIONS)
def test_two_steps(build, batch, decoder, target, loss):
    model = build(decoder, target, loss)
    data = model.data_preprocessor(batch)
    predicted = model(data["inputs"], mode="tensor")
    stride = model.target.stride
    assert predicted.shape == (2, model.target.out_channels, SIZE[0] // stride, SIZE[1] // stride)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATES.get(decoder, 1e-3))
    losses = []
    for _ in range(2):
        value = model(**data, mode="loss")["loss"]
        optimizer.zero_grad()
        value.backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []
        assert model.mask_token.grad.any()
        assert model.backbone.patch_embed.projection.weight.grad.any()
        optimizer.step()
        losses.append(value.item())
    with torch.no_grad():
        losses.append(model(**data, mode="loss")["loss"].item())
    assert 0 < losses[2] < losses[0]


@pytest.mark.parametrize("target", TARGETS)
def test_visible_positions_enter_the_loss_only_if_the_region_is_all(build, batch, target):
    name = TARGETS[target][1][0]
    model = build("linear", target, name)
    data = model.data_preprocessor(batch)
    mask = torch.stack([sample.mask for sample in data["data_samples"]])
    with torch.no_grad():
        weight, wanted = model.target_mask(mask), model.target(data["inputs"])
        predicted = model.decoder(model.encode(data["inputs"], mask))
        noise = torch.randn_like(predicted) * (weight == 0).unsqueeze(1)
        everywhere = build("linear", target, name, region="all").criterion
        before, after = (
            (model.criterion(p, wanted, weight), everywhere(p, wanted, weight))
            for p in (predicted, predicted + noise)
        )
    assert (weight == 0).any()
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert model(**data, mode="loss")["loss"].item() == pytest.approx(before[0].item(), rel=1e-6)


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "teacher"])
def test_predict_shows_normalised_images(build, batch, target):
    model = build("linear", target, TARGETS[target][1][0]).eval()
    data = model.data_preprocessor(batch)
    shown = model(**data, mode="predict")
    assert shown["reconstruction"].shape == shown["images"].shape == (2, 3, *SIZE)
    assert shown["mask"].dtype == torch.bool
    if target in ("bins", "clusters"):  # colours lie within 0 to 255
        colours = model.target.to_pixels(shown["reconstruction"])
        assert -1e-3 <= colours.min() <= colours.max() <= 255 + 1e-3


def test_a_teacher_cannot_be_shown(build, batch):
    model = build("linear", "teacher", "MaskedL1Loss")
    assert not model.target.predicts_images
    with pytest.raises(ValueError, match="of TeacherFeatures cannot be shown as images"):
        model(**model.data_preprocessor(batch), mode="predict")


def test_the_mask_on_a_finer_equal_and_coarser_grid(build):
    mask = torch.zeros(1, 16, 24, dtype=torch.bool)
    mask[0, 0, 0] = mask[0, 15] = True
    for name, stride in (("default", 1), ("half", 2)):
        found = build("linear", name, "MaskedL1Loss").target_mask(mask)
        assert found.dtype == torch.bool
        wanted = mask[0].numpy().repeat(4 // stride, 0).repeat(4 // stride, 1)
        assert (found[0].numpy() == wanted).all()
    shares = build("linear", "a pixel a feature", "MaskedL1Loss").target_mask(mask)
    assert shares.tolist() == [[[1 / 64, 0, 0], [1 / 8, 1 / 8, 1 / 8]]]


def test_the_loss_of_a_coarse_target_by_hand(build, batch):
    model = build("linear", "a pixel a feature", "MaskedL1Loss")
    data = model.data_preprocessor(batch)
    mask = torch.stack([sample.mask for sample in data["data_samples"]])
    with torch.no_grad():
        predicted = model.decoder(model.encode(data["inputs"], mask)).double().numpy()
        found = model(**data, mode="loss")["loss"].item()
    squares = data["inputs"].double().numpy().reshape(2, 3, 2, 32, 3, 32).mean(axis=(3, 5))
    shares = mask.numpy().reshape(2, 2, 8, 3, 8).mean(axis=(2, 4))
    assert 0 < shares[shares > 0].min() < 1
    wanted = (abs(predicted - squares).mean(axis=1) * shares).sum() / shares.sum()
    assert found == pytest.approx(wanted, rel=1e-5)


def test_a_step_does_not_change_the_teacher_and_no_file_holds_it(build, batch):
    model = build("linear", "teacher", "MaskedSmoothL1Loss").train()
    teacher = model.target.network
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    model(**model.data_preprocessor(batch), mode="loss")["loss"].backward()
    optimizer.step()
    assert not teacher.training
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    assert torch.equal(before["norm3.weight"], torch.load("t.pth")["norm3.weight"])
    parts = {key.split(".")[0] for key in model.state_dict()}
    assert parts == {"backbone", "decoder", "mask_token"}


def test_a_palette_comes_back_with_the_checkpoint(build):
    first = build("linear", "clusters", "MaskedCrossEntropyLoss")
    first.target.centres += 1
    second = build("linear", "clusters", "MaskedCrossEntropyLoss", seed=1)
    second.load_state_dict(first.state_dict(), strict=True)
    assert torch.equal(second.target.centres, first.target.centres)


@pytest.mark.parametrize("target", ["bins", "clusters", "teacher"])
def test_the_exported_backbone_is_that_of_plain_simmim(build, save_pretraining, tmp_path, target):
    model = build("conv", target, TARGETS[target][1][0])
    checkpoint = save_pretraining(BACKBONE, state=model.state_dict())
    files = export_backbone(checkpoint, tmp_path / "export")
    fresh = MODELS.build(BACKBONE)
    load_pretrained(fresh, files.weights)
    wanted = model.backbone.state_dict()
    assert torch.load(files.weights).keys() == wanted.keys()
    assert all(torch.equal(fresh.state_dict()[key], value) for key, value in wanted.items())
