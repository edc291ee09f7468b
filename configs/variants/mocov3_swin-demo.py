# MoCo v3 (https://arxiv.org/abs/2104.02057) by mmpretrain's algorithm on the demo images, with the
# demo's Swin instead of a ViT. Values: section 4.4; the widths are ours.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/mocov3.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/datasets/demo_views.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="mocov3", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
    neck=dict(
        in_channels=256,
        hid_channels=512,
        out_channels=128,
        with_avg_pool=True,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(
        predictor=dict(
            in_channels=128, hid_channels=512, out_channels=128, norm_cfg=dict(type="BN1d")
        )
    ),
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
