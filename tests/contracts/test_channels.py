"""Every backbone sees images of 1 to 16 channels, in pretraining and in every task."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.recipe.channels import set_channels
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.contracts.test_downstream import BACKBONES, CHANGES, SIZE, TASKS

MEAN, STD = 100.0, 50.0


def of_channels(model, channels):
    """The config of a model, changed as ``--data`` changes it for images of these channels."""
    cfg = Config({"model": dict(model)})
    scale = {"mean": [MEAN] * channels, "std": [STD] * channels}
    set_channels(cfg, channels=channels, value_range=(0, 65535), **scale)
    return ConfigDict(cfg.model)


def pretraining(backbone, channels, **options):
    preprocessor = {"type": "mmpretrain.SelfSupDataPreprocessor", "to_rgb": True}
    model = {
        "type": "simmim_bench.SimMIM",
        "backbone": backbone,
        "decoder": {"type": "simmim_bench.LinearDecoder"},
        "loss": {"type": "simmim_bench.MaskedL1Loss"},
        "data_preprocessor": {**preprocessor, "mean": [MEAN] * 3, "std": [STD] * 3},
    }
    torch.manual_seed(0)
    built = MODELS.build(of_channels({**model, **options}, channels))
    built.init_weights()
    return built


def batch(model, channels, masked=SIZE // 2):
    """Normalised images and a mask of pixels left of ``masked``."""
    values = torch.rand(2, channels, SIZE, SIZE) * 255
    images = model.data_preprocessor({"inputs": values, "data_samples": None})["inputs"]
    side = SIZE // model.mask_size
    return images, (torch.arange(side) < masked // model.mask_size).expand(2, side, side)


def loss_of(model, images, mask):
    levels = model.encode_levels(images, mask)
    features = model.adapter.last_feature_map(levels)
    return model.parse_losses(model.losses(images, mask, features, model.decode(levels)))[0]


@pytest.mark.parametrize("channels", [1, 4, 16])
@pytest.mark.parametrize("name", BACKBONES)
def test_it_is_pretrained_exported_and_loaded(name, channels, save_pretraining, tmp_path):
    model = pretraining(BACKBONES[name], channels)
    images, mask = batch(model, channels, masked=24)  # not whole cells of the last stage
    assert images.shape[1] == model.adapter.in_channels == channels
    loss = loss_of(model, images, mask)
    loss.backward()
    assert loss.isfinite()
    weight = next(value for value in model.backbone.parameters() if value.ndim == 4)
    assert weight.shape[1] == channels
    assert weight.grad.abs().sum(dim=(0, 2, 3)).min() > 0  # every channel is seen

    backbone = {**BACKBONES[name], "in_channels": channels}
    checkpoint = save_pretraining(backbone, state=model.state_dict())
    exported = export_backbone(checkpoint, tmp_path / "export").weights
    fresh = MODELS.build(backbone)
    load_pretrained(fresh, exported)
    own, saved = fresh.state_dict(), model.backbone.state_dict()
    assert all(torch.equal(own[key], value) for key, value in saved.items())
    with pytest.raises(BenchError, match=rf"reads images of {channels} channels?, the config's b"):
        load_pretrained(MODELS.build(BACKBONES[name]), exported)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", BACKBONES)
def test_it_trains_a_step_in_every_task(name, task):
    backbone = {**BACKBONES[name], **CHANGES[name].get(task, {})}
    build, samples = TASKS[task]
    torch.manual_seed(1)
    spec = adapter_for(MODELS.build(dict(backbone))).feature_spec
    model = revert_sync_batchnorm(MODELS.build(of_channels(build(backbone, spec), 4)))
    model.init_weights()
    model.train()
    images = [torch.rand(4, SIZE, SIZE) * 255 for _ in range(2)]
    data = model.data_preprocessor({"inputs": images, "data_samples": samples()}, training=True)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    loss.backward()
    assert loss.isfinite()
    weight = next(value for value in model.backbone.parameters() if value.ndim == 4)
    assert weight.grad.abs().sum(dim=(0, 2, 3)).min() > 0


CONTRAST = {"views": 2, "heads": 2, "hidden": 8, "dims": 4, "temperature": 0.2}
OWN = {
    "features": {"type": "simmim_bench.OwnFeatures", "learn": False},
    "distance": {"type": "simmim_bench.CosineDistance"},
    "weight": {"value": 0.1},
}
TRANSFORMER = {"type": "simmim_bench.LightTransformerDecoder", "width": 8, "heads": 2, "depth": 1}
SPARSE = {"type": "simmim_bench.SparseSimMIM", "decoder": TRANSFORMER}
ENTROPY = {"type": "simmim_bench.MaskedCrossEntropyLoss"}
PSNR = {"type": "simmim_bench.MaskedPSNRLoss", "data_range": 5.0, "floor": 1e-4}
VARIANTS = {
    "pixels of one token": {"type": "simmim_bench.PixelSimMIM"},
    "pixels of the mean": {"type": "simmim_bench.PixelSimMIM", "fill": "mean"},
    "pixels of noise": {"type": "simmim_bench.PixelSimMIM", "fill": "noise"},
    "several views": {
        "type": "simmim_bench.MultiViewSimMIM",
        "contrast": CONTRAST,
        "weight": {"value": 0.1},
    },
    "own features": {"type": "simmim_bench.SimilaritySimMIM", **OWN},
    "sparse": SPARSE,
    "downsampled": {"target": {"type": "simmim_bench.DownsampledRGB", "stride": 4}},
    "patches": {"target": {"type": "simmim_bench.PatchNormalisedRGB", "patch_size": 8}},
    "windows": {"target": {"type": "simmim_bench.WindowNormalisedRGB", "window_size": 7}},
    "bins": {"target": {"type": "simmim_bench.ColourBins", "bins": 4}, "loss": ENTROPY},
    "mlp": {"decoder": {"type": "simmim_bench.MLPDecoder"}},
    "convolutions": {"decoder": {"type": "simmim_bench.ConvDecoder"}},
    "transposed": {"decoder": {"type": "simmim_bench.TransposedConvDecoder"}},
    "transformer": {"decoder": TRANSFORMER},
    "psnr": {"loss": PSNR},
}


@pytest.mark.parametrize("name", ["swin", "cnn"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_learns_all_channels(variant, name):
    model = pretraining(BACKBONES[name], 5, **VARIANTS[variant])
    images, mask = batch(model, 5)
    loss = loss_of(model, images, mask)
    loss.backward()
    assert loss.isfinite()
    prediction = model.decode(model.encode_levels(images, mask))
    assert model.target.to_images(prediction, images).shape == images.shape
    head = [value for value in model.decoder.parameters() if value.grad is not None][-1]
    assert head.grad.reshape(5, -1).abs().sum(1).min() > 0


@pytest.mark.parametrize("name", ["swin", "resnet"])
def test_hidden_channels_stay_hidden(name):
    model = pretraining(BACKBONES[name], 4).eval()
    images, mask = batch(model, 4)
    hidden = model.pixel_mask(mask).unsqueeze(1)
    other = torch.where(hidden, images + 3, images)
    assert torch.equal(model.encode(images, mask), model.encode(other, mask))
    for channel in range(4):
        seen = images.clone()
        seen[:, channel] = torch.where(hidden[:, 0], images[:, channel], images[:, channel] + 1)
        assert not torch.equal(model.encode(images, mask), model.encode(seen, mask))
