# SimMIM on the demo images with a ResNet: hidden pixels are one learned colour, as A2MIM's
# (https://arxiv.org/abs/2205.13943) nearly are.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/models/resnet-demo.py"]
pretraining = dict(backbone="resnet-demo")

model = dict(
    backbone=dict(_delete_=True, **_base_.resnet_demo),
    init_cfg=None,  # convolutions as He et al., fan out
)
