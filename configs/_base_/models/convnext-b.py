# ConvNeXt-B: https://arxiv.org/abs/2201.03545, section 3.1.
convnext_b = dict(
    type="mmpretrain.ConvNeXt",
    arch=dict(depths=[3, 3, 27, 3], channels=[128, 256, 512, 1024]),
    gap_before_final_norm=False,  # a map comes out, as decoders and dense tasks need it
    layer_scale_init_value=1e-6,
)
# Linear layers and convolutions start from a normal of 0.02: ConvNeXt, models/convnext.py.
backbone_init = "original"
