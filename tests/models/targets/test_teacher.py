"""Features of a frozen teacher from timm and from mmpretrain."""

import copy

import numpy as np
import pytest
import timm
import torch

from simmim_bench.errors import BenchError
from simmim_bench.models.targets.teacher import TeacherFeatures
from simmim_bench.registry import MODELS

VIT = {
    "type": "timm.vit_tiny_patch16_224",
    "img_size": 64,
    "embed_dim": 24,
    "depth": 2,
    "num_heads": 2,
}
SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    "img_size": 64,
    "window_size": 2,
}
KNOWN = ("mean", "std")


def vit_model(**changes):
    arguments = {key: value for key, value in VIT.items() if key != "type"}
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", **{**arguments, **changes}).eval()
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.3)
    return model


@pytest.fixture
def vit(tmp_path):
    """A timm model with its classifier, and the file that holds it."""
    model = vit_model(num_classes=7)
    path = tmp_path / "vit.pth"
    torch.save({"state_dict": model.state_dict()}, path)
    return model, path


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def whitened(features):
    """(B, C, h, w) -> mean 0 and variance 1 over the channels of each position, in numpy."""
    values = features.detach().double().numpy()
    mean, variance = values.mean(axis=1, keepdims=True), values.var(axis=1, keepdims=True)
    return (values - mean) / np.sqrt(variance + 1e-5)


def test_features_of_a_timm_vit(vit, images):
    model, path = vit
    target = TeacherFeatures(checkpoint=str(path), model=VIT)
    assert (target.out_channels, target.stride, target.predicts_images) == (24, 16, False)
    tokens = model.forward_features(images)[:, 1:]  # without the class token
    wanted = whitened(tokens.transpose(1, 2).reshape(2, 24, 4, 4))
    np.testing.assert_allclose(target(images).numpy(), wanted, atol=1e-4)


def test_features_of_an_mmpretrain_swin_from_a_whole_model(tmp_path, images):
    torch.manual_seed(0)
    swin = MODELS.build(SWIN)
    swin.eval()
    state = {f"backbone.{key}": value for key, value in swin.state_dict().items()}
    torch.save({"state_dict": {**state, "head.fc.weight": torch.zeros(2)}}, tmp_path / "s.pth")
    target = TeacherFeatures(checkpoint=str(tmp_path / "s.pth"), model=SWIN)
    assert (target.out_channels, target.stride) == (64, 32)
    np.testing.assert_allclose(target(images).numpy(), whitened(swin(images)[-1]), atol=1e-4)
    wide = torch.randn(1, 3, 64, 128)
    assert target(wide).shape == (1, 64, 2, 4)


def test_convolutional_teachers_from_safetensors(tmp_path, images):
    from safetensors.torch import save_file

    model = timm.create_model("resnet18", num_classes=3).eval()
    save_file(model.state_dict(), tmp_path / "resnet.safetensors")
    target = TeacherFeatures(
        checkpoint=str(tmp_path / "resnet.safetensors"), model={"type": "timm.resnet18"}
    )
    assert (target.out_channels, target.stride) == (512, 32)
    wanted = whitened(model.forward_features(images))
    np.testing.assert_allclose(target(images).numpy(), wanted, atol=1e-4)


@pytest.mark.parametrize(("stride", "side"), [(8, 8), (32, 2)])
def test_features_are_resized_to_the_target_grid(vit, images, stride, side):
    target = TeacherFeatures(checkpoint=str(vit[1]), model=VIT, stride=stride)
    found = target(images)
    assert found.shape == (2, 24, side, side)
    np.testing.assert_allclose(found.mean(dim=1).numpy(), 0, atol=1e-5)
    with pytest.raises(ValueError, match="60 x 64 is not divisible by target stride"):
        target(images[:, :, :60])


def test_the_teacher_sees_images_in_its_own_normalisation(vit, images):
    model, path = vit
    scale = {"mean": (120.0, 110.0, 100.0), "std": (60.0, 50.0, 70.0)}
    own = {"teacher_mean": (127.5,) * 3, "teacher_std": (127.5,) * 3}
    target = TeacherFeatures(checkpoint=str(path), model=VIT, **scale, **own)
    mean, std = (torch.tensor(scale[name]).view(1, 3, 1, 1) for name in KNOWN)
    tokens = model.forward_features((images * std + mean) / 127.5 - 1)[:, 1:]
    wanted = whitened(tokens.transpose(1, 2).reshape(2, 24, 4, 4))
    np.testing.assert_allclose(target(images).numpy(), wanted, atol=1e-4)
    with pytest.raises(ValueError, match="belong together"):
        TeacherFeatures(checkpoint=str(path), model=VIT, **scale, teacher_mean=(1.0,) * 3)
    with pytest.raises(BenchError, match="needs the normalisation of the images"):
        TeacherFeatures(checkpoint=str(path), model=VIT, **own)


