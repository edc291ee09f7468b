"""A backbone, and the adapter that tells simmim_bench how to mask, load and fine-tune it."""

from mmengine.model import BaseModule
from torch import nn

from simmim_bench.backbones import FeatureSpec, register_adapter
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.registry import MODELS


@MODELS.register_module()
class TinyNet(BaseModule):
    """Three convolutions; one map of stride 8."""

    def __init__(self, channels=32):
        super().__init__()
        self.channels = channels
        self.stem = nn.Conv2d(3, channels, 4, stride=4)
        self.down = nn.Conv2d(channels, channels, 2, stride=2)
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, images):
        """Images (B, 3, H, W) to a tuple of one map (B, channels, H / 8, W / 8)."""
        return (self.mix(self.down(self.stem(images).relu()).relu()),)


@register_adapter
class TinyAdapter(PixelAdapter):
    """Adapter of a TinyNet: masked pixels are replaced before the first layer."""

    name = "tiny"
    backbone_type = TinyNet
    feature_spec = property(lambda self: FeatureSpec((8,), (self.backbone.channels,)))
    token_size = 4
    num_layers = 3

    def layer_id(self, param_name):
        """Layer of a parameter, for layer-wise learning rates: 0 is the stem."""
        return 0 if param_name.startswith("stem.") else 1

    def init_weights(self, *, pretraining):
        """Random weights to start from."""
        for module in (self.backbone.stem, self.backbone.down, self.backbone.mix):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)

    def architecture(self):
        """Arguments that build the backbone again; they go onto the card of its weights."""
        return {"channels": self.backbone.channels}
