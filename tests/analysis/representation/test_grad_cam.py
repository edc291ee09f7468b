"""Grad-CAM where the gradient is known in closed form."""

import pytest
import torch
from torch import nn

from simmim_bench.analysis.representation.grad_cam import class_index, grad_cam
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from tests.analysis.representation.conftest import BEIT, RESNET, SWIN, VIT, build


class Linear(nn.Module):
    """Average of the backbone's last map and a linear layer."""

    def __init__(self, backbone, channels):
        super().__init__()
        torch.manual_seed(2)
        self.backbone, self.head = backbone, nn.Linear(channels, 5)

    def forward(self, images):
        return self.head(self.backbone(images)[-1].mean(dim=(2, 3)))


def test_a_linear_head_on_a_map(batch):
    """dy/dA is w / (h w) everywhere, so the map is relu(w A) / (h w)."""
    model = Linear(build(RESNET), 64).eval()
    with torch.no_grad():
        features = model.backbone(batch)[-1]  # (2, 64, 2, 2)
        evidence = torch.einsum("bchw,kc->bkhw", features, model.head.weight) / 4
        expected_logits = model(batch)
    assert evidence.min() < 0 < evidence.max()
    for number in range(5):
        classes = torch.full((2,), number)
        heat, logits = grad_cam(model, batch, classes=classes, layer="4.2")
        torch.testing.assert_close(heat, evidence[:, number].relu())
        torch.testing.assert_close(logits, expected_logits)


def test_explains_the_prediction_at_the_deepest_fine_map(batch):
    model = Linear(build(SWIN), 64).eval()
    heat, logits = grad_cam(model, batch)
    assert heat.shape == (2, 4, 4)  # stage 3; stage 4 has 2 x 2
    again, _ = grad_cam(model, batch, classes=logits.argmax(dim=1), layer="3.2")
    assert torch.equal(heat, again)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_tokens_become_a_map_row_by_row(batch):
    """Evidence of a token stands where its patch is."""
    model = Linear(build(BEIT, final_norm=False), 16).eval()
    with torch.no_grad():
        features = model.backbone(batch)[-1]  # (2, 16, 4, 4)
    heat, _ = grad_cam(model, batch, classes=torch.tensor([0, 0]), layer="3")
    expected = torch.einsum("bchw,c->bhw", features, model.head.weight[0]).relu() / 16
    torch.testing.assert_close(heat, expected)


def test_a_frozen_backbone_is_explained_too(batch):
    config = {
        "type": "simmim_bench.LinearProbe",
        "backbone": SWIN,
        "neck": {"type": "mmpretrain.GlobalAveragePooling"},
        "head": {
            "type": "simmim_bench.LinearProbeHead",
            "num_classes": 3,
            "in_channels": 64,
            "loss": {"type": "mmpretrain.CrossEntropyLoss"},
        },
    }
    probe = MODELS.build(config).eval()
    heat, logits = grad_cam(probe, batch)
    assert logits.shape == (2, 3)
    assert heat.max() > 0


class OfClassToken(nn.Module):
    """Linear layer on the backbone's class token."""

    def __init__(self, backbone):
        super().__init__()
        torch.manual_seed(2)
        self.backbone, self.head = backbone, nn.Linear(16, 5)

    def forward(self, images):
        return self.head(self.backbone(images)[-1])


@pytest.mark.parametrize(("reads", "deepest"), [(-1, "2"), (1, "1")])
def test_a_class_token_is_explained_by_patches_that_reach_it(batch, reads, deepest):
    """Patch tokens of the block whose class token is read have no successor."""
    backbone = build(VIT, out_type="cls_token", out_indices=[reads])
    model = OfClassToken(backbone).eval()
    heat, _ = grad_cam(model, batch)
    assert heat.amax(dim=(1, 2)).min() > 0
    again, _ = grad_cam(model, batch, layer=deepest)
    assert torch.equal(heat, again)
    with pytest.raises(BenchError, match=rf"layer '3' .* class token; give one of .*{deepest}$"):
        grad_cam(model, batch, layer="3")


def test_a_class_token_of_the_only_block_is_not_explained(batch):
    backbone = build(VIT, arch={**VIT["arch"], "num_layers": 1}, out_type="cls_token")
    with pytest.raises(BenchError, match="reads the class token of its first block"):
        grad_cam(OfClassToken(backbone).eval(), batch)


def test_refuses_unknown_layers_and_classes(batch):
    model = Linear(build(SWIN), 64).eval()
    with pytest.raises(BenchError, match=r"no layer '5\.1'; it has 1\.1, 1\.2"):
        grad_cam(model, batch, layer="5.1")
    with pytest.raises(BenchError, match="did you mean zebra"):
        class_index("zebar", ["cat", "zebra"])
    assert class_index("cat", ["dog", "cat"]) == 1
