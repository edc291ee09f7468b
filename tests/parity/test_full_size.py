"""SimMIM at full size against timm's models with the same weights, masked as the original does.

The golden tensors are of small models. Here timm's backbone is the reference; mask tokens, decoder
and loss are written out after https://github.com/microsoft/SimMIM/blob/main/models/simmim.py.
"""

from pathlib import Path

import pytest
import timm
import torch
from mmengine.registry import DefaultScope
from torch.nn import functional

from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.layouts import LAYOUTS
from simmim_bench.weights.convert.translate import write_layout
from tests.configs.reader import read_config

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2] / "configs" / "simmim"
CONFIGS = {
    "swin-b": "swin-b_8xb128.py",
    "vit-b": "vit-b_8xb128.py",
    "swinv2-b": "swinv2-b_8xb128_800e.py",
}
NOISE = 1e-12  # gradients of some parameters nearly cancel
COMPUTED = ("relative_position_index", "relative_coords_table", "attn_mask")


def of_timm(name, backbone):
    """timm's class in the size of a config."""
    if name == "vit-b":
        return timm.models.beit.Beit(
            img_size=backbone.img_size,
            use_abs_pos_emb=False,
            use_shared_rel_pos_bias=True,
            init_values=backbone.layer_scale_init_value,
            num_classes=0,
            global_pool="",
        )
    windows = backbone.window_size
    arch = backbone.arch
    kind = (
        timm.models.swin_transformer.SwinTransformer
        if name == "swin-b"
        else timm.models.swin_transformer_v2.SwinTransformerV2
    )
    return kind(
        img_size=backbone.img_size,
        window_size=windows if isinstance(windows, int) else windows[0],
        embed_dim=arch.embed_dims,
        depths=tuple(arch.depths),
        num_heads=tuple(arch.num_heads),
        drop_path_rate=0.0,
        num_classes=0,
    )


class Pair:
    """Ours from a config, and the reference, with equal weights; images and masks for both."""

    def __init__(self, name, dtype):
        cfg = read_config(ROOT / CONFIGS[name])
        cfg.model.pop("target", None)  # it has tests of its own; here the target is the image
        cfg.model.backbone.drop_path_rate = 0.0
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope("mmpretrain"):
            self.model = MODELS.build(cfg.model)
        for parameter in self.model.parameters():  # norms and biases start at 0 or 1
            parameter.data.add_(0.02 * torch.randn(parameter.shape))
        self.adapter = {"swin-b": "swin", "vit-b": "vit", "swinv2-b": "swinv2"}[name]
        self.keys = LAYOUTS["timm"].key_map(self.adapter)
        self.reference = of_timm(name, cfg.model.backbone)
        theirs, _ = write_layout(self.model.state_dict(), LAYOUTS["timm"], self.adapter)
        absent = self.reference.load_state_dict(theirs, strict=False)
        assert all(key.endswith(COMPUTED) for key in absent.missing_keys), absent
        assert absent.unexpected_keys == []
        self.model.to(dtype).train()
        self.reference.to(dtype).train()
        size = cfg.model.backbone.img_size
        self.images = torch.randn(1, 3, size, size, dtype=dtype)
        self.patch = 16 if name == "vit-b" else 4
        mask = torch.rand(1, size // 32, size // 32) < 0.6
        times = 32 // self.patch
        self.mask = mask.repeat_interleave(times, 1).repeat_interleave(times, 2)
        self.token = self.model.mask_token.detach().reshape(-1).clone().requires_grad_()
        projection = self.model.decoder.projection
        self.head = [projection.weight.detach().clone().requires_grad_(),
                     projection.bias.detach().clone().requires_grad_()]  # fmt: skip

    def ours(self):
        latent = self.model.encode(self.images, self.mask)
        reconstruction = self.model.decoder(latent)
        loss = self.model.criterion(reconstruction, self.images, self.model.pixel_mask(self.mask))
        loss.backward()
        norms = {name: value.grad.norm().item() for name, value in self.model.named_parameters()}
        return latent, reconstruction, loss, norms

    def theirs(self):
        weight = self.mask.flatten(1)[..., None].to(self.images.dtype)  # (1, L, 1)

        def masked(_module, _inputs, tokens):
            shaped = weight if tokens.ndim == 3 else weight.view(*tokens.shape[:3], 1)
            return tokens * (1 - shaped) + self.token * shaped

        handle = self.reference.patch_embed.register_forward_hook(masked)
        features = self.reference.forward_features(self.images)
        handle.remove()
        if features.ndim == 3:  # ViT: without the class token
            side = self.images.shape[-1] // self.patch
            latent = features[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        else:
            latent = features.permute(0, 3, 1, 2)
        stride = self.images.shape[-1] // latent.shape[-1]
        image = functional.pixel_shuffle(functional.conv2d(latent, *self.head), stride)
        pixels = self.mask.repeat_interleave(self.patch, 1).repeat_interleave(self.patch, 2)
        error = functional.l1_loss(self.images, image, reduction="none")
        loss = (error * pixels[:, None]).sum() / (pixels.sum() + 1e-5) / 3
        loss.backward()
        named = dict(self.reference.named_parameters())
        norms = {
            name: named[self.keys.to_theirs(name)].grad.norm().item()
            for name, _ in self.model.named_parameters()
            if name.startswith("backbone.")
        }
        norms["mask_token"] = self.token.grad.norm().item()
        norms["decoder.projection.weight"] = self.head[0].grad.norm().item()
        norms["decoder.projection.bias"] = self.head[1].grad.norm().item()
        return latent, image, loss, norms


def relative_error(found, wanted):
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


@pytest.mark.parametrize(
    ("dtype", "bound", "gradients"),
    [(torch.float64, 1e-9, 1e-7), (torch.float32, 1e-5, 1e-4)],
    ids=["float64", "float32"],
)
@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_pretraining_at_full_size_equals_the_reference(name, dtype, bound, gradients, equal):
    pair = Pair(name, dtype)
    *found, norms = pair.ours()
    *wanted, others = pair.theirs()
    title = f"timm, full-size {name}, {str(dtype).removeprefix('torch.')}"
    for quantity, own, other in zip(
        ("latent", "reconstruction", "loss"), found, wanted, strict=True
    ):
        assert own.shape == other.shape
        equal(title, quantity, [relative_error(own, other)], bound=bound)
    assert norms.keys() == others.keys()
    largest = max(others.values())
    errors = [
        abs(norms[key] - others[key]) / others[key] if others[key] > NOISE * largest else 0.0
        for key in others
    ]
    equal(title, f"{len(errors)} gradient norms", errors, bound=gradients)
