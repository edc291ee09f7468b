"""The original's pretraining tensors (tests/golden), and the same computed by this project."""

from __future__ import annotations

import torch

from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.layouts import LAYOUTS
from simmim_bench.weights.convert.translate import read_layout
from tests.configs.reader import golden_folder

DATA = golden_folder()
FLOAT32_NOISE = 1e-12  # gradients of some bias tables are 1e-8: what is left of larger sums

BACKBONES = {
    "swin": {
        "type": "mmpretrain.SwinTransformer",
        "arch": {"embed_dims": 12, "depths": [2, 2, 2, 2], "num_heads": [2, 3, 4, 6]},
        "img_size": 96,
        "window_size": 3,
        "drop_path_rate": 0.0,
    },
    "vit": {
        "type": "mmpretrain.BEiTViT",
        "arch": {"embed_dims": 48, "num_layers": 3, "num_heads": 3, "feedforward_channels": 192},
        "img_size": 64,
        "patch_size": 16,
        "out_type": "featmap",
        "final_norm": True,
        "use_rel_pos_bias": False,
        "use_shared_rel_pos_bias": True,
        "layer_scale_init_value": 0.1,
    },
}


class Golden:
    """Tensors of the original, and a model with its weights."""

    def __init__(self, name):
        self.file = f"simmim_{name}_pretrain.pt"
        self.tensors = torch.load(DATA / self.file, weights_only=True)
        self.name, self.layout = name, LAYOUTS["simmim pretraining"]
        self.keys = self.layout.key_map(name)
        self.model = MODELS.build(
            {
                "type": "simmim_bench.SimMIM",
                "backbone": BACKBONES[name],
                "decoder": {"type": "simmim_bench.LinearDecoder"},
                "loss": {"type": "simmim_bench.MaskedL1Loss"},
            }
        )
        reading = read_layout(self.tensors["state_dict"], self.layout, name)
        assert reading.unknown == ()
        self.model.load_state_dict(reading.state, strict=True)
        self.model.train()

    def run(self, dtype=torch.float32, device="cpu"):
        """Latent, reconstruction, loss, and the gradient norm of each parameter by its name."""
        model = self.model.to(device, dtype)
        images = self.tensors["images"].to(device, dtype)
        mask = self.tensors["mask"].to(device).bool()
        latent = model.encode(images, mask)
        reconstruction = model.decoder(latent)
        loss = model.criterion(reconstruction, images, model.pixel_mask(mask))
        loss.backward()
        norms = {
            self.keys.to_theirs(name): value.grad.norm().item()
            for name, value in model.named_parameters()
        }
        return latent, reconstruction, loss, norms

    def norm_errors(self, norms, *, noise):
        """Relative error of each parameter's gradient norm; 0 where both differ by noise."""
        wanted = {key: float(value) for key, value in self.tensors["grad_norms"].items()}
        assert set(norms) == set(wanted)
        differences = {key: abs(norms[key] - wanted[key]) for key in wanted}
        return [d / wanted[key] if d > noise else 0.0 for key, d in differences.items()]


def relative_error(found, wanted):
    """Largest difference, divided by the largest value."""
    return ((found - wanted).abs().max() / wanted.abs().max()).item()
