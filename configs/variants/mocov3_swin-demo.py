# MoCo v3 (https://arxiv.org/abs/2104.02057) by mmpretrain's algorithm on the demo images, with the
# demo's Swin in the place of a ViT. Values: section 4.4, but for widths.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/datasets/demo_views.py"]
pretraining = dict(method="mocov3")

temperature = 0.2
model = dict(
    _delete_=True,
    type="MoCoV3",
    base_momentum=0.01,
    backbone=_base_.swin_demo,
    neck=dict(
        type="NonLinearNeck",
        in_channels=256,
        hid_channels=512,
        out_channels=128,
        num_layers=3,
        with_bias=False,
        with_last_bn=True,
        with_last_bn_affine=False,
        with_last_bias=False,
        with_avg_pool=True,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(
        type="MoCoV3Head",
        predictor=dict(
            type="NonLinearNeck",
            in_channels=128,
            hid_channels=512,
            out_channels=128,
            num_layers=2,
            with_bias=False,
            with_last_bn=True,
            with_last_bn_affine=False,
            with_last_bias=False,
            with_avg_pool=False,
            norm_cfg=dict(type="BN1d"),
        ),
        loss=dict(type="CrossEntropyLoss", loss_weight=2 * temperature),
        temperature=temperature,
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
