# SimMIM on the demo images with a ResNet: hidden pixels are one learned colour, as A2MIM's
# (https://arxiv.org/abs/2205.13943) nearly are.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # kept for the hash of the config in records
    "../_base_/models/resnet-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim", backbone="resnet-demo")

model = dict(
    backbone=_base_.resnet_demo,
    init_cfg=None,  # convolutions as He et al., fan out
)
