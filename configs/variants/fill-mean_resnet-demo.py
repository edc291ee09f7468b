# SimMIM on the demo images with a ResNet: masked pixels are the mean colour of the dataset, instead
# of a learned colour (simmim_resnet-demo.py).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # unused; part of the config's hash
    "../_base_/models/resnet-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-fill-mean", backbone="resnet-demo")

model = dict(
    type="simmim_bench.PixelSimMIM",
    backbone=_base_.resnet_demo,
    init_cfg=None,  # initial weights of He et al., fan out
    mask_size=4,
    fill="mean",
)
