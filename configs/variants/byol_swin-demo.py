# BYOL (https://arxiv.org/abs/2006.07733) by mmpretrain's algorithm on the demo images.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/byol.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/datasets/demo_views.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="byol", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
    neck=dict(in_channels=256, hid_channels=512, out_channels=128),
    head=dict(predictor=dict(in_channels=128, hid_channels=512, out_channels=128)),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            _base_.two_views,
            dict(type="PackInputs"),
        ]
    )
)
