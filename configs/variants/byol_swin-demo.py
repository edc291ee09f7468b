# BYOL (https://arxiv.org/abs/2006.07733) by mmpretrain's algorithm on the demo images.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/datasets/demo_views.py"]
pretraining = dict(method="byol")

model = dict(
    _delete_=True,
    type="BYOL",
    base_momentum=0.004,  # section 3.2: 1 - 0.996
    backbone=_base_.swin_demo,
    neck=dict(
        type="NonLinearNeck",
        in_channels=256,
        hid_channels=512,
        out_channels=128,
        num_layers=2,
        with_bias=True,
        with_last_bn=False,
        with_avg_pool=True,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(
        type="LatentPredictHead",
        loss=dict(type="CosineSimilarityLoss"),
        predictor=dict(
            type="NonLinearNeck",
            in_channels=128,
            hid_channels=512,
            out_channels=128,
            num_layers=2,
            with_bias=True,
            with_last_bn=False,
            with_avg_pool=False,
            norm_cfg=dict(type="BN1d"),
        ),
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
