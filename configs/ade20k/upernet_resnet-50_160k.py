# UperNet on ResNet-50, 160 000 iterations at 512 px, batch 16.
# Values: mmsegmentation 1.2, configs/upernet/upernet_r50_4xb4-160k_ade20k-512x512.py and
# configs/_base_/schedules/schedule_160k.py, without the dilation that its ResNet has.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/resnet-50.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k.py",
]
default_scope = "mmseg"
backbone_name = "resnet-50"

model = dict(
    backbone=dict(_base_.resnet_50, out_indices=(0, 1, 2, 3)),
    decode_head=dict(in_channels=[256, 512, 1024, 2048], channels=512),
    auxiliary_head=dict(in_channels=1024),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type="PolyLR", eta_min=1e-4, power=0.9, by_epoch=False, begin=0, end=160000),
]
