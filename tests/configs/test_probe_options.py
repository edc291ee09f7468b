"""What the linear probes' configs say can be chosen: layer, optimizer, batch norm."""

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample

from simmim_bench.config import load_config
from simmim_bench.registry import MODELS
from tests.configs.reader import wrapper_of

PROBES = {
    "swin-b": ["model.backbone.out_indices=[2]", "model.head.in_channels=512"],
    "vit-b": ["model.backbone.out_indices=[7]"],
    "plain-vit-b": ["model.backbone.out_indices=[7]"],
}


def built(path, *overrides):
    cfg = load_config(path, overrides=list(overrides))
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
        return model, wrapper_of(cfg, model).optimizer


@pytest.mark.parametrize("backbone", sorted(PROBES))
def test_full_size_probes_take_another_layer_sgd_and_no_batch_norm(backbone, monkeypatch):
    linspace = torch.linspace
    monkeypatch.setattr(torch, "linspace", lambda *a, **k: linspace(*a, **{**k, "device": "cpu"}))
    path = f"configs/imagenet/{backbone}_8xb2048_linear-90e.py"
    with torch.device("meta"):
        model, optimizer = built(path)
        assert type(optimizer).__name__ == "LARS"
        assert model.head.norm.affine is False
        model, optimizer = built(
            path, *PROBES[backbone], "optim_wrapper.optimizer.type=SGD",
            "model.head.type=LinearClsHead",
        )  # fmt: skip
        assert type(optimizer) is torch.optim.SGD
        assert not hasattr(model.head, "norm")
        width = model.head.fc.in_features
        assert model.extract_feat(torch.zeros(2, 3, 224, 224))[-1].shape == (2, width)


def test_a_vits_layer_is_probed_by_the_mean_of_its_patch_tokens():
    path = "configs/small/cifar10-linear_vit-demo.py"
    model, _ = built(path, "model.backbone.out_indices=[3]")
    model.train()
    seen = {}
    model.backbone.layers[3].register_forward_hook(lambda *a: seen.update(tokens=a[2]))
    model.head.norm.register_forward_hook(lambda *a: seen.update(pooled=a[1][0]))
    samples = [DataSample().set_gt_label(label) for label in (0, 1)]
    model(torch.randn(2, 3, 64, 64), samples, mode="loss")
    assert seen["tokens"].shape == (2, 1 + 64, 128)
    assert torch.allclose(seen["pooled"], seen["tokens"][:, 1:].mean(dim=1), atol=1e-6)