def test_the_teacher_is_frozen_hidden_and_follows_the_device(vit, images):
    target = TeacherFeatures(checkpoint=str(vit[1]), model=VIT)
    holder = torch.nn.Sequential(target)
    assert holder.state_dict() == {}
    assert list(holder.parameters()) == []
    assert holder.train()[0].network.training is False
    assert not target(images).requires_grad
    assert next(holder.double()[0].network.parameters()).dtype == torch.float64
    assert next(holder.to("meta")[0].network.parameters()).device.type == "meta"


def test_a_copy_has_its_own_teacher(vit, images):
    target = TeacherFeatures(checkpoint=str(vit[1]), model=VIT)
    copied = copy.deepcopy(target)
    assert copied.network is not target.network
    assert torch.equal(copied(images), target(images))


def test_a_prediction_is_no_image(vit, images):
    target = TeacherFeatures(checkpoint=str(vit[1]), model=VIT)
    with pytest.raises(ValueError, match="of TeacherFeatures cannot be shown as images"):
        target.to_images(target(images), images)


def test_files_that_are_not_there(vit, tmp_path):
    with pytest.raises(BenchError, match=r"vti.pth does not exist; did you mean .*/vit.pth\?"):
        TeacherFeatures(checkpoint=str(tmp_path / "vti.pth"), model=VIT)
    with pytest.raises(BenchError, match=r"does not exist; give the path of a \.pth"):
        TeacherFeatures(checkpoint="/nowhere/vit.pth", model=VIT)
    with pytest.raises(BenchError, match="is a folder; give a file in it"):
        TeacherFeatures(checkpoint=str(tmp_path), model=VIT)


def test_checkpoints_that_do_not_fully_match(vit, tmp_path):
    model, path = vit
    state = model.state_dict()
    renamed = {key.replace("blocks.1.attn.qkv", "blocks.1.attn.qvk"): v for key, v in state.items()}
    torch.save(renamed, path)
    with pytest.raises(BenchError) as raised:
        TeacherFeatures(checkpoint=str(path), model=VIT)
    said = str(raised.value)
    assert f"2 of {len(state) - 2} keys missing (" in said  # without the classifier
    assert "2 unexpected (blocks.1.attn.qvk.weight, " in said
    assert "perhaps blocks.1.attn.qkv.weight was renamed to blocks.1.attn.qvk.weight" in said
    torch.save({**state, "extra": torch.zeros(1)}, path)
    with pytest.raises(BenchError, match=r"0 of \d+ keys missing, 1 unexpected \(extra\)"):
        TeacherFeatures(checkpoint=str(path), model=VIT)
    torch.save({**state, "pos_embed": torch.zeros(1, 3, 24)}, path)
    with pytest.raises(BenchError, match=r"pos_embed: \(1, 3, 24\), expected \(1, 17, 24\)"):
        TeacherFeatures(checkpoint=str(path), model=VIT)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(BenchError, match="holds no weights"):
        TeacherFeatures(checkpoint=str(path), model=VIT)
    (tmp_path / "v.safetensors").write_bytes(b"nothing")
    with pytest.raises(BenchError, match=r"v\.safetensors is damaged"):
        TeacherFeatures(checkpoint=str(tmp_path / "v.safetensors"), model=VIT)


def test_names_that_nobody_knows(vit):
    path = str(vit[1])
    with pytest.raises(
        BenchError, match=r"'vit_tny_patch16_224'; did you mean .*vit_tiny_patch16_224"
    ):
        TeacherFeatures(checkpoint=path, model={"type": "timm.vit_tny_patch16_224"})
    with pytest.raises(BenchError, match=r"'qqqqqq'; timm\.list_models"):
        TeacherFeatures(checkpoint=path, model={"type": "timm.qqqqqq"})


def test_a_teacher_without_feature_maps(tmp_path):
    config = {
        "type": "mmpretrain.VisionTransformer",
        "arch": {
            "embed_dims": 8,
            "num_layers": 1,
            "num_heads": 1,
            "feedforward_channels": 8,
        },
        "img_size": 32,
        "out_type": "cls_token",
    }
    torch.save(MODELS.build(config).state_dict(), tmp_path / "v.pth")
    with pytest.raises(BenchError, match=r"returns \(1, 8\), not feature maps .*'featmap'"):
        TeacherFeatures(checkpoint=str(tmp_path / "v.pth"), model=config)
