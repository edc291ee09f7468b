# SimMIM with a ResNet whose hidden pixels are normal noise of the dataset's mean and deviation,
# where simmim_resnet-demo.py has a learned colour.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # kept for the hash of the config in records
    "../_base_/models/resnet-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-fill-noise", backbone="resnet-demo")

model = dict(
    type="simmim_bench.PixelSimMIM",
    backbone=_base_.resnet_demo,
    init_cfg=None,  # convolutions as He et al., fan out
    mask_size=4,
    fill="noise",
)
