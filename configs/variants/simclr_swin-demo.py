# SimCLR (https://arxiv.org/abs/2002.05709) by mmpretrain's algorithm on the demo images.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/datasets/demo_views.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simclr", backbone="swin-demo")

model = dict(
    type="SimCLR",
    backbone=_base_.swin_demo,
    neck=dict(
        type="NonLinearNeck",
        in_channels=256,
        hid_channels=512,
        out_channels=128,  # section 2.1
        num_layers=2,
        with_avg_pool=True,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(
        type="ContrastiveHead",
        loss=dict(type="CrossEntropyLoss"),
        temperature=0.5,  # appendix B.9, CIFAR-10
    ),
    data_preprocessor=dict(
        type="SelfSupDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
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
