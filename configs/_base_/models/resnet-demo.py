# A ResNet-18 of half the width, 2.8 M parameters, for the demo: https://arxiv.org/abs/1512.03385.
resnet_demo = dict(
    type="mmpretrain.ResNet",
    depth=18,
    stem_channels=32,
    base_channels=32,
    out_indices=(3,),
    norm_cfg=dict(type="BN"),
)
