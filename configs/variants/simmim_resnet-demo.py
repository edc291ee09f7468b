# SimMIM on the demo images with a ResNet: masked pixels are one learned colour, nearly as in A2MIM
# (https://arxiv.org/abs/2205.13943).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # unused; part of the config's hash
    "../_base_/models/resnet-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim", backbone="resnet-demo")

model = dict(
    backbone=_base_.resnet_demo,
    init_cfg=None,  # initial weights of He et al., fan out
)
