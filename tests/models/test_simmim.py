import pytest
import torch
from mmpretrain.structures import DataSample

from simmim_bench.registry import MODELS

BACKBONE = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    built = MODELS.build(
        {
            "type": "simmim_bench.SimMIM",
            "backbone": BACKBONE,
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
            "data_preprocessor": {
                "type": "mmpretrain.SelfSupDataPreprocessor",
                "mean": [100.0, 110.0, 120.0],
                "std": [50.0, 60.0, 70.0],
                "to_rgb": True,
            },
        }
    )
    built.init_weights()
    return built


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8)
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[0, :8] = masks[1, :, 8:] = True
    return {"inputs": images, "data_samples": [DataSample().set_mask(mask) for mask in masks]}


def test_the_mask_token_is_drawn_with_an_init_cfg_too():
    built = MODELS.build(
        {
            "type": "simmim_bench.SimMIM",
            "backbone": BACKBONE,
            "init_cfg": [],
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
        }
    )
    built.init_weights()
    assert built.mask_token.std() > 0.005


def test_state_dict_has_three_parts(model):
    parts = {key.split(".")[0] for key in model.state_dict()}
    assert parts == {"backbone", "decoder", "mask_token"}


def test_loss_is_the_mean_over_masked_pixels(model, batch):
    data = model.data_preprocessor(batch)
    shown = model(**data, mode="predict")
    image, painted, hidden = shown["images"], shown["reconstruction"], shown["mask"]
    assert hidden.shape == (2, 64, 64)
    assert hidden[0, :32].all()
    assert not hidden[0, 32:].any()
    pairs = zip(image, painted, hidden, strict=True)
    differences = torch.cat([(a - b)[:, mask].flatten() for a, b, mask in pairs])
    assert model(**data, mode="loss")["loss"].item() == pytest.approx(
        differences.abs().mean().item(), rel=1e-5
    )


def test_training_lowers_the_loss(model, batch):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    data = model.data_preprocessor(batch)
    losses = []
    for _ in range(20):
        loss = model(**data, mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_tensor_mode_without_samples_masks_nothing(model):
    images = torch.randn(2, 3, 64, 64)
    prediction = model(images)
    assert prediction.shape == images.shape
    assert torch.equal(prediction, model.decoder(model.backbone(images)[-1]))


def test_a_sample_without_a_mask(model):
    with pytest.raises(ValueError, match=r"add simmim_bench\.GenerateMask before PackInputs"):
        model(torch.randn(1, 3, 64, 64), [DataSample()], mode="loss")


def test_an_unknown_mode(model):
    with pytest.raises(ValueError, match="unknown mode 'train'; known are: loss, predict, tensor"):
        model(torch.randn(1, 3, 64, 64), mode="train")


def test_bfloat16_autocast(model, batch):
    data = model.data_preprocessor(batch)
    exact = model(**data, mode="loss")["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(**data, mode="loss")["loss"]
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=0.01)
